package nftables

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Gateway limits and blocks the hosts behind a Linux gateway.
type Gateway struct {
	table    table
	networks []netip.Prefix
	link     int64
	now      func() time.Time
}

var (
	_ integrations.Enforcer = (*Gateway)(nil)
	_ integrations.Planner  = (*Gateway)(nil)
	_ integrations.Lister   = (*Gateway)(nil)
	_ integrations.Prober   = (*Gateway)(nil)
)

func operation(verb string, o incident.Order) string {
	return fmt.Sprintf("%s %s on %s", verb, o.Action, o.Target.ID())
}

// Read implements [integrations.Enforcer]. What is in the table and has no effect, or has it
// on a part of the device's addresses alone, does not stand. What is left of one of ours is
// pending: put in place again it is as it must be, and it is there until it is given back.
func (g *Gateway) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := operation("read", o)
	s, err := g.check(op, o)
	if err != nil {
		return incident.Reading{}, err
	}
	held, err := g.table.List(ctx, &s)
	if err != nil {
		return incident.Reading{}, err
	}
	for _, l := range held {
		if l.covers(s) && l.Problem == "" {
			return incident.Reading{Stands: true, Key: l.Key, Rate: l.Rate, Counters: l.Counters, Detail: stays(l.Left)}, nil
		}
	}
	var r incident.Reading
	for _, l := range held {
		why := l.Problem
		if why == "" {
			why = "the device has other addresses, too"
		}
		if o.Key != "" && l.Key == o.Key || l.Chain != "" && l.Chain == (Limit{Scope: s, Key: o.Key}).chainName() {
			r.Pending, r.Key, r.Rate = true, o.Key, l.Rate
		}
		r.Detail = strings.TrimPrefix(fmt.Sprintf("%s; only %v is held: %s", r.Detail, l.Addresses, why), "; ")
	}
	return r, nil
}

func stays(left time.Duration) string {
	if left == forever {
		return "it has no end"
	}
	return "it ends by itself in " + incident.FormatDuration(left.Round(time.Second))
}

// Apply implements [integrations.Enforcer].
func (g *Gateway) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := operation("apply", o)
	l, err := g.limit(op, o)
	if err == nil {
		err = checkKey(op, o)
	}
	if err == nil && o.Until.IsZero() {
		err = integrations.Errorf(integrations.Invalid, op, "the order has no end")
	}
	if err != nil {
		return incident.Receipt{}, err
	}
	stands, err := g.table.Put(ctx, l)
	if err != nil {
		return incident.Receipt{}, err
	}
	r := incident.Receipt{At: g.now().UTC(), Detail: "in place"}
	switch {
	case stands.Key != o.Key:
		r.Detail = "already in place, made by somebody else"
	case stands.Rate < l.Rate-l.Rate%8:
		r.Detail = "in place, with the lower rate of " + incident.FormatRate(stands.Rate)
	}
	return r, nil
}

// Undo implements [integrations.Enforcer]. It takes away what has the key also where the
// configuration does not say any more that the device is behind the gateway.
func (g *Gateway) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := operation("undo", o)
	s, err := scope(o)
	if err != nil {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	if err := checkKey(op, o); err != nil {
		return incident.Receipt{}, err
	}
	there, err := g.table.Delete(ctx, Limit{Scope: s, Key: o.Key})
	if err != nil {
		return incident.Receipt{}, err
	}
	r := incident.Receipt{At: g.now().UTC(), Detail: "taken away"}
	if !there {
		r.Detail = "there was nothing of ours"
	}
	return r, nil
}

// Plan implements [integrations.Planner]. The kernel judges the change, and does not make it.
func (g *Gateway) Plan(ctx context.Context, o incident.Order) error {
	l, err := g.limit(operation("plan", o), o)
	if err != nil {
		return err
	}
	return g.table.Check(ctx, l)
}

// Standing implements [integrations.Lister]. The orders have no target: the table knows
// addresses.
func (g *Gateway) Standing(ctx context.Context) ([]incident.Order, error) {
	held, err := g.table.List(ctx, nil)
	if err != nil {
		return nil, err
	}
	var all []incident.Order
	for _, l := range held {
		if l.Key == "" {
			continue
		}
		o := incident.Order{Key: l.Key, Action: l.Action, Rate: l.Rate, Filter: l.Filter}
		if l.Left != forever {
			o.Until = g.now().Add(l.Left - grace).UTC()
		}
		for _, a := range l.Addresses {
			o.Addresses = append(o.Addresses, a.String())
		}
		all = append(all, o)
	}
	slices.SortStableFunc(all, func(a, b incident.Order) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// Probe implements [integrations.Prober].
func (g *Gateway) Probe(ctx context.Context) []integrations.Finding {
	if r, ok := g.table.(*remote); ok {
		found, ok := r.probe(ctx, g.networks)
		if !ok {
			return found
		}
		return append(found, g.probeTable(ctx)...)
	}
	return append(g.probeTable(ctx), g.probePast(ctx)...)
}

// probePast looks at what leads packets past the table.
func (g *Gateway) probePast(ctx context.Context) []integrations.Finding {
	t, ok := g.table.(pastTeller)
	if !ok {
		return nil
	}
	p, err := t.past(ctx)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: fixes(integrations.KindOf(err))}}
	}
	return p.findings(g.networks)
}

// Close ends the connection to a gateway elsewhere.
func (g *Gateway) Close() error {
	if c, ok := g.table.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// probeTable looks at what the table holds, and whether it would take more.
func (g *Gateway) probeTable(ctx context.Context) []integrations.Finding {
	held, err := g.table.List(ctx, nil)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: fixes(integrations.KindOf(err))}}
	}
	findings := []integrations.Finding{{What: fmt.Sprintf("the gateway's rules can be read: %d limits and blocks stand", len(held)), OK: true}}
	for _, l := range held {
		switch {
		case l.Problem != "":
			findings = append(findings, integrations.Finding{
				What: fmt.Sprintf("what holds %v is in the table and has not its effect: %s", l.Addresses, l.Problem), OK: true, Warning: true,
				Fix: "give its lease back, and look who else changes the table",
			})
		case l.Key == "":
			findings = append(findings, integrations.Finding{
				What: fmt.Sprintf("somebody else has put what holds %v into our table", l.Addresses), OK: true, Warning: true,
				Fix: "keep rules of your own in a table of your own",
			})
		}
	}
	return append(findings, g.probePlan(ctx))
}

// probePlan has the kernel judge a limit on an address behind the gateway.
func (g *Gateway) probePlan(ctx context.Context) integrations.Finding {
	l := Limit{Scope: Scope{Action: incident.RateLimit, Addresses: []netip.Addr{g.networks[0].Addr()}}, Rate: 1_000_000}
	if err := g.table.Check(ctx, l); err != nil {
		return integrations.Finding{What: err.Error(), Fix: fixes(integrations.KindOf(err))}
	}
	return integrations.Finding{What: "the kernel would take a limit", OK: true}
}

func fixes(kind integrations.Kind) string {
	switch kind {
	case integrations.Denied:
		return "give the service CAP_NET_ADMIN, with netns also CAP_SYS_ADMIN; a table inet " + tableName + " that is not ours must be renamed"
	case integrations.Conflict, integrations.Throttled:
		return "try again: others change the gateway's rules"
	case integrations.NotFound, integrations.Invalid, integrations.Unavailable, integrations.Ambiguous:
	}
	return "check netns, and that the kernel has nftables (CONFIG_NF_TABLES_INET)"
}
