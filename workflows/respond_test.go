package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The main job: the flood is throttled and the host isolated at once, both are
// proven, and the network is given back when the leases end.
func TestFloodIsContainedProvenAndGivenBack(t *testing.T) {
	w := newWorld(t, memory.Flood, "high-egress-windows")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	var during incident.Case
	w.At(10*time.Minute, func() { during = w.see(id) })
	w.run(5 * time.Hour)

	if during.Status != incident.Contained || during.Decision.Rule != "amplification-from-a-workstation" {
		t.Fatalf("after ten minutes: status %s, decision %+v", during.Status, during.Decision)
	}
	for _, s := range during.Steps {
		if s.Action.Leased() && (s.Status != incident.StepStanding || s.ConfirmedAt.IsZero() || s.Proof != incident.Verified) {
			t.Errorf("%s after ten minutes: status %s, confirmed %s, proof %q %s", s.Name, s.Status, s.ConfirmedAt, s.Proof, s.ProofDetail)
		}
	}
	closed := w.see(id)
	if closed.Status != incident.Closed || closed.Outcome != incident.OutcomeGivenBack {
		t.Errorf("in the end: status %s, outcome %s", closed.Status, closed.Outcome)
	}
	for _, action := range []incident.Action{incident.RateLimit, incident.Isolate} {
		if made, undone := w.count("apply", action), w.count("undo", action); made != 1 || undone != 1 {
			t.Errorf("%s was applied %d times and undone %d times", action, made, undone)
		}
	}
	if closed.EvidenceDir == "" || len(closed.Series) == 0 {
		t.Errorf("evidence in %q with %d points", closed.EvidenceDir, len(closed.Series))
	}
}
