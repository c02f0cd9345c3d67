package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// unanswered reports whether the case is undecided and people have not said
// what is to be done.
func (r *responder) unanswered() bool {
	c := r.state.Case
	return c.Decision != nil && c.Decision.Unknown != nil && slices.ContainsFunc(c.Steps[r.state.Next:], func(s incident.StepState) bool {
		return s.Undecided && (s.Status == incident.StepWaiting || s.Status == incident.StepRunning)
	})
}

// unsettled reports whether the case is undecided and unanswered, or waits for
// facts.
func (r *responder) unsettled() bool { return r.unanswered() || r.state.Late != nil }

// settle takes in a further decision of a case that is not settled. One that
// says more takes the place of the question: no lease is active that it could
// loosen.
func (r *responder) settle(ctx workflow.Context, f findings, out activities.DecideOut, alerts int) {
	d, how := out.Decision, "Decided, as more is known now: "
	if r.noNews(d, out.Plan) {
		if alerts > 0 {
			r.event(ctx, incident.EvDecided, "", "Decided again, no stricter, the plan is kept: %s", decisionText(d))
		}
		return
	}
	if d.Outcome == incident.Undecided {
		how = "More is known now: "
		out.Plan.Steps = slices.DeleteFunc(out.Plan.Steps, r.toldBefore())
	}
	if r.holds(ctx, f, out.Plan) {
		r.resolve(ctx, f, out, how)
	}
}

// noNews reports whether a further decision leaves the case where it is.
func (r *responder) noNews(d incident.Decision, plan incident.Plan) bool {
	c := r.state.Case
	switch {
	case d.Outcome == incident.CannotDecide:
		return true
	case playbooks.Stricter(*c.Plan, plan):
		return false
	}
	switch c.Decision.Outcome {
	case incident.Decided:
		return plan.Target == nil
	case incident.Undecided:
		return d.Outcome == incident.Undecided && (r.pending() >= 0 || len(d.Unsure) >= len(c.Decision.Unsure))
	case incident.Denied, incident.CannotDecide, incident.DecisionErr:
	}
	return false
}

// toldBefore reports whether the case has taken the steps that wait for no
// answer: that it is undecided still is no news.
func (r *responder) toldBefore() func(incident.PlannedStep) bool {
	asked := false
	return func(s incident.PlannedStep) bool {
		asked = asked || s.Undecided
		return !asked && slices.ContainsFunc(r.state.Case.Steps[:r.state.Next], func(taken incident.StepState) bool { return taken.Name == s.Name })
	}
}

// askUndecided asks people for the plan of the rule that may hold. It reports
// whether the gate is over.
func (r *responder) askUndecided(ctx workflow.Context, i int) bool {
	c := &r.state.Case
	s := &c.Steps[i]
	_, named := r.in.Pin.Approval(s.Approve)
	switch {
	case c.Shadow:
		r.event(ctx, incident.EvShadowed, s.Name, "Would be undecided, and %s would be asked for the plan of rule %s: %s",
			s.Approve, c.Decision.Unknown.Rule, strings.Join(incident.MissingTexts(c.Decision.Unsure), ", "))
		for j := i; j < len(c.Steps); j++ {
			c.Steps[j].Status = incident.StepShadowed
		}
		r.state.Next = len(c.Steps)
	case !named:
		s.Status, s.Problem = incident.StepFailed, "the playbook names nobody to ask"
		r.event(ctx, incident.EvFailed, s.Name, "Nobody could be asked: the playbook names no approval as unsure")
		r.instead(ctx, i, "nobody could be asked", incident.OutcomeUndecided, nil)
	default:
		return r.approve(ctx, i)
	}
	return true
}

// headline is what people are told of a decision.
func (r *responder) headline() string {
	d := r.state.Case.Decision
	text := decisionText(*d)
	undecided := d.Outcome == incident.Undecided
	switch {
	case undecided && r.state.Case.Shadow:
		return "Would be undecided. " + d.Because
	case undecided && r.state.Approver != "":
		return "Not decided; " + r.state.Approver + " approved the plan of rule " + d.Unknown.Rule + ". " + d.Because
	case r.state.Late == nil:
		return text
	}
	text += " What is missing is asked for again until " + r.state.Late.Until.UTC().Format("15:04 UTC")
	if undecided {
		text += ", then " + r.in.Pin.Unsure + " is asked"
	}
	return text + "."
}
