package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An alert that does not say what its trigger asks for opens a case all the same,
// and nobody is cut off by it without people.
func TestATriggerThatIsNotKnownAsksPeople(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*ballot{"nobody answers": nil, "denied": {who: person("alice", "sec-oncall"), deny: true}, "approved": {who: person("alice", "sec-oncall")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			a := alertFor("ws-042", "10.20.4.42")
			a.Category = incident.NotKnown[string]("the alert does not say")
			id := w.open(a)
			w.explainOnFailure(id)
			during := w.snap(4*time.Minute, id)
			isolated := 0
			if b != nil {
				w.vote(5*time.Minute, id, b)
				isolated = map[bool]int{false: 1}[b.deny]
			}
			w.run(6 * time.Hour)
			w.contained(incident.Isolate, isolated, isolated)
			if during.Status != incident.Awaiting || !slices.ContainsFunc(during.Decision.Unsure, func(m incident.Missing) bool { return m.Path == "alert.category" }) {
				t.Errorf("status %s, unsure of %+v", during.Status, during.Decision.Unsure)
			}
		})
	}
}

// What the EDR knows of the host completes the alert: then the trigger is known.
func TestTheDeviceCompletesTheTrigger(t *testing.T) {
	t.Parallel()
	for system, isolated := range map[string]int{"windows": 1, "linux": 0} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			a := alertFor("ws-042", "10.20.4.42")
			if system != "windows" {
				if err := w.estate.AddHost(memory.Host{ID: "lx-007", Name: "lx-007", IPs: []string{"10.20.4.77"}, OS: system, Role: "server"}); err != nil {
					t.Fatal(err)
				}
				a = alertFor("lx-007", "10.20.4.77")
			}
			a.Host.OS = incident.NotKnown[string]("the alert does not say")
			id := w.open(a)
			w.explainOnFailure(id)
			w.run(6 * time.Hour)
			w.contained(incident.Isolate, isolated, isolated)
			if c := w.see(id); isolated == 0 && c.Outcome != incident.OutcomeNoPlaybook {
				t.Errorf("outcome %s", c.Outcome)
			}
		})
	}
}
