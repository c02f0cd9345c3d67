package workflows_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func behave(t *testing.T, e *memory.Estate, action incident.Action, b memory.Behaviour) {
	t.Helper()
	if err := e.Behave("ws-042", action, b); err != nil {
		t.Fatal(err)
	}
}

// The vendor says accepted, and nothing happens: neither confirmed nor
// effective, and people are paged for both.
func TestAVendorThatLiesIsFoundOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [evidence, cut-off, tell]")
	behave(t, w.estate, incident.Isolate, memory.Behaviour{Lies: true})
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	during := w.snap(10*time.Minute, id)
	w.run(5 * time.Hour)
	s := step(t, *during, "cut-off")
	if s.AcceptedAt.IsZero() || !s.ConfirmedAt.IsZero() || s.Proof != incident.NotEffective {
		t.Errorf("accepted %s, confirmed %s, proof %q %s", s.AcceptedAt, s.ConfirmedAt, s.Proof, s.ProofDetail)
	}
	if len(w.told("page/", "not in effect on the device")) != 1 || len(w.told("page/", "not effective")) != 1 {
		t.Error("people were not paged once for each")
	}
	w.contained(incident.Isolate, 0, 0)
	w.ended(id, incident.OutcomeGivenBack)
}

func TestWhatIsNotEffectiveIsPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [evidence, cut-off, tell]")
	behave(t, w.estate, incident.Isolate, memory.Behaviour{Ineffective: true})
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	during := w.snap(10*time.Minute, id)
	w.run(5 * time.Hour)
	s := step(t, *during, "cut-off")
	if s.ConfirmedAt.IsZero() || s.Proof != incident.NotEffective || !strings.Contains(s.ProofDetail, "still is 40 Mbit/s") {
		t.Errorf("confirmed %s, proof %q: %s", s.ConfirmedAt, s.Proof, s.ProofDetail)
	}
	if n := len(w.told("page/", "not effective")); n != 1 {
		t.Errorf("people were paged %d times", n)
	}
	w.contained(incident.Isolate, 1, 1)
}

func TestWithoutAFlowStoreNobodyCanTell(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.do(time.Second, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
	during := w.snap(15*time.Minute, id)
	w.run(5 * time.Hour)
	for _, name := range []string{"throttle", "cut-off"} {
		s := step(t, *during, name)
		if s.Proof != incident.CannotTell || s.ConfirmedAt.IsZero() || !s.ProvenAt.IsZero() || !strings.HasPrefix(s.ProofDetail, "flows: ") {
			t.Errorf("%s: proof %q (%s), confirmed %s", name, s.Proof, s.ProofDetail, s.ConfirmedAt)
		}
	}
	if len(w.told("page/", "cannot tell")) != 1 {
		t.Error("nobody was paged for the isolation")
	}
}

func TestTheEvidenceNamesEverything(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.vote(2*time.Minute, id, &ballot{who: alice(), reason: "seen on call"})
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	data, err := os.ReadFile(filepath.Join(c.EvidenceDir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kept incident.Case
	if err := json.Unmarshal(data, &kept); err != nil {
		t.Fatal(err)
	}
	switch {
	case kept.Decision == nil || kept.Decision.Rule != "unexplained-volume" || len(kept.Decision.Trace.Rules) == 0:
		t.Errorf("the decision is %+v", kept.Decision)
	case kept.PlaybookDigest != w.pin.Digest || kept.Decision.PlaybookDigest != w.pin.Digest:
		t.Error("the playbook's digest is not named")
	case kept.Approvals[0].Votes[0].Person.ID != "alice" || kept.Approvals[0].Votes[0].Reason != "seen on call":
		t.Errorf("the votes are %+v", kept.Approvals[0].Votes)
	case kept.Target.ID() != "ws-042" || len(kept.Alerts) != 1 || len(kept.Series) == 0:
		t.Errorf("target %s, %d alerts, %d points", kept.Target.ID(), len(kept.Alerts), len(kept.Series))
	case step(t, kept, "cut-off").EndedAt.IsZero() || step(t, kept, "cut-off").Lease != leaseOf(incident.Isolate, "ws-042"):
		t.Errorf("the lease is %+v", step(t, kept, "cut-off"))
	}
}

// What was collected before the containment is in the bundle.
func TestCollectedEvidenceIsInTheBundle(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	sums, err := os.ReadFile(filepath.Join(c.EvidenceDir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"case.json", "evidence-00.json", "evidence-01.json", "playbook.yaml"} {
		if !strings.Contains(string(sums), want) {
			t.Errorf("the bundle has no %s:\n%s", want, sums)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(c.EvidenceDir, "../../../.collected/*")); len(left) > 0 {
		t.Errorf("beside the bundle there is %q still", left)
	}
}

// A case is bounded in what it makes the engine keep.
func TestACaseKeepsItsHistorySmall(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	const most = 220 << 10
	if n := w.Bytes(); n > most {
		t.Errorf("the case with its leases and the budget took %d bytes, want at most %d", n, most)
	}
}

// A run ends and the next goes on with everything: in the middle of a question,
// of a containment, and of the budget's hour.
func TestANewRunLosesNothing(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	workflow := protocol.CaseWorkflowID(id)
	lease := leaseOf(incident.RateLimit, "ws-042")
	yield := func(after time.Duration, workflow string) {
		var before string
		w.At(after, func() {
			before = w.RunOf(workflow)
			if err := w.Yield(workflow); err != nil {
				t.Errorf("%s: %v", workflow, err)
			}
		})
		w.At(after+time.Minute, func() {
			if w.RunOf(workflow) == before {
				t.Errorf("%s is still in its first run", workflow)
			}
		})
	}
	yield(2*time.Minute, workflow)
	repeat := w.snap(5*time.Minute, id)
	w.later(5*time.Minute+time.Second, id, another("a-1", incident.Firing))
	w.vote(8*time.Minute, id, &ballot{who: alice()})
	yield(20*time.Minute, workflow)
	yield(20*time.Minute, lease)
	yield(20*time.Minute, leaseOf(incident.Isolate, "ws-042"))
	var before, after protocol.BudgetState
	w.At(29*time.Minute, func() { before, _ = w.Budget() })
	yield(30*time.Minute, protocol.BudgetID)
	w.At(40*time.Minute, func() { after, _ = w.Budget() })
	during := w.snap(40*time.Minute, id)
	w.run(6 * time.Hour)

	if repeat.Status != incident.Awaiting || len(repeat.Approvals) != 1 || len(w.told("/reminder/")) != 1 || len(w.told("/question/")) != 1 {
		t.Errorf("after the first new run: %s, %d questions, %d reminders", repeat.Status, len(repeat.Approvals), len(w.told("/reminder/")))
	}
	if len(before.Reservations) == 0 || len(after.Reservations) != len(before.Reservations) {
		t.Errorf("the budget had %d reservations and has %d", len(before.Reservations), len(after.Reservations))
	}
	if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || s.Proof != incident.Verified || s.ConfirmedAt.IsZero() {
		t.Errorf("cut-off is %s, proof %q", s.Status, s.Proof)
	}
	w.contained(incident.RateLimit, 1, 1)
	w.contained(incident.Isolate, 1, 1)
	c := w.ended(id, incident.OutcomeGivenBack)
	if len(c.AlertKeys) != 1 {
		t.Errorf("the repeat joined: %v", c.AlertKeys)
	}
	if c.Run != repeat.Run || len(happened(c, incident.EvVerified)) != 2 || len(happened(c, incident.EvConfirmed)) != 2 {
		t.Errorf("run %s became %s; verified %d times, confirmed %d times", repeat.Run, c.Run,
			len(happened(c, incident.EvVerified)), len(happened(c, incident.EvConfirmed)))
	}
}

// The task that ends a run may bring a signal: an alert that was accepted, or a
// case that gives its lease back.
func TestASignalThatComesAsARunEndsIsHeard(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	lease := leaseOf(incident.RateLimit, "ws-042")
	last := func(after time.Duration, workflow, signal string, arg any) {
		var before string
		w.At(after, func() {
			before = w.RunOf(workflow)
			if err := errors.Join(w.Signal(workflow, signal, arg), w.Yield(workflow)); err != nil {
				t.Errorf("%s: %v", workflow, err)
			}
		})
		w.At(after+time.Minute, func() {
			if w.RunOf(workflow) == before {
				t.Errorf("%s is still in its first run", workflow)
			}
		})
	}
	last(2*time.Minute, protocol.CaseWorkflowID(id), protocol.AlertsSignal, []incident.Alert{another("a-2", incident.Firing)})
	last(4*time.Minute, lease, protocol.LeaveSignal, protocol.LeaveRequest{Case: protocol.CaseWorkflowID(id), Step: "throttle"})
	after := w.snap(5*time.Minute, id)
	w.run(6 * time.Hour)

	if len(after.AlertKeys) != 2 {
		t.Errorf("the case has the alerts %v, want both", after.AlertKeys)
	}
	if s := step(t, *after, "throttle"); s.Status == incident.StepStanding {
		t.Error("throttle stands, and was given back")
	}
	w.contained(incident.RateLimit, 1, 1)
}

// An undo that fails for long goes on in a new run, and still tells those who
// left.
func TestANewRunGoesOnUndoing(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	lease := leaseOf(incident.Isolate, "ws-042")
	w.do(3*time.Hour, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
	w.yield(5*time.Hour, lease)
	w.do(6*time.Hour, (*memory.Estate).Mend)
	w.run(7 * time.Hour)
	w.contained(incident.Isolate, 1, 1)
	w.ended(id, incident.OutcomeGivenBack)
}

// What flows after the lease was over says nothing about it, and pages nobody:
// here the host is free again, and the lease cannot tell for minutes.
func TestWhatFlowsAfterTheLeaseIsNoProof(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, string){
		"expired": func(*world, string) {},
		"released": func(w *world, _ string) {
			w.At(20*time.Second, func() {
				err := w.Update(leaseOf(incident.Isolate, "ws-042"), protocol.ReleaseUpdate, "release",
					protocol.ReleaseRequest{By: "bob", Reason: "the wrong host"}, func(any, error) {})
				if err != nil {
					w.t.Error(err)
				}
			})
		},
		"closed": func(w *world, id string) { closeAt(w, 20*time.Second, id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ttl := "ttl: 4h"
			if name == "expired" {
				ttl = "ttl: 30s"
			}
			w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, tell]", "ttl: 4h", ttl)
			w.pinned()
			// Until then the flow store is down: nothing is known of the time before.
			w.do(time.Second, func(e *memory.Estate) { e.Fail("traffic", down(), -1) })
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			end(w, id)
			w.do(15*time.Second, func(e *memory.Estate) {
				e.FailAfter("undo isolate", integrations.Error{Kind: integrations.Ambiguous}, 1)
				e.Fail("read isolate", down(), -1)
			})
			w.do(45*time.Second, func(e *memory.Estate) {
				e.Mend()
				e.Fail("read isolate", down(), -1)
			})
			w.do(20*time.Minute, (*memory.Estate).Mend)
			w.run(5 * time.Hour)
			s := step(t, w.see(id), "cut-off")
			if s.Proof != incident.CannotTell || !strings.Contains(s.ProofDetail, "the lease was over after") {
				t.Errorf("proof %q: %s", s.Proof, s.ProofDetail)
			}
			if n := len(w.told("page/", "effective")); n != 0 {
				t.Errorf("people were paged %d times", n)
			}
			w.contained(incident.Isolate, 1, 1)
		})
	}
}

// A device that takes half a minute to carry it out is measured from then on,
// also where the playbook wants the proof sooner.
func TestWhatFlowedBeforeItStoodIsNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, tell]",
		"egress_below: 64kbit, within: 5m", "egress_below: 64kbit, within: 20s")
	behave(t, w.estate, incident.Isolate, memory.Behaviour{Pending: 36 * time.Second})
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(10 * time.Minute)
	s := step(t, w.see(id), "cut-off")
	if after := s.ProvenAt.Sub(s.ConfirmedAt); s.Proof != incident.Verified || after < 5*time.Second || after > 6*time.Second {
		t.Errorf("confirmed %s, proof %q %s at %s", s.ConfirmedAt, s.Proof, s.ProofDetail, s.ProvenAt)
	}
	if n := len(w.told("page/", "effective")); n != 0 {
		t.Errorf("people were paged %d times", n)
	}
}

// A lease that is over before its product could take it was never in place, and no
// line of the case names an end that it does not have.
func TestALeaseThatEndsBeforeItIsAcceptedHasNoEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, tell]", "ttl: 4h", "ttl: 5s")
	w.estate.Fail("apply isolate", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.At(10*time.Second, func() {
		err := w.Update(leaseOf(incident.Isolate, "ws-042"), protocol.ReleaseUpdate, "release",
			protocol.ReleaseRequest{By: "bob", Reason: "the wrong host"}, func(any, error) {})
		if err != nil {
			t.Error(err)
		}
	})
	w.run(time.Hour)
	c := w.see(id)
	for _, e := range c.Timeline {
		if strings.Contains(e.Text, "0001") {
			t.Errorf("the case says %q", e.Text)
		}
	}
	if s := step(t, c, "cut-off"); !s.AcceptedAt.IsZero() || s.Proof != incident.NoProof || s.Status != incident.StepEnded {
		t.Errorf("cut-off is %s, accepted %s, proof %q", s.Status, s.AcceptedAt, s.Proof)
	}
	w.contained(incident.Isolate, 0, 0)
	w.ended(id, incident.OutcomeGivenBack)
}
