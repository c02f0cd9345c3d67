package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The request arrives after the next attempt has looked for it, and before that
// one is held back: what it took is given back, and the case says so. It may have
// heard that from the lease before it knows that the request was held.
func TestWhatArrivesBetweenIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"told at once": false, "told when it is over": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			lost := w.loses()
			w.engine.between = func() {
				w.pauseAt(0, protocol.PauseUpdate, paused(), new(error))
				w.engine.onCall = func(c activities.Call) {
					// The kill switch holds the next attempt back; before the lease is told
					// to refuse the request, that has been accepted.
					if c.Update == protocol.GiveUpUpdate && c.Workflow == protocol.LeaseWorkflow {
						w.engine.onCall = nil
						until := w.Now().Add(time.Second)
						w.engine.down = func(activities.Call) bool { return w.Now().Before(until) }
						w.At(0, func() { w.arrives(lost) })
						if late {
							w.answersLate(id)
						}
					}
				}
			}
			w.run(5 * time.Hour)
			c := w.ended(id, incident.OutcomeHeldBack)
			if said := saidBack(c, "cut-off"); said != 1 {
				t.Errorf("the case says %d times that it gave the isolation back", said)
			}
			w.contained(incident.Isolate, 1, 1)
			w.nothingLeft(id)
		})
	}
}

// answersLate loses the answers to what gives a request up until the case has
// heard that its lease is over.
func (w *world) answersLate(id string) {
	w.engine.lost(protocol.GiveUpUpdate, 1)
	w.engine.before = false
	w.engine.between = func() {
		if saidBack(w.see(id), "cut-off") == 0 {
			w.engine.times = 1
		}
	}
}

// saidBack counts how often a case says that a step was given back.
func saidBack(c incident.Case, step string) (n int) {
	for _, e := range happened(c, incident.EvGivenBack) {
		if e.Step == step {
			n++
		}
	}
	return n
}

// What a lost attempt took could not be given up, as the engine was out of reach
// for too long. When the lease speaks of it again, the case does not take it for
// its own: it is given back long before its time is up, the case says so, and it
// does not close before that is done.
func TestWhatCouldNotBeGivenUpIsGivenBackWhenItIsHeardOf(t *testing.T) {
	t.Parallel()
	for name, undone := range map[string]time.Duration{"at once": 150 * time.Minute, "when the undo works": 330 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", "ttl: 1h, unsure: act", "ttl: 5h, unsure: act")
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			online := func(on bool) func(*memory.Estate) {
				return func(e *memory.Estate) {
					if err := e.SetOnline("ws-042", on); err != nil {
						t.Error(err)
					}
				}
			}
			online(false)(w.estate)
			w.estate.Fail("undo isolate", down(), -1)
			w.engine.lost(protocol.HoldUpdate, 1)
			w.engine.of = string(incident.Isolate)
			until := start.Add(2 * time.Hour)
			w.engine.between = func() {
				w.engine.down = func(c activities.Call) bool {
					return (c.Update == protocol.FindUpdate || c.Update == protocol.GiveUpUpdate) && w.Now().Before(until)
				}
			}
			w.do(149*time.Minute, online(true))
			w.do(undone, (*memory.Estate).Mend)
			during, before := w.snap(140*time.Minute, id), w.snap(undone-time.Minute, id)
			w.run(7 * time.Hour)
			if s := step(t, *during, "cut-off"); s.Status != incident.StepFailed || len(w.told("page/", "could not be given up")) == 0 {
				t.Errorf("meanwhile cut-off is %s, and %d people were paged", s.Status, len(w.told("page/", "could not be given up")))
			}
			if before.Status == incident.Closed {
				t.Errorf("the case closed before it was given back: %s", before.Outcome)
			}
			c := w.see(id)
			said := func(kind incident.EventKind) (last time.Time) {
				for _, e := range happened(c, kind) {
					if e.Step == "cut-off" {
						last = e.At
					}
				}
				return last
			}
			if said(incident.EvHeldBack).IsZero() || said(incident.EvGivenBack).Sub(start) < undone || said(incident.EvGivenBack).Sub(start) > undone+10*time.Minute {
				t.Errorf("the case says that it was held back at %s and given back at %s", said(incident.EvHeldBack), said(incident.EvGivenBack))
			}
			w.contained(incident.Isolate, 1, 1)
			if c.Status != incident.Closed {
				t.Errorf("in the end the case is %s", c.Status)
			}
		})
	}
}

// Two steps were given up, and what they asked for came late: the case does not
// close before both are given back, whichever is first.
func TestACaseWaitsForAllThatItGaveUp(t *testing.T) {
	t.Parallel()
	actions := map[incident.Action]string{incident.RateLimit: "throttle", incident.Isolate: "cut-off"}
	for first, step := range actions {
		t.Run(step+" is given back first", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows",
				"use: gateway, with: { rate: 2Mbit }", "use: gateway, timeout: 5s, with: { rate: 2Mbit }", "use: edr,     ttl: 4h", "use: edr, timeout: 5s, ttl: 4h")
			for action := range actions {
				w.estate.Fail("apply "+string(action), down(), 6) // some 12 s
				w.estate.Fail("undo "+string(action), down(), -1)
			}
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			stand := [2]int{}
			w.At(10*time.Minute, func() { stand = [2]int{w.count("apply", incident.RateLimit), w.count("apply", incident.Isolate)} })
			w.do(20*time.Minute, func(e *memory.Estate) {
				e.Mend()
				for action := range actions {
					if action != first {
						e.Fail("undo "+string(action), down(), -1)
					}
				}
			})
			between := w.snap(40*time.Minute, id)
			w.do(41*time.Minute, (*memory.Estate).Mend)
			w.run(2 * time.Hour)
			if stand != [2]int{1, 1} {
				t.Errorf("after ten minutes %d limits and %d isolations were made late", stand[0], stand[1])
			}
			if between.Status == incident.Closed {
				t.Error("the case closed when one was given back")
			}
			w.contained(incident.RateLimit, 1, 1)
			w.contained(incident.Isolate, 1, 1)
			w.nothingLeft(id)
			for _, name := range actions {
				if saidBack(w.see(id), name) == 0 {
					t.Errorf("the case does not say that %s was given back", name)
				}
			}
			w.ended(id, incident.OutcomeFailed)
		})
	}
}
