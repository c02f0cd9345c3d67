package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// planWithin is how long an integration has to tell whether it could carry a step out.
// A host sends meanwhile.
const planWithin = 10 * time.Second

// choosing is a step of a plan for which integrations are still asked.
type choosing struct {
	step *incident.PlannedStep
	// maybe is the first that did not tell.
	maybe  *incident.Candidate
	answer workflow.Future
}

// choose has each step of a plan carried out by the first of its candidates that says
// that it could, before the plan is anybody's. The steps are asked for at the same time,
// and the candidates of each in turn.
func (r *responder) choose(ctx workflow.Context, plan *incident.Plan) {
	var open []*choosing
	incident.EachStep(plan.Steps, func(s *incident.PlannedStep) {
		if len(s.Candidates) > 0 {
			open = append(open, &choosing{step: s})
		}
	})
	for len(open) > 0 {
		for _, c := range open {
			c.ask(ctx, r, *plan.Target)
		}
		var rest []*choosing
		for _, c := range open {
			if !c.settled(ctx) {
				rest = append(rest, c)
			}
		}
		open = rest
	}
}

// ask asks the first of the candidates that are left.
func (c *choosing) ask(ctx workflow.Context, r *responder, target incident.Target) {
	as := *c.step
	as.By(c.step.Candidates[0])
	in := activities.PlanIn{Use: as.Use, Order: activities.OrderOf(as, target), Case: r.state.Case.ID}
	answer, set := workflow.NewFuture(ctx)
	c.answer = answer
	workflow.Go(ctx, func(ctx workflow.Context) {
		set.Set(ask(ctx, r.in.Pin.Queue(as.Use, string(as.Action)), planWithin, activities.Plan, in))
	})
}

// settled takes the answer in, and reports whether it is known who carries the step out,
// or that nobody can. Where none says that it can, one that did not tell is tried when it
// is the step's turn.
func (c *choosing) settled(ctx workflow.Context) bool {
	s := c.step
	first := s.Candidates[0]
	err := c.answer.Get(ctx, nil)
	if err == nil {
		s.By(first)
		return true
	}
	if c.maybe == nil && activities.MayAnswer(err) {
		c.maybe = &first
	}
	if s.Pass(activities.Reason(err)); len(s.Candidates) > 0 {
		return false
	}
	if c.maybe == nil {
		s.By(incident.Candidate{Use: s.Passed[0].Use})
		s.Problem, s.Passed = activities.NoneCan(s.Passed), nil
		return true
	}
	s.By(*c.maybe)
	return true
}

// chosenText says which integrations act in place of those that the playbook prefers.
func chosenText(plan incident.Plan) string {
	text := ""
	incident.EachStep(plan.Steps, func(s *incident.PlannedStep) {
		if why := s.Chosen(); why != "" {
			text += " " + s.Name + " is carried out by " + bounded(why, maxReason) + "."
		}
	})
	return text
}
