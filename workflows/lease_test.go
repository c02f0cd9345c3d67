package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// flood is a world in which ws-042 is throttled and isolated at once.
func flood(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

func leaseOf(action incident.Action, host string) string {
	use := "gateway"
	if action == incident.Isolate {
		use = "edr"
	}
	return "lease/" + string(action) + "/" + use + "/" + host
}

// second opens a case of another playbook for ws-042.
func (w *world) second(after time.Duration, edit ...string) string {
	w.t.Helper()
	edit = append([]string{"name: high-egress-windows", "name: second"}, edit...)
	pin := activities.PinOf(enforced(w.t, "high-egress-windows", edit...))
	id := "second/ws-042"
	in := workflows.CaseInput{ID: id, Subject: "ws-042", Pin: pin, Alerts: []incident.Alert{alertFor("ws-042", "10.20.4.42")}}
	if err := w.StartCaseAt(after, in); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// pinned makes the flow store say the same of ws-042 whatever is in place, so that a
// second playbook decides as the first did.
func (w *world) pinned() {
	w.t.Helper()
	err := w.estate.SetFacts("ws-042", incident.Facts{Traffic: incident.Traffic{
		Role: incident.Known(string(incident.Requester), incident.FromFlows),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestALeaseIsSharedAndGivenBackOnce(t *testing.T) {
	t.Parallel()
	w, first := flood(t)
	w.pinned()
	second := w.second(10 * time.Minute)
	w.explainOnFailure(second)
	var holders int
	w.At(20*time.Minute, func() {
		lease, err := w.Lease(leaseOf(incident.Isolate, "ws-042"))
		if err != nil {
			t.Error(err)
		}
		holders = len(lease.Holders)
	})
	closeAt(w, 30*time.Minute, first)
	stillIsolated := 0
	w.At(40*time.Minute, func() { stillIsolated = w.count("apply", incident.Isolate) - w.count("undo", incident.Isolate) })
	w.run(5 * time.Hour)
	if holders != 2 || stillIsolated != 1 {
		t.Errorf("%d holders; after the first had left, isolated: %d", holders, stillIsolated)
	}
	w.contained(incident.Isolate, 1, 1)
	w.contained(incident.RateLimit, 1, 1)
	w.ended(first, incident.OutcomeClosedByHand)
	c := w.ended(second, incident.OutcomeGivenBack)
	if s := step(t, c, "cut-off"); s.EndedAt.Sub(s.AcceptedAt) < 4*time.Hour-time.Minute {
		t.Errorf("the second had it for %s", s.EndedAt.Sub(s.AcceptedAt))
	}
}

func closeAt(w *world, after time.Duration, id string) *error {
	refused := new(error)
	*refused = errors.New("not asked")
	w.At(after, func() {
		err := w.Update(protocol.CaseWorkflowID(id), protocol.CloseUpdate, "close"+after.String(),
			protocol.CloseRequest{By: "alice", Reason: "false alarm"}, func(_ any, err error) { *refused = err })
		if err != nil {
			*refused = err
		}
	})
	return refused
}

func TestClosingByHandGivesBack(t *testing.T) {
	t.Parallel()
	t.Run("while leases stand", func(t *testing.T) {
		t.Parallel()
		w, id := flood(t)
		refused := closeAt(w, 10*time.Minute, id)
		soon := w.snap(11*time.Minute, id)
		w.run(15 * time.Minute)
		if *refused != nil || soon.Outcome != incident.OutcomeClosedByHand {
			t.Errorf("closing: %v, outcome %q", *refused, soon.Outcome)
		}
		w.contained(incident.Isolate, 1, 1)
		w.contained(incident.RateLimit, 1, 1)
	})
	t.Run("while people are asked", func(t *testing.T) {
		t.Parallel()
		w, id := asked(t)
		refused := closeAt(w, 2*time.Minute, id)
		late := &ballot{who: alice()}
		w.At(time.Minute, func() { late.plan = w.pending(id).PlanDigest })
		w.vote(2*time.Minute+time.Second, id, late)
		w.run(5 * time.Minute)
		if *refused != nil {
			t.Errorf("closing: %v", *refused)
		}
		if late.counted {
			t.Error("an answer was counted after the case was closed")
		}
		w.contained(incident.Isolate, 0, 0)
		w.contained(incident.RateLimit, 1, 1)
		if c := w.ended(id, incident.OutcomeClosedByHand); c.Approvals[0].State != incident.Superseded {
			t.Errorf("the question is %s", c.Approvals[0].State)
		}
	})
}

// What somebody else had isolated is adopted, and left as it was.
func TestWhatStoodBeforeUsIsNeverUndone(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.estate.Impose(incident.Order{Action: incident.Isolate, Target: target, Reason: "by hand"}); err != nil {
		t.Fatal(err)
	}
	during := w.snap(time.Minute, id)
	w.run(5 * time.Hour)
	w.contained(incident.Isolate, 0, 0)
	if !step(t, *during, "cut-off").Adopted {
		t.Error("it was not adopted")
	}
	w.ended(id, incident.OutcomeGivenBack)
	standing, err := w.estate.Read(t.Context(), incident.Order{Action: incident.Isolate, Target: target})
	if err != nil || !standing.Stands {
		t.Errorf("the isolation by hand stands: %v (%v)", standing.Stands, err)
	}
}

func TestALeaseIsExtendedAndReleasedByHand(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	lease := leaseOf(incident.Isolate, "ws-042")
	asks := map[string]*error{}
	ask := func(after time.Duration, name, update string, arg any) {
		refused := new(error)
		*refused = errors.New("not asked")
		asks[name] = refused
		w.At(after, func() {
			if err := w.Update(lease, update, name, arg, func(_ any, err error) { *refused = err }); err != nil {
				*refused = err
			}
		})
	}
	ask(time.Hour, "nobody", protocol.ExtendUpdate, protocol.ExtendRequest{Until: start.Add(9 * time.Hour)})
	ask(time.Hour, "shorter", protocol.ExtendUpdate, protocol.ExtendRequest{By: "alice", Until: start.Add(2 * time.Hour)})
	ask(time.Hour, "for ever", protocol.ExtendUpdate, protocol.ExtendRequest{By: "alice", Until: start.AddDate(1, 0, 0)})
	ask(time.Hour, "longer", protocol.ExtendUpdate, protocol.ExtendRequest{By: "alice", Reason: "forensics", Until: start.Add(8 * time.Hour)})
	during := w.snap(6*time.Hour, id)
	ask(7*time.Hour, "release", protocol.ReleaseUpdate, protocol.ReleaseRequest{By: "bob", Reason: "done"})
	w.run(9 * time.Hour)

	for _, name := range []string{"nobody", "shorter", "for ever"} {
		isRefused(t, *asks[name], workflows.RefusedInvalid)
	}
	if *asks["longer"] != nil || *asks["release"] != nil {
		t.Errorf("extend: %v, release: %v", *asks["longer"], *asks["release"])
	}
	if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || !s.Until.Equal(start.Add(8*time.Hour)) {
		t.Errorf("after six hours: %s until %s", s.Status, s.Until)
	}
	w.contained(incident.Isolate, 1, 1)
	c := w.ended(id, incident.OutcomeGivenBack)
	back := happened(c, incident.EvGivenBack)
	last := back[len(back)-1]
	if last.By != "bob" || !strings.Contains(last.Text, "bob released it: done") {
		t.Errorf("given back by %q: %s", last.By, last.Text)
	}
}

// While a lease is being undone and the undo does not work, another case takes
// it: it stays, once, and is undone once in the end.
func TestALeaseIsTakenAgainWhileItIsUndone(t *testing.T) {
	t.Parallel()
	w, first := flood(t)
	w.pinned()
	w.do(4*time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
	closeAt(w, 5*time.Minute, first)
	second := w.second(6 * time.Minute)
	w.explainOnFailure(second)
	w.do(8*time.Minute, (*memory.Estate).Mend)
	during := w.snap(30*time.Minute, second)
	w.run(5 * time.Hour)
	if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || s.Adopted {
		t.Errorf("the second case's cut-off is %s, adopted: %v", s.Status, s.Adopted)
	}
	w.contained(incident.Isolate, 1, 1)
	w.ended(first, incident.OutcomeClosedByHand)
	w.ended(second, incident.OutcomeGivenBack)
}

// The host is offline: accepted, not confirmed, told once; when it comes back
// it is isolated and confirmed.
func TestAHostThatIsOfflineIsConfirmedLater(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	if err := w.estate.SetOnline("ws-042", false); err != nil {
		t.Fatal(err)
	}
	before := w.snap(20*time.Minute, id)
	w.do(30*time.Minute, func(e *memory.Estate) {
		if err := e.SetOnline("ws-042", true); err != nil {
			t.Error(err)
		}
	})
	after := w.snap(32*time.Minute, id)
	w.run(5 * time.Hour)
	s := step(t, *before, "cut-off")
	if s.Status != incident.StepStanding || !s.ConfirmedAt.IsZero() || !strings.Contains(s.Problem, "has not carried it out") {
		t.Errorf("while offline: %s, confirmed %s, %q", s.Status, s.ConfirmedAt, s.Problem)
	}
	if n := len(happened(*before, incident.EvNotConfirmed)); n != 1 {
		t.Errorf("people were told %d times that it is not confirmed", n)
	}
	if len(w.told("page/", "has not carried it out")) != 1 {
		t.Error("nobody was paged, though the step asks for it")
	}
	if s := step(t, *after, "cut-off"); s.ConfirmedAt.Sub(start) < 30*time.Minute || s.Problem != "" {
		t.Errorf("back online: confirmed %s, %q", s.ConfirmedAt, s.Problem)
	}
	w.contained(incident.Isolate, 1, 1)
}

func TestAnUndoThatFailsIsTriedOnAndTold(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.do(3*time.Hour, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
	during := w.snap(5*time.Hour, id)
	w.do(6*time.Hour, (*memory.Estate).Mend)
	w.run(7 * time.Hour)
	if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || !strings.Contains(s.Problem, "undo pending") {
		t.Errorf("while the undo fails: %s, %q", s.Status, s.Problem)
	}
	if n := len(w.told("page/", "undo pending")); n != 1 {
		t.Errorf("people were paged %d times", n)
	}
	w.contained(incident.Isolate, 1, 1)
	w.ended(id, incident.OutcomeGivenBack)
}

// A write that timed out is read back: whether it had an effect or not, one
// effect stands, and one is undone.
func TestAnAmbiguousWriteHasOneEffect(t *testing.T) {
	t.Parallel()
	ambiguous := integrations.Error{Kind: integrations.Ambiguous, Err: errors.New("timed out")}
	for _, c := range []struct {
		name  string
		fault func(e *memory.Estate)
	}{
		{"with effect", func(e *memory.Estate) { e.FailAfter("apply isolate", ambiguous, 2) }},
		{"without effect", func(e *memory.Estate) { e.Fail("apply isolate", ambiguous, 2) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			c.fault(w.estate)
			during := w.snap(10*time.Minute, id)
			w.run(5 * time.Hour)
			if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || s.Adopted {
				t.Errorf("cut-off is %s, adopted: %v", s.Status, s.Adopted)
			}
			w.contained(incident.Isolate, 1, 1)
		})
	}
}

// The read that would show it is down as well, so apply gives up: nothing that it
// may have made is left behind.
func TestNothingIsLeftBehindWhenApplyGivesUp(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.estate.FailAfter("apply isolate", integrations.Error{Kind: integrations.Ambiguous}, 1)
	reads := 0
	w.engine.onCall = func(c activities.Call) {
		if c.Update == protocol.HoldUpdate && strings.Contains(c.ID, "isolate") && reads == 0 {
			reads++
			// The first read sees that nothing is in place; all others fail.
			w.At(100*time.Millisecond, func() { w.estate.Fail("read isolate", down(), -1) })
		}
	}
	w.do(10*time.Minute, (*memory.Estate).Mend)
	failed := w.snap(9*time.Minute, id)
	w.run(2 * time.Hour)
	if s := step(t, *failed, "cut-off"); s.Status != incident.StepFailed {
		t.Errorf("cut-off is %s", s.Status)
	}
	w.contained(incident.Isolate, 1, 1)
	if len(w.told("page/", "cut-off")) == 0 {
		t.Error("nobody was paged")
	}
	w.ended(id, incident.OutcomeFailed)
}

// A step that its playbook gives less time than the product takes fails, and
// what the product makes late is lifted.
func TestWhatComesTooLateIsLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "action: isolate,    use: edr,", "action: isolate,    use: edr, timeout: 5s,")
	w.estate.Fail("apply isolate", down(), 6) // some 12 s
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	soon := w.snap(time.Minute, id)
	w.run(10 * time.Minute)
	if s := step(t, *soon, "cut-off"); s.Status != incident.StepFailed || s.Problem != "edr: timed out" {
		t.Errorf("cut-off is %s: %s", s.Status, s.Problem)
	}
	if made, undone := w.count("apply", incident.Isolate), w.count("undo", incident.Isolate); made != undone {
		t.Errorf("isolated %d times, undone %d times", made, undone)
	}
}

// The worker dies after the lease was taken, before the case knows: the step is
// tried again, and takes nothing twice.
func TestATakenLeaseIsFoundAgain(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	w.engine.lost(protocol.HoldUpdate, 2)
	during := w.snap(10*time.Minute, id)
	w.run(5 * time.Hour)
	for _, name := range []string{"throttle", "cut-off"} {
		if s := step(t, *during, name); s.Status != incident.StepStanding {
			t.Errorf("%s is %s: %s", name, s.Status, s.Problem)
		}
	}
	w.contained(incident.Isolate, 1, 1)
	w.contained(incident.RateLimit, 1, 1)
	w.ended(id, incident.OutcomeGivenBack)
}

// stubborn is a gateway that does not tighten a limit that it has.
type stubborn struct{ *memory.Estate }

func (s stubborn) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	if is, err := s.Read(ctx, o); err != nil || is.Stands {
		return incident.Receipt{Detail: "accepted before"}, err
	}
	return s.Estate.Apply(ctx, o)
}

// Of two limits the stricter holds, and there is one at a time. It is lifted for the
// stricter one only where the product does not tighten it.
func TestTheStricterOfTwoLimitsHolds(t *testing.T) {
	t.Parallel()
	t.Run("tightened", func(t *testing.T) { t.Parallel(); stricterHolds(t, 1, func(*world) {}) })
	t.Run("made anew", func(t *testing.T) {
		t.Parallel()
		stricterHolds(t, 2, func(w *world) { w.set.Add("gateway", integrations.Spec{Kind: "memory"}, stubborn{w.estate}) })
	})
}

// stricterHolds asserts how often the limits of two cases are made.
func stricterHolds(t *testing.T, made int, edit func(*world)) {
	w, first := flood(t)
	edit(w)
	w.pinned()
	second := w.second(10*time.Minute, "rate: 2Mbit", "rate: 500kbit", "egress_below: 3Mbit", "egress_below: 900kbit")
	w.explainOnFailure(second)
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	var standing incident.Reading
	w.At(20*time.Minute, func() {
		standing, err = w.estate.Read(t.Context(), incident.Order{Action: incident.RateLimit, Target: target, Rate: 1})
	})
	w.run(5 * time.Hour)
	if err != nil || standing.Rate != 500_000 {
		t.Errorf("the limit is %d (%v)", standing.Rate, err)
	}
	w.contained(incident.RateLimit, made, made)
	w.ended(first, incident.OutcomeGivenBack)
	w.ended(second, incident.OutcomeGivenBack)
}

func TestWhoeverHasNoBusinessWithALeaseIsRefused(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	lease := leaseOf(incident.Isolate, "ws-042")
	target, err := incident.DeviceTarget("ws-017", "ws-017")
	if err != nil {
		t.Fatal(err)
	}
	holder := incident.Holder{Case: "case/x", Until: start.Add(time.Hour)}
	for i, req := range []protocol.HoldRequest{
		{Use: "edr", Order: incident.Order{Action: incident.Isolate}, Holder: holder},
		{Use: "edr", Order: incident.Order{Action: incident.Isolate, Target: target}, Holder: holder},
	} {
		var refused error
		w.At(time.Minute, func() {
			err := w.Update(lease, protocol.HoldUpdate, fmt.Sprintf("intruder-%d", i), req, func(_ any, err error) { refused = err })
			if err != nil {
				t.Error(err)
			}
		})
		w.At(2*time.Minute, func() { isRefused(t, refused, workflows.RefusedInvalid) })
	}
	w.run(5 * time.Minute)
	w.see(id)
}
