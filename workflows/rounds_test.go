package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// total returns the time from the alert to a stage of a step; it fails the test where the
// case has not reached it.
func total(t *testing.T, c incident.Case, stage incident.Stage, name string) time.Duration {
	t.Helper()
	for _, s := range c.StageTimes() {
		if s.Stage == stage && s.Step == name {
			return s.Total
		}
	}
	t.Fatalf("%s has not reached %s: %+v", name, stage, c.StageTimes())
	return 0
}

// What a later alert has the case do is timed from that alert, not from the first.
func TestAStricterDecisionIsTimedFromItsOwnAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "not shown to be abnormal.\n    do: [tell]", "not shown to be abnormal.\n    do: [throttle]")
	w.estate.Fail("traffic", down(), -1)
	first := alertFor("ws-042", "10.20.4.42")
	first.ReceivedAt = start.Add(-time.Second)
	id := w.open(first)
	w.explainOnFailure(id)
	w.do(29*time.Minute, (*memory.Estate).Mend)
	later := another("a-2", incident.Firing)
	later.ReceivedAt = start.Add(30*time.Minute - 2*time.Second)
	w.later(30*time.Minute, id, later)
	w.run(5 * time.Hour)
	c := w.see(id)
	if len(c.Rounds) != 2 {
		t.Fatalf("the case has the rounds %+v", c.Rounds)
	}
	if got := total(t, c, incident.StageApplied, "throttle"); got < time.Second || got > 5*time.Minute {
		t.Errorf("the throttle took %s", got)
	}
	if got := total(t, c, incident.StageApplied, "cut-off"); got < 2*time.Second || got > 5*time.Minute {
		t.Errorf("the isolation took %s from the alert that asked for it", got)
	}
	for stage, least := range map[incident.Stage]time.Duration{incident.StageConfirmed: 0, incident.StageEffective: time.Second, incident.StageGivenBack: time.Hour} {
		if got := total(t, c, stage, "cut-off"); got < least {
			t.Errorf("%s took %s", stage, got)
		}
	}
}

// A decision that facts have brought about, and no alert, is timed from the alert that it is about.
func TestADecisionByLateFactsIsTimedFromTheAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.estate.Fail("traffic", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.do(100*time.Second, (*memory.Estate).Mend)
	w.run(time.Hour)
	c := w.see(id)
	if len(c.Rounds) != 2 {
		t.Fatalf("the case has the rounds %+v", c.Rounds)
	}
	if got := total(t, c, incident.StageApplied, "cut-off"); got < 100*time.Second {
		t.Errorf("the isolation took %s, the alert came with the case", got)
	}
}
