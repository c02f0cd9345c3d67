package flowspec

import (
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A router does with a packet what the first rule says that it matches, and asks no other
// (RFC 8955, 5.1 and 7.3). A limit of one flow would let through what a block of the port
// is to stop. What is here keeps a rule from letting pass what another one bounds.

// partsOf are a rule's components as they are sent, in the order of their types. Each
// of ours is about one value.
func partsOf(components []bgp.FlowSpecComponentInterface) ([]string, error) {
	var parts []string
	for _, c := range components {
		b, err := c.Serialize()
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(b))
	}
	return parts, nil
}

// covers reports whether a rule is about all that another one is about; a rule covers
// itself.
func (r rule) covers(other rule) bool {
	return r.family == other.family && !slices.ContainsFunc(r.parts, func(p string) bool { return !slices.Contains(other.parts, p) })
}

// meets reports whether some packet can match both of two rules.
func (r rule) meets(other rule) bool {
	return r.family == other.family && !slices.ContainsFunc(r.parts, func(p string) bool {
		return slices.ContainsFunc(other.parts, func(o string) bool { return o[0] == p[0] && o != p })
	})
}

// before reports whether a router asks a rule before another one that it meets: the first
// to have a component of a lower type, or more of them.
func (r rule) before(other rule) bool {
	for i := range min(len(r.parts), len(other.parts)) {
		if mine, its := r.parts[i][0], other.parts[i][0]; mine != its {
			return mine < its
		}
	}
	return len(r.parts) > len(other.parts)
}

// lowest is what a table lets pass of a rule, in bits per second: the lowest of what it
// says itself, and the rules that cover it.
func lowest(table map[string]*entry, r rule) int64 {
	rate := int64(-1)
	for _, held := range table {
		if held.rule.covers(r) && (rate < 0 || held.rate() < rate) {
			rate = held.rate()
		}
	}
	return rate
}

// opens is a denied error where routers would ask one rule first that lets more pass of
// what another one bounds, and neither covers the other. The lock is held.
func (e *Enforcer) opens(op string, o incident.Order, rules []rule) error {
	table := e.with(o, rules)
	for _, r := range rules {
		for _, held := range e.held {
			first, second := held.rule, r
			if !r.meets(first) || r.covers(first) || first.covers(r) {
				continue
			}
			if r.before(first) {
				first, second = r, first
			}
			if rate := lowest(table, first); rate > lowest(table, second) {
				return integrations.Refuse(integrations.Denied, op, "routers would ask %s first, and let %s pass of what %s is to bound", first.id(), incident.FormatRate(rate), second.id())
			}
		}
	}
	return nil
}
