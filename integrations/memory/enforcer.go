package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// containment is one containment of a host, past ones included: the flows under
// it can still be queried.
type containment struct {
	Ref   string         `json:"ref"`
	Order incident.Order `json:"order"`
	// AcceptedAt is when it was ordered. StandsAt and EndsAt are when it comes
	// into force and is lifted; zero is never.
	AcceptedAt time.Time `json:"accepted_at"`
	StandsAt   time.Time `json:"stands_at,omitzero"`
	EndsAt     time.Time `json:"ends_at,omitzero"`
	// ExpiresAt is when it is lifted by itself; zero is never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// AwaitsAgent reports whether the host was offline when it was accepted.
	AwaitsAgent bool `json:"awaits_agent,omitempty"`
	Ineffective bool `json:"ineffective,omitempty"`
	Lie         bool `json:"lie,omitempty"`
	Elsewhere   bool `json:"elsewhere,omitempty"`
	// Tightened are the lower rates of a limit since, in order of time.
	Tightened []tightened `json:"tightened,omitempty"`
}

// tightened is a lower rate of a limit and from when it is in force.
type tightened struct {
	At   time.Time `json:"at"`
	Rate int64     `json:"rate"`
}

// rate is the rate of a limit at a moment.
func (c *containment) rate(at time.Time) int64 {
	rate := c.Order.Rate
	for _, t := range c.Tightened {
		if !at.Before(t.At) {
			rate = t.Rate
		}
	}
	return rate
}

// open reports whether it was accepted and is not lifted.
func (c *containment) open(at time.Time) bool {
	return (c.EndsAt.IsZero() || at.Before(c.EndsAt)) && (c.ExpiresAt.IsZero() || at.Before(c.ExpiresAt))
}

// stands reports whether it is in force.
func (c *containment) stands(at time.Time) bool {
	return !c.StandsAt.IsZero() && !at.Before(c.StandsAt) && c.open(at)
}

// slot returns the open containment of an order, or nil.
func (e *Estate) slot(o incident.Order, at time.Time) *containment {
	for _, c := range e.containments {
		if c.Order.Action == o.Action && c.Order.Scope() == o.Scope() && c.open(at) {
			return c
		}
	}
	return nil
}

// copies is how many open containments there are like one of ours; 0 where there is one only.
func (e *Estate) copies(like *containment, at time.Time) int {
	n := 0
	for _, c := range e.containments {
		if o := c.Order; o.Action == like.Order.Action && o.Key == like.Order.Key && o.Key != "" && o.Scope() == like.Order.Scope() && c.open(at) {
			n++
		}
	}
	if n < 2 {
		return 0
	}
	return n
}

func enforced() []incident.Action {
	return []incident.Action{incident.RateLimit, incident.Block, incident.Isolate}
}

// wellFormed refuses malformed orders.
func wellFormed(u use, o incident.Order) error {
	invalid := func(format string, args ...any) error {
		return integrations.Errorf(integrations.Invalid, u.String(), format, args...)
	}
	if slices.Contains(enforced(), o.Action) && o.Key == "" && u.write {
		return invalid("the order has no key")
	}
	switch o.Action {
	case incident.RateLimit:
		if o.Rate <= 0 && u.op == "apply" {
			return invalid("a limit of %d bits per second", o.Rate)
		}
		if o.Filter != nil && o.Filter.MatchesAll() {
			return invalid("the filter matches everything")
		}
		return nil
	case incident.Block:
		if o.Filter == nil {
			return invalid("a block without a filter")
		}
		if o.Filter.MatchesAll() {
			return invalid("the filter matches everything")
		}
		return nil
	case incident.Isolate:
		return nil
	case incident.Notify, incident.Collect, incident.KillProcess:
	}
	return invalid("action %q cannot be enforced", o.Action)
}

// order checks an order and carries it out on its host.
func (e *Estate) order(ctx context.Context, op string, o incident.Order, do func(h *host, now time.Time) error) error {
	u := use{op: op, action: o.Action, on: o.Target.ID(), write: op != "read"}
	return e.perform(ctx, u, func() error {
		h, err := e.device(u.String(), o.Target)
		if err == nil {
			err = wellFormed(u, o)
		}
		if err != nil {
			return err
		}
		return do(h, e.now().UTC())
	})
}

// Read implements [integrations.Enforcer].
func (e *Estate) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	var s incident.Reading
	err := e.order(ctx, "read", o, func(h *host, now time.Time) error {
		if c := e.slot(o, now); c != nil {
			s = c.standing(now)
			s.Copies = e.copies(c, now)
			if s.Stands {
				s.Counters = e.counters(h, c, now)
			}
		}
		if o.Action == incident.Isolate {
			s.Heard = e.heard(h, now)
		}
		return nil
	})
	if err != nil {
		return incident.Reading{}, err
	}
	return s, nil
}

// heard is when the agent last reached its cloud.
func (e *Estate) heard(h *host, now time.Time) time.Time {
	if !h.online {
		return h.lastSeen
	}
	for _, c := range e.containments {
		if c.Order.Action == incident.Isolate && c.Order.Target.ID() == h.ID && c.stands(now) && h.behaviours[incident.Isolate].Deaf {
			return c.StandsAt
		}
	}
	return now
}

func (c *containment) standing(now time.Time) incident.Reading {
	if c.Lie {
		return incident.Reading{}
	}
	s := incident.Reading{Stands: c.stands(now), Key: c.Order.Key, Rate: c.rate(now)}
	switch {
	case !c.EndsAt.IsZero():
		s.Pending, s.Detail = true, "being lifted"
	case c.AwaitsAgent:
		s.Pending, s.Detail = true, "accepted, the host is offline"
	case !s.Stands:
		s.Pending, s.Detail = true, "accepted, not yet carried out"
	}
	return s
}

// Apply implements [integrations.Enforcer].
func (e *Estate) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	var r incident.Receipt
	err := e.order(ctx, "apply", o, func(h *host, now time.Time) error {
		c := e.slot(o, now)
		switch {
		case c == nil:
			c = e.contain(h, o, now)
			change := entry{Containment: c, Effect: &Effect{Op: "apply", Action: o.Action, Key: o.Key, Target: h.ID, At: now}}
			if c.Lie {
				change.Effect = nil
			}
			r = incident.Receipt{Ref: c.Ref, At: now, Detail: "accepted"}
			return e.commit(change)
		case !c.EndsAt.IsZero():
			return integrations.Errorf(integrations.Conflict, "apply "+string(o.Action)+" on "+h.ID, "the previous one is being lifted")
		case c.Order.Key == o.Key && o.Rate < c.rate(now):
			changed := *c
			changed.Tightened = append(slices.Clone(c.Tightened), tightened{now, o.Rate})
			r = incident.Receipt{Ref: c.Ref, At: now, Detail: "accepted, tightened"}
			return e.commit(entry{Containment: &changed, Effect: &Effect{Op: "tighten", Action: o.Action, Key: o.Key, Target: h.ID, At: now}})
		case c.Order.Key == o.Key && !c.ExpiresAt.IsZero() && o.Until.After(c.ExpiresAt):
			changed := *c
			changed.ExpiresAt = o.Until
			r = incident.Receipt{Ref: c.Ref, At: c.AcceptedAt, Detail: "accepted before, with a later end"}
			return e.commit(entry{Containment: &changed})
		case c.Order.Key == o.Key:
			r = incident.Receipt{Ref: c.Ref, At: c.AcceptedAt, Detail: "accepted before"}
		default:
			r = incident.Receipt{At: now, Detail: "already in place, made by somebody else"}
		}
		return nil
	})
	return r, err
}

// contain makes the containment by the host's behaviour.
func (e *Estate) contain(h *host, o incident.Order, now time.Time) *containment {
	b := h.behaviours[o.Action]
	c := &containment{
		Ref: fmt.Sprintf("sim-%d", len(e.containments)+1), Order: o, AcceptedAt: now,
		Ineffective: b.Ineffective, Lie: b.Lies, Elsewhere: b.Elsewhere,
	}
	if b.Expires {
		c.ExpiresAt = o.Until
	}
	switch {
	case b.Lies:
	case o.Action == incident.Isolate && !h.online:
		// Isolation is carried out by the agent; limits and blocks are in force at
		// the edge of the network.
		c.AwaitsAgent = true
	default:
		c.StandsAt = now.Add(b.Pending)
	}
	return c
}

// Undo implements [integrations.Enforcer].
func (e *Estate) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	var r incident.Receipt
	err := e.order(ctx, "undo", o, func(h *host, now time.Time) error {
		c := e.slot(o, now)
		b := h.behaviours[o.Action]
		switch {
		case c == nil:
			r = incident.Receipt{At: now, Detail: "nothing to undo"}
		case c.Order.Key != o.Key:
			r = incident.Receipt{At: now, Detail: "left in place: made by somebody else"}
		case !c.EndsAt.IsZero() || b.Stuck:
			r = incident.Receipt{Ref: c.Ref, At: now, Detail: "accepted"}
		default:
			changed := *c
			changed.EndsAt = now
			if c.stands(now) {
				changed.EndsAt = now.Add(b.Pending)
			}
			change := entry{Containment: &changed, Effect: &Effect{Op: "undo", Action: o.Action, Key: o.Key, Target: h.ID, At: now}}
			if c.Lie {
				change.Effect = nil
			}
			r = incident.Receipt{Ref: c.Ref, At: now, Detail: "accepted"}
			return e.commit(change)
		}
		return nil
	})
	return r, err
}

// Excepted returns the addresses and networks that a host still reaches though it is
// isolated; none where it is not.
func (e *Estate) Excepted(hostID string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containments {
		if c.Order.Action == incident.Isolate && c.Order.Target.ID() == hostID && c.stands(e.now().UTC()) {
			return slices.Clone(c.Order.Except)
		}
	}
	return nil
}

// Impose puts in place a containment that somebody else made by hand. It does not
// count as an effect of ours; the order's key is dropped.
func (e *Estate) Impose(o incident.Order) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := use{op: "impose", action: o.Action, on: o.Target.ID()}
	h, err := e.device(u.String(), o.Target)
	if err == nil {
		err = wellFormed(u, o)
	}
	if err != nil {
		return err
	}
	o.Key = ""
	now := e.now().UTC()
	if e.slot(o, now) != nil {
		return integrations.Errorf(integrations.Conflict, u.String(), "it is already in place")
	}
	return e.commit(entry{Containment: e.contain(h, o, now)})
}
