package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A run that ends in the middle of a round or of a watch loses neither.
func TestANewRunGoesOnHolding(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h, watch: 30m")
	w.stops(30 * time.Minute)
	w.sends(40_000_000, 70*time.Minute, 100*time.Minute)
	for _, at := range []time.Duration{20 * time.Minute, 59*time.Minute + 32*time.Second, 65 * time.Minute, 70*time.Minute + 3*time.Second, 90 * time.Minute} {
		w.yield(at, protocol.CaseWorkflowID(id))
	}
	during := w.snap(72*time.Minute, id)
	w.run(8 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if s := step(t, *during, "throttle"); s.Status != incident.StepStanding || s.Held == nil || s.Held.Round != 2 {
		t.Errorf("it is %s, %+v", s.Status, s.Held)
	}
	if got := rounds(c, "throttle"); len(got) != 2 || got[1] != 2*time.Hour {
		t.Errorf("the rounds are %v", got)
	}
	if n := len(texts(c, incident.EvWatched, "watched until")); n != 2 {
		t.Errorf("it was watched %d times", n)
	}
	w.contained(incident.RateLimit, 2, 2)
}

// Two cases hold one limit. The one whose time is up sees that it still drops, and holds it
// on; that the other gives it back takes nothing from it.
func TestOneOfTwoCasesHoldsOn(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 4h")
	w.pinned()
	second := w.second(30*time.Minute, "do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]")
	rate := w.sending(100 * time.Minute)
	w.stops(2 * time.Hour)
	w.run(6 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	w.ended(second, incident.OutcomeGivenBack)
	if *rate > 2_100_000 {
		t.Errorf("after the second gave it back the host sends %s", incident.FormatRate(*rate))
	}
	w.contained(incident.RateLimit, 1, 1)
}

// The one that does not hold on is watched by the limiter's own counters, which the other
// still holds in place.
func TestALimitThatAnotherHoldsTellsStill(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 4h, watch: 30m")
	w.pinned()
	second := w.second(30*time.Minute, "do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]")
	w.stops(40 * time.Minute)
	w.sends(40_000_000, 70*time.Minute, 100*time.Minute)
	during := w.snap(72*time.Minute, id)
	w.run(8 * time.Hour)
	if s := step(t, *during, "throttle"); s.Status != incident.StepStanding || s.Held.Round != 2 {
		t.Errorf("it is %s, %+v", s.Status, s.Held)
	}
	w.ended(id, incident.OutcomeGivenBack)
	w.ended(second, incident.OutcomeGivenBack)
	w.contained(incident.RateLimit, 1, 1)
}

// An alert that comes while the host is watched speaks for it: one measurement confirms it,
// and where nothing can measure the case is decided anew, as if it had been closed.
func TestAnAlertWhileAHostIsWatched(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"flows tell": true, "nothing tells": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 8h")
			w.uncounted()
			w.stops(30 * time.Minute)
			w.sends(40_000_000, 64*time.Minute+50*time.Second, 90*time.Minute)
			if !told {
				w.pinned()
				w.do(59*time.Minute, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
				w.do(65*time.Minute+3*time.Second, (*memory.Estate).Mend)
				w.uncounted()
			}
			w.later(65*time.Minute, id, another("a-2", incident.Firing))
			during := w.snap(67*time.Minute, id)
			w.run(8 * time.Hour)
			s := step(t, *during, "throttle")
			if s.Status != incident.StepStanding || s.AcceptedAt.Sub(start) > 65*time.Minute+30*time.Second {
				t.Errorf("it is %s since %s", s.Status, s.AcceptedAt)
			}
			w.contained(incident.RateLimit, 2, 2)
			c := w.see(id)
			if c.AlertCount != 2 || c.Status != incident.Closed {
				t.Errorf("%d alerts, the case is %s", c.AlertCount, c.Status)
			}
		})
	}
}

// An alert that is decided anew and finds nothing to contain ends the watch with the case.
func TestAnAlertThatFindsNothingIsDecidedAnew(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h, watch: 3h")
	w.stops(30 * time.Minute)
	late := another("a-2", incident.Firing)
	late.Time, late.ReceivedAt = incident.Known(start.Add(90*time.Minute), incident.FromAlert), start.Add(90*time.Minute)
	w.later(90*time.Minute, id, late)
	w.run(8 * time.Hour)
	c := w.see(id)
	if anew := texts(c, incident.EvDecided, "Decided anew"); len(anew) != 1 {
		t.Errorf("decided anew: %q", anew)
	}
	if len(happened(c, incident.EvHeldAgain)) > 0 || c.Status != incident.Closed {
		t.Errorf("the case is %s, held again: %+v", c.Status, happened(c, incident.EvHeldAgain))
	}
	w.contained(incident.RateLimit, 1, 1)
}

// What others made is never ours to hold again, and an isolation that was undone because
// the agent was not heard is not repeated because the host sends.
func TestWhatIsNotOursToHold(t *testing.T) {
	t.Parallel()
	t.Run("adopted", func(t *testing.T) {
		t.Parallel()
		w, id := holding(t, "hold_at_most: 8h")
		target, err := incident.DeviceTarget("ws-042", "ws-042.corp.example")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.estate.Impose(incident.Order{Action: incident.RateLimit, Target: target, Rate: 1e6}); err != nil {
			t.Fatal(err)
		}
		w.run(3 * time.Hour)
		c := w.ended(id, incident.OutcomeGivenBack)
		if len(happened(c, incident.EvHeldAgain))+len(happened(c, incident.EvWatched)) > 0 {
			t.Errorf("held again %+v, watched %+v", happened(c, incident.EvHeldAgain), happened(c, incident.EvWatched))
		}
	})
	t.Run("unheard", func(t *testing.T) {
		t.Parallel()
		w, id := deaf(t, "action: isolate,    use: edr,     ttl: 4h", "action: isolate,    use: edr,     ttl: 4h, hold_at_most: 8h")
		w.run(12 * time.Hour)
		c := w.see(id)
		for _, e := range happened(c, incident.EvHeldAgain) {
			if e.Step == "cut-off" {
				t.Errorf("the isolation is held again: %s", e.Text)
			}
		}
		w.contained(incident.Isolate, 1, 1)
	})
}

// The case, its leases and the budget stay small over all rounds and watches.
func TestACaseThatIsHeldAgainKeepsItsHistorySmall(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h, watch: 15m, quiet_for: 20m")
	w.stops(7 * time.Hour)
	w.run(12 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	const most = 600 << 10
	if n := w.Bytes(); n > most {
		t.Errorf("the case with its leases and the budget took %d bytes, want at most %d", n, most)
	}
}

// A blip is no flood: what one measurement has above is held again when the next has, too.
func TestOneMeasurementHoldsNothingAgain(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h")
	w.uncounted()
	w.stops(30 * time.Minute)
	w.sends(600_000_000, 64*time.Minute+10*time.Second, 64*time.Minute+13*time.Second)
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if len(happened(c, incident.EvHeldAgain)) > 0 {
		t.Errorf("held again: %+v", happened(c, incident.EvHeldAgain))
	}
	w.contained(incident.RateLimit, 1, 1)
}

// What flowed before it was given back says nothing about now: here the limit had no effect,
// and nobody saw it at the end.
func TestWhatFlowedBeforeItWasGivenBackIsNoEvidence(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h")
	w.uncounted()
	behave(t, w.estate, incident.RateLimit, memory.Behaviour{Uncounted: true, Ineffective: true})
	w.do(59*time.Minute, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
	w.do(time.Hour, (*memory.Estate).Mend)
	w.stops(59*time.Minute + 59*time.Second)
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if len(happened(c, incident.EvHeldAgain)) > 0 {
		t.Errorf("held again: %+v", happened(c, incident.EvHeldAgain))
	}
}

// That a containment goes on is no further action on the host: a limit per host does not
// count it, and one that is taken again it does.
func TestALimitOfTheBudgetCountsWhatIsTaken(t *testing.T) {
	t.Parallel()
	limit := []string{
		"  - name: isolation-budget\n    limit: { action: isolate, per: site, max: 5, window: 1h }\n    then: { approve: two-people }",
		"  - name: once\n    limit: { action: rate_limit, per: host, max: 1, window: 24h }",
	}
	for name, counted := range map[string]bool{"goes on": true, "is taken again": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 3h", limit...)
			if !counted {
				w.uncounted()
			}
			w.stops(2 * time.Hour)
			w.run(5 * time.Hour)
			c := w.see(id)
			if held := len(happened(c, incident.EvHeldAgain)); held != 1 {
				t.Errorf("held again %d times", held)
			}
			w.contained(incident.RateLimit, 1, 1)
			if told := len(w.told("page/", "guardrail once")); told != map[bool]int{true: 0, false: 1}[counted] {
				t.Errorf("people were paged %d times", told)
			}
		})
	}
}

// A case that is closed while it watches, and goes on as an alert came, watches no more: it
// would never end.
func TestAWatchThatWasClosedIsOver(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h")
	w.stops(30 * time.Minute)
	closeAt(w, 65*time.Minute, id)
	late := another("a-2", incident.Firing)
	late.Time, late.ReceivedAt = incident.Known(start.Add(65*time.Minute), incident.FromAlert), start.Add(65*time.Minute)
	w.later(65*time.Minute, id, late)
	w.run(8 * time.Hour)
	c := w.see(id)
	if c.Status != incident.Closed || len(happened(c, incident.EvHeldAgain)) > 0 {
		t.Errorf("the case is %s, held again: %+v", c.Status, happened(c, incident.EvHeldAgain))
	}
	w.contained(incident.RateLimit, 1, 1)
}

// What the watch holds again while a late decision is on its way is not left out by that.
func TestADecisionLeavesOutNothingThatIsHeldAgain(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h", "do: [throttle, tell]", "do: [tell, { approve: on-call }, throttle]")
	w.uncounted()
	w.vote(time.Minute, id, &ballot{who: alice()})
	w.stops(30 * time.Minute)
	late := another("a-2", incident.Firing)
	late.Time, late.ReceivedAt = incident.Known(start.Add(65*time.Minute), incident.FromAlert), start.Add(65*time.Minute)
	w.later(65*time.Minute, id, late)
	w.do(65*time.Minute+14*time.Second, func(e *memory.Estate) { e.Fail("endpoints", down(), -1) })
	w.sends(40_000_000, 65*time.Minute+15*time.Second, 2*time.Hour)
	w.do(66*time.Minute, (*memory.Estate).Mend)
	during := w.snap(68*time.Minute, id)
	w.run(2 * time.Hour)
	if s := step(t, *during, "throttle"); s.Status != incident.StepStanding || s.Held.Round != 2 {
		t.Errorf("it is %s, %+v", s.Status, s.Held)
	}
}
