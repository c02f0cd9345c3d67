package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// freeze pauses containment at a time; thaw resumes it.
func (w *world) freeze(after time.Duration) {
	w.toggle(after, protocol.PauseUpdate, incident.Pause{By: "carol", Reason: "change freeze"})
}

func (w *world) thaw(after time.Duration) {
	w.toggle(after, protocol.ResumeUpdate, incident.Pause{By: "dave", Reason: "it is over"})
}

func (w *world) toggle(after time.Duration, update string, p incident.Pause) {
	w.t.Helper()
	refused := errNotAsked()
	w.pauseAt(after, update, p, &refused)
	w.t.Cleanup(func() {
		if refused != nil {
			w.t.Errorf("%s after %s: %v", update, after, refused)
		}
	})
}

// gated is a world in which the flooding workstation is isolated after a yes;
// frozen is one in which containment was paused before.
func gated(t *testing.T) (*world, string) {
	t.Helper()
	return gatedIn(t, protocol.BudgetState{})
}

func frozen(t *testing.T) (*world, string) {
	t.Helper()
	return gatedIn(t, pausedBudget())
}

func pausedBudget() protocol.BudgetState {
	return protocol.BudgetState{Paused: &incident.Pause{By: "carol", Reason: "change freeze", At: start}, Changes: 1}
}

func gatedIn(t *testing.T, budget protocol.BudgetState) (*world, string) {
	t.Helper()
	const plan, asks = "do: [evidence, throttle, cut-off, tell]", "do: [approve: on-call, cut-off, tell]"
	w := newWorld(t, memory.Flood, "high-egress-windows", plan, asks)
	w.budget(budget)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

// budget starts the budget, which otherwise its first caller does.
func (w *world) budget(state protocol.BudgetState) {
	w.t.Helper()
	if err := w.StartAt(0, protocol.BudgetWorkflow, protocol.BudgetID, state); err != nil {
		w.t.Fatal(err)
	}
}

// shown returns the last state of the question in the messenger.
func (w *world) shown() *integrations.Card {
	w.t.Helper()
	all := w.told("/question/")
	if len(all) == 0 {
		w.t.Fatal("no question is shown")
	}
	return all[len(all)-1].Message.Card
}

func (w *world) shownAt(after time.Duration) *integrations.Card {
	var card integrations.Card
	w.At(after, func() { card = *w.shown() })
	return &card
}

func pausedBy(p *incident.Pause, by, reason string) bool {
	return p != nil && p.By == by && p.Reason == reason && !p.At.IsZero()
}

// What is approved while containment is paused waits, and is carried out when
// it is resumed: once, and nobody is asked again.
func TestAnApprovalDuringAPauseWaitsForTheResumption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		open func(*testing.T) (*world, string)
		// pause is when containment is paused, if it is not from the start.
		pause time.Duration
	}{
		{"paused before it is asked", frozen, 0},
		{"paused while it is asked", gated, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, id := c.open(t)
			if c.pause > 0 {
				w.freeze(c.pause)
			}
			asking, asked := w.shownAt(2*time.Minute), w.snap(2*time.Minute, id)
			yes := &ballot{who: alice()}
			w.vote(3*time.Minute, id, yes)
			waiting, waits := w.shownAt(10*time.Minute), w.snap(10*time.Minute, id)
			isolated := -1
			w.At(10*time.Minute, func() { isolated = w.count("apply", incident.Isolate) })
			w.thaw(14 * time.Minute)
			after := w.snap(15*time.Minute, id)
			w.run(5 * time.Hour)

			if asking.State != integrations.CardAsking || !pausedBy(asking.Question.Paused, "carol", "change freeze") {
				t.Errorf("while it asks the card is %s, paused %+v", asking.State, asking.Question.Paused)
			}
			if !pausedBy(asked.Approvals[0].Paused, "carol", "change freeze") {
				t.Errorf("while it asks the API says %+v", asked.Approvals[0])
			}
			if !yes.counted || isolated != 0 {
				t.Errorf("approved (%v), isolated %d times while it was paused", yes.refused, isolated)
			}
			if waiting.State != integrations.CardPaused || !strings.HasPrefix(waiting.Title, "Paused: ") || !pausedBy(waiting.Question.Paused, "carol", "change freeze") {
				t.Errorf("while it waits the card is %s, %q, paused %+v", waiting.State, waiting.Title, waiting.Question.Paused)
			}
			if s := step(t, *waits, "cut-off"); waits.Status != incident.Working || s.Status != incident.StepWaiting {
				t.Errorf("while it waits: %s, cut-off %s", waits.Status, s.Status)
			}
			if s := step(t, *after, "cut-off"); s.Status != incident.StepStanding || after.Approvals[0].Paused != nil {
				t.Errorf("after the resumption: cut-off %s, paused %+v", s.Status, after.Approvals[0].Paused)
			}
			w.contained(incident.Isolate, 1, 1)
			done := w.ended(id, incident.OutcomeGivenBack)
			if len(done.Approvals) != 1 {
				t.Errorf("people were asked %d times", len(done.Approvals))
			}
			if p, r := happened(done, incident.EvPaused), happened(done, incident.EvResumed); len(p) != 1 || p[0].By != "carol" || len(r) != 1 || r[0].By != "dave" {
				t.Errorf("the record says paused %+v, resumed %+v", p, r)
			}
		})
	}
}

// An approval holds as long as its question would have: after that it is held
// back, also when containment is resumed then.
func TestAnApprovalDoesNotOutliveItsQuestion(t *testing.T) {
	t.Parallel()
	w, id := frozen(t)
	yes := &ballot{who: alice()}
	w.vote(3*time.Minute, id, yes)
	before := w.snap(14*time.Minute+50*time.Second, id)
	w.thaw(16 * time.Minute)
	w.run(time.Hour)

	if s := step(t, *before, "cut-off"); !yes.counted || s.Status != incident.StepWaiting {
		t.Errorf("approved (%v), and before the time was up cut-off is %s", yes.refused, s.Status)
	}
	w.contained(incident.Isolate, 0, 0)
	c := w.ended(id, incident.OutcomeHeldBack)
	held := happened(c, incident.EvHeldBack)
	if len(held) != 1 || !strings.Contains(held[0].Text, "paused by carol: change freeze") || held[0].At.Sub(c.Approvals[0].AskedAt) != 15*time.Minute {
		t.Errorf("held back: %+v, asked at %s", held, c.Approvals[0].AskedAt)
	}
	card := w.shown()
	if card.State != integrations.CardHeldBack || !strings.HasPrefix(card.Title, "Held back: ") || !strings.Contains(card.Steps[0].Problem, "carol") {
		t.Errorf("the card says %s, %q, %+v", card.State, card.Title, card.Steps)
	}
	if len(w.told("/notice/")) != 1 {
		t.Error("people were not told")
	}
}

// A resumption that comes too late does not count, also where the case was busy with
// something else when the time was up.
func TestAResumptionThatComesTooLateIsNone(t *testing.T) {
	t.Parallel()
	w, id := frozen(t)
	w.vote(3*time.Minute, id, &ballot{who: alice()})
	w.do(14*time.Minute+50*time.Second, func(e *memory.Estate) { e.Fail("endpoints", down(), -1) })
	w.later(14*time.Minute+55*time.Second, id, another("a-2", incident.Firing))
	busy := w.snap(15*time.Minute+time.Second, id)
	w.thaw(15*time.Minute + 2*time.Second)
	w.do(15*time.Minute+3*time.Second, (*memory.Estate).Mend)
	w.run(time.Hour)
	if n := len(happened(*busy, incident.EvHeldBack)); n != 0 {
		t.Errorf("the case was not busy when the time was up: held back %d times", n)
	}
	w.contained(incident.Isolate, 0, 0)
	w.ended(id, incident.OutcomeHeldBack)
}

// Everything is checked again when containment is resumed.
func TestWhatWaitedForTheResumptionIsCheckedAgain(t *testing.T) {
	t.Parallel()
	t.Run("a guardrail forbids it now", func(t *testing.T) {
		t.Parallel()
		w, id := frozen(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.do(3*time.Minute, func(e *memory.Estate) {
			set(t, e, incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)})
		})
		w.thaw(5 * time.Minute)
		w.run(time.Hour)
		w.contained(incident.Isolate, 0, 0)
		w.ended(id, incident.OutcomeDenied)
	})
	t.Run("a guardrail is unknown now, which changes the plan: people are asked again", func(t *testing.T) {
		t.Parallel()
		w, id := frozen(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.do(3*time.Minute, func(e *memory.Estate) { roleUnknown(t, e) })
		w.thaw(5 * time.Minute)
		again := w.snap(6*time.Minute, id)
		w.vote(7*time.Minute, id, &ballot{who: alice()})
		w.run(5 * time.Hour)
		if len(again.Approvals) != 2 || again.Approvals[0].PlanDigest == again.Approvals[1].PlanDigest || step(t, *again, "cut-off").Status != incident.StepWaiting {
			t.Errorf("after the resumption: %+v", again.Approvals)
		}
		w.contained(incident.Isolate, 1, 1)
		w.ended(id, incident.OutcomeGivenBack)
	})
	t.Run("it is paused anew", func(t *testing.T) {
		t.Parallel()
		w, id := frozen(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.thaw(5 * time.Minute)
		// Before the case has acted on the resumption.
		w.freeze(5*time.Minute + time.Microsecond)
		w.thaw(8 * time.Minute)
		w.run(5 * time.Hour)
		w.contained(incident.Isolate, 1, 1)
		w.ended(id, incident.OutcomeGivenBack)
	})
}

// Closing the case, and an alert that changes the plan, do not wait for
// the resumption.
func TestWhatInterruptsTheWaitForTheResumption(t *testing.T) {
	t.Parallel()
	t.Run("closed by hand", func(t *testing.T) {
		t.Parallel()
		w, id := frozen(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		refused := closeAt(w, 4*time.Minute, id)
		soon := w.snap(5*time.Minute, id)
		w.thaw(6 * time.Minute)
		w.run(time.Hour)
		if *refused != nil {
			t.Error(*refused)
		}
		if soon.Status != incident.Closed {
			t.Errorf("a minute after it was closed by hand the case is %s", soon.Status)
		}
		w.contained(incident.Isolate, 0, 0)
		w.ended(id, incident.OutcomeClosedByHand)
	})
	t.Run("a later alert is decided", func(t *testing.T) {
		t.Parallel()
		w, id := frozen(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.later(4*time.Minute, id, another("a-2", incident.Firing))
		decided := w.snap(6*time.Minute, id)
		w.thaw(8 * time.Minute)
		w.run(5 * time.Hour)
		if n := len(happened(*decided, incident.EvDecided)); n != 2 || step(t, *decided, "cut-off").Status != incident.StepWaiting {
			t.Errorf("while it waits the case has decided %d times, cut-off %s", n, step(t, *decided, "cut-off").Status)
		}
		w.contained(incident.Isolate, 1, 1)
		if c := w.ended(id, incident.OutcomeGivenBack); len(c.Approvals) != 1 {
			t.Errorf("people were asked %d times", len(c.Approvals))
		}
	})
	t.Run("the case and the budget go on in new runs", func(t *testing.T) {
		t.Parallel()
		w, id := frozen(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.yield(4*time.Minute, protocol.CaseWorkflowID(id))
		w.yield(5*time.Minute, protocol.BudgetID)
		w.thaw(8 * time.Minute)
		w.run(5 * time.Hour)
		w.contained(incident.Isolate, 1, 1)
		if c := w.ended(id, incident.OutcomeGivenBack); len(c.Approvals) != 1 || len(happened(c, incident.EvResumed)) != 1 {
			t.Errorf("asked %d times, resumed %+v", len(c.Approvals), happened(c, incident.EvResumed))
		}
	})
}

// What the case was not told of, the budget says when it is asked for the step.
func TestAPauseThatTheCaseWasNotToldOf(t *testing.T) {
	t.Parallel()
	w, id := gated(t)
	w.engine.lost(protocol.WatchUpdate, 1000)
	w.engine.before = true
	w.freeze(time.Minute)
	w.do(5*time.Minute, func(*memory.Estate) { w.engine.meanwhile(func() { w.engine.lost("", 0) }) })
	w.vote(6*time.Minute, id, &ballot{who: alice()})
	waits := w.snap(8*time.Minute, id)
	w.thaw(10 * time.Minute)
	w.run(5 * time.Hour)
	if s := step(t, *waits, "cut-off"); s.Status != incident.StepWaiting || !pausedBy(waits.Approvals[0].Paused, "carol", "change freeze") {
		t.Errorf("cut-off is %s, paused %+v", s.Status, waits.Approvals[0].Paused)
	}
	w.contained(incident.Isolate, 1, 1)
}

// An older message of the budget that arrives late is not the kill switch's state.
func TestAnOlderWordOfAPauseIsNoPause(t *testing.T) {
	t.Parallel()
	w, id := gated(t)
	w.freeze(time.Minute)
	w.thaw(2 * time.Minute)
	w.At(150*time.Second, func() {
		late := protocol.PauseChange{Run: w.see(id).Run, Changes: 1, Paused: pausedBudget().Paused}
		if err := w.Signal(protocol.CaseWorkflowID(id), protocol.PauseSignal, late); err != nil {
			t.Error(err)
		}
	})
	w.vote(3*time.Minute, id, &ballot{who: alice()})
	soon := w.snap(4*time.Minute, id)
	w.run(5 * time.Hour)
	if s := step(t, *soon, "cut-off"); s.Status != incident.StepStanding {
		t.Errorf("a minute after the approval cut-off is %s", s.Status)
	}
	w.contained(incident.Isolate, 1, 1)
}

// What people approved lets nothing run that a later decision plans: it was not
// asked about, so it does not wait for the resumption either.
func TestAnApprovalOfThePlanBeforeDoesNotOutliveIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows",
		"not shown to be abnormal.\n    do: [tell]", "not shown to be abnormal.\n    do: [approve: on-call, throttle]",
		"do: [evidence, throttle, cut-off, tell]", "do: [throttle, cut-off, tell]")
	w.estate.Fail("traffic", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	yes := &ballot{who: alice()}
	w.vote(time.Minute, id, yes)
	w.freeze(2 * time.Minute)
	w.do(3*time.Minute, (*memory.Estate).Mend)
	w.later(4*time.Minute, id, another("a-2", incident.Firing))
	during := w.snap(6*time.Minute, id)
	w.thaw(8 * time.Minute)
	w.run(20 * time.Minute)
	if !yes.counted || during.Decision.Rule != "amplification-from-a-workstation" || step(t, *during, "cut-off").Status != incident.StepSkipped {
		t.Errorf("approved (%v), rule %s, cut-off is %s", yes.refused, during.Decision.Rule, step(t, *during, "cut-off").Status)
	}
	w.contained(incident.RateLimit, 1, 0)
	w.contained(incident.Isolate, 0, 0)
}

// A yes to one question does not answer the next: what is done instead, as that was
// denied, does not wait for the resumption.
func TestAYesBeforeDoesNotHaveADenialWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]",
		"do: [approve: on-call, tell, { approve: on-call, if_denied: [throttle] }, cut-off]")
	w.budget(pausedBudget())
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	yes, no := &ballot{who: alice()}, &ballot{who: alice(), deny: true}
	w.vote(2*time.Minute, id, yes)
	w.vote(3*time.Minute, id, no)
	w.thaw(5 * time.Minute)
	w.run(20 * time.Minute)
	if !yes.counted || !no.counted {
		t.Errorf("approved (%v), denied (%v)", yes.refused, no.refused)
	}
	w.contained(incident.RateLimit, 0, 0)
	w.contained(incident.Isolate, 0, 0)
	w.ended(id, incident.OutcomeRefused)
}

// An extension of another lease is another question: what was approved
// waits on for the resumption while it is asked, and when it is denied.
func TestAnExtensionDoesNotVoidWhatWaitsForTheResumption(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*world, string){
		"not answered": func(*world, string) {},
		"denied":       func(w *world, id string) { w.vote(5*time.Minute, id, &ballot{who: alice(), deny: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [throttle, approve: on-call, cut-off, tell]")
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.freeze(time.Minute)
			w.vote(2*time.Minute, id, &ballot{who: alice()})
			refused := w.extend(3*time.Minute, id, 3*time.Hour, func(r *protocol.ExtendRequest) {
				r.Lease, r.Step = leaseOf(incident.RateLimit, "ws-042"), "throttle"
			})
			answer(w, id)
			// The case looks again at what lets it run.
			w.later(6*time.Minute, id, another("a-2", incident.Firing))
			during := w.snap(7*time.Minute, id)
			w.thaw(8 * time.Minute)
			w.run(10 * time.Minute)
			if *refused != nil || step(t, *during, "cut-off").Status != incident.StepWaiting {
				t.Errorf("extension: %v; cut-off is %s", *refused, step(t, *during, "cut-off").Status)
			}
			w.contained(incident.Isolate, 1, 0)
		})
	}
}

// A plan that nobody was asked about does not wait.
func TestWithoutAnApprovalAPauseHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.budget(pausedBudget())
	var id string
	w.At(2*time.Second, func() { id = w.open(alertFor("ws-042", "10.20.4.42")) })
	w.thaw(time.Minute)
	w.run(10 * time.Minute)
	w.contained(incident.Isolate, 0, 0)
	w.ended(id, incident.OutcomeHeldBack)
}

func TestWhoMayWatch(t *testing.T) {
	t.Parallel()
	w, _ := gated(t)
	for i, in := range []protocol.Watcher{{Run: "r", Until: start}, {Case: "case/a", Until: start}, {Case: "case/a", Run: "r"}} {
		refused := errNotAsked()
		after := time.Minute + time.Duration(i)*time.Second
		w.At(after, func() {
			if err := w.Update(protocol.BudgetID, protocol.WatchUpdate, after.String(), in, func(_ any, err error) { refused = err }); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(func() { isRefused(t, refused, workflows.RefusedInvalid) })
	}
	w.run(2 * time.Minute)
}
