package workflows_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// extend asks a case at a time whether its isolation of ws-042 may stand until
// another; the result is in the error after the run.
func (w *world) extend(after time.Duration, id string, until time.Duration, edit ...func(*protocol.ExtendRequest)) *error {
	refused := new(error)
	*refused = errors.New("not answered")
	req := protocol.ExtendRequest{
		Lease: leaseOf(incident.Isolate, "ws-042"), Step: "cut-off", By: "carol", Reason: "forensics at work", Until: start.Add(until),
	}
	for _, e := range edit {
		e(&req)
	}
	w.At(after, func() {
		update := fmt.Sprint("extend ", after, req)
		if err := w.Update(protocol.CaseWorkflowID(id), protocol.ExtendUpdate, update, req, func(_ any, err error) { *refused = err }); err != nil {
			*refused = err
		}
	})
	return refused
}

// isolatedUntil asserts for how long the host was isolated, to a minute.
func (w *world) isolatedUntil(want time.Duration) {
	w.t.Helper()
	w.contained(incident.Isolate, 1, 1)
	for _, e := range w.estate.Effects() {
		if e.Op != "undo" || e.Action != incident.Isolate {
			continue
		}
		if got := e.At.Sub(start); got < want || got > want+2*time.Minute {
			w.t.Errorf("the isolation was undone after %s, want after %s", got, want)
		}
	}
}

// Only an answer by the people who approved it, to exactly this question, extends
// it.
func TestAnExtensionIsApprovedAgain(t *testing.T) {
	t.Parallel()
	yes, other := &ballot{who: alice()}, &ballot{who: alice(), plan: "sha256:other", approval: "on-call"}
	for name, test := range map[string]struct {
		ballot *ballot
		state  incident.ApprovalState
		until  time.Duration
		kind   string
	}{
		"approved":        {yes, incident.Approved, 8 * time.Hour, ""},
		"denied":          {&ballot{who: alice(), deny: true}, incident.ApprovalDenied, 4 * time.Hour, ""},
		"nobody answers":  {nil, incident.ApprovalExpired, 4 * time.Hour, ""},
		"who asks":        {&ballot{who: person("carol")}, incident.ApprovalExpired, 4 * time.Hour, workflows.RefusedNotApprover},
		"another plan":    {other, incident.ApprovalExpired, 4 * time.Hour, workflows.RefusedPlan},
		"another's group": {&ballot{who: person("eve", "alice")}, incident.ApprovalExpired, 4 * time.Hour, workflows.RefusedNotApprover},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			refused := w.extend(time.Hour, id, 8*time.Hour)
			asked := w.snap(time.Hour+time.Minute, id)
			w.At(time.Hour+2*time.Minute, func() {
				if test.ballot != nil && test.ballot.plan == "" {
					test.ballot.plan, test.ballot.approval = w.pending(id).PlanDigest, w.pending(id).Name
				}
			})
			if test.ballot != nil {
				w.vote(time.Hour+3*time.Minute, id, test.ballot)
			}
			after := w.snap(2*time.Hour, id)
			w.run(9 * time.Hour)

			if *refused != nil || asked.Status != incident.Awaiting {
				t.Fatalf("asked: %v, the case is %s", *refused, asked.Status)
			}
			a := asked.Approvals[0]
			if a.Name != "on-call" || a.Extends == nil || a.PlanDigest == asked.Plan.Digest() || !strings.Contains(a.Because, "carol asks for it: forensics") {
				t.Errorf("the question is %+v", a)
			}
			if got := step(t, *asked, "cut-off").Until; got.Sub(start) > 4*time.Hour+time.Minute {
				t.Errorf("while people are asked it stands until %s", got)
			}
			if after.Approvals[0].State != test.state || after.Status != incident.Contained {
				t.Errorf("the approval is %s, the case %s", after.Approvals[0].State, after.Status)
			}
			if test.kind != "" {
				isRefused(t, test.ballot.refused, test.kind)
			}
			w.isolatedUntil(test.until)
			c := w.ended(id, incident.OutcomeGivenBack)
			if asks := happened(c, incident.EvAsked); len(asks) != 1 || asks[0].By != "carol" {
				t.Errorf("it was asked %+v", asks)
			}
			if test.until > 4*time.Hour {
				if moved := happened(c, incident.EvExtended); len(moved) != 1 || moved[0].By != "carol" || !strings.Contains(moved[0].Text, "alice approved") {
					t.Errorf("extended: %+v", moved)
				}
			} else if held := happened(c, incident.EvHeldBack); len(held) != 1 || !strings.Contains(held[0].Text, "not extended") {
				t.Errorf("nothing says that it was not extended: %+v", held)
			}
			if q := w.told("/question/"); len(q) != 1 || !strings.Contains(q[0].Message.Title, "o on to isolate ws-042.corp.example until ") {
				t.Errorf("people were asked %+v", q)
			}
		})
	}
}

// The containment was approved by two people: these are asked again, and
// one of them is not enough.
func TestTheSameQuorumIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [throttle, approve: two-people, cut-off, tell]")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	lead := func(id string) *ballot { return &ballot{who: person(id, "sec-leads"), reason: "seen"} }
	w.vote(time.Minute, id, lead("alice"))
	w.vote(2*time.Minute, id, lead("bob"))
	w.extend(time.Hour, id, 8*time.Hour)
	wrong, one := &ballot{who: person("carol", "sec-oncall"), reason: "x"}, lead("alice")
	w.vote(time.Hour+2*time.Minute, id, wrong)
	w.vote(time.Hour+3*time.Minute, id, one)
	during := w.snap(time.Hour+4*time.Minute, id)
	w.run(9 * time.Hour)
	if a := during.Approvals[1]; a.Name != "two-people" || a.Quorum != 2 || len(a.Votes) != 1 || a.State != incident.Pending {
		t.Errorf("the question is %+v", a)
	}
	isRefused(t, wrong.refused, workflows.RefusedNotApprover)
	w.isolatedUntil(4*time.Hour + 2*time.Minute)
}

// Of two cases that hold a lease the one whose people approve holds it on, alone.
func TestAnExtensionMovesItsOwnHolder(t *testing.T) {
	t.Parallel()
	w, first := flood(t)
	w.pinned()
	second := w.second(10 * time.Minute)
	w.explainOnFailure(second)
	w.extend(time.Hour, first, 8*time.Hour)
	w.extend(time.Hour, second, 8*time.Hour)
	w.vote(time.Hour+time.Minute, second, &ballot{who: alice()})
	w.vote(time.Hour+2*time.Minute, first, &ballot{who: alice(), deny: true})
	later := w.snap(6*time.Hour, first)
	during := w.snap(6*time.Hour, second)
	w.run(9 * time.Hour)
	if s := step(t, *later, "cut-off"); s.Status != incident.StepEnded {
		t.Errorf("the first case's cut-off is %s until %s", s.Status, s.Until)
	}
	if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || !s.Until.Equal(start.Add(8*time.Hour)) {
		t.Errorf("the second case's cut-off is %s until %s", s.Status, s.Until)
	}
	w.isolatedUntil(8 * time.Hour)
}

// What may not be asked is refused, and leaves everything as it is.
func TestExtensionsThatAreRefused(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	wrong := map[string]*error{
		"nobody":    w.extend(time.Hour, id, 8*time.Hour, func(r *protocol.ExtendRequest) { r.By = "" }),
		"shorter":   w.extend(time.Hour, id, 2*time.Hour),
		"for ever":  w.extend(time.Hour, id, 15*24*time.Hour),
		"no reason": w.extend(time.Hour, id, 8*time.Hour, func(r *protocol.ExtendRequest) { r.Reason = " " }),
		"no lease":  w.extend(time.Hour, id, 8*time.Hour, func(r *protocol.ExtendRequest) { r.Lease = "lease/isolate/edr/ws-017" }),
	}
	first := w.extend(2*time.Hour, id, 8*time.Hour)
	twice := w.extend(2*time.Hour+time.Minute, id, 9*time.Hour)
	closed := closeAt(w, 2*time.Hour+5*time.Minute, id)
	soon := w.snap(2*time.Hour+20*time.Minute, id)
	late := w.extend(2*time.Hour+5*time.Minute, id, 8*time.Hour)
	w.run(9 * time.Hour)
	for name, kind := range map[string]string{
		"nobody": workflows.RefusedInvalid, "shorter": workflows.RefusedInvalid, "for ever": workflows.RefusedInvalid,
		"no reason": workflows.RefusedReason, "no lease": workflows.RefusedNotPending,
	} {
		isRefused(t, *wrong[name], kind)
	}
	isRefused(t, *twice, workflows.RefusedNotPending)
	if *first != nil || *closed != nil || *late == nil {
		t.Errorf("the first: %v, closing: %v, while it closes: %v", *first, *closed, *late)
	}
	if len(soon.Approvals) != 1 || soon.Approvals[0].State != incident.Superseded {
		t.Errorf("the questions are %+v", soon.Approvals)
	}
	w.isolatedUntil(2*time.Hour + 5*time.Minute)
	w.ended(id, incident.OutcomeClosedByHand)
}

// A gate that waits is answered first: two questions would be mistaken for each
// other.
func TestAGateIsAnsweredBeforeAnExtension(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	throttle := func(r *protocol.ExtendRequest) { r.Lease, r.Step = leaseOf(incident.RateLimit, "ws-042"), "throttle" }
	refused := w.extend(2*time.Minute, id, 8*time.Hour, throttle)
	w.vote(3*time.Minute, id, &ballot{who: alice()})
	granted := w.extend(5*time.Minute, id, 2*time.Hour, throttle)
	w.vote(6*time.Minute, id, &ballot{who: alice()})
	during := w.snap(90*time.Minute, id)
	w.run(5 * time.Hour)
	isRefused(t, *refused, workflows.RefusedNotPending)
	if s := step(t, *during, "throttle"); *granted != nil || s.Status != incident.StepStanding || !s.Until.Equal(start.Add(2*time.Hour)) {
		t.Errorf("granted: %v, the throttle is %s until %s", *granted, s.Status, s.Until)
	}
	w.contained(incident.RateLimit, 1, 1)
	w.contained(incident.Isolate, 1, 1)
}

// While an extension is asked about, the plan may come to a gate: each answer
// belongs to its own question, whichever is answered first.
func TestTheYesToAnExtensionOpensNoGate(t *testing.T) {
	t.Parallel()
	for name, gateFirst := range map[string]bool{"the extension first": false, "the gate first": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			w.loses()
			w.engine.between = func() { roleUnknown(t, w.estate) }
			until := start.Add(time.Minute)
			w.engine.down = func(c activities.Call) bool { return c.Update == protocol.FindUpdate && w.Now().Before(until) }
			asked := w.extend(20*time.Second, id, 2*time.Hour, func(r *protocol.ExtendRequest) {
				r.Lease, r.Step = leaseOf(incident.RateLimit, "ws-042"), "throttle"
			})
			longer, gate := &ballot{who: alice(), approval: "on-call"}, &ballot{who: alice(), approval: "on-call"}
			w.At(2*time.Minute, func() {
				for _, a := range w.see(id).Approvals {
					if a.Extends != nil {
						longer.plan = a.PlanDigest
					} else {
						gate.plan = a.PlanDigest
					}
				}
			})
			first, second := longer, gate
			if gateFirst {
				first, second = gate, longer
			}
			w.vote(3*time.Minute, id, first)
			between := w.snap(4*time.Minute, id)
			isolated := 0
			w.At(4*time.Minute, func() { isolated = w.count("apply", incident.Isolate) })
			w.vote(5*time.Minute, id, second)
			after := w.snap(6*time.Minute, id)
			w.run(10 * time.Minute)
			if *asked != nil || longer.plan == "" || gate.plan == "" || len(after.Approvals) != 2 {
				t.Fatalf("the extension: %v; %d questions", *asked, len(after.Approvals))
			}
			if !longer.counted || !gate.counted {
				t.Errorf("the answers: %v, %v", longer.refused, gate.refused)
			}
			if (isolated > 0) != gateFirst || step(t, *between, "throttle").Until.Equal(start.Add(2*time.Hour)) == gateFirst {
				t.Errorf("after the first answer: isolated %d times, the throttle stands until %s", isolated, step(t, *between, "throttle").Until)
			}
			if until := step(t, *after, "throttle").Until; !until.Equal(start.Add(2 * time.Hour)) {
				t.Errorf("in the end the throttle stands until %s", until)
			}
			w.contained(incident.Isolate, 1, 0)
		})
	}
}

// The lease ends while people are asked: the question is void, and a late yes
// contains nothing.
func TestAQuestionEndsWithItsLease(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.extend(time.Hour, id, 8*time.Hour)
	late := &ballot{who: alice(), approval: "on-call"}
	w.At(time.Hour+time.Minute, func() { late.plan = w.pending(id).PlanDigest })
	w.At(time.Hour+2*time.Minute, func() {
		req := protocol.ReleaseRequest{By: "bob", Reason: "clean"}
		if err := w.Update(leaseOf(incident.Isolate, "ws-042"), protocol.ReleaseUpdate, "release", req, func(any, error) {}); err != nil {
			t.Error(err)
		}
	})
	w.vote(time.Hour+4*time.Minute, id, late)
	w.run(9 * time.Hour)
	if late.counted {
		t.Error("the late answer was counted")
	}
	w.isolatedUntil(time.Hour + 2*time.Minute)
	if c := w.see(id); c.Approvals[0].State != incident.Superseded {
		t.Errorf("the question is %s", c.Approvals[0].State)
	}
}

// A new run of the engine takes the question up: it is answered there, or was as
// the run before ended, or nobody answers.
func TestAnExtensionCrossesRuns(t *testing.T) {
	t.Parallel()
	const ends = time.Hour + 2*time.Minute
	for name, test := range map[string]struct {
		voted time.Duration
		deny  bool
		state incident.ApprovalState
		until time.Duration
	}{
		"approved in the next run":      {time.Hour + 4*time.Minute, false, incident.Approved, 8 * time.Hour},
		"denied in the next run":        {time.Hour + 4*time.Minute, true, incident.ApprovalDenied, 4 * time.Hour},
		"approved while the run ends":   {ends, false, incident.Approved, 8 * time.Hour},
		"nobody answers in either run":  {0, false, incident.ApprovalExpired, 4 * time.Hour},
		"approved before the run ended": {ends - time.Second, false, incident.Approved, 8 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			refused := w.extend(time.Hour, id, 8*time.Hour)
			if test.voted != 0 && test.voted != ends {
				w.vote(test.voted, id, &ballot{who: alice(), deny: test.deny})
			}
			before := ""
			w.At(ends-time.Minute, func() { before = w.RunOf(protocol.CaseWorkflowID(id)) })
			w.At(ends, func() {
				if test.voted == ends {
					w.cast("in the end", id, &ballot{who: alice(), deny: test.deny})
				}
				if err := w.Yield(protocol.CaseWorkflowID(id)); err != nil {
					t.Error(err)
				}
			})
			w.At(ends+time.Minute, func() {
				if w.RunOf(protocol.CaseWorkflowID(id)) == before {
					t.Error("the case is still in its first run")
				}
			})
			w.run(9 * time.Hour)
			c := w.ended(id, incident.OutcomeGivenBack)
			if *refused != nil || len(c.Approvals) != 1 || c.Approvals[0].State != test.state || !c.Approvals[0].Extends.Settled {
				t.Errorf("asked: %v, the questions are %+v", *refused, c.Approvals)
			}
			moved := 0
			if test.state == incident.Approved {
				moved = 1
			}
			if n, held := len(happened(c, incident.EvExtended)), len(happened(c, incident.EvHeldBack)); n != moved || held != 1-moved {
				t.Errorf("it was extended %d times, and held back %d times", n, held)
			}
			w.isolatedUntil(test.until)
		})
	}
}

// Nobody is asked for longer than the lease stands, nor while the case is closed.
func TestAnExtensionIsAskedWhileThereIsSomethingToExtend(t *testing.T) {
	t.Parallel()
	t.Run("up to the end of the lease", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		asked := w.extend(4*time.Hour-5*time.Minute, id, 8*time.Hour)
		during := w.snap(4*time.Hour-4*time.Minute, id)
		w.run(9 * time.Hour)
		if *asked != nil || len(during.Approvals) != 1 {
			t.Fatalf("asked: %v, %d questions", *asked, len(during.Approvals))
		}
		if end := step(t, *during, "cut-off").Until; during.Approvals[0].ExpiresAt.After(end) {
			t.Errorf("people may answer until %s, the lease ends at %s", during.Approvals[0].ExpiresAt, end)
		}
		w.isolatedUntil(4 * time.Hour)
	})
	t.Run("while the case is closed", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		w.do(time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
		closed := closeAt(w, 10*time.Minute, id)
		asked := w.extend(11*time.Minute, id, 8*time.Hour)
		w.do(20*time.Minute, (*memory.Estate).Mend)
		w.run(9 * time.Hour)
		if *closed != nil {
			t.Errorf("closing: %v", *closed)
		}
		isRefused(t, *asked, workflows.RefusedNotPending)
		if c := w.ended(id, incident.OutcomeClosedByHand); len(c.Approvals) != 0 {
			t.Errorf("%d questions were asked", len(c.Approvals))
		}
	})
}
