package nftables

import (
	"context"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var _ integrations.Counter = (*Gateway)(nil)

// What only counts is, in a scope, an action of its own: it says for which containment's
// traffic it counts. No order and no playbook has one.
const (
	countPrefix = "count_"
	countLimit  = countPrefix + incident.RateLimit
	countBlock  = countPrefix + incident.Block
)

// scopeActions are those that a scope may have.
func scopeActions() []incident.Action {
	return []incident.Action{incident.RateLimit, incident.Block, countLimit, countBlock}
}

// onlyCounts reports whether what has an action does nothing to a packet.
func onlyCounts(a incident.Action) bool { return a == countLimit || a == countBlock }

// actionFor is the containment for whose traffic a scope is.
func actionFor(a incident.Action) incident.Action {
	if onlyCounts(a) {
		return incident.Action(strings.TrimPrefix(string(a), countPrefix))
	}
	return a
}

// mostLeft is for how long something may be asked to stay.
func mostLeft(a incident.Action) time.Duration {
	if onlyCounts(a) {
		return integrations.LongestCount + slack
	}
	return longest
}

// counting returns what counts the traffic of an order, without its time.
func (g *Gateway) counting(op string, o incident.Order) (Limit, error) {
	s, err := g.check(op, o)
	if err != nil {
		return Limit{}, err
	}
	if err := checkKey(op, o); err != nil {
		return Limit{}, err
	}
	s.Action = countPrefix + s.Action
	return Limit{Scope: s, Key: o.Key}, nil
}

// CountOnly implements [integrations.Counter]. The rule ends up to slack later than asked
// for, so that one that is asked for again with the same end is left as it is.
func (g *Gateway) CountOnly(ctx context.Context, o incident.Order, lasts time.Duration) error {
	op := operation("count", o)
	l, err := g.counting(op, o)
	if err != nil {
		return err
	}
	if lasts < time.Second || lasts > integrations.LongestCount {
		return integrations.Refuse(integrations.Invalid, op, "it cannot be counted for %s", lasts)
	}
	l.Left = lasts + slack
	stands, err := g.table.Put(ctx, l)
	if err != nil {
		return err
	}
	if stands.Key != o.Key {
		return integrations.Refuse(integrations.Conflict, op, "%q counts %v already", stands.Key, stands.Addresses)
	}
	return nil
}

// Counted implements [integrations.Counter].
func (g *Gateway) Counted(ctx context.Context, o incident.Order) (incident.Counters, error) {
	op := operation("read what was counted for", o)
	l, err := g.counting(op, o)
	if err != nil {
		return incident.Counters{}, err
	}
	held, err := g.table.List(ctx, &l.Scope)
	if err != nil {
		return incident.Counters{}, err
	}
	why := "no rule counts it"
	for _, h := range held {
		if h.Key != o.Key || !h.covers(l.Scope) {
			continue
		}
		if h.Problem == "" && h.Counters != nil {
			return incident.Counters{PassedBytes: h.Counters.PassedBytes, PassedPackets: h.Counters.PassedPackets}, nil
		}
		why = h.Problem
	}
	return incident.Counters{}, integrations.Errorf(integrations.NotFound, op, "%s", why)
}
