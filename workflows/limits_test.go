package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// fleet adds n workstations of one site, each with the same flood.
func (w *world) fleet(n int) {
	w.t.Helper()
	for i := range n {
		id, ip := fleetHost(i)
		known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
		if err := w.estate.AddHost(memory.Host{
			ID: id, Name: id, IPs: []string{ip}, OS: "windows", Role: "workstation",
			Asset: incident.Asset{Role: known("workstation"), Site: known("berlin")},
		}); err != nil {
			w.t.Fatal(err)
		}
		facts := incident.Facts{Traffic: incident.Traffic{
			BytesOut: incident.Known(int64(4<<30), incident.FromFlows),
			Role:     incident.Known(string(incident.Requester), incident.FromFlows),
		}}
		if err := w.estate.SetFacts(id, facts); err != nil {
			w.t.Fatal(err)
		}
	}
}

func fleetHost(i int) (id, ip string) {
	return fmt.Sprintf("ws-1%02d", i), fmt.Sprintf("10.20.9.%d", i+1)
}

// openAt opens a case for a host of the fleet at a time.
func (w *world) openAt(after time.Duration, host, ip string) string {
	w.t.Helper()
	a := alertFor(host, ip)
	a.ID = "alert-of-" + host
	id := w.pin.Name + "/" + host
	in := workflows.CaseInput{ID: id, Subject: host, Pin: w.pin, Alerts: []incident.Alert{a}}
	if err := w.StartCaseAt(after, in); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// isolates counts the isolations of a host that were really made.
func (w *world) isolates(host string) int {
	n := 0
	for _, e := range w.estate.Effects() {
		if e.Op == "apply" && e.Action == incident.Isolate && e.Target == host {
			n++
		}
	}
	return n
}

const limit = "limit: { action: isolate, per: site, max: 5, window: 1h }\n"

func TestTheSixthIsolationOfASiteAsksTwoPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Quiet, "high-egress-windows")
	w.fleet(7)
	var ids []string
	for i := range 6 {
		host, ip := fleetHost(i)
		ids = append(ids, w.openAt(time.Duration(i+1)*time.Minute, host, ip))
	}
	sixth := w.snap(10*time.Minute, ids[5])
	// After an hour the window has slid on: the seventh is free again.
	host, ip := fleetHost(6)
	free := w.openAt(62*time.Minute+30*time.Second, host, ip)
	w.explainOnFailure(free)
	w.run(90 * time.Minute)

	for i := range 5 {
		if host, _ := fleetHost(i); w.isolates(host) != 1 {
			t.Errorf("host %d was isolated %d times", i+1, w.isolates(host))
		}
	}
	if host, _ := fleetHost(5); w.isolates(host) != 0 || sixth.Status != incident.Awaiting {
		t.Errorf("the sixth was isolated %d times, its case is %s", w.isolates(host), sixth.Status)
	}
	a := sixth.Approvals[0]
	if a.Name != "two-people" || a.Quorum != 2 || !strings.Contains(a.Because, "5 of 5 isolate per site in 1h are used") {
		t.Errorf("asked %s of %d: %s", a.Name, a.Quorum, a.Because)
	}
	if w.isolates(host) != 1 {
		t.Error("the seventh, after the window, was not isolated")
	}
}

func TestALimitThatNobodyMayExceedHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", limit+"    then: { approve: two-people }\n", limit)
	w.estate.Fail("asset", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.vote(time.Minute, id, &ballot{who: alice()})
	w.run(3 * time.Hour)
	w.contained(incident.Isolate, 0, 0)
	c := w.ended(id, incident.OutcomeHeldBack)
	if held := happened(c, incident.EvHeldBack); len(held) != 1 || !strings.Contains(held[0].Text, "asset.site is unknown") {
		t.Errorf("held back: %+v", held)
	}
	if len(w.told("/notice/")) != 1 {
		t.Error("people were not told")
	}
}

func TestWhoeverMayExceedALimitIsAskedOnce(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.estate.Fail("asset", down(), -1)
	w.vote(time.Minute, id, &ballot{who: alice()})
	w.vote(2*time.Minute, id, &ballot{who: person("bob", "sec-leads"), reason: "seen"})
	w.vote(3*time.Minute, id, &ballot{who: person("carol", "sec-leads"), reason: "seen"})
	w.run(time.Hour / 2)
	w.contained(incident.Isolate, 1, 0)
	if n := len(w.see(id).Approvals); n != 2 {
		t.Errorf("%d questions were asked", n)
	}
}

// An isolation that did not happen does not count against the limit.
func TestAFailedActionGivesItsReservationBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.estate.Fail("apply isolate", integrations.Error{Kind: integrations.Denied}, -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(10 * time.Minute)
	if s := step(t, w.see(id), "cut-off"); s.Status != incident.StepFailed || s.Problem != "edr: access denied" {
		t.Errorf("cut-off is %s: %s", s.Status, s.Problem)
	}
	budget, err := w.Budget()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range budget.Reservations {
		if r.Action == incident.Isolate {
			t.Errorf("the budget still counts %+v", r)
		}
	}
	if len(w.told("page/", "cut-off")) != 1 {
		t.Error("nobody was paged")
	}
}

func (w *world) pauseAt(after time.Duration, update string, p incident.Pause, refused *error) {
	w.At(after, func() {
		err := w.Update(protocol.BudgetID, update, update+after.String(), p, func(_ any, err error) { *refused = err })
		if err != nil {
			*refused = err
		}
	})
}

func TestTheKillSwitchStopsNewContainment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Quiet, "high-egress-windows")
	w.fleet(3)
	host := func(i int) (string, string) { return fleetHost(i) }
	h0, ip0 := host(0)
	h1, ip1 := host(1)
	h2, ip2 := host(2)
	first := w.openAt(time.Minute, h0, ip0)
	var wordless, paused, twice, resumed error
	w.pauseAt(2*time.Minute, protocol.PauseUpdate, incident.Pause{By: "alice"}, &wordless)
	w.pauseAt(3*time.Minute, protocol.PauseUpdate, incident.Pause{By: "alice", Reason: "it isolates the wrong hosts"}, &paused)
	w.pauseAt(4*time.Minute, protocol.PauseUpdate, incident.Pause{By: "bob", Reason: "stop"}, &twice)
	held := w.openAt(5*time.Minute, h1, ip1)
	w.pauseAt(10*time.Minute, protocol.ResumeUpdate, incident.Pause{By: "alice"}, &resumed)
	free := w.openAt(12*time.Minute, h2, ip2)
	w.run(20 * time.Minute)

	isRefused(t, wordless, workflows.RefusedReason)
	isRefused(t, twice, workflows.RefusedNotPending)
	if paused != nil || resumed != nil {
		t.Errorf("pause: %v, resume: %v", paused, resumed)
	}
	if w.isolates(h0) != 1 || w.isolates(h1) != 0 || w.isolates(h2) != 1 {
		t.Errorf("isolated: %d before, %d while paused, %d after", w.isolates(h0), w.isolates(h1), w.isolates(h2))
	}
	if c := w.see(first); c.Status != incident.Contained {
		t.Errorf("what stood before the pause is %s", c.Status)
	}
	c := w.ended(held, incident.OutcomeHeldBack)
	if e := happened(c, incident.EvHeldBack); len(e) == 0 || !strings.Contains(e[0].Text, "paused by alice: it isolates the wrong hosts") {
		t.Errorf("held back: %+v", e)
	}
	if c := w.see(free); c.Status != incident.Contained {
		t.Errorf("after the pause: %s", c.Status)
	}
}

// A pause also stops a step that was cleared before and is tried again.
func TestAnAnswerFromBeforeThePauseDoesNotOutliveIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.engine.lost(protocol.HoldUpdate, 1)
	paused := errNotAsked()
	w.engine.between = func() {
		w.pauseAt(time.Millisecond, protocol.PauseUpdate, incident.Pause{By: "alice", Reason: "stop"}, &paused)
	}
	w.engine.before = true
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(10 * time.Minute)
	if paused != nil {
		t.Errorf("pause: %v", paused)
	}
	w.contained(incident.RateLimit, 0, 0)
	w.contained(incident.Isolate, 0, 0)
}

// faulty is an engine between an activity and the other workflows that loses
// calls: before they arrive, or their answers.
type faulty struct {
	activities.Workflows
	// mu is held while a field is read, as several activities call at the same
	// time, and while one of the functions below runs, which may set fields.
	mu      sync.Mutex
	update  string
	times   int
	before  bool
	between func()
	// of is what the id of the workflow must hold whose calls are lost, mine the
	// case that asks for a lease.
	of, mine string
	// onCall hears of every call that may start a workflow, onUpdate of every
	// other.
	onCall, onUpdate func(activities.Call)
	// edit changes a call that may start a workflow before it is made.
	edit func(*activities.Call)
	// down reports that a call does not get through.
	down func(activities.Call) bool
}

func (f *faulty) lost(update string, times int) { f.update, f.times = update, times }

func (f *faulty) UpdateWithStart(ctx context.Context, c activities.Call, result any) error {
	f.meanwhile(func() {
		if f.onCall != nil {
			f.onCall(c)
		}
		if f.edit != nil {
			f.edit(&c)
		}
	})
	return f.call(c, func() error { return f.Workflows.UpdateWithStart(ctx, c, result) })
}

func (f *faulty) Update(ctx context.Context, c activities.Call, result any) error {
	f.meanwhile(func() {
		if f.onUpdate != nil {
			f.onUpdate(c)
		}
	})
	return f.call(c, func() error { return f.Workflows.Update(ctx, c, result) })
}

// meanwhile reads or sets fields while activities may call.
func (f *faulty) meanwhile(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// call makes a call, or loses it or its answer.
func (f *faulty) call(c activities.Call, do func() error) error {
	var down, lose, before bool
	f.meanwhile(func() {
		if down = f.down != nil && f.down(c); down {
			return
		}
		if lose, before = f.loses(c), f.before; lose {
			f.times--
		}
	})
	if down {
		return errLost()
	}
	if !lose || !before {
		if err := do(); err != nil {
			return err
		}
	}
	if !lose {
		return nil
	}
	f.meanwhile(func() {
		if f.between != nil {
			f.between()
		}
	})
	return errLost()
}

func (f *faulty) loses(c activities.Call) bool {
	hold, holds := c.Arg.(protocol.HoldRequest)
	return f.times > 0 && c.Update == f.update && strings.Contains(c.ID, f.of) && (f.mine == "" || holds && hold.Holder.Case == f.mine)
}

func errLost() error {
	return integrations.Errorf(integrations.Unavailable, "reach the engine", "the connection was lost")
}

// errNotAsked is the result until there is an answer.
func errNotAsked() error { return errors.New("not asked") }
