package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// decideTimeout bounds one evaluation; the cost limit of the policy ends it
// long before.
const decideTimeout = 10 * time.Second

// decide evaluates the policy. Of a later decision only what is stricter is
// carried out: to loosen takes a person.
func (r *responder) decide(ctx workflow.Context, f findings) {
	out, err := r.evaluate(ctx, f)
	alerts := r.state.Fresh
	r.state.DecidedAt, r.state.Decided = workflow.Now(ctx), true
	r.state.Fresh = 0
	if r.came > 0 && since(ctx, changeFreshLeft) {
		r.state.Fresh = r.came
	}
	if err != nil {
		// The playbook itself cannot be evaluated: never act, tell people.
		out = activities.DecideOut{Facts: f.facts, Decision: incident.Decision{
			Outcome: incident.DecisionErr, Error: activities.Reason(err), PlaybookDigest: r.in.Pin.Digest, At: workflow.Now(ctx),
		}}
	}
	r.choose(ctx, &out.Plan)
	f.facts = out.Facts
	c := &r.state.Case
	switch {
	case c.Decision == nil && out.Unmatched:
		r.state.Unmatched = true
		c.Plan = &incident.Plan{PlaybookDigest: r.in.Pin.Digest}
		r.found(ctx, f)
		r.follow(ctx, f)
		r.event(ctx, incident.EvDecided, "", "The trigger of playbook %s does not hold now that more is known", c.Playbook)
	case c.Decision == nil:
		if !r.holds(ctx, f, out.Plan) {
			break
		}
		r.resolve(ctx, f, out, "")
		if err != nil {
			r.page(ctx, "", decisionText(out.Decision))
		}
	case out.Unmatched:
		r.event(ctx, incident.EvDecided, "", "Decided again: the trigger does not hold, the plan is kept")
	case r.nowExact(out):
		if r.holds(ctx, f, out.Plan) {
			r.resolve(ctx, f, out, "Decided again, the device is exact now: ")
		}
	case r.state.Anew:
		if r.holds(ctx, f, out.Plan) {
			r.resolve(ctx, f, out, "Decided anew: ")
		}
	case err == nil && r.unsettled():
		r.settle(ctx, f, out, alerts)
	case (out.Decision.Outcome == incident.Decided || out.Decision.Outcome == incident.Undecided) && playbooks.Stricter(*c.Plan, out.Plan):
		if r.holds(ctx, f, out.Plan) {
			r.resolve(ctx, f, out, "Decided again, stricter: ")
		}
	default:
		r.event(ctx, incident.EvDecided, "", "Decided again, no stricter, the plan is kept: %s", decisionText(out.Decision))
	}
	if !r.state.Decided {
		r.state.Due = &f.round
	}
	// A claim that is not settled is decided again, in the next run.
	r.state.Anew = r.state.Anew && !r.state.Decided
	r.waitForFacts(ctx, f)
	r.upsert(ctx)
}

// nowExact reports whether people are being asked about an assumed device and
// two identifiers agree now: what the playbook does with such a device needs no
// answer to that question.
func (r *responder) nowExact(out activities.DecideOut) bool {
	was, is := r.state.Case.Plan.Target, out.Plan.Target
	return r.pending() >= 0 && out.Decision.Outcome == incident.Decided &&
		was != nil && was.OnlyBy() != "" && is != nil && is.OnlyBy() == ""
}

// resolve makes a decision the case's, with the facts that it rests on.
func (r *responder) resolve(ctx workflow.Context, f findings, out activities.DecideOut, how string) {
	c := &r.state.Case
	why := "a stricter decision replaced the plan"
	if r.unsettled() {
		why = "more is known now, and another decision replaced the plan"
	}
	r.found(ctx, f)
	r.follow(ctx, f)
	r.state.Unmatched, r.state.Ended = false, ""
	c.Decision = &out.Decision
	r.event(ctx, incident.EvDecided, "", "%s%s%s", how, decisionText(out.Decision), chosenText(out.Plan))
	r.supersede(ctx, why)
	r.adopt(ctx, out.Plan)
}

func (r *responder) evaluate(ctx workflow.Context, f findings) (activities.DecideOut, error) {
	var out activities.DecideOut
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: decideTimeout, RetryPolicy: retries(100*time.Millisecond, time.Second),
	})
	err := workflow.ExecuteLocalActivity(ctx, activities.Decide.Name, activities.DecideIn{
		Pin: r.in.Pin, Facts: f.facts, Connections: f.connections, Target: f.target, Shared: f.shared, Now: workflow.Now(ctx),
	}).Get(ctx, &out)
	return out, err
}

// adopt makes a plan the case's plan. Steps whose lease is active are not taken
// twice.
func (r *responder) adopt(ctx workflow.Context, plan incident.Plan) {
	c := &r.state.Case
	steps := c.Steps[:r.state.Next:r.state.Next]
	for _, planned := range plan.Steps {
		if !r.alreadyStands(ctx, steps, planned) {
			steps = append(steps, waiting(planned))
		}
	}
	c.Plan, c.Steps = &plan, steps
	r.endWatches()
	r.state.Waived, r.state.Approver, r.state.Missing, r.state.Answered = nil, "", nil, nil
}

// waiting is a planned step before its turn. What the plan could not resolve is
// its problem.
func waiting(planned incident.PlannedStep) incident.StepState {
	return incident.StepState{PlannedStep: planned, Status: incident.StepWaiting, Problem: planned.Problem}
}

// alreadyStands reports whether one of the steps does all that a planned one would do.
func (r *responder) alreadyStands(ctx workflow.Context, steps []incident.StepState, planned incident.PlannedStep) bool {
	for _, s := range steps {
		if s.Status != incident.StepStanding || s.Action != planned.Action || s.Use != planned.Use || s.Rate > planned.Rate ||
			!s.Filter.Covers(planned.Filter) || beyond(planned.Addresses, s.Addresses) {
			continue
		}
		if s.Filter == nil && planned.Filter == nil || since(ctx, changeFilterStands) {
			return true
		}
	}
	return false
}

// supersede voids an approval that is pending: its plan is no longer the plan.
func (r *responder) supersede(ctx workflow.Context, why string) {
	for i := range r.state.Case.Approvals {
		a := &r.state.Case.Approvals[i]
		if a.State == incident.Pending {
			a.State, a.EndedAt = incident.Superseded, workflow.Now(ctx)
			r.event(ctx, incident.EvSuperseded, a.Name, "Approval %s is void: %s", a.Name, why)
			r.approvalEnded(ctx, *a)
		}
	}
}

func decisionText(d incident.Decision) string {
	switch d.Outcome {
	case incident.Decided:
		text := "Rule " + d.Rule + ", severity " + d.Severity + ": " + d.Because
		if len(d.Unsure) > 0 {
			text += " Unsure: " + strings.Join(incident.MissingTexts(d.Unsure), ", ")
		}
		return text
	case incident.Undecided:
		return "Not decided. " + d.Because
	case incident.Denied:
		return "Guardrail " + d.DeniedBy + " forbids containment: " + d.Because
	case incident.CannotDecide:
		return "Cannot decide: " + strings.Join(incident.MissingTexts(d.Unsure), ", ")
	case incident.DecisionErr:
		return "The policy failed, nothing is done: " + d.Error
	}
	return string(d.Outcome)
}
