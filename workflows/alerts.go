package workflows

import (
	"encoding/json"
	"slices"

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
	// seenKept entries recognise repeats. A repeat of an alert before those joins
	// again, which does no more than have the case decided again.
	seenKept = 20_000
)

// join takes alerts into the case; the slice is used up. One that was heard
// before changes nothing, but who raised it is noted: a repeat may say that
// somebody else did. Newer content of one that the case has takes its place. It
// is the only entry: a case that takes over the alerts of another passes those
// that the other kept, and adds its count and raisers.
func (r *responder) join(ctx workflow.Context, alerts []incident.Alert) {
	joined, updated := alerts[:0], 0
	for _, a := range alerts {
		r.state.Case.Raisers.Note(a)
		is := r.hear(a)
		if is == Same {
			continue
		}
		r.seen.Note(a)
		r.answer(a)
		switch {
		case is != Newer || !r.has(a):
			r.keep(a)
		case r.update(a):
			updated++
		default:
			// It is older than what the case has.
			continue
		}
		joined = append(joined, a)
	}
	r.seen.Keep(seenKept)
	r.state.Seen = r.seen.Entries()
	if len(joined) == 0 {
		return
	}
	r.state.Unhanded = true
	r.latest(ctx, joined)
	last := joined[len(joined)-1]
	switch {
	case len(joined) > 1:
		r.event(ctx, incident.EvJoined, "", "%d alerts from %s joined, the last is %s", len(joined), foreign(last.Source), foreign(last.ID))
	case updated == 1:
		r.event(ctx, incident.EvJoined, "", "%s alert %s from %s has newer content: %s", last.Status, foreign(last.ID), foreign(last.Source), foreign(last.Rule.String()))
	default:
		r.event(ctx, incident.EvJoined, "", "%s alert %s from %s joined: %s", last.Status, foreign(last.ID), foreign(last.Source), foreign(last.Rule.String()))
	}
}

// recognise notes what another case heard, and returns how much of it was not
// known.
func (r *responder) recognise(entries []string) int {
	news := r.seen.Add(entries)
	r.seen.Keep(seenKept)
	r.state.Seen = r.seen.Entries()
	return news
}

// hear classifies an alert against those that the case and those before it heard.
// For an alert that joined before occurrences were distinguished, what the case
// keeps decides; else it counts as all of them up to the last decision.
func (r *responder) hear(a incident.Alert) Heard {
	is := r.seen.Judge(a, r.state.DecidedAt)
	if is == Newer || len(a.Prints) != 2 || !r.seen.Before(a) {
		return is
	}
	for i := range r.state.Case.Alerts {
		kept := &r.state.Case.Alerts[i]
		if kept.Key() != a.Key() {
			continue
		}
		if !sameOccurrence(a, *kept) {
			is = Another
			continue
		}
		if kept.Fingerprints(kept.Time)[1] != a.Prints[1] {
			return Newer
		}
		return Same
	}
	return is
}

// has reports whether the case has an occurrence of the alert.
func (r *responder) has(a incident.Alert) bool {
	return slices.Contains(r.state.Case.AlertKeys, a.Key()) || r.state.Latest != nil && r.state.Latest.Key() == a.Key()
}

// update puts newer content of an alert in the place of what the case keeps of
// it. It reports whether the content is newer: an update may come late.
func (r *responder) update(a incident.Alert) bool {
	older := func(than *incident.Alert) bool {
		return than != nil && sameOccurrence(a, *than) && !a.UpdatedAt.IsZero() && a.UpdatedAt.Before(than.UpdatedAt)
	}
	c := &r.state.Case
	at := slices.IndexFunc(c.Alerts, func(kept incident.Alert) bool { return sameOccurrence(a, kept) })
	if older(r.state.Latest) || at >= 0 && older(&c.Alerts[at]) {
		return false
	}
	if at < 0 {
		return true
	}
	r.state.Bytes -= encodedSize(c.Alerts[at])
	for _, raw := range []json.RawMessage{a.Raw, nil} {
		a.Raw = raw
		if size := encodedSize(a); r.state.Bytes+size <= bytesKept {
			r.state.Bytes += size
			c.Alerts[at] = a
			return true
		}
	}
	c.Alerts = slices.Delete(c.Alerts, at, at+1)
	return true
}

// sameOccurrence reports whether two alerts are of one occurrence.
func sameOccurrence(a, b incident.Alert) bool {
	of := func(a incident.Alert) string {
		if len(a.Prints) == 0 {
			return a.Fingerprints(a.Time)[0]
		}
		return a.Prints[0]
	}
	return of(a) == of(b)
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

// recall fills in what the state of an earlier version lacks, from the alerts
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
func (r *responder) latest(ctx workflow.Context, joined []incident.Alert) {
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
	r.due(ctx, joined)
	about := joined[last]
	about.Raw = nil
	r.state.Latest, r.state.Fresh, r.came = &about, r.state.Fresh+firing, r.came+firing
	if r.state.Case.Decision == nil {
		r.state.Case.Facts.Alert = about
	}
}
