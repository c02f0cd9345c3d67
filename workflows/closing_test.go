package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An alert that comes while a case is being closed was accepted for it: it is
// decided about, as one that comes a second later is.
func TestAnAlertThatComesWhileACaseClosesIsDecided(t *testing.T) {
	t.Parallel()
	const closing = 10 * time.Minute
	byHand := func(w *world, id string) { closeAt(w, closing, id) }
	for _, c := range []struct {
		name  string
		close func(*world, string)
		// slow makes closing take half a minute.
		slow string
	}{
		{"by hand, while leases are given back", byHand, "undo isolate"},
		{"by hand, while the chart is drawn", byHand, "series"},
		{"given back", func(w *world, _ string) {
			for _, action := range []incident.Action{incident.Isolate, incident.RateLimit} {
				w.At(closing, func() {
					err := w.Update(leaseOf(action, "ws-042"), protocol.ReleaseUpdate, "release",
						protocol.ReleaseRequest{By: "bob", Reason: "it is over"}, func(any, error) {})
					if err != nil {
						w.t.Error(err)
					}
				})
			}
		}, "series"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			w.do(closing-time.Minute, func(e *memory.Estate) { e.Fail(c.slow, down(), -1) })
			c.close(w, id)
			w.later(closing+5*time.Second, id, another("a-2", incident.Firing))
			w.do(closing+20*time.Second, (*memory.Estate).Mend)
			during := w.snap(closing+5*time.Minute, id)
			second := closeAt(w, 30*time.Minute, id)
			w.run(time.Hour)
			if s := step(t, *during, "cut-off"); during.Status != incident.Contained || s.Status != incident.StepStanding {
				t.Errorf("five minutes later the case is %s, cut-off is %s", during.Status, s.Status)
			}
			if *second != nil {
				t.Errorf("closing it again: %v", *second)
			}
			w.contained(incident.Isolate, 2, 2)
			w.contained(incident.RateLimit, 2, 2)
			if closed := w.ended(id, incident.OutcomeClosedByHand); len(closed.AlertKeys) != 2 || closed.Run != during.Run {
				t.Errorf("the case has the alerts %v, its run is %s and was %s", closed.AlertKeys, closed.Run, during.Run)
			}
		})
	}
}

// The person who closes a case has seen the alerts that it has.
func TestAnAlertFromBeforeACaseWasClosedIsNotDecidedAfter(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.later(20*time.Second, id, another("a-2", incident.Firing))
	closeAt(w, 30*time.Second, id)
	w.run(time.Hour)
	w.contained(incident.Isolate, 1, 1)
	if c := w.ended(id, incident.OutcomeClosedByHand); len(c.AlertKeys) != 2 || len(happened(c, incident.EvDecided)) != 1 {
		t.Errorf("the case has the alerts %v and was decided %d times", c.AlertKeys, len(happened(c, incident.EvDecided)))
	}
}

// A decision is about the alerts that were there when its facts were asked for.
func TestAnAlertThatComesWhileFactsAreAskedForIsDecided(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.estate.Fail("asset", down(), 4)
	w.later(2*time.Second, id, another("a-2", incident.Firing))
	w.run(5 * time.Minute)
	decided := happened(w.see(id), incident.EvDecided)
	if len(decided) != 2 || decided[0].At.Sub(start) < 2*time.Second {
		t.Errorf("decided %+v, want after the alert came, and once more", decided)
	}
	w.contained(incident.Isolate, 1, 0)
}

// Cancelling the workflow of a case closes the case: its leases are given back,
// and an alert that comes meanwhile is decided.
func TestACancelledCaseIsClosed(t *testing.T) {
	t.Parallel()
	const cancelling = 10 * time.Minute
	cancel := func(w *world, id string) { w.At(cancelling, func() { w.Cancel(protocol.CaseWorkflowID(id)) }) }
	t.Run("and gives back", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		cancel(w, id)
		w.run(time.Hour)
		w.contained(incident.Isolate, 1, 1)
		w.contained(incident.RateLimit, 1, 1)
		w.nothingLeft(id)
		c := w.ended(id, incident.OutcomeClosedByHand)
		if c.ClosedAt.Sub(start) > cancelling+time.Minute || c.EvidenceDir == "" {
			t.Errorf("closed at %s, the evidence is in %q", c.ClosedAt, c.EvidenceDir)
		}
	})
	t.Run("and what is asked is void", func(t *testing.T) {
		t.Parallel()
		w, id := asked(t)
		cancel(w, id)
		late := &ballot{who: alice()}
		w.At(cancelling-time.Minute, func() { late.plan, late.approval = w.pending(id).PlanDigest, w.pending(id).Name })
		w.vote(cancelling+time.Second, id, late)
		w.run(time.Hour)
		if late.counted {
			t.Error("an answer to the cancelled case was counted")
		}
		w.contained(incident.Isolate, 0, 0)
		w.contained(incident.RateLimit, 1, 1)
		w.ended(id, incident.OutcomeClosedByHand)
	})
	t.Run("and an alert meanwhile is decided", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		cancel(w, id)
		w.do(cancelling-time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
		w.later(cancelling+5*time.Second, id, another("a-2", incident.Firing))
		w.do(cancelling+20*time.Second, (*memory.Estate).Mend)
		w.run(cancelling + 5*time.Minute)
		c := w.see(id)
		if s := step(t, c, "cut-off"); c.Status != incident.Contained || s.Status != incident.StepStanding || len(c.AlertKeys) != 2 {
			t.Errorf("the case is %s, cut-off is %s, it has the alerts %v", c.Status, s.Status, c.AlertKeys)
		}
		w.contained(incident.Isolate, 2, 1)
	})
}

// Cancelling a case that a person is closing changes nothing: an alert that came
// since is decided.
func TestACaseThatIsBeingClosedIsNotClosedTwice(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.do(9*time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
	closeAt(w, 10*time.Minute, id)
	w.later(10*time.Minute+5*time.Second, id, another("a-2", incident.Firing))
	w.At(10*time.Minute+10*time.Second, func() { w.Cancel(protocol.CaseWorkflowID(id)) })
	w.do(10*time.Minute+20*time.Second, (*memory.Estate).Mend)
	w.run(15 * time.Minute)
	c := w.see(id)
	if s := step(t, c, "cut-off"); c.Status != incident.Contained || s.Status != incident.StepStanding {
		t.Errorf("the case is %s, cut-off is %s", c.Status, s.Status)
	}
	w.contained(incident.Isolate, 2, 1)
}

// Cancelling the workflow of a lease gives it back, and its cases hear of it.
func TestACancelledLeaseIsGivenBack(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.At(10*time.Minute, func() { w.Cancel(leaseOf(incident.Isolate, "ws-042")) })
	after := w.snap(11*time.Minute, id)
	w.run(12 * time.Minute)
	if s := step(t, *after, "cut-off"); s.Status != incident.StepEnded || after.Status != incident.Contained {
		t.Errorf("a minute later cut-off is %s, the case is %s", s.Status, after.Status)
	}
	w.contained(incident.Isolate, 1, 1)
	w.contained(incident.RateLimit, 1, 0)
}
