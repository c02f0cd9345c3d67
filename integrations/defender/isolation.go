package defender

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// queuedFor is how long Defender tries to carry an isolation out on a device that is
// offline.
const queuedFor = 72 * time.Hour

// isolation is whether a device is cut off, as far as what was ordered on it shows.
//
// Defender's API has no state of a device for it. What the device carried out last
// decides: actions end in another order than that in which they were given, so it is the
// time of an action's last status that counts, and what failed, was cancelled or timed out
// changes nothing. That a device is isolated is therefore as sure as Defender's record that
// it carried the action out. The record does not show a release by the script that an
// administrator ran on the device, one by a new iptables rule on Linux, nor what is
// older than Defender keeps actions. Hunting's DeviceInfo has a column MitigationStatus
// which says more according to queries that people publish; Microsoft's page of the table
// does not have it, so it is not asked.
type isolation struct {
	// episode are the isolations that were carried out since the last release.
	episode []action
	// open are the isolations and releases that may still be carried out.
	open []action
	// heard is when the device last told that it carried something out.
	heard time.Time
}

func isolationOf(actions []action) isolation {
	var s isolation
	var done []action
	for _, a := range actions {
		switch {
		case !a.is(typeIsolate) && !a.is(typeUnisolate):
		case a.open():
			s.open = append(s.open, a)
		case a.succeeded():
			done = append(done, a)
		}
	}
	// Of two at the same time the one that was ordered last counts last. Where even that is
	// the same, an isolation does: then somebody looks at it.
	slices.SortStableFunc(done, func(a, b action) int {
		return cmp.Or(a.updated().Compare(b.updated()), a.Created.Compare(b.Created.Time), cmp.Compare(rank(a), rank(b)))
	})
	for _, a := range done {
		s.heard = a.updated()
		if a.is(typeIsolate) {
			s.episode = append(s.episode, a)
			continue
		}
		s.episode = nil
	}
	return s
}

func rank(a action) int {
	if a.is(typeIsolate) {
		return 1
	}
	return 0
}

func (s isolation) stands() bool { return len(s.episode) > 0 }

// opened are the open actions of a type.
func (s isolation) opened(kind string) []action {
	return slices.DeleteFunc(slices.Clone(s.open), func(a action) bool { return !a.is(kind) })
}

// key is the key of whoever isolated the device, or is about to; empty where it was
// not, or not alone, one of us. Two who isolate one device have one isolation: where one
// of them is not us, giving it back is not ours to do.
func (s isolation) key() string {
	of := s.episode
	if len(of) == 0 {
		of = s.opened(typeIsolate)
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
	n := 0
	for _, a := range slices.Concat(s.episode, s.opened(typeIsolate)) {
		if key != "" && a.keyOf(leaseComment) == key {
			n++
		}
	}
	if n < 2 {
		return 0
	}
	return n
}

// word is the state in the words of [incident.Endpoint].
func (s isolation) word() string {
	switch {
	case s.stands() && len(s.opened(typeUnisolate)) > 0:
		return "releasing"
	case s.stands():
		return "isolated"
	case len(s.opened(typeIsolate)) > 0:
		return "isolating"
	}
	return "none"
}

// reading is the state as an enforcer tells it.
func (s isolation) reading(m machine, now time.Time) incident.Reading {
	r := incident.Reading{Stands: s.stands(), Pending: len(s.open) > 0, Key: s.key()}
	r.Copies = s.copies(r.Key)
	// Defender tells of the last full report, of which there is one a day. One since the
	// isolation proves that the agent reaches its cloud; that there is none proves nothing,
	// and an isolation would be undone for it.
	if m.LastSeen.After(s.heard) {
		r.Heard = m.LastSeen.Time
	}
	switch {
	case r.Pending:
		r.Detail = s.waiting(m, now)
	case r.Stands:
		r.Detail = "isolated, by Defender's record: " + s.episode[len(s.episode)-1].String()
	}
	return r
}

// waiting says what is open, and why the device has not carried it out as far as is known.
func (s isolation) waiting(m machine, now time.Time) string {
	parts := make([]string, 0, len(s.open))
	oldest := now
	for _, a := range s.open {
		parts = append(parts, a.String())
		if !a.Created.IsZero() && a.Created.Before(oldest) {
			oldest = a.Created.Time
		}
	}
	what := strings.Join(parts, ", ")
	switch {
	case now.Sub(oldest) > queuedFor:
		return fmt.Sprintf("open for more than the three days that Defender tries: %s; cancel it in the Action center", what)
	case m.active():
		return fmt.Sprintf("accepted, not carried out yet: %s; where the device is offline, Defender tries for 3 days", what)
	}
	return fmt.Sprintf("the device is offline; queued at Defender for 3 days: %s (health %s)", what, httpx.Quote(m.Health))
}
