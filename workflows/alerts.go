package workflows

import (
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What a case keeps of its alerts is bounded: a state that grows with a storm
// would one day be too large for the engine to keep, and the case would end.
const (
	// alertsKept alerts are kept in full, as long as they take no more than
	// bytesKept encoded: an attacker writes the command lines. Of the others
	// the keys are kept.
	alertsKept = 20
	bytesKept  = 256 << 10
	keysKept   = 2000
	// seenKept fingerprints recognise repeats. A repeat of an alert before
	// those joins again, which does no more than have the case decided again.
	seenKept = 20_000
)

// join takes alerts into the case; the slice is used up. One that was seen
// before changes nothing, but who raised it is noted: a repeat may say that
// somebody else did. It is the only way in: a case that takes over the alerts of
// another passes those that the other kept, and adds its count and raisers.
func (r *responder) join(ctx workflow.Context, alerts []incident.Alert) {
	joined := alerts[:0]
	for _, a := range alerts {
		r.state.Case.Raisers.Note(a)
		fingerprint := a.Fingerprint()
		if r.seen[fingerprint] {
			continue
		}
		r.seen[fingerprint] = true
		r.state.Seen = append(r.state.Seen, fingerprint)
		r.keep(a)
		joined = append(joined, a)
	}
	r.forgetSeen()
	if len(joined) == 0 {
		return
	}
	r.state.Unhanded = true
	r.latest(joined)
	last := joined[len(joined)-1]
	if len(joined) == 1 {
		r.event(ctx, incident.EvJoined, "", "%s alert %s from %s joined: %s", last.Status, foreign(last.ID), foreign(last.Source), foreign(last.Rule.String()))
	} else {
		r.event(ctx, incident.EvJoined, "", "%d alerts from %s joined, the last is %s", len(joined), foreign(last.Source), foreign(last.ID))
	}
}

// recognise notes how repeats of alerts are recognised that another case had,
// and returns how many were not known.
func (r *responder) recognise(fingerprints []string) int {
	news := 0
	for _, fingerprint := range fingerprints {
		if !r.seen[fingerprint] {
			r.seen[fingerprint] = true
			r.state.Seen = append(r.state.Seen, fingerprint)
			news++
		}
	}
	r.forgetSeen()
	return news
}

func (r *responder) forgetSeen() {
	for len(r.state.Seen) > seenKept {
		delete(r.seen, r.state.Seen[0])
		r.state.Seen = r.state.Seen[1:]
	}
}

// keep notes an alert on the case.
func (r *responder) keep(a incident.Alert) {
	c := &r.state.Case
	c.AlertCount++
	if len(c.AlertKeys) < keysKept {
		c.AlertKeys = append(c.AlertKeys, a.Key())
	}
	if len(c.Alerts) >= alertsKept {
		return
	}
	// The document that it came as is left out first.
	for _, raw := range []json.RawMessage{a.Raw, nil} {
		a.Raw = raw
		if size := encodedSize(a); r.state.Bytes+size <= bytesKept {
			r.state.Bytes += size
			c.Alerts = append(c.Alerts, a)
			return
		}
	}
}

// recall fills in what a state of before does not say of its alerts, from those
// that it keeps.
func (s *caseState) recall() {
	s.Case.AlertCount = max(s.Case.AlertCount, len(s.Case.AlertKeys))
	for _, a := range s.Case.Alerts {
		s.Case.Raisers.Note(a)
	}
	s.Case.Raisers.Note(s.Case.Facts.Alert)
	if s.Latest != nil {
		s.Case.Raisers.Note(*s.Latest)
	}
}

// encodedSize is how many bytes an alert takes; one that cannot be encoded
// takes too many.
func encodedSize(a incident.Alert) int {
	data, err := json.Marshal(a)
	if err != nil {
		return bytesKept + 1
	}
	return len(data)
}

// latest notes the alert that the next decision is about: the last that fires,
// and any while there was none. That an alert was resolved asks for nothing.
func (r *responder) latest(joined []incident.Alert) {
	last, firing := len(joined)-1, 0
	for i := range joined {
		if joined[i].Status == incident.Firing {
			last = i
			firing++
		}
	}
	if firing == 0 && r.state.Latest != nil {
		return
	}
	about := joined[last]
	about.Raw = nil
	r.state.Latest, r.state.Fresh, r.came = &about, r.state.Fresh+firing, r.came+firing
	if r.state.Case.Decision == nil {
		r.state.Case.Facts.Alert = about
	}
}
