package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// spelled is an alert about ws-042 that calls it something else.
func spelled(id, host string) incident.Alert {
	a := alertFor(host, "10.20.4.42")
	a.ID = id
	return a
}

// openAs opens the case of an alert at a time, by what the alert calls the host.
func (w *world) openAs(after time.Duration, a incident.Alert) string {
	w.t.Helper()
	subject, _ := a.Host.ID.Get()
	id := w.pin.Name + "/" + subject
	if err := w.StartCaseAt(after, workflows.CaseInput{ID: id, Subject: subject, Pin: w.pin, Alerts: []incident.Alert{a}}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// oneCase asserts that of several cases one acts and has all alerts, and that
// the others are merged into it; it returns the one.
func (w *world) oneCase(ids []string, alerts ...string) incident.Case {
	w.t.Helper()
	var owner incident.Case
	owners := 0
	for _, id := range ids {
		if c := w.see(id); c.Outcome != incident.OutcomeMerged {
			owner = c
			owners++
		}
	}
	if owners != 1 {
		w.t.Fatalf("%d of %v go on", owners, ids)
	}
	for _, id := range ids {
		c := w.see(id)
		if id == owner.ID {
			continue
		}
		if c.MergedInto == nil || *c.MergedInto != (incident.CaseRef{ID: owner.ID, Run: owner.Run}) || len(c.Approvals)+len(c.Steps) > 0 {
			w.t.Errorf("case %s is merged into %v, with %d questions and %d steps", id, c.MergedInto, len(c.Approvals), len(c.Steps))
		}
	}
	for _, alert := range alerts {
		if !slices.Contains(owner.AlertKeys, "siem/"+alert) {
			w.t.Errorf("case %s has no alert %s, it has %v", owner.ID, alert, owner.AlertKeys)
		}
	}
	if owner.AlertCount != len(alerts) {
		w.t.Errorf("case %s counts %d alerts, want %d", owner.ID, owner.AlertCount, len(alerts))
	}
	return owner
}

// One device is one case of a playbook, under any name in alerts: the first to
// claim it acts, and the others hand over what they have.
func TestADeviceUnderTwoNamesIsOneCase(t *testing.T) {
	t.Parallel()
	for name, gap := range map[string]time.Duration{"at once": 0, "one after the other": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			ids := []string{
				w.openAs(time.Second, spelled("a-1", "ws-042")),
				w.openAs(time.Second+gap, spelled("a-2", "WS-042.corp.example.")),
				w.openAs(time.Second+gap, spelled("a-3", "ws-042.corp.example")),
			}
			w.explainOnFailure(ids[0])
			w.explainOnFailure(ids[1])
			w.run(30 * time.Minute)
			owner := w.oneCase(ids, "a-1", "a-2", "a-3")
			w.contained(incident.Isolate, 1, 0)
			w.contained(incident.RateLimit, 1, 0)
			if n := len(w.told("/notice/")); n != 1 {
				t.Errorf("people were told %d times", n)
			}
			if len(happened(owner, incident.EvMerged)) != 2 {
				t.Errorf("the owner's timeline says %+v", happened(owner, incident.EvMerged))
			}
		})
	}
}

// A repeat changes nothing, whichever case had the alert before.
func TestWhatAMergedCaseHasSeenIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	first := w.openAs(time.Second, spelled("a-1", "ws-042"))
	second := w.openAs(time.Minute, spelled("a-2", "ws-042.corp.example"))
	w.explainOnFailure(first)
	before := w.snap(5*time.Minute, first)
	w.later(6*time.Minute, first, spelled("a-2", "ws-042.corp.example"))
	// The same alert under the other name opens a short case that brings nothing.
	w.openAs(7*time.Minute, spelled("a-1", "ws-042.corp.example"))
	w.run(20 * time.Minute)
	after := w.oneCase([]string{first, second}, "a-1", "a-2")
	if n := len(happened(after, incident.EvDecided)); n != len(happened(*before, incident.EvDecided)) {
		t.Errorf("repeats were decided: %d decisions", n)
	}
	w.contained(incident.Isolate, 1, 0)
}

// Alerts that reach the merged case while it ends are handed over as well, and
// so are those that are not kept in full.
func TestNoAlertOfAMergedCaseIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	owner := w.openAs(time.Second, spelled("a-1", "ws-042"))
	want := []string{"a-1"}
	var storm []incident.Alert
	for i := range 60 {
		id := "s-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		storm = append(storm, spelled(id, "ws-042.corp.example"))
		want = append(want, id)
	}
	second := w.pin.Name + "/ws-042.corp.example"
	in := workflows.CaseInput{ID: second, Subject: "ws-042.corp.example", Pin: w.pin, Alerts: storm[:50:50]}
	if err := w.StartCaseAt(time.Minute, in); err != nil {
		t.Fatal(err)
	}
	w.explainOnFailure(second)
	sent := 50
	w.engine.onUpdate = func(c activities.Call) {
		if c.Update == protocol.MergeUpdate && sent < len(storm) {
			next := storm[sent : sent+1]
			sent++
			w.later(0, second, next...)
		}
	}
	w.run(20 * time.Minute)
	for ; sent < len(storm); sent++ {
		want = slices.DeleteFunc(want, func(id string) bool { return id == storm[sent].ID })
	}
	if len(want) < 52 {
		t.Errorf("%d alerts were sent: none came while the case was handing over", len(want))
	}
	w.oneCase([]string{owner, second}, want...)
}

// The last alert is what is decided about, also where the case that hands it over
// keeps so many that it has no room for it.
func TestTheLastAlertOfAMergedCaseIsDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows",
		"      traffic.role == 'requester'\n      && traffic.attribution == 'exact'\n      && asset.role == 'workstation'\n", "      alert.rule == 'Flood'\n",
		"when: ratio > 20", "when: ratio > 200000000", "not shown to be abnormal.\n    do: [tell]", "not shown to be abnormal.\n    do: [throttle]")
	owner := w.openAs(time.Second, spelled("a-1", "ws-042"))
	w.explainOnFailure(owner)
	before := w.snap(50*time.Second, owner)
	var alerts []incident.Alert
	for i := range 30 {
		alerts = append(alerts, spelled(fmt.Sprintf("s-%d", i), "ws-042.corp.example"))
	}
	alerts[29].Rule = incident.Known("Flood", incident.FromAlert)
	second := w.pin.Name + "/ws-042.corp.example"
	in := workflows.CaseInput{ID: second, Subject: "ws-042.corp.example", Pin: w.pin, Alerts: alerts}
	if err := w.StartCaseAt(time.Minute, in); err != nil {
		t.Fatal(err)
	}
	w.run(20 * time.Minute)
	if before.Decision.Rule != "otherwise" || before.Status != incident.Contained {
		t.Errorf("before: rule %s, %s", before.Decision.Rule, before.Status)
	}
	if c := w.see(owner); c.Decision.Rule != "amplification-from-a-workstation" || c.AlertCount != 31 {
		t.Errorf("rule %s, %d alerts", c.Decision.Rule, c.AlertCount)
	}
	if c := w.see(second); c.Outcome != incident.OutcomeMerged {
		t.Errorf("the second ended as %s", c.Outcome)
	}
	w.contained(incident.Isolate, 1, 0)
}

// A call that was lost, or whose answer was, is made again and changes nothing.
func TestAClaimSurvivesLostCalls(t *testing.T) {
	t.Parallel()
	for _, update := range []string{protocol.ClaimUpdate, protocol.MergeUpdate, protocol.UnclaimUpdate} {
		for _, before := range []bool{true, false} {
			t.Run(update+map[bool]string{true: " lost", false: " without an answer"}[before], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, memory.Flood, "high-egress-windows")
				w.engine.lost(update, 2)
				w.engine.before = before
				ids := []string{
					w.openAs(time.Second, spelled("a-1", "ws-042")), w.openAs(time.Second, spelled("a-2", "ws-042.corp.example")),
				}
				w.explainOnFailure(ids[0])
				w.run(5 * time.Hour)
				w.oneCase(ids, "a-1", "a-2")
				w.contained(incident.Isolate, 1, 1)
			})
		}
	}
}

// A case that is being closed by hand takes nothing over: one that claimed the same
// device goes on itself when it has ended.
func TestAnOwnerThatIsClosingRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	first := w.openAs(time.Second, spelled("a-1", "ws-042"))
	w.do(time.Minute, func(e *memory.Estate) { e.Fail("undo isolate", down(), -1) })
	refused := closeAt(w, 2*time.Minute, first)
	second := w.openAs(3*time.Minute, spelled("a-2", "ws-042.corp.example"))
	w.explainOnFailure(second)
	waiting := w.snap(10*time.Minute, second)
	w.do(11*time.Minute, (*memory.Estate).Mend)
	w.run(time.Hour)
	if *refused != nil {
		t.Error(*refused)
	}
	w.ended(first, incident.OutcomeClosedByHand)
	if waiting.MergedInto != nil || len(waiting.Steps) != 0 || waiting.Status != incident.Working {
		t.Errorf("meanwhile the second is %s, merged into %v, with %d steps", waiting.Status, waiting.MergedInto, len(waiting.Steps))
	}
	c := w.see(second)
	if c.Status != incident.Contained || !slices.Contains(c.AlertKeys, "siem/a-2") {
		t.Errorf("in the end the second is %s", c.Status)
	}
	if said := happened(c, incident.EvMerged); len(said) == 0 || !strings.Contains(said[0].Text, "alice is closing it") {
		t.Errorf("it says %+v", said)
	}
	w.contained(incident.Isolate, 2, 1)
}

// Alerts are handed to the case that was found to act on the device, not to one
// that its subject has had before or since.
func TestAlertsAreHandedToTheRunThatIsMeant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	id := w.openAs(time.Second, spelled("a-1", "ws-042"))
	w.explainOnFailure(id)
	hand := func(after time.Duration, run, alert string) *error {
		return w.change(after, protocol.CaseWorkflowID(id), protocol.MergeUpdate, protocol.MergeRequest{
			From: incident.CaseRef{ID: w.pin.Name + "/ws-042.corp.example", Run: "r-2"}, Run: run,
			Alerts: []incident.Alert{spelled(alert, "ws-042.corp.example")}, Keys: []string{"siem/" + alert}, Count: 1,
		})
	}
	other := hand(time.Minute, "r-0", "a-2")
	var meant *error
	w.At(2*time.Minute, func() { meant = hand(0, w.see(id).Run, "a-3") })
	w.run(10 * time.Minute)
	isRefused(t, *other, workflows.RefusedNotPending)
	if meant == nil || *meant != nil {
		t.Errorf("handed to its run: %v", meant)
	}
	if keys := w.see(id).AlertKeys; !slices.Equal(keys, []string{"siem/a-1", "siem/a-3"}) {
		t.Errorf("the case has %v", keys)
	}
}

// An owner whose workflow has vanished does not hold the device permanently, nor
// does one that was followed by another case of its subject.
func TestADeviceOfACaseThatIsGoneIsFree(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]incident.CaseRef{
		"no such case":        {ID: "high-egress-windows/never", Run: "r-1"},
		"another run is open": {ID: "high-egress-windows/ws-042", Run: "r-0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			if err := w.StartAt(0, protocol.ClaimWorkflow, claimOf(w), protocol.ClaimInput{ID: claimOf(w), Owner: &gone}); err != nil {
				t.Fatal(err)
			}
			id := w.openAs(time.Second, spelled("a-1", "ws-042"))
			w.explainOnFailure(id)
			w.run(10 * time.Minute)
			if c := w.see(id); c.Status != incident.Contained {
				t.Errorf("the case is %s", c.Status)
			}
		})
	}
}

func claimOf(w *world) string {
	device, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		w.t.Fatal(err)
	}
	return protocol.ClaimID(w.pin.Name, "edr", device)
}

// Claims and owners go on in new runs of the engine, and a case releases the
// device when it closes.
func TestAClaimCrossesRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	first := w.openAs(time.Second, spelled("a-1", "ws-042"))
	w.explainOnFailure(first)
	for _, id := range []string{claimOf(w), protocol.CaseWorkflowID(first)} {
		w.yield(2*time.Minute, id)
	}
	second := w.openAs(5*time.Minute, spelled("a-2", "ws-042.corp.example"))
	w.run(5 * time.Hour)
	w.oneCase([]string{first, second}, "a-1", "a-2")
	w.ended(first, incident.OutcomeGivenBack)
	if err := w.Signal(claimOf(w), "wake", nil); err == nil {
		t.Error("the device is still claimed")
	}
}

// A case that later is about another device claims that as well; where another
// case acts on it, that one has the alerts and the plan is kept.
func TestAClaimFollowsTheTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "not shown to be abnormal.\n    do: [tell]", "not shown to be abnormal.\n    do: [throttle]")
	if err := w.estate.AddHost(memory.Host{ID: "ws-900", Name: "ws-900", IPs: []string{"10.20.9.90"}, OS: "windows", Role: "workstation"}); err != nil {
		t.Fatal(err)
	}
	w.estate.Fail("traffic", down(), -1)
	other := w.openAs(time.Second, spelled("a-1", "ws-042"))
	moved := w.openAs(time.Second, func() incident.Alert { a := alertFor("ws-900", "10.20.9.90"); a.ID = "b-1"; return a }())
	w.explainOnFailure(moved)
	w.do(3*time.Minute, (*memory.Estate).Mend)
	w.later(4*time.Minute, moved, spelled("b-2", "ws-042"))
	w.run(20 * time.Minute)
	c := w.see(moved)
	if c.MergedInto != nil || c.Plan.Target.ID() != "ws-900" {
		t.Errorf("the case is merged into %v, its plan is for %s", c.MergedInto, c.Plan.Target.ID())
	}
	if owner := w.see(other); !slices.Contains(owner.AlertKeys, "siem/b-2") {
		t.Errorf("the other case has %v", owner.AlertKeys)
	}
	if n := w.isolates("ws-042"); n != 1 {
		t.Errorf("ws-042 was isolated %d times", n)
	}
	if n := w.isolates("ws-900"); n != 0 {
		t.Errorf("ws-900 was isolated %d times", n)
	}
}
