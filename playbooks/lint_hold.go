package playbooks

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// holding checks the keys by which a containment goes on while the host still sends, or
// ends before its time.
func (l lint) holding(name string, s Step) {
	at := func(key string) []any { return []any{"steps", name, key} }
	for _, key := range []string{"hold_at_most", "watch", "again_above", "quiet_for"} {
		if l.has(at(key)...) && !s.Action.Leased() {
			l.blame(l.key(at(key)...), "%s belongs to a containment that stands; %s does not", key, s.Action)
			return
		}
	}
	for _, key := range []string{"watch", "again_above"} {
		if l.has(at(key)...) && !l.has(at("hold_at_most")...) {
			l.blame(l.key(at(key)...), "%s belongs to a containment that may be held again: write hold_at_most", key)
		}
	}
	between(l, s.HoldAtMost, max(s.TTL, time.Second), max(s.TTL, maxHold), at("hold_at_most")...)
	between(l, s.Watch, time.Minute, maxWindow, at("watch")...)
	l.againAbove(name, s)
	if l.has(at("quiet_for")...) && s.Action == incident.Isolate {
		l.blame(l.key(at("quiet_for")...), "quiet_for is told by what a limiter drops; an isolate drops nothing that is counted")
		return
	}
	between(l, s.QuietFor, time.Minute, max(s.TTL, time.Minute), at("quiet_for")...)
}

// againAbove checks the rate from which on the host counts as still sending.
func (l lint) againAbove(name string, s Step) {
	at := []any{"steps", name, "again_above"}
	switch {
	case l.find(at...) == nil:
	case s.AgainAbove < 1:
		l.at(at, "again_above must be more than nothing: every host sends something")
	case s.AgainAbove < s.With.Rate:
		l.at(at, "again_above is less than the rate of %s that the step allows: the limit would change nothing", incident.FormatRate(s.With.Rate))
	case s.Verify != nil && s.AgainAbove < s.Verify.EgressBelow:
		l.at(at, "again_above is less than verify's egress_below of %s: a containment that is proven would be held again", incident.FormatRate(s.Verify.EgressBelow))
	}
}
