package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// Case, blanks and the dot of the root are no part of a host's name: its alerts
// go to one case, which merges into none.
func TestSpellingsOfANameAreOneSubject(t *testing.T) {
	s := newSide(t)
	h := host(t)
	first := s.send(alert("one", "ask", h)).Cases[0]
	for id, name := range map[string]string{"two": strings.ToUpper(h), "three": h + ".", "four": " " + h + ". "} {
		if ref := s.send(alert(id, "ask", name)).Cases[0]; ref.ID != first.ID {
			t.Errorf("%q went to %s, not %s", name, ref.ID, first.ID)
		}
	}
	s.until(first, "it has all alerts", func(c incident.Case) bool { return len(c.AlertKeys) == 4 })
}

// A case that was opened when the dot was part of the subject gets its alerts
// for as long as it is open.
func TestACaseOpenedWithTheRootDotGetsItsAlerts(t *testing.T) {
	s := newSide(t)
	h := host(t)
	known := func(v string) incident.Value[string] { return incident.Known(v, incident.FromAlert) }
	id := "ask/" + h + "."
	in := workflows.CaseInput{ID: id, Subject: h + ".", Pin: activities.PinOf(playbook(t, "ask", "ask", "approve: on-call, throttle", 1)), Alerts: []incident.Alert{{
		ID: "one", Source: "siem", Status: incident.Firing, Category: known("ask"),
		Host: incident.AlertHost{ID: known(h + "."), Name: known(h + "."), OS: known("windows")},
	}}}
	_, err := shared.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: protocol.CaseWorkflowID(id), TaskQueue: protocol.TaskQueue,
	}, protocol.RespondWorkflow, in)
	if err != nil {
		t.Fatal(err)
	}
	ref := s.send(alert("two", "ask", h+".")).Cases[0]
	if ref.ID != id {
		t.Fatalf("the alert went to %s", ref.ID)
	}
	s.until(ref, "it has both alerts", func(c incident.Case) bool {
		return slices.Contains(c.AlertKeys, "siem/one") && slices.Contains(c.AlertKeys, "siem/two")
	})
}
