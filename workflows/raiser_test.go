package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

const noRaiser = "    quorum: 1\n    exclude: [raiser]\n"

// storm is so many alerts that the case keeps few of them, the last raised by a
// person.
func storm(n int, by string) []incident.Alert {
	var alerts []incident.Alert
	for i := range n {
		alerts = append(alerts, another(fmt.Sprintf("storm-%d", i), incident.Firing))
	}
	alerts[n-1].RaisedBy = incident.Known(by, incident.FromAlert)
	return alerts
}

// A person who raised an alert of the case may not answer, also when the case keeps
// that alert no more.
func TestARaiserIsNeverForgotten(t *testing.T) {
	t.Parallel()
	raised := func(a incident.Alert, by string) incident.Alert {
		a.RaisedBy = incident.Known(by, incident.FromAlert)
		return a
	}
	huge := another("huge", incident.Firing)
	huge.Process.CommandLine = incident.Known(strings.Repeat("x", 300<<10), incident.FromAlert)
	for name, alerts := range map[string][]incident.Alert{
		"the second":           {raised(another("a-2", incident.Firing), "alice")},
		"after 400 others":     storm(401, "alice"),
		"too large to be kept": {raised(huge, "alice")},
		"resolved":             {raised(another("a-2", incident.Resolved), "alice")},
		"a repeat of another":  {raised(alertFor("ws-042", "10.20.4.42"), "alice")},
		"in capital letters":   {raised(another("a-2", incident.Firing), "ALICE")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := asked(t, "    quorum: 1\n", noRaiser)
			w.later(30*time.Second, id, alerts...)
			raiser, other := &ballot{who: alice()}, &ballot{who: person("bob", "sec-oncall")}
			w.vote(2*time.Minute, id, raiser)
			before := w.snap(3*time.Minute, id)
			w.vote(4*time.Minute, id, other)
			w.run(10 * time.Minute)
			isRefused(t, raiser.refused, workflows.RefusedNotApprover)
			if len(before.Approvals[0].Votes) != 0 || !other.counted {
				t.Errorf("votes before bob's: %+v; bob's: %v", before.Approvals[0].Votes, other.refused)
			}
			w.contained(incident.Isolate, 1, 0)
		})
	}
}

// A case that was begun before raisers were noted takes them from the alerts
// that it has.
func TestRaisersOfAStateOfBefore(t *testing.T) {
	t.Parallel()
	kept := alertFor("ws-042", "10.20.4.42")
	kept.RaisedBy = incident.Known("alice", incident.FromAlert)
	latest := another("a-2", incident.Firing)
	latest.RaisedBy = incident.Known("carol", incident.FromAlert)
	w := newWorld(t, memory.Flood, "high-egress-windows", "    quorum: 1\n", noRaiser)
	roleUnknown(t, w.estate)
	state, err := json.Marshal(map[string]any{
		"case": incident.Case{
			ID: w.pin.Name + "/ws-042", Run: "r", Subject: "ws-042", Playbook: w.pin.Name, PlaybookDigest: w.pin.Digest,
			Status: incident.Working, OpenedAt: start, Alerts: []incident.Alert{kept}, AlertKeys: []string{"siem/a-1", "siem/a-2"},
		},
		"latest": latest, "fresh": 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	in := workflows.CaseInput{ID: w.pin.Name + "/ws-042", Subject: "ws-042", Pin: w.pin}
	if err := json.Unmarshal(state, &in.State); err != nil {
		t.Fatal(err)
	}
	if err := w.StartCase(in); err != nil {
		t.Fatal(err)
	}
	first, second := &ballot{who: alice()}, &ballot{who: person("carol", "sec-oncall")}
	w.vote(2*time.Minute, in.ID, first)
	w.vote(3*time.Minute, in.ID, second)
	w.run(10 * time.Minute)
	isRefused(t, first.refused, workflows.RefusedNotApprover)
	isRefused(t, second.refused, workflows.RefusedNotApprover)
	w.contained(incident.Isolate, 0, 0)
	if c := w.see(in.ID); c.AlertCount != 2 {
		t.Errorf("the case counts %d alerts, want 2", c.AlertCount)
	}
}
