package main_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// alertPaths are those of alerts that come later.
func alertPaths() []*path {
	return []*path{
		{
			name: "retried", before: sendSample, edits: asking("{ approve: on-call }"), outcome: incident.OutcomeRefused,
			steps: []step{sees(incident.EvAsked, ""), retrySample, says(alice, false)},
		},
		{name: "answered", source: "answered", outcome: incident.OutcomeGivenBack, steps: []step{sees(incident.EvReplied, "")}},
		{
			name: "answered-closed", source: "answered", outcome: incident.OutcomeClosedByHand, edits: stays,
			steps: []step{standing(2), alertAgain, decidedAnew, closesWith(incident.Benign)},
		},
		{
			name: "closed-late", before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), outcome: incident.OutcomeClosedByHand,
			edits: stays, steps: []step{standing(2), closesByHand, alertAgain, mend, decidedAnew, closesByHand},
		},
		{
			name: "cancelled", before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), outcome: incident.OutcomeClosedByHand,
			edits: stays, steps: []step{standing(2), cancels, alertAgain, mend, decidedAnew, closesByHand},
		},
		{
			name: "updated", outcome: incident.OutcomeRefused, edits: asking("{ approve: on-call }"),
			steps: []step{sees(incident.EvAsked, ""), firesWith(map[string]any{"count": 2}), decidedAnew, says(alice, false)},
		},
		{
			name: "fires-again", outcome: incident.OutcomeClosedByHand, edits: stays,
			steps: []step{standing(2), isResolved, firesWith(nil), decidedAnew, closesByHand},
		},
		{
			name: "occurs-again", outcome: incident.OutcomeClosedByHand, edits: stays, alert: map[string]any{"time": time.Now().Add(-2 * time.Minute)},
			steps: []step{standing(2), closesByHand, hasEnded, firesWith(map[string]any{"time": time.Now()}), standing(2), closesByHand},
		},
	}
}

func alertAgain(r *recorder, p *path) bool {
	_, code := r.alertFor(p, "again", incident.Firing)
	return code == http.StatusAccepted
}

// sendSample sends an alert that opens no case: it is recorded.
func sendSample(r *recorder, p *path) error {
	accepted, code := r.alertFor(p, "sample", incident.Sample)
	if len(accepted.Recorded) != 1 {
		return fmt.Errorf("a sample has the status %d and is recorded as %q", code, accepted.Recorded)
	}
	r.sample = accepted.Recorded[0]
	return nil
}

// retrySample has it taken up by the case that is open now.
func retrySample(r *recorder, _ *path) bool {
	if r.post("/v1/rejected/"+r.sample+"/retry", tokenOf(alice), struct{}{}, nil) != http.StatusAccepted {
		return false
	}
	r.keep("rejected-retried", "rejected/"+r.sample, "")
	return true
}

// cancels has the engine's operator cancel the case's workflow.
func cancels(r *recorder, p *path) bool {
	return r.service.Client().CancelWorkflow(r.t.Context(), protocol.CaseWorkflowID(p.caseID()), "") == nil &&
		sees(incident.EvClosed, "")(r, p)
}

// decidedAnew waits until the alert that came while the case closed is decided.
func decidedAnew(r *recorder, p *path) bool {
	decided := 0
	for _, e := range r.see(p.caseID()).Timeline {
		if e.Kind == incident.EvDecided {
			decided++
		}
	}
	return decided == 2
}

func mend(r *recorder, p *path) bool {
	return r.estate.Behave(p.hostName(), incident.Isolate, memory.Behaviour{}) == nil
}

// firesWith has the first alert come again, with other fields.
func firesWith(fields map[string]any) step {
	return func(r *recorder, p *path) bool {
		_, code := r.alertFor(p, "first", incident.Firing, fields)
		return code == http.StatusAccepted
	}
}

func isResolved(r *recorder, p *path) bool {
	_, code := r.alertFor(p, "first", incident.Resolved)
	return code == http.StatusAccepted
}

func hasEnded(r *recorder, p *path) bool { return r.see(p.caseID()).EvidenceDir != "" }

// closesWith has a person close the case with a verdict.
func closesWith(v incident.CaseVerdict) step {
	return func(r *recorder, p *path) bool {
		return r.post("/v1/cases/"+p.caseID()+"/close", tokenOf(alice), api.CloseRequest{Reason: "it is over", Verdict: v}, nil) == http.StatusOK
	}
}
