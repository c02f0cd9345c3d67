package workflows_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
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
	pin    activities.Pin
	dir    string
}

// newWorld returns a world in which a scenario happens and the library's
// playbook acts; edit changes its text.
func newWorld(t *testing.T, scenario memory.Scenario, playbook string, edit ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.pin = activities.PinOf(enforced(t, playbook, edit...))
	w.Rehearsal = rehearse.New(start, func(engine activities.Engine, now func() time.Time) *activities.Activities {
		estate, err := memory.New(memory.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if err := estate.Populate(scenario); err != nil {
			t.Fatal(err)
		}
		w.estate = estate
		set := integrations.NewSet()
		for _, name := range []string{"edr", "flows", "gateway", "inventory", "slack"} {
			set.Add(name, integrations.Spec{Kind: "memory"}, estate)
		}
		return &activities.Activities{Set: set, Engine: engine, EvidenceDir: w.dir, Now: now}
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

// run runs the rehearsal.
func (w *world) run(length time.Duration) {
	w.t.Helper()
	if err := w.Run(length); err != nil {
		w.t.Fatal(err)
	}
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

// count returns how often something was really done to the world.
func (w *world) count(op string, action incident.Action) int {
	n := 0
	for _, e := range w.estate.Effects() {
		if e.Op == op && e.Action == action {
			n++
		}
	}
	return n
}

// vote has a person answer the pending approval at a time.
func (w *world) vote(after time.Duration, id string, who incident.Person, approve bool, refused *error) {
	w.At(after, func() {
		c := w.see(id)
		plan := ""
		for _, a := range c.Approvals {
			if a.State == incident.Pending {
				plan = a.PlanDigest
			}
		}
		vote := incident.Vote{Person: who, Approve: approve, Reason: "seen on call", PlanDigest: plan}
		err := w.Update(activities.CaseWorkflowID(id), activities.DecideUpdate, after.String()+who.ID, vote,
			func(_ any, err error) {
				if refused != nil {
					*refused = err
				} else if err != nil {
					w.t.Errorf("%s was refused: %v", who.ID, err)
				}
			})
		if err != nil {
			w.t.Error(err)
		}
	})
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

var oncall = incident.Person{ID: "alice", Groups: []string{"sec-oncall"}, Via: "cli"}
