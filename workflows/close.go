package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SeenMemo is the memo under which a closed case keeps the alerts that it and
// those before it heard, as [Seen] has them, so that a late repeat is recognised.
const SeenMemo = "alerts"

// maxSeen bounds the entries that are handed on.
const maxSeen = 2000

// chartBefore is how much of the time before the case the chart shows.
const chartBefore = time.Hour

// leaseChanged takes in a change of a lease. One that arrives before the
// case knows that it holds the lease is kept until then.
func (r *responder) leaseChanged(ctx workflow.Context, change protocol.LeaseChange) {
	var held *incident.StepState
	at := -1
	for i := range r.state.Case.Steps {
		s := &r.state.Case.Steps[i]
		if s.Lease == change.Lease && s.Name == change.Step && s.Status == incident.StepStanding {
			held, at = s, i
			applyChange(s, change)
		}
	}
	switch {
	case held != nil:
		r.timedStep(ctx, *held, stageOf(change.Kind)...)
		r.eventBy(ctx, change.Kind, change.Step, change.By, "%s: %s", change.Step, change.Detail)
		r.endHeld(at, change)
		r.watchSince(ctx, at, change)
		r.onlyWatches(ctx)
	case r.isTaking(change):
		r.state.Early = append(r.state.Early, change)
		return
	case r.isGivingBack(change), slices.Contains([]incident.EventKind{incident.EvUndoFailing, incident.EvReleased, incident.EvGivenBack}, change.Kind):
		// What could not be applied for certain cannot be lifted either.
		r.eventBy(ctx, change.Kind, change.Step, change.By, "%s: %s", change.Step, change.Detail)
	default:
		r.disown(ctx, change)
	}
	if held != nil && change.Kind == incident.EvUnheard {
		r.standIn(ctx, *held, change.Detail)
	}
	// Whoever was told that it is not given back is told that it is.
	atLast := change.Told && change.Kind == incident.EvGivenBack && since(ctx, changeTellUndo)
	if atLast || change.Kind == incident.EvUndoFailing || held != nil && (change.Gone || change.Kind == incident.EvNotConfirmed && held.OnFailure == "page") {
		r.page(ctx, change.Step, change.Step+": "+change.Detail)
	}
}

func applyChange(s *incident.StepState, change protocol.LeaseChange) {
	switch change.Kind {
	case incident.EvConfirmed:
		s.ConfirmedAt, s.Problem, s.Counts = maxTime(change.At, s.AcceptedAt), "", change.Counts
	case incident.EvAsHeld:
		s.Problem = ""
	case incident.EvExtended:
		s.Until = change.Until
		if s.Held != nil {
			s.Held.End = ""
		}
	case incident.EvReleased:
		s.Until = change.At
	case incident.EvGivenBack:
		s.Status, s.EndedAt, s.UndoPending = incident.StepEnded, change.At, false
		if change.Told {
			s.Problem = ""
		}
	case incident.EvUndoFailing:
		s.Problem, s.UndoPending = change.Detail, true
	case incident.EvNotConfirmed, incident.EvUnheard, incident.EvDrifted:
		s.Problem = change.Detail
	case incident.EvOpened, incident.EvJoined, incident.EvEnriched, incident.EvTarget, incident.EvDecided, incident.EvCleared,
		incident.EvHeldBack, incident.EvPaused, incident.EvResumed, incident.EvAsked, incident.EvShown, incident.EvNotShown,
		incident.EvReminded, incident.EvEscalated, incident.EvVoted, incident.EvApproved, incident.EvDenied, incident.EvExpired,
		incident.EvSuperseded, incident.EvStarted, incident.EvAccepted, incident.EvVerified, incident.EvNotEffective,
		incident.EvCannotTell, incident.EvDone, incident.EvSkipped, incident.EvShadowed, incident.EvFailed, incident.EvPaged,
		incident.EvMerged, incident.EvClosed, incident.EvHeard, incident.EvUntold, incident.EvHeldAgain, incident.EvWatched,
		incident.EvReplied, incident.EvNotReplied:
		// A lease reports none of these, or they change nothing.
	}
}

// isTaking reports whether a lease's change is of the request whose answer the case
// waits for. Leases that are older than this name the step alone.
func (r *responder) isTaking(change protocol.LeaseChange) bool {
	return r.taking != "" && r.state.Case.Steps[r.state.Next].Name == change.Step &&
		(change.Request == "" || change.Request == r.taking)
}

// catchUp takes in the changes of a lease from before the case knew that it holds it.
func (r *responder) catchUp(ctx workflow.Context) {
	early := r.state.Early
	r.state.Early = nil
	for _, change := range early {
		r.leaseChanged(ctx, change)
	}
}

// leaveAll gives back every lease that the case holds.
func (r *responder) leaveAll(ctx workflow.Context) {
	for i := range r.state.Case.Steps {
		s := r.state.Case.Steps[i]
		if s.Status != incident.StepStanding {
			continue
		}
		if err := r.leave(ctx, s.Lease, s.Name, ""); err != nil && r.state.Case.Steps[i].Status == incident.StepStanding {
			s := &r.state.Case.Steps[i]
			s.Status, s.EndedAt = incident.StepEnded, workflow.Now(ctx)
			r.event(ctx, incident.EvGivenBack, s.Name, "%s: the lease had ended already", s.Name)
			r.timedStep(ctx, *s, incident.StageGivenBack)
		} else if err == nil && since(ctx, changeProofInTime) {
			// It may be undone from now on.
			r.state.Case.Steps[i].Until = workflow.Now(ctx)
		}
	}
}

// leave tells a lease that the case no longer needs it, or, with the id of a
// request, that it no longer waits for that.
func (r *responder) leave(ctx workflow.Context, lease, step, request string) error {
	req := protocol.LeaveRequest{Case: protocol.CaseWorkflowID(r.state.Case.ID), Step: step, Request: request}
	return workflow.SignalExternalWorkflow(ctx, lease, "", protocol.LeaveSignal, req).Get(ctx, nil)
}

// closeWhen closes the case when its workflow is cancelled.
func (r *responder) closeWhen(ctx workflow.Context, cancelled workflow.Channel) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		cancelled.Receive(ctx, nil)
		if r.state.Closing == nil {
			_, _ = r.closeByHand(ctx, protocol.CloseRequest{By: "the engine's operator", Reason: "the workflow was cancelled"})
		}
	})
}

func (r *responder) mayClose(_ workflow.Context, req protocol.CloseRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case strings.TrimSpace(req.Reason) == "":
		return refuse(RefusedReason, "closing a case requires a reason")
	case r.state.Closing != nil:
		return refuse(RefusedNotPending, "%s is closing the case already", r.state.Closing.By)
	}
	return nil
}

// closeByHand ends the case: open questions are void, leases are given back.
func (r *responder) closeByHand(ctx workflow.Context, req protocol.CloseRequest) (incident.Case, error) {
	// An alert that comes from now on was not known to whoever closes the case.
	r.state.Closing, r.state.Fresh, r.came, r.state.Due = &req, 0, 0, nil
	r.eventBy(ctx, incident.EvClosed, "", req.By, "%s closes the case: %s", req.By, bounded(req.Reason, maxReason))
	r.state.Case.Verdict = req.Verdict
	r.endWatches()
	r.supersede(ctx, "the case was closed")
	return r.state.Case, nil
}

// close draws the chart and writes the evidence bundle.
func (r *responder) close(ctx workflow.Context) {
	_ = workflow.Await(ctx, func() bool { return r.busy == 0 })
	c := &r.state.Case
	c.Outcome, c.ClosedAt = r.outcome(), workflow.Now(ctx)
	if c.MergedInto == nil {
		r.chart(ctx)
	}
	// A case that says that it is closed has no device any more.
	r.unclaim(ctx)
	r.event(ctx, incident.EvClosed, "", "Case closed: %s", strings.ReplaceAll(string(c.Outcome), "_", " "))
	c.Status = incident.Closed
	dir, err := do(ctx, "", evidenceTimeout, activities.Evidence, activities.EvidenceIn{Case: *c, Pin: r.in.Pin})
	if err != nil {
		r.event(ctx, incident.EvFailed, "", "The evidence bundle was not written: %s", activities.Reason(err))
	}
	c.EvidenceDir = dir
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	r.inbox.drain(ctx)
	seen := r.state.Seen[max(0, len(r.state.Seen)-maxSeen):]
	if err := workflow.UpsertMemo(ctx, map[string]any{SeenMemo: seen}); err != nil {
		// A late repeat would open a case of its own, no worse.
		workflow.GetLogger(ctx).Error("the alerts of a closed case were not noted", "case", c.ID, "error", err)
	}
	r.upsert(ctx)
	_ = workflow.Await(ctx, func() bool { return r.busy == 0 })
	r.final = true
	r.sendAll(ctx, true)
	r.replyLast(ctx)
}

// more reports whether an alert that came while the case closed asks for a
// decision, also where a person closed it: the alert was accepted for this case.
func (r *responder) more(ctx workflow.Context) bool {
	again := r.again()
	r.inbox.drain(ctx)
	return again || r.in.Pin.Digest != "" && r.state.Fresh > 0 && since(ctx, changeHearLast)
}

// reopen goes on with a case that a new alert reached while it closed. What the
// case did is over, so its plan binds the next decision to nothing. It reports
// whether that is for a run of its own: where a person closed the case, what
// people ask of it next must not be taken for a repeat of what they asked before.
func (r *responder) reopen(ctx workflow.Context) bool {
	closed := r.state.Closing != nil
	r.final, r.state.Closing = false, nil
	c := &r.state.Case
	c.Status, c.Outcome, c.ClosedAt, c.EvidenceDir, c.Verdict = incident.Working, incident.OutcomeOpen, time.Time{}, "", incident.NoVerdict
	if r.state.Replies != nil {
		r.say(ctx, note{Kind: incident.EvOpened, Text: "The case goes on: an alert came while it was closed"})
	}
	if since(ctx, changeDecideAnew) {
		r.state.Anew = true
		r.event(ctx, incident.EvOpened, "", "The case goes on: an alert came while it was closed")
	}
	return closed
}

// chart fetches egress per minute around the case.
func (r *responder) chart(ctx workflow.Context) {
	e, ok := r.in.Pin.Enrichment(incident.TrafficFact)
	if !ok || len(r.state.IPs) == 0 {
		return
	}
	series, err := do(ctx, r.in.Pin.Queue(e.Use, incident.TrafficFact), measureTimeout, activities.Series, activities.MeasureIn{
		Use: e.Use, IPs: r.state.IPs, From: r.state.Case.OpenedAt.Add(-chartBefore), To: workflow.Now(ctx),
	})
	if err != nil {
		r.event(ctx, incident.EvFailed, "", "No chart of egress: %s: %s", e.Use, activities.Reason(err))
		return
	}
	r.state.Case.Series = series
}

// outcome returns how the case ended. What kept the plan from being carried out
// as a whole precedes that the rest was given back: a case whose throttle
// has ended and whose isolation nobody answered for is expired.
func (r *responder) outcome() incident.CaseOutcome {
	c := r.state.Case
	failed := slices.ContainsFunc(c.Steps, func(s incident.StepState) bool { return s.Action.Containing() && s.Status == incident.StepFailed })
	switch {
	case r.state.Closing != nil:
		return incident.OutcomeClosedByHand
	case c.MergedInto != nil:
		return incident.OutcomeMerged
	case r.state.Unmatched:
		return incident.OutcomeNoPlaybook
	case c.Decision == nil:
		return incident.OutcomeError
	case c.Decision.Outcome != incident.Decided && c.Decision.Outcome != incident.Undecided:
		return withoutPlan(c)
	case c.Shadow:
		return incident.OutcomeShadow
	case r.state.Ended != "":
		return r.state.Ended
	case r.state.Contained:
		return incident.OutcomeGivenBack
	case c.Decision.Outcome == incident.Undecided && !failed:
		return incident.OutcomeUndecided
	case !failed:
		return incident.OutcomeNothingToDo
	case c.Target == nil:
		return incident.OutcomeNoTarget
	}
	return incident.OutcomeFailed
}

// withoutPlan is the outcome of a case whose decision plans only to notify
// people.
func withoutPlan(c incident.Case) incident.CaseOutcome {
	switch c.Decision.Outcome {
	case incident.Denied:
		return incident.OutcomeDenied
	case incident.CannotDecide:
		if c.Target == nil && c.TargetProblem != "" {
			return incident.OutcomeNoTarget
		}
		return incident.OutcomeCannotDecide
	case incident.DecisionErr, incident.Decided, incident.Undecided:
	}
	return incident.OutcomeError
}
