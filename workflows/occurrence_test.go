package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// occurrence is the first alert as the receiver hands it on, with when it began,
// how much it counts, and when it is received, after the case was opened.
func occurrence(began time.Duration, count int64, received time.Duration) incident.Alert {
	a := alertFor("ws-042", "10.20.4.42")
	a.Time = incident.Known(start.Add(began), incident.FromAlert)
	a.Count = incident.Known(count, incident.FromAlert)
	a.ReceivedAt = start.Add(received)
	a.Prints = a.Fingerprints(a.Time)
	return a
}

// counted is what the case's first alert counts, as the case keeps it.
func counted(c incident.Case) int64 {
	n, _ := c.Alerts[0].Count.Get()
	return n
}

func asks(t *testing.T, first incident.Alert) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	roleUnknown(t, w.estate)
	id := w.open(first)
	w.explainOnFailure(id)
	return w, id
}

// The same occurrence with newer content is decided again with that; what was
// sent before, and what the sender says is older, changes nothing.
func TestNewerContentIsDecidedAgain(t *testing.T) {
	t.Parallel()
	w, id := asks(t, occurrence(0, 1, 0))
	w.later(time.Minute, id, occurrence(0, 1, time.Minute))
	repeated := w.snap(3*time.Minute, id)
	newer := occurrence(0, 2, 3*time.Minute)
	newer.UpdatedAt = start.Add(3 * time.Minute)
	w.later(3*time.Minute, id, newer)
	updated := w.snap(5*time.Minute, id)
	older := occurrence(0, 7, 5*time.Minute)
	older.UpdatedAt = start.Add(time.Minute)
	w.later(5*time.Minute, id, occurrence(0, 1, 5*time.Minute), newer, older)
	late := w.snap(8*time.Minute, id)
	w.run(9 * time.Minute)
	if n := len(happened(*repeated, incident.EvDecided)); n != 1 || len(repeated.AlertKeys) != 1 {
		t.Errorf("the repeat was decided %d times, of %v", n, repeated.AlertKeys)
	}
	if n := len(happened(*updated, incident.EvDecided)); n != 2 || counted(*updated) != 2 {
		t.Errorf("newer content was decided %d times, with %d", n, counted(*updated))
	}
	if len(updated.Alerts) != 1 || len(updated.AlertKeys) != 1 || updated.AlertCount != 1 {
		t.Errorf("the case keeps %d alerts of %v", len(updated.Alerts), updated.AlertKeys)
	}
	if n := len(happened(*late, incident.EvDecided)); n != 2 || counted(*late) != 2 {
		t.Errorf("what came late was decided %d times, with %d", n, counted(*late))
	}
	joined := happened(*late, incident.EvJoined)
	if len(joined) != 2 || !strings.Contains(joined[1].Text, "newer content") {
		t.Errorf("the timeline has %+v", joined)
	}
}

// An alert that keeps its id is heard again when it is another occurrence, and
// after it was resolved; that never lifts a containment.
func TestAnAlertThatKeepsItsIDIsHeardAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	id := w.open(occurrence(0, 1, 0))
	w.explainOnFailure(id)
	over := occurrence(0, 1, 10*time.Minute)
	over.Status = incident.Resolved
	over.Prints = over.Fingerprints(over.Time)
	w.later(10*time.Minute, id, over)
	resolved := w.snap(12*time.Minute, id)
	w.later(13*time.Minute, id, occurrence(13*time.Minute, 1, 13*time.Minute))
	again := w.snap(15*time.Minute, id)
	w.run(20 * time.Minute)
	if resolved.Status != incident.Contained || len(happened(*resolved, incident.EvDecided)) != 1 {
		t.Errorf("resolved: %s, decided %d times", resolved.Status, len(happened(*resolved, incident.EvDecided)))
	}
	if len(happened(*again, incident.EvDecided)) != 2 || !slices.Equal(again.AlertKeys, []string{"siem/a-1", "siem/a-1"}) {
		t.Errorf("fired again: decided %d times, of %v", len(happened(*again, incident.EvDecided)), again.AlertKeys)
	}
	w.contained(incident.Isolate, 1, 0)
}

// A case whose alerts an earlier version received knows them by their keys. It
// distinguishes their occurrences all the same.
func TestACaseOfBeforeTellsOccurrencesApart(t *testing.T) {
	t.Parallel()
	before := occurrence(0, 1, 0)
	before.Prints = nil
	w, id := asks(t, before)
	w.later(2*time.Minute, id, before, occurrence(0, 1, 2*time.Minute))
	repeated := w.snap(4*time.Minute, id)
	w.later(4*time.Minute, id, occurrence(0, 2, 4*time.Minute))
	updated := w.snap(6*time.Minute, id)
	w.later(6*time.Minute, id, occurrence(-time.Minute, 2, 6*time.Minute))
	again := w.snap(8*time.Minute, id)
	w.run(9 * time.Minute)
	for i, c := range []*incident.Case{repeated, updated, again} {
		if n := len(happened(*c, incident.EvDecided)); n != i+1 {
			t.Errorf("%d: decided %d times, want %d", i, n, i+1)
		}
	}
	if len(updated.AlertKeys) != 1 || counted(*updated) != 2 || len(again.AlertKeys) != 2 {
		t.Errorf("the case has %v, then %v", updated.AlertKeys, again.AlertKeys)
	}
}
