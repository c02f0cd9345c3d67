package elastic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// settled is how long after a later action was carried out an earlier one, which the device
// never answered, is taken for lost: the device has had both by then. Kibana itself shows
// such an action as pending until it expires. It is, too, how long what somebody else ordered
// may have crossed an order of ours.
const settled = 5 * time.Minute

// isolation is whether a device is cut off: what it says of itself, and what was ordered on
// it.
//
// The device's own word is the truth, as of when it was written. An action is open until
// the device has answered it and has written, after that, what holds since. One that the
// device never answers is over when it has written, after the action was ordered, that its
// effect is there: Kibana shows such actions as pending though they were carried out, and
// later as expired.
type isolation struct {
	// stands is the device's own word.
	stands bool
	// episode are the isolations that were carried out since the last release.
	episode []action
	// open are the isolations and releases that may still be carried out, or whose effect
	// the device has not told of yet.
	open []action
}

// isolationOf is the state of a device that said what it is, with its actions in any order.
// Written is by the device's clock, heard by that of Elastic, as are the orders.
func isolationOf(isolated bool, written, heard time.Time, actions []action) isolation {
	s := isolation{stands: isolated}
	var done []action
	for _, a := range actions {
		effect := a.is(cmdIsolate)
		shown := effect == isolated
		switch {
		case a.succeeded() && !shown && written.Before(a.at()):
			s.open = append(s.open, a)
		case a.succeeded():
			done = append(done, a)
		case a.answered():
		case shown && written.After(a.Started.Time) && heard.After(a.Started.Time):
			done = append(done, a)
		case a.ended():
		case overtaken(a, isolated, written, actions):
		default:
			s.open = append(s.open, a)
		}
	}
	// Of two at the same time the one that was ordered last counts last. Where even that is
	// the same, a release does: then the isolation is nobody's, and is left alone.
	slices.SortStableFunc(done, func(a, b action) int {
		return cmp.Or(a.at().Compare(b.at()), a.Started.Compare(b.Started.Time), cmp.Compare(last(b), last(a)))
	})
	for _, a := range done {
		if a.is(cmdIsolate) {
			s.episode = append(a.sameEpisode(s.episode), a)
			continue
		}
		s.episode = nil
	}
	return s
}

// sameEpisode are those of earlier isolations that can stand together with an isolation. One
// of ours is ordered only on a device that is not isolated: what was carried out long before
// was released, though its answer came after that of its release. One of somebody else is
// nobody's of ours, whatever stands beside it.
func (a action) sameEpisode(earlier []action) []action {
	return slices.DeleteFunc(earlier, func(b action) bool { return a.Started.Sub(b.at()) > settled })
}

func last(a action) int {
	if a.is(cmdUnisolate) {
		return 0
	}
	return 1
}

// overtaken reports whether the device never answered an action, and carried out another
// that was ordered later, whose effect it has shown for a while.
func overtaken(a action, isolated bool, written time.Time, actions []action) bool {
	return slices.ContainsFunc(actions, func(b action) bool {
		return b.succeeded() && b.Started.After(a.Started.Time) && b.is(cmdIsolate) == isolated && written.Sub(b.at()) > settled
	})
}

// opened are the open actions of a command.
func (s isolation) opened(command string) []action {
	return slices.DeleteFunc(slices.Clone(s.open), func(a action) bool { return !a.is(command) })
}

// key is the key of whoever isolated the device, or is about to; empty where it was
// not, or not alone, one of us. Two who isolate one device have one isolation: where one
// of them is not us, giving it back is not ours to do.
func (s isolation) key() string {
	of := s.episode
	if !s.stands || len(of) == 0 {
		of = s.opened(cmdIsolate)
	}
	if len(of) == 0 {
		return ""
	}
	key := of[0].keyOf(leaseComment)
	for _, a := range of[1:] {
		if a.keyOf(leaseComment) != key {
			return ""
		}
	}
	return key
}

// copies is how many isolations of one key there are, where there are several.
func (s isolation) copies(key string) int {
	seen := map[string]bool{}
	for _, a := range slices.Concat(s.episode, s.opened(cmdIsolate)) {
		if key != "" && a.keyOf(leaseComment) == key {
			seen[a.ID] = true
		}
	}
	if len(seen) < 2 {
		return 0
	}
	return len(seen)
}

// word is the state in the words of [incident.Endpoint].
func (s isolation) word() string {
	switch {
	case s.stands && len(s.opened(cmdUnisolate)) > 0:
		return "releasing"
	case s.stands:
		return "isolated"
	case len(s.opened(cmdIsolate)) > 0:
		return "isolating"
	}
	return "none"
}

// reading is the state as an enforcer tells it.
func (s isolation) reading(d device) incident.Reading {
	r := incident.Reading{Stands: s.stands, Pending: len(s.open) > 0, Key: s.key(), Heard: d.CheckIn.Time}
	r.Copies = s.copies(r.Key)
	switch {
	case r.Pending:
		r.Detail = s.waiting(d)
	case r.Stands:
		r.Detail = "isolated, as the device says of itself"
	}
	return r
}

// waiting says what is open, and why the device has not carried it out as far as is known.
func (s isolation) waiting(d device) string {
	parts := make([]string, 0, len(s.open))
	for _, a := range s.open {
		parts = append(parts, a.String())
	}
	what := strings.Join(parts, ", ")
	if d.answers() {
		return "accepted, and the device does not show it yet: " + what
	}
	return fmt.Sprintf("the device is offline; queued at Elastic for %s: %s (status %s)", actionsKept, what, httpx.Quote(d.Status))
}
