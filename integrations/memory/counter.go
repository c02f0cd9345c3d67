package memory

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// counting is a rule that only counts.
type counting struct {
	order       incident.Order
	from, until time.Time
}

// CountOnly implements [integrations.Counter].
func (e *Estate) CountOnly(ctx context.Context, o incident.Order, lasts time.Duration) error {
	return e.counted(ctx, "count", o, func(_ *host, now time.Time) error {
		if lasts < time.Second || lasts > integrations.LongestCount {
			return integrations.Errorf(integrations.Invalid, "count "+string(o.Action)+" of "+o.Target.ID(), "it cannot be counted for %s", lasts)
		}
		c := e.countings[o.Key+" "+o.Scope()]
		if c == nil || !now.Before(c.until) {
			c = &counting{order: o, from: now}
			e.countings[o.Key+" "+o.Scope()] = c
		}
		c.until = now.Add(lasts)
		return nil
	})
}

// Counted implements [integrations.Counter].
func (e *Estate) Counted(ctx context.Context, o incident.Order) (incident.Counters, error) {
	var n incident.Counters
	err := e.counted(ctx, "counted", o, func(h *host, now time.Time) error {
		c := e.countings[o.Key+" "+o.Scope()]
		if c == nil || !now.Before(c.until) {
			return integrations.Errorf(integrations.NotFound, "counted "+string(o.Action)+" of "+h.ID, "no rule counts it")
		}
		passed := e.integrate(h, c.from, now, func(*containment) bool { return false })
		for i, l := range h.lanes {
			if o.Filter == nil || l.matches(*o.Filter) {
				n.PassedBytes += passed[i].out
				n.PassedPackets += passed[i].out / l.packetBytes
			}
		}
		return nil
	})
	return n, err
}

// counted checks an order for which something is counted, and does it.
func (e *Estate) counted(ctx context.Context, op string, o incident.Order, do func(h *host, now time.Time) error) error {
	return e.order(ctx, op, o, func(h *host, now time.Time) error {
		if !counts(o.Action) || h.behaviours[o.Action].Uncounted {
			return integrations.Errorf(integrations.Invalid, op+" "+string(o.Action)+" of "+h.ID, "only limits and blocks are counted")
		}
		if o.Key == "" {
			return integrations.Errorf(integrations.Invalid, op+" "+string(o.Action)+" of "+h.ID, "the order has no key")
		}
		return do(h, now)
	})
}
