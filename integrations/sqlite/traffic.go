package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Traffic implements [integrations.Flows]. A flow counts with its share of the
// window, by time. Where some flows were seen one way only, the sums are of the
// others and coverage says one_way; where all were, the sums are unknown.
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return incident.Traffic{}, err
	}
	span, err := s.span(ctx, dbs, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	views, err := dbs.views(ctx, hostOf(h), q.From.UnixNano(), q.To.UnixNano())
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	sum := flowmath.NewSummary(q)
	for i := range views {
		sum.View(&views[i])
	}
	if err := dbs.listen(ctx, sum, hostOf(h), q.To); err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	t := sum.Traffic(h, span)
	sum.Sample(&t, views, span)
	missing, err := dbs.missing(ctx, hostOf(h), q.From, q.To)
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	flowmath.Lacking(&t, missing)
	senders, err := dbs.sendersOf(ctx, h, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	t.Senders = senders[:min(len(senders), incident.MaxSenders)]
	return t, nil
}

// listen checks whether the sensors see what the host sends at all, where the
// window has none of it: then what it received does not prove that it was silent.
func (p *pools) listen(ctx context.Context, sum *flowmath.Summary, h host, to time.Time) error {
	if !sum.Unheard() {
		return nil
	}
	in := period{to.Add(-flowmath.Hearing).UnixNano(), to.UnixNano()}
	for _, bucket := range h.buckets() {
		mine := func(addr []byte) bool { return h.has(addr) && bucketOf(addrOf(addr)) == bucket }
		err := p.eachBlock(ctx, "flows", bucket, in.from, in.to, func(_ int64, flows []byte) error {
			views, err := viewsIn(nil, flows, in, mine)
			if err == nil && slices.ContainsFunc(views, func(v flowmath.View) bool { return v.Measured }) {
				err = errFound
			}
			return err
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	sum.Deaf()
	return nil
}
