package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SeenMemo is the memo under which a closed case keeps the fingerprints of its
// alerts, so that a late repeat is recognised.
const SeenMemo = "alerts"

// maxSeen bounds the fingerprints that are handed on.
const maxSeen = 2000

// chartBefore is how much of the time before the case the chart shows.
const chartBefore = time.Hour

// leaseChanged takes in what a lease says of itself. What it says before the
// case knows that it holds the lease is kept until then.
func (r *responder) leaseChanged(ctx workflow.Context, change activities.LeaseChange) {
	for i := range r.state.Case.Steps {
		s := &r.state.Case.Steps[i]
		if s.Lease != change.Lease || s.Status != incident.StepStanding {
			continue
		}
		switch change.Kind {
		case incident.EvConfirmed:
			s.ConfirmedAt = change.At
		case incident.EvExtended:
			s.Until = change.Until
		case incident.EvGivenBack:
			s.Status, s.EndedAt = incident.StepEnded, change.At
		case incident.EvNotConfirmed, incident.EvUndoFailing:
			s.Problem = change.Detail
		}
		r.eventBy(ctx, change.Kind, s.Name, change.By, "%s: %s", s.Name, change.Detail)
		if change.Kind == incident.EvUndoFailing || change.Kind == incident.EvNotConfirmed && s.OnFailure == "page" {
			r.page(ctx, s.Name, s.Name+": "+change.Detail)
		}
		return
	}
	r.state.Early = append(r.state.Early, change)
}

// catchUp takes in what a lease said before the case knew that it holds it.
func (r *responder) catchUp(ctx workflow.Context, lease string) {
	early := r.state.Early
	r.state.Early = nil
	for _, change := range early {
		if change.Lease == lease {
			r.leaseChanged(ctx, change)
		}
	}
}

// leaveAll gives back whatever the case holds.
func (r *responder) leaveAll(ctx workflow.Context) {
	for i := range r.state.Case.Steps {
		s := &r.state.Case.Steps[i]
		if s.Status != incident.StepStanding {
			continue
		}
		// The case's own steps have unique names within a plan; a later plan
		// may hold the same lease again under the same name.
		leave := activities.LeaveRequest{Case: workflow.GetInfo(ctx).WorkflowExecution.ID, Step: s.Name}
		err := workflow.SignalExternalWorkflow(ctx, s.Lease, "", activities.LeaveSignal, leave).Get(ctx, nil)
		if err != nil {
			s.Status, s.EndedAt = incident.StepEnded, workflow.Now(ctx)
			r.event(ctx, incident.EvGivenBack, s.Name, "%s: the lease had ended already", s.Name)
		}
	}
}

func (r *responder) mayClose(_ workflow.Context, req activities.CloseRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case strings.TrimSpace(req.Reason) == "":
		return refuse(RefusedReason, "to close a case takes a reason")
	case r.state.Closing != nil:
		return refuse(RefusedNotPending, "%s is closing the case already", r.state.Closing.By)
	}
	return nil
}

// closeByHand ends the case: open questions are void, leases are given back.
func (r *responder) closeByHand(ctx workflow.Context, req activities.CloseRequest) (incident.Case, error) {
	r.state.Closing = &req
	r.eventBy(ctx, incident.EvClosed, "", req.By, "%s closes the case: %s", req.By, req.Reason)
	r.supersede(ctx, "the case was closed")
	return r.state.Case, nil
}

// close draws the chart and writes the evidence bundle.
func (r *responder) close(ctx workflow.Context) error {
	_ = workflow.Await(ctx, func() bool { return r.busy == 0 })
	c := &r.state.Case
	c.Outcome, c.ClosedAt = r.outcome(), workflow.Now(ctx)
	r.chart(ctx)
	r.event(ctx, incident.EvClosed, "", "Case closed: %s", strings.ReplaceAll(string(c.Outcome), "_", " "))
	c.Status = incident.Closed
	dir, err := do(ctx, activities.Evidence, evidenceTimeout, activities.EvidenceIn{Case: *c, Pin: r.in.Pin})
	if err != nil {
		r.event(ctx, incident.EvFailed, "", "The evidence bundle was not written: %s", reason(err))
	}
	c.EvidenceDir = dir
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	r.drain(ctx)
	seen := r.state.Seen[max(0, len(r.state.Seen)-maxSeen):]
	if err := workflow.UpsertMemo(ctx, map[string]any{SeenMemo: seen}); err != nil {
		return fmt.Errorf("note the alerts of case %s: %w", c.ID, err)
	}
	r.upsert(ctx)
	return nil
}

// reopen goes on with a case that a new alert reached while it closed.
func (r *responder) reopen() {
	c := &r.state.Case
	c.Status, c.Outcome, c.ClosedAt, c.EvidenceDir = incident.Working, incident.OutcomeOpen, time.Time{}, ""
}

// chart fetches egress per minute around the case.
func (r *responder) chart(ctx workflow.Context) {
	e, ok := r.in.Pin.Enrichment("traffic")
	host := activities.TargetHost(r.state.Case.Facts.Alert.Host, r.state.Case.Facts.Endpoint)
	ips, _ := host.IP.Get()
	if !ok || len(ips) == 0 {
		return
	}
	series, err := do(ctx, activities.Series, measureTimeout, activities.MeasureIn{
		Use: e.Use, IPs: ips, From: r.state.Case.OpenedAt.Add(-chartBefore), To: workflow.Now(ctx),
	})
	if err != nil {
		r.event(ctx, incident.EvFailed, "", "No chart of egress: %s: %s", e.Use, reason(err))
		return
	}
	r.state.Case.Series = series
}

// outcome says how the case ended.
func (r *responder) outcome() incident.CaseOutcome {
	c := r.state.Case
	switch {
	case r.state.Unmatched:
		return incident.OutcomeNoPlaybook
	case r.state.Closing != nil:
		return incident.OutcomeClosedByHand
	case c.Shadow:
		return incident.OutcomeShadow
	case r.state.Contained && r.state.Ended == "":
		return incident.OutcomeGivenBack
	case r.state.Ended != "":
		return r.state.Ended
	case c.Decision == nil:
		return incident.OutcomeError
	}
	switch c.Decision.Outcome {
	case incident.Denied:
		return incident.OutcomeDenied
	case incident.CannotDecide:
		if c.Target == nil && c.TargetProblem != "" {
			return incident.OutcomeNoTarget
		}
		return incident.OutcomeCannotDecide
	case incident.DecisionErr:
		return incident.OutcomeError
	case incident.Decided:
	}
	return incident.OutcomeNothingToDo
}
