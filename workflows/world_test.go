package workflows_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
	"github.com/stanch-soar/stanch/workflows"
	"github.com/stanch-soar/stanch/workflows/rehearse"
)

// start is when every rehearsal begins.
var start = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// world is a rehearsal over the default estate.
type world struct {
	*rehearse.Rehearsal
	t      *testing.T
	estate *memory.Estate
	engine *faulty
	// activities are those of the rehearsal.
	activities *activities.Activities
	set        *integrations.Set
	emitted    *emitted
	pin        activities.Pin
	dir        string
	// cases are the ids of those that were started.
	cases []string
}

// newWorld returns a world in which a scenario happens and the library's
// playbook acts; edit changes its text.
func newWorld(t *testing.T, scenario memory.Scenario, playbook string, edit ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), emitted: newEmitted()}
	w.pin = activities.PinOf(enforced(t, playbook, edit...))
	w.Rehearsal = rehearse.New(start, w.emitted, func(engine activities.Workflows, now func() time.Time) *activities.Activities {
		estate, err := memory.New(memory.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if err := estate.Populate(scenario); err != nil {
			t.Fatal(err)
		}
		w.estate = estate
		set := integrations.NewSet()
		w.set = set
		for _, name := range []string{"edr", "flows", "gateway", "inventory", "slack"} {
			set.Add(name, integrations.Spec{Kind: "memory"}, estate)
		}
		w.engine = &faulty{Workflows: engine}
		w.activities = &activities.Activities{Set: set, Workflows: w.engine, EvidenceDir: w.dir, Now: now}
		return w.activities
	})
	return w
}

// enforced returns a playbook of the library that acts.
func enforced(t *testing.T, name string, edit ...string) *playbooks.Playbook {
	t.Helper()
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name != name {
			continue
		}
		text := bytes.Replace(p.Text(), []byte("mode: shadow"), []byte("mode: enforce"), 1)
		for i := 0; i+1 < len(edit); i += 2 {
			if !bytes.Contains(text, []byte(edit[i])) {
				t.Fatalf("playbook %s has no %q to replace", name, edit[i])
			}
			text = bytes.Replace(text, []byte(edit[i]), []byte(edit[i+1]), 1)
		}
		edited, err := playbooks.Load(p.File(), text)
		if err != nil {
			t.Fatal(err)
		}
		return edited
	}
	t.Fatalf("the library has no playbook %s", name)
	return nil
}

// open starts the case for an alert.
func (w *world) open(alert incident.Alert) string {
	w.t.Helper()
	subject, _ := alert.Host.ID.Get()
	id := w.pin.Name + "/" + subject
	if err := w.StartCase(workflows.CaseInput{ID: id, Subject: subject, Pin: w.pin, Alerts: []incident.Alert{alert}}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// StartCase opens a case when the rehearsal begins.
func (w *world) StartCase(in workflows.CaseInput) error {
	w.cases = append(w.cases, in.ID)
	return w.Rehearsal.StartCase(in)
}

// StartCaseAt opens a case at a time.
func (w *world) StartCaseAt(after time.Duration, in workflows.CaseInput) error {
	w.cases = append(w.cases, in.ID)
	return w.Rehearsal.StartCaseAt(after, in)
}

// run runs the rehearsal. In the end what was counted must agree with the records.
func (w *world) run(length time.Duration) {
	w.t.Helper()
	if err := w.Run(length); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.countedAsRecorded)
}

// see returns the case as it stands; on failure of the test its timeline is
// shown.
func (w *world) see(id string) incident.Case {
	w.t.Helper()
	c, err := w.Case(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) explainOnFailure(id string) {
	w.t.Cleanup(func() {
		if !w.t.Failed() {
			return
		}
		c, err := w.Case(id)
		if err != nil {
			w.t.Log(err)
		}
		for _, e := range c.Timeline {
			w.t.Logf("%s %-13s %-9s %s", e.At.Format("15:04:05.000"), e.Kind, e.Step, e.Text)
		}
	})
}

// count returns how often an action was really done to the estate.
func (w *world) count(op string, action incident.Action) int {
	n := 0
	for _, e := range w.estate.Effects() {
		if e.Op == op && e.Action == action {
			n++
		}
	}
	return n
}

// ballot is one answer to an approval.
type ballot struct {
	who    incident.Person
	deny   bool
	reason string
	plan   string // empty: the plan that is pending
	// approval is the question; empty: the one that is pending.
	approval string
	id       string // of the update; empty: one of its own
	refused  error
	counted  bool
}

// vote has a person answer the pending approval at a time. What came of it
// is in the ballot after the run.
func (w *world) vote(after time.Duration, id string, b *ballot) {
	w.At(after, func() { w.cast(after.String(), id, b) })
}

// cast has a person answer the pending approval now, by an update of their own.
func (w *world) cast(update, id string, b *ballot) {
	plan, approval := b.plan, b.approval
	if plan == "" {
		plan = w.pending(id).PlanDigest
	}
	if approval == "" {
		approval = w.pending(id).Name
	}
	update += b.who.ID
	if b.id != "" {
		update = b.id
	}
	vote := incident.Vote{Person: b.who, Approval: approval, Approve: !b.deny, Reason: b.reason, PlanDigest: plan}
	err := w.Update(protocol.CaseWorkflowID(id), protocol.DecideUpdate, update, vote, func(_ any, err error) {
		b.refused, b.counted = err, err == nil
	})
	if err != nil {
		b.refused = err
	}
}

// pending returns the approval that waits for people, or the zero Approval.
func (w *world) pending(id string) incident.Approval {
	for _, a := range w.see(id).Approvals {
		if a.State == incident.Pending {
			return a
		}
	}
	return incident.Approval{}
}

// later sends one more alert to the case at a time.
func (w *world) later(after time.Duration, id string, alerts ...incident.Alert) {
	w.At(after, func() {
		if err := w.Signal(protocol.CaseWorkflowID(id), protocol.AlertsSignal, alerts); err != nil {
			w.t.Error(err)
		}
	})
}

// do changes the estate at a time.
func (w *world) do(after time.Duration, what func(*memory.Estate)) {
	w.At(after, func() { what(w.estate) })
}

// yield has the engine go on with a workflow in a new run at a time.
func (w *world) yield(after time.Duration, workflow string) {
	w.At(after, func() {
		if err := w.Yield(workflow); err != nil {
			w.t.Error(err)
		}
	})
}

// snap looks at a case at a time.
func (w *world) snap(after time.Duration, id string) *incident.Case {
	var c incident.Case
	w.At(after, func() { c = w.see(id) })
	return &c
}

// told returns the messages whose key or text holds all the words.
func (w *world) told(words ...string) []memory.Sent {
	var out []memory.Sent
	for _, sent := range w.estate.Messages() {
		m := sent.Message
		text := strings.Join(append([]string{m.Key, m.Channel, m.Title}, m.Lines...), "\n")
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			out = append(out, sent)
		}
	}
	return out
}

// contained asserts how often an action was really done and undone.
func (w *world) contained(action incident.Action, applied, undone int) {
	w.t.Helper()
	if a, u := w.count("apply", action), w.count("undo", action); a != applied || u != undone {
		w.t.Errorf("%s was applied %d times and undone %d times, want %d and %d", action, a, u, applied, undone)
	}
}

// ended asserts how a case closed.
func (w *world) ended(id string, want incident.CaseOutcome) incident.Case {
	w.t.Helper()
	c := w.see(id)
	if c.Status != incident.Closed || c.Outcome != want {
		w.t.Errorf("in the end: status %s, outcome %q, want closed, %q", c.Status, c.Outcome, want)
	}
	return c
}

// step returns a case's last step of a name.
func step(t *testing.T, c incident.Case, name string) incident.StepState {
	t.Helper()
	for _, s := range slices.Backward(c.Steps) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the case has no step %s", name)
	return incident.StepState{}
}

// happened returns the events of a kind.
func happened(c incident.Case, kind incident.EventKind) []incident.Event {
	var out []incident.Event
	for _, e := range c.Timeline {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// texts returns what the events of a kind say that hold some words.
func texts(c incident.Case, kind incident.EventKind, words string) (out []string) {
	for _, e := range happened(c, kind) {
		if strings.Contains(e.Text, words) {
			out = append(out, e.Text)
		}
	}
	return out
}

// isRefused asserts the type of a refusal.
func isRefused(t *testing.T, err error, kind string) {
	t.Helper()
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || application.Type() != kind {
		t.Errorf("the answer is %v, want a refusal of type %s", err, kind)
	}
}

func alertFor(host, ip string) incident.Alert {
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromAlert) }
	return incident.Alert{
		ID: "a-1", Source: "siem", Status: incident.Firing, ReceivedAt: start,
		Category: known("high_egress"), Rule: known("Large outbound traffic"),
		Time: incident.Known(start, incident.FromAlert),
		Host: incident.AlertHost{
			ID: known(host), Name: known(host), OS: known("windows"),
			IP: incident.Known([]string{ip}, incident.FromAlert),
		},
	}
}

func person(id string, groups ...string) incident.Person {
	return incident.Person{ID: id, Groups: groups, Via: "cli"}
}

func alice() incident.Person { return person("alice", "sec-oncall") }

// another is one more alert for the host of the first.
func another(id string, status incident.AlertStatus) incident.Alert {
	a := alertFor("ws-042", "10.20.4.42")
	a.ID, a.Status = id, status
	return a
}

// roleUnknown makes the inventory not know the role of ws-042.
func roleUnknown(t *testing.T, e *memory.Estate) {
	t.Helper()
	facts := incident.Facts{Asset: incident.Asset{Role: incident.NotKnown[string]("the inventory does not say")}}
	if err := e.SetFacts("ws-042", facts); err != nil {
		t.Fatal(err)
	}
}

// down is a product that does not answer.
func down() integrations.Error {
	return integrations.Error{Kind: integrations.Unavailable, Err: errors.New("connection refused")}
}
