package nftables

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables/expr"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// standing is a limit in the table with the chain that it stands for.
type standing struct {
	Limit
	chain string
}

// part says which elements are of one limit.
type part struct {
	chain  string
	action incident.Action
	filter incident.Filter
}

// chainsOf are the chains that hold some of a scope.
func (s *state) chainsOf(of Scope) ([]string, error) {
	places, err := of.places()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "", "%w", err)
	}
	var chains []string
	for _, p := range places {
		if e := s.element(p); e != nil && !slices.Contains(chains, e.chain) {
			chains = append(chains, e.chain)
		}
	}
	return chains, nil
}

// element is what stands at a place; nil where nothing does.
func (s *state) element(p place) *elem {
	m := s.maps[p.shape.name()]
	if m == nil {
		return nil
	}
	at := slices.IndexFunc(m.elements, func(e elem) bool { return e.key == p.key })
	if at < 0 {
		return nil
	}
	return &m.elements[at]
}

// standing lists what limits and blocks: of each chain and part of the traffic one. With a
// scope it lists what holds some of it, or counts it where that is its action.
func (s *state) standing(scope *Scope) ([]standing, error) {
	var chains []string
	if scope != nil {
		var err error
		if chains, err = s.chainsOf(*scope); err != nil {
			return nil, err
		}
	}
	found := map[part]*standing{}
	for name, m := range s.maps {
		shape, ok := shapeNamed(name)
		if !ok || scope == nil && onlyCounts(shape.action) {
			continue
		}
		unreached := s.unreached(shape)
		for _, e := range m.elements {
			if scope == nil || slices.Contains(chains, e.chain) {
				s.takeElement(found, shape, e, unreached)
			}
		}
	}
	all := make([]standing, 0, len(found))
	for _, l := range found {
		if slices.SortFunc(l.Addresses, netip.Addr.Compare); scope == nil || l.overlaps(*scope) {
			all = append(all, *l)
		}
	}
	slices.SortFunc(all, func(a, b standing) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.chain, b.chain), slices.CompareFunc(a.Addresses, b.Addresses, netip.Addr.Compare))
	})
	return all, nil
}

// takeElement adds an element to the limit that it is of.
func (s *state) takeElement(found map[part]*standing, in shape, e elem, problem string) {
	addr, filter, ok := place{in, e.key}.scope()
	if !ok {
		return
	}
	of := part{chain: e.chain, action: in.action}
	if filter != nil {
		of.filter = *filter
	}
	l := found[of]
	if l == nil {
		l = &standing{Limit: s.held(of, filter), chain: e.chain}
		found[of] = l
	}
	l.take(addr, e.left, problem)
}

// take adds an address of the limit.
func (l *standing) take(addr netip.Addr, left time.Duration, problem string) {
	l.Addresses = append(l.Addresses, addr)
	if left < 0 {
		left = forever
	}
	if len(l.Addresses) == 1 || left < l.Left {
		l.Left = left
	}
	l.Problem = cmp.Or(l.Problem, problem)
}

// held is what the chain of a limit does.
func (s *state) held(of part, filter *incident.Filter) Limit {
	l := Limit{Scope: Scope{Action: of.action, Filter: filter}, Counters: &incident.Counters{}}
	c := s.chains[of.chain]
	if c == nil {
		l.Problem = "the packets go to no chain"
		return l
	}
	var comments []string
	for _, r := range c.rules {
		comments = append(comments, r.comment)
		if r.limit != nil && l.Rate == 0 {
			l.Rate = rateOf(*r.limit)
		}
		switch {
		case r.counter == nil:
		case r.verdict != nil:
			l.Counters.DroppedBytes += int64(r.counter.Bytes)     //nolint:gosec // No counter comes that far.
			l.Counters.DroppedPackets += int64(r.counter.Packets) //nolint:gosec // No counter comes that far.
		default:
			l.Counters.PassedBytes += int64(r.counter.Bytes)     //nolint:gosec // No counter comes that far.
			l.Counters.PassedPackets += int64(r.counter.Packets) //nolint:gosec // No counter comes that far.
		}
	}
	if isOurs(of.chain) {
		if l.Key = keyOf(comments); l.Key == "" {
			l.Chain = of.chain
		}
		if !c.whole(l) {
			l.Problem = fmt.Sprintf("the rules of chain %s are not those that were made", of.chain)
		}
	}
	return l
}

// whole reports whether a chain of ours has the rules of its limit.
func (c *chain) whole(l Limit) bool {
	want := l.ruleset()
	if len(want) != len(c.rules) {
		return false
	}
	for i, r := range c.rules {
		if r.comment != want[i].comment || !slices.Equal(r.names, names(want[i])) || !r.means(want[i]) {
			return false
		}
	}
	return true
}

// means reports whether a rule with the expressions of one of ours limits and judges as that
// one does, but for the rate.
func (r rule) means(want newRule) bool {
	for _, e := range want.exprs {
		switch e := e.(type) {
		case *expr.Limit:
			got := *r.limit
			bytes := got.Rate
			if got.Rate, got.Burst = e.Rate, e.Burst; got != *e || r.limit.Burst != burst(int64(min(bytes, maxRate/8))) { //nolint:gosec // It is bounded.
				return false
			}
		case *expr.Verdict:
			if *r.verdict != *e {
				return false
			}
		}
	}
	return true
}

// rateOf is the rate of a limit in bits per second; zero where it is of anything else.
func rateOf(l expr.Limit) int64 {
	if l.Type != expr.LimitTypePktBytes || l.Unit != expr.LimitTimeSecond {
		return 0
	}
	return int64(min(l.Rate, maxRate/8)) * 8 //nolint:gosec // It is bounded.
}

// unreached is why no packet comes to the map of a shape, or not all; empty where they do.
func (s *state) unreached(of shape) string {
	name := of.hook()
	hook := s.chains[name]
	switch {
	case s.dormant:
		return "the table is dormant"
	case hook == nil || !hook.hooked:
		return fmt.Sprintf("there is no chain %s at the hook %s", name, hookChain)
	}
	want := of.lookups()
	rules := hook.lookupsOf(of)
	if len(rules) != len(want) {
		return fmt.Sprintf("chain %s has no rule for map %s, or not all", name, of.name())
	}
	for i, r := range rules {
		if !slices.Equal(r.names, names(want[i])) {
			return fmt.Sprintf("the rules of chain %s for map %s are not those that were made", name, of.name())
		}
	}
	return ""
}

// lookupsOf are the rules that look packets up in the map of a shape.
func (c *chain) lookupsOf(s shape) []rule {
	if c == nil {
		return nil
	}
	name := s.name()
	return slices.DeleteFunc(slices.Clone(c.rules), func(r rule) bool { return r.lookup != name })
}

// overlaps reports whether two scopes are the same part of the traffic of one device.
func (s Scope) overlaps(other Scope) bool {
	return s.sameFilter(other) && slices.ContainsFunc(s.Addresses, func(a netip.Addr) bool { return slices.Contains(other.Addresses, a) })
}

func (s Scope) sameFilter(other Scope) bool {
	if s.Action != other.Action || (s.Filter == nil) != (other.Filter == nil) {
		return false
	}
	return s.Filter == nil || *s.Filter == *other.Filter
}
