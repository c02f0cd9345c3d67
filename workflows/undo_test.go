package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// People know within about a minute that a network was not given back, with what fails and
// where, however the undo fails; once; and that it worked at last.
func TestAnUndoThatFailsIsToldSoonOnceAndThatItWorked(t *testing.T) {
	t.Parallel()
	denied := integrations.Error{Kind: integrations.Denied}
	for _, tt := range []struct {
		name  string
		fails func(*memory.Estate)
		says  string
	}{
		{"unreachable", func(e *memory.Estate) {
			e.Fail("read rate_limit", down(), -1)
			e.Fail("undo rate_limit", down(), -1)
		}, "unavailable"},
		{"unreachable while it writes", func(e *memory.Estate) { e.Fail("undo rate_limit", down(), -1) }, "unavailable"},
		{"refused", func(e *memory.Estate) { e.Fail("undo rate_limit", denied, -1) }, "access denied"},
		{"not carried out", func(e *memory.Estate) { stuck(e, true) }, "it was ordered, and is still in place"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, id := limited(t)
			w.byAddress()
			w.do(59*time.Minute, tt.fails)
			pending := w.snap(62*time.Minute, id)
			var lease incident.Lease
			w.At(62*time.Minute, func() { lease, _ = w.Lease(leaseOf(incident.RateLimit, "ws-042")) })
			w.do(80*time.Minute, func(e *memory.Estate) { e.Mend(); stuck(e, false) })
			w.run(2 * time.Hour)

			ends := step(t, *pending, "throttle").Until
			failing := happened(*pending, incident.EvUndoFailing)
			if len(failing) != 1 {
				t.Fatalf("after two minutes it was told %d times that the undo fails", len(failing))
			}
			if took := failing[0].At.Sub(ends); took > 75*time.Second {
				t.Errorf("people were told %s after the end", took)
			}
			for _, want := range []string{"undo pending", "rate limit of ws-042.corp.example at gateway", tt.says, "still trying"} {
				if !strings.Contains(failing[0].Text, want) {
					t.Errorf("people are told %q, which lacks %q", failing[0].Text, want)
				}
			}
			if !step(t, *pending, "throttle").UndoPending || lease.State() != "undo pending" || lease.UndoPendingSince.Before(ends) || !strings.Contains(step(t, *pending, "throttle").Problem, "undo pending") {
				t.Errorf("the lease is %s since %s, the step says %q", lease.State(), lease.UndoPendingSince, step(t, *pending, "throttle").Problem)
			}
			if n := len(w.told("page/", "undo pending")); n != 1 {
				t.Errorf("people were paged %d times that it fails", n)
			}
			if n := len(w.told("page/", "given back: ", ", after ")); n != 1 {
				t.Errorf("people were paged %d times that it worked", n)
			}
			c := w.ended(id, incident.OutcomeGivenBack)
			if s := step(t, c, "throttle"); s.Problem != "" || s.UndoPending || s.Status != incident.StepEnded {
				t.Errorf("in the end the step is %s: %s", s.Status, s.Problem)
			}
			w.contained(incident.RateLimit, 1, 1)
		})
	}
}

// stuck has the gateway accept undos that lift nothing, or no more.
func stuck(e *memory.Estate, is bool) {
	_ = e.Behave("ws-042", incident.RateLimit, memory.Behaviour{Stuck: is})
}

// A product that answers again in time worries nobody.
func TestAShortOutageAtTheEndWorriesNobody(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.do(59*time.Minute, func(e *memory.Estate) { e.Fail("undo rate_limit", integrations.Error{Kind: integrations.Denied}, 4) })
	w.run(2 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if len(happened(c, incident.EvUndoFailing)) != 0 || len(w.told("page/")) != 0 {
		t.Errorf("people were told: %v", happened(c, incident.EvUndoFailing))
	}
	w.contained(incident.RateLimit, 1, 1)
}

// It is told once also across runs of the lease, which then knows since when.
func TestAPendingUndoIsToldOnceAcrossRuns(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.do(59*time.Minute, func(e *memory.Estate) { e.Fail("undo rate_limit", down(), -1) })
	lease := leaseOf(incident.RateLimit, "ws-042")
	var before, after incident.Lease
	w.At(65*time.Minute, func() { before, _ = w.Lease(lease) })
	w.yield(66*time.Minute, lease)
	w.yield(2*time.Hour, lease)
	w.At(3*time.Hour, func() { after, _ = w.Lease(lease) })
	w.do(4*time.Hour, (*memory.Estate).Mend)
	w.run(5 * time.Hour)
	if before.UndoPendingSince.IsZero() || !after.UndoPendingSince.Equal(before.UndoPendingSince) {
		t.Errorf("pending since %s, and later since %s", before.UndoPendingSince, after.UndoPendingSince)
	}
	if n := len(w.told("page/", "undo pending")); n != 1 {
		t.Errorf("people were paged %d times", n)
	}
	if n := len(w.told("page/", "given back: ", ", after 3h")); n != 1 {
		t.Errorf("people were paged %d times that it worked", n)
	}
	w.ended(id, incident.OutcomeGivenBack)
}

// Another case takes the containment whose undo was told to fail: it stands for that one,
// and whoever was told is told.
func TestAPendingUndoThatIsNotNeededAnyMoreIsTold(t *testing.T) {
	t.Parallel()
	w, first := flood(t)
	w.pinned()
	w.do(4*time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
	closeAt(w, 5*time.Minute, first)
	second := w.second(8 * time.Minute)
	w.explainOnFailure(second)
	w.do(10*time.Minute, (*memory.Estate).Mend)
	w.run(5 * time.Hour)
	if n := len(w.told("page/", "undo pending", "isolate of ws-042.corp.example at edr")); n != 1 {
		t.Errorf("people were paged %d times that it fails", n)
	}
	if n := len(w.told("page/", "still held by")); n != 1 {
		t.Errorf("people were paged %d times that it is not needed", n)
	}
	// The second's own undo works, and worries nobody.
	if n := len(w.told("page/", "lifted, confirmed")); n != 0 {
		t.Errorf("people were paged %d times that it was given back", n)
	}
	w.ended(first, incident.OutcomeClosedByHand)
	w.ended(second, incident.OutcomeGivenBack)
}
