package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// pause has a person pause containment at a time.
func (w *world) pause(after time.Duration) {
	w.At(after, func() {
		err := w.Update(protocol.BudgetID, protocol.PauseUpdate, "pause", incident.Pause{By: "dana", Reason: "drill"}, func(any, error) {})
		if err != nil {
			w.t.Error(err)
		}
	})
}

// What would keep a containment from being taken keeps it from being held again, at its end
// and after it, and people are told.
func TestWhatForbidsAContainmentForbidsToHoldItAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forbid  func(*world)
		says    string
		outcome incident.CaseOutcome
	}{
		"paused": {func(w *world) { w.pause(30 * time.Minute) }, "containment is paused by dana", incident.OutcomeHeldBack},
		"a guardrail": {func(w *world) {
			w.do(30*time.Minute, func(e *memory.Estate) {
				dc := incident.Facts{Asset: incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)}}
				if err := e.SetFacts("ws-042", dc); err != nil {
					w.t.Error(err)
				}
			})
		}, "guardrail infrastructure", incident.OutcomeDenied},
	} {
		for when, counted := range map[string]bool{"at its end": true, "after it": false} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				w, id := holding(t, "hold_at_most: 8h")
				if !counted {
					w.uncounted()
				}
				c.forbid(w)
				w.run(3 * time.Hour)
				w.contained(incident.RateLimit, 1, 1)
				if n := len(w.told("page/", c.says)); n != 1 {
					t.Errorf("people were paged %d times", n)
				}
				got := w.see(id)
				if got.Status != incident.Closed || !counted && got.Outcome != c.outcome {
					t.Errorf("the case is %s, %s", got.Status, got.Outcome)
				}
			})
		}
	}
}

// Where nothing can tell, nothing is held again, and people are told that it is not known.
func TestWhatCannotTellHoldsNothingAgain(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h")
	w.uncounted()
	w.do(30*time.Minute, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	w.contained(incident.RateLimit, 1, 1)
	if len(w.told("page/", "cannot tell whether the host still sends since it was given back")) != 1 {
		t.Error("nobody is told that it is not known")
	}
	if seen := texts(c, incident.EvWatched, "was not seen to send"); len(seen) > 0 {
		t.Errorf("the case says %q", seen)
	}
}

// Where it is not known what the decision was about, it cannot be told what still sending
// is; a rate of the playbook's own says it.
func TestWhatStillSendingIsMustBeKnown(t *testing.T) {
	t.Parallel()
	for keys, held := range map[string]bool{"hold_at_most: 2h": false, "hold_at_most: 2h, again_above: 20Mbit": true} {
		t.Run(keys, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, keys)
			facts := incident.Facts{Traffic: incident.Traffic{BytesOut: incident.NotKnown[int64]("the exporter keeps no counters")}}
			if err := w.estate.SetFacts("ws-042", facts); err != nil {
				t.Fatal(err)
			}
			w.run(90 * time.Minute)
			c := w.see(id)
			if on := len(happened(c, incident.EvHeldAgain)) == 1; on != held {
				t.Errorf("held again: %v", happened(c, incident.EvHeldAgain))
			}
			if told := len(w.told("page/", "cannot tell whether the host still sends", "the exporter keeps no counters")) == 1; told == held {
				t.Errorf("told: %v", told)
			}
			if watched := len(texts(c, incident.EvWatched, "watched until")) > 0; watched {
				t.Error("it is watched, and nothing can come of it")
			}
		})
	}
}

// People answer what the case asks by itself: a no gives it back at once, a yes lets it
// stand as long as was asked, and then it is looked at again.
func TestPeopleDecideWhatTheBoundDoesNot(t *testing.T) {
	t.Parallel()
	for name, deny := range map[string]bool{"denied": true, "approved": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 1h")
			b := &ballot{who: alice(), deny: deny, reason: "seen"}
			w.vote(62*time.Minute, id, b)
			during := w.snap(63*time.Minute, id)
			w.run(6 * time.Hour)
			if b.refused != nil {
				t.Fatal(b.refused)
			}
			c := w.ended(id, incident.OutcomeGivenBack)
			s := step(t, c, "throttle")
			stood := s.EndedAt.Sub(s.AcceptedAt).Round(time.Second)
			if deny && (stood > 63*time.Minute || len(c.Approvals) != 1 || len(w.told("page/")) > 0) {
				t.Errorf("after the no it stood for %s, %d questions", stood, len(c.Approvals))
			}
			if len(texts(c, incident.EvWatched, "watched until")) > 0 {
				t.Error("what people decided is watched")
			}
			if !deny {
				if until := during.Approvals[0].Extends.Until; !step(t, *during, "throttle").Until.Equal(until) || until.Sub(start) < 2*time.Hour {
					t.Errorf("it stands until %s, people approved %s", step(t, *during, "throttle").Until, until)
				}
				if len(c.Approvals) != 2 {
					t.Errorf("people were asked %d times", len(c.Approvals))
				}
			}
			w.contained(incident.RateLimit, 1, 1)
		})
	}
}

// Once it was given back and all of hold_at_most is used up, people are asked before it is
// taken again.
func TestWhatIsUsedUpIsAskedBeforeItIsTakenAgain(t *testing.T) {
	t.Parallel()
	for name, yes := range map[string]bool{"approved": true, "nobody answers": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 1h")
			w.uncounted()
			if yes {
				w.vote(62*time.Minute, id, &ballot{who: alice()})
			}
			asked, after := w.snap(61*time.Minute, id), w.snap(64*time.Minute, id)
			w.run(90 * time.Minute)
			if len(asked.Approvals) != 1 || asked.Approvals[0].State != incident.Pending ||
				!strings.Contains(asked.Approvals[0].Because, "its hold_at_most of 1h is used up") || asked.Status != incident.Awaiting {
				t.Fatalf("the case is %s, people are asked %+v", asked.Status, asked.Approvals)
			}
			if w.count("apply", incident.RateLimit) != map[bool]int{true: 2, false: 1}[yes] {
				t.Errorf("it was applied %d times", w.count("apply", incident.RateLimit))
			}
			if s := step(t, *after, "throttle"); yes && (s.Status != incident.StepStanding || s.Held == nil || s.Held.Round != 2) {
				t.Errorf("after the yes it is %s, %+v", s.Status, s.Held)
			}
			if !yes {
				w.ended(id, incident.OutcomeExpired)
			}
		})
	}
}

// A limiter that drops nothing for as long as the playbook says is lifted early; one that
// does not count is not, and the case says so once.
func TestWhatIsQuietIsGivenBackEarly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counted bool
		stops   time.Duration
		until   time.Duration
	}{
		"stopped":   {true, 10 * time.Minute, 35 * time.Minute},
		"goes on":   {true, 10 * time.Hour, time.Hour},
		"uncounted": {false, 10 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "quiet_for: 20m")
			if !c.counted {
				w.uncounted()
			}
			w.stops(c.stops)
			w.run(2 * time.Hour)
			got := w.ended(id, incident.OutcomeGivenBack)
			s := step(t, got, "throttle")
			stood := s.EndedAt.Sub(s.AcceptedAt).Round(time.Second)
			if stood > c.until || stood < c.until-6*time.Minute {
				t.Errorf("it stood for %s, want %s", stood, c.until)
			}
			if said := len(texts(got, incident.EvWatched, "does not count")); said != map[bool]int{true: 0, false: 1}[c.counted] {
				t.Errorf("the case says %d times that nothing counts", said)
			}
			w.contained(incident.RateLimit, 1, 1)
		})
	}
}

// One that was given back early is watched like one whose time was up.
func TestWhatWasGivenBackEarlyIsWatched(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h, quiet_for: 10m")
	w.stops(5 * time.Minute)
	w.sends(40_000_000, 22*time.Minute, 40*time.Minute)
	during := w.snap(25*time.Minute, id)
	w.run(6 * time.Hour)
	if s := step(t, *during, "throttle"); s.Status != incident.StepStanding || s.Held.Round != 2 {
		t.Errorf("it is %s, %+v", s.Status, s.Held)
	}
	w.ended(id, incident.OutcomeGivenBack)
}
