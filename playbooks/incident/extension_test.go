package incident

import (
	"testing"
	"time"
)

// An answer is to one question alone: to this plan, this lease and this end.
func TestAnExtensionsDigestCoversAllThatIsAsked(t *testing.T) {
	at := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	plan := Plan{Rule: "r"}
	asked := Extension{Lease: "lease/isolate/edr/ws-042", Step: "cut-off", From: at, Until: at.Add(time.Hour), By: "carol", Reason: "forensics"}
	digest := asked.Digest(plan)
	for name, change := range map[string]func(*Extension, *Plan){
		"a later end":   func(e *Extension, _ *Plan) { e.Until = e.Until.Add(time.Hour) },
		"another lease": func(e *Extension, _ *Plan) { e.Lease = "lease/isolate/edr/ws-017" },
		"another step":  func(e *Extension, _ *Plan) { e.Step = "throttle" },
		"another plan":  func(_ *Extension, p *Plan) { p.Rule = "s" },
		"another asks":  func(e *Extension, _ *Plan) { e.By = "mallory" },
	} {
		e, p := asked, plan
		if change(&e, &p); e.Digest(p) == digest {
			t.Errorf("%s has the digest of the first question", name)
		}
	}
	asked.Settled = true
	if asked.Digest(plan) != digest || digest == plan.Digest() {
		t.Error("the digest is not that of the question alone")
	}
}
