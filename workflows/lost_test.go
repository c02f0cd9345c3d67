package workflows_test

import (
	"errors"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// straggler is the request of an attempt that counts as lost, and is on its way
// still.
type straggler struct {
	call    activities.Call
	refused error
}

// loses has the first attempt to isolate be lost before its request arrives.
func (w *world) loses() *straggler {
	s := &straggler{refused: errors.New("not asked")}
	w.engine.lost(protocol.HoldUpdate, 1)
	w.engine.before, w.engine.of = true, string(incident.Isolate)
	w.engine.onCall = func(c activities.Call) {
		if s.call.ID == "" && w.engine.loses(c) {
			s.call = c
		}
	}
	return s
}

// arrives has the request arrive.
func (w *world) arrives(s *straggler) {
	if w.arrived(s) {
		return
	}
	if err := w.StartAt(0, s.call.Workflow, s.call.ID, s.call.Input); err != nil {
		w.t.Error(err)
	}
	var again func()
	again = func() {
		// The workflow may not have begun yet.
		if !w.arrived(s) {
			w.At(time.Millisecond, again)
		}
	}
	w.At(time.Millisecond, again)
}

// arrived reports whether there was a workflow at which the request could arrive.
func (w *world) arrived(s *straggler) bool {
	err := w.Update(s.call.ID, s.call.Update, s.call.UpdateID, s.call.Arg, func(_ any, err error) { s.refused = err })
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return false
	}
	if err != nil {
		s.refused = err
	}
	return true
}

func paused() incident.Pause {
	return incident.Pause{By: "alice", Reason: "it isolates the wrong hosts"}
}

// nothingLeft asserts that in the end nothing is in place, in the estate and in the
// case, and that each containment was given back once.
func (w *world) nothingLeft(id string) {
	w.t.Helper()
	for _, action := range []incident.Action{incident.Isolate, incident.RateLimit} {
		if made, undone := w.count("apply", action), w.count("undo", action); made != undone {
			w.t.Errorf("%s was applied %d times and undone %d times", action, made, undone)
		}
	}
	for _, s := range w.see(id).Steps {
		if s.Status == incident.StepStanding {
			w.t.Errorf("%s stands in the case", s.Name)
		}
	}
}

// The first attempt took the lease and its answer was lost. What would hold the
// step back now came after that: it is active, in the estate and in the case.
func TestWhatALostAttemptHasTakenIsTheSteps(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]func(*world){
		"nobody knows the host any more": func(w *world) { w.estate.Fail("asset", down(), -1) },
		"containment is paused": func(w *world) {
			refused := new(error)
			w.pauseAt(0, protocol.PauseUpdate, paused(), refused)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			w.engine.lost(protocol.HoldUpdate, 1)
			w.engine.of = string(incident.Isolate)
			w.engine.between = func() { since(w) }
			during := w.snap(5*time.Minute, id)
			w.run(5 * time.Hour)
			if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || len(during.Approvals) > 0 {
				t.Errorf("cut-off is %s, and %d questions were asked", s.Status, len(during.Approvals))
			}
			w.contained(incident.Isolate, 1, 1)
			w.nothingLeft(id)
			w.ended(id, incident.OutcomeGivenBack)
		})
	}
}

// The first attempt counts as lost, and its request arrives after people were
// asked, said no, or paused containment: it takes nothing.
func TestALostRequestThatArrivesLateTakesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		arrives time.Duration
		paused  bool
		want    incident.CaseOutcome
	}{
		{"while people are asked", 30 * time.Second, false, incident.OutcomeRefused},
		{"after they have denied", 90 * time.Second, false, incident.OutcomeRefused},
		{"when nobody could wait for it any more", 10 * time.Minute, false, incident.OutcomeRefused},
		{"during a pause", 30 * time.Second, true, incident.OutcomeHeldBack},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			lost := w.loses()
			w.engine.between = func() {
				if c.paused {
					w.pauseAt(0, protocol.PauseUpdate, paused(), new(error))
				} else {
					w.estate.Fail("asset", down(), -1)
				}
			}
			if !c.paused {
				w.vote(time.Minute, id, &ballot{who: alice(), deny: true})
			}
			w.At(c.arrives, func() { w.arrives(lost) })
			w.run(5 * time.Hour)
			isRefused(t, lost.refused, workflows.RefusedInvalid)
			w.contained(incident.Isolate, 0, 0)
			w.nothingLeft(id)
			w.ended(id, c.want)
			budget, err := w.Budget()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range budget.Reservations {
				if r.Action == incident.Isolate {
					t.Errorf("the budget still counts %+v", r)
				}
			}
		})
	}
}

// People have approved, the attempt is lost and containment paused; after the
// pause the step asks anew, for what was given up is refused permanently.
func TestWhatWasLostBeforeAPauseIsTakenAfterIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [{ approve: on-call }, cut-off, tell]")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	lost := w.loses()
	w.engine.between = func() { w.pauseAt(0, protocol.PauseUpdate, paused(), new(error)) }
	w.vote(time.Minute, id, &ballot{who: alice()})
	w.At(90*time.Second, func() { w.arrives(lost) })
	w.pauseAt(3*time.Minute, protocol.ResumeUpdate, incident.Pause{By: "bob", Reason: "it was the right host"}, new(error))
	before, after := w.snap(2*time.Minute, id), w.snap(5*time.Minute, id)
	w.run(5 * time.Hour)
	isRefused(t, lost.refused, workflows.RefusedInvalid)
	if s := step(t, *before, "cut-off"); s.Status != incident.StepWaiting {
		t.Errorf("during the pause cut-off is %s", s.Status)
	}
	if s := step(t, *after, "cut-off"); s.Status != incident.StepStanding {
		t.Errorf("after the pause cut-off is %s: %s", s.Status, s.Problem)
	}
	w.contained(incident.Isolate, 1, 1)
	w.ended(id, incident.OutcomeGivenBack)
}

// Another case holds the containment: what was given up is refused there too,
// and the other's stands on.
func TestALostRequestIsRefusedWhereOthersHold(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.pinned()
	other := w.second(0, "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, tell]")
	lost := w.loses()
	w.engine.mine = protocol.CaseWorkflowID(id)
	w.engine.between = func() { w.estate.Fail("asset", down(), -1) }
	w.vote(time.Minute, id, &ballot{who: alice(), deny: true})
	w.At(2*time.Minute, func() { w.arrives(lost) })
	var holders []incident.Holder
	w.At(3*time.Minute, func() {
		lease, err := w.Lease(leaseOf(incident.Isolate, "ws-042"))
		if err != nil {
			t.Error(err)
		}
		holders = lease.Holders
	})
	w.run(5 * time.Hour)
	isRefused(t, lost.refused, workflows.RefusedInvalid)
	if len(holders) != 1 || holders[0].Case != protocol.CaseWorkflowID(other) {
		t.Errorf("the isolation is held by %+v, want the other case alone", holders)
	}
	w.contained(incident.Isolate, 1, 1)
	w.nothingLeft(id)
	w.ended(id, incident.OutcomeRefused)
}

// A process that an attempt may have ended is not ended after people said no, or
// paused containment; the case says what it does not know.
func TestALostKillIsNotRepeatedUnasked(t *testing.T) {
	t.Parallel()
	const powershell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	kills := []string{
		"do: [evidence, throttle, cut-off, tell]", "do: [end-it, tell]",
		"  evidence: {", "  end-it: { action: kill_process, use: edr }\n  evidence: {",
	}
	for _, c := range []struct {
		name  string
		fault func(*memory.Estate)
		ended bool
	}{
		{"it did nothing", func(e *memory.Estate) { e.Fail("kill", down(), 1) }, false},
		{"it did it", func(e *memory.Estate) { e.FailAfter("kill", integrations.Error{Kind: integrations.Ambiguous}, 1) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", kills...)
			c.fault(w.estate)
			w.engine.onCall = func(call activities.Call) {
				if call.Update == protocol.ReserveUpdate {
					// The answer to the attempt comes first.
					w.pauseAt(50*time.Millisecond, protocol.PauseUpdate, paused(), new(error))
					w.engine.onCall = nil
				}
			}
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(time.Hour)
			if w.estate.Runs("ws-042", 7316, powershell) == c.ended {
				t.Errorf("the process was ended: %t, want %t", !c.ended, c.ended)
			}
			held := w.see(id)
			if len(texts(held, incident.EvHeldBack, "paused by alice")) == 0 || len(texts(held, incident.EvHeldBack, "may have ended the process")) == 0 {
				t.Errorf("the case says %+v", happened(held, incident.EvHeldBack))
			}
			w.ended(id, incident.OutcomeHeldBack)
		})
	}
}

// A person closes the case, or releases the lease, while it is being taken: it
// is not in place in the end, and the case does not wait for the product.
func TestWhoeverEndsItWhileItIsTakenIsHeard(t *testing.T) {
	t.Parallel()
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		w.estate.Fail("apply isolate", down(), -1)
		refused := closeAt(w, 10*time.Second, id)
		w.do(5*time.Minute, (*memory.Estate).Mend)
		soon := w.snap(20*time.Second, id)
		w.run(time.Hour)
		if *refused != nil || step(t, *soon, "cut-off").Status != incident.StepSkipped {
			t.Errorf("closing: %v, cut-off is %s soon after", *refused, step(t, *soon, "cut-off").Status)
		}
		w.contained(incident.Isolate, 0, 0)
		w.nothingLeft(id)
		w.ended(id, incident.OutcomeClosedByHand)
	})
	t.Run("released", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		w.engine.lost(protocol.HoldUpdate, 1)
		w.engine.of = string(incident.Isolate)
		released := errors.New("not asked")
		w.engine.between = func() {
			until := w.Now().Add(5 * time.Second)
			w.engine.down = func(c activities.Call) bool { return c.Update == protocol.FindUpdate && w.Now().Before(until) }
			w.At(time.Second, func() {
				err := w.Update(leaseOf(incident.Isolate, "ws-042"), protocol.ReleaseUpdate, "release",
					protocol.ReleaseRequest{By: "bob", Reason: "the wrong host"}, func(_ any, err error) { released = err })
				if err != nil {
					released = err
				}
			})
		}
		during := w.snap(10*time.Minute, id)
		w.run(time.Hour)
		if s := step(t, *during, "cut-off"); released != nil || s.Status != incident.StepEnded {
			t.Errorf("release: %v, cut-off is %s", released, s.Status)
		}
		w.contained(incident.Isolate, 1, 1)
	})
}
