package command

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sqlite"
)

// flowStore is a flow store of any kind.
type flowStore struct {
	integrations.Flows
	set  *integrations.Set
	name string
	// embedded is the store where it is the embedded one, which reports more of
	// its state.
	embedded *sqlite.Store
}

// asking runs a query on the store that the flags name.
func (q *flowsQuestion) asking(ctx context.Context, answer func(*flowStore, *config.Config) error) error {
	c, err := q.load()
	if err != nil {
		return err
	}
	s, err := q.openStore(ctx, c)
	if err != nil {
		return err
	}
	err = answer(s, c)
	if integrations.KindOf(err) == integrations.Invalid {
		err = usage(err)
	}
	return errors.Join(err, s.set.Close())
}

// openStore opens the store that the flags name. Where several could be meant, it
// is the embedded one.
func (q *flowsQuestion) openStore(ctx context.Context, c *config.Config) (*flowStore, error) {
	chosen := config.Integration{Name: q.store, Spec: sqlite.Spec(), Config: &sqlite.Config{Path: q.store}}
	if c != nil {
		var err error
		if chosen, err = q.chooseEmbedded(c); err != nil {
			return nil, err
		}
	}
	if store, ok := chosen.Config.(*sqlite.Config); ok {
		if err := there(store.Path); err != nil {
			return nil, err
		}
	}
	set, err := service.Open(ctx, []config.Integration{chosen})
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	s := &flowStore{set: set, name: chosen.Name}
	if s.Flows, err = capable[integrations.Flows](set, chosen.Name, "say how much left a host"); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	s.embedded, _ = s.Flows.(*sqlite.Store)
	return s, nil
}

// chooseEmbedded returns the integration that --use names, or the only embedded
// store, or the only one that knows traffic.
func (f *storeFlags) chooseEmbedded(c *config.Config) (config.Integration, error) {
	var only []config.Integration
	for _, i := range c.Opened {
		if _, ok := i.Config.(*sqlite.Config); ok {
			only = append(only, i)
		}
	}
	if f.use == "" && len(only) == 1 {
		return only[0], nil
	}
	return f.choose(c)
}

// moment returns the end of the window, and the function that shows people the
// lag of the store behind it.
func (q *flowsQuestion) moment(ctx context.Context, s *flowStore) (time.Time, func() error, error) {
	if s.embedded != nil {
		to, err := q.to.end(ctx, s.embedded)
		return to, func() error { return q.lags(ctx, s.embedded, to) }, err
	}
	a, err := (&flowsWindow{flowsQuestion: *q}).find(ctx, s.set, s.name)
	return a.To, func() error { return errors.Join(q.warn(a.Stale), q.clocks(a.fast)) }, err
}

// top returns the hosts that sent most, each with its traffic.
func (s *flowStore) top(ctx context.Context, q sqlite.TopQuery) ([]sqlite.Talker, error) {
	if s.embedded != nil {
		return s.embedded.Top(ctx, q)
	}
	hunter, err := capable[integrations.Hunter](s.set, s.name, "list hosts by what they sent: give --ip or --host")
	if err != nil {
		return nil, err
	}
	networks := make([]string, len(q.Networks))
	for i, n := range q.Networks {
		networks[i] = n.String()
	}
	hosts, err := hunter.Hosts(ctx, integrations.HostsQuery{From: q.From, To: q.To, Networks: networks, Top: q.Limit})
	if err != nil {
		return nil, err
	}
	talkers := make([]sqlite.Talker, len(hosts))
	for i, h := range hosts {
		t, err := s.Traffic(ctx, integrations.TrafficQuery{IPs: []string{h.IP}, From: q.From, To: q.To, Top: q.Top, Limits: q.LimitsOf(h.IP)})
		if err != nil {
			return nil, err
		}
		t.Sample = nil
		talkers[i] = sqlite.Talker{IP: h.IP, Traffic: t}
	}
	return talkers, nil
}
