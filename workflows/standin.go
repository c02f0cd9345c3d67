package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// standIn takes the step that takes an isolation's place, as the next one. It was part
// of the plan that people saw, or that needed nobody.
func (r *responder) standIn(ctx workflow.Context, s incident.StepState, why string) {
	switch {
	case s.Fallback == nil || r.state.Closing != nil:
		r.page(ctx, s.Name, s.Name+": "+why)
	case r.standsLonger(ctx, *s.Fallback):
		r.page(ctx, s.Name, fmt.Sprintf("%s: %s; %s stands in its place already", s.Name, why, s.Fallback))
	default:
		r.interpose(*s.Fallback)
		r.page(ctx, s.Name, fmt.Sprintf("%s: %s; %s takes its place", s.Name, why, s.Fallback))
	}
}

// unheardBefore has people asked before a device is isolated whose agent was not heard the
// last time. Meanwhile what would take the isolation's place does.
func (r *responder) unheardBefore(ctx workflow.Context, i int, u protocol.Unheard) {
	s := r.state.Case.Steps[i]
	why := fmt.Sprintf("%s had isolated the device at %s and did not hear its agent within %s, so that it was given back",
		u.Use, u.Isolated.UTC().Format(time.RFC3339), incident.FormatDuration(u.Within))
	r.event(ctx, incident.EvHeldBack, s.Name, "%s held back, people are asked: %s", s.Name, why)
	r.state.Missing = []incident.Missing{{Path: incident.HeardPath, Why: why}}
	r.gate(ctx, i, r.in.Pin.Unsure, incident.MissingTexts(r.state.Missing)[0])
	if s.Fallback == nil || r.standsLonger(ctx, *s.Fallback) {
		return
	}
	instead := *s.Fallback
	if instead.OnFailure != "continue" {
		// The question is asked all the same.
		instead.OnFailure = "page"
	}
	r.interposeAt(i, instead)
}

// standsLonger reports whether the case holds what a step would take, for at least as
// long.
func (r *responder) standsLonger(ctx workflow.Context, planned incident.PlannedStep) bool {
	until := workflow.Now(ctx).Add(planned.TTL)
	return slices.ContainsFunc(r.state.Case.Steps, func(s incident.StepState) bool {
		return !s.Until.Before(until) && r.alreadyStands(ctx, []incident.StepState{s}, planned)
	})
}

// interpose has a step taken before those that wait, and before people have answered what
// they are asked.
func (r *responder) interpose(planned incident.PlannedStep) {
	r.interposeAt(r.interposedAt(), planned)
}

// interposedAt is where a step goes that is interposed, and where it is until the next one
// runs.
func (r *responder) interposedAt() int {
	if r.acting {
		return r.state.Next + 1
	}
	return r.state.Next
}

func (r *responder) interposeAt(at int, planned incident.PlannedStep) {
	c := &r.state.Case
	s := waiting(planned)
	s.StandsIn = true
	c.Steps = slices.Insert(c.Steps, at, s)
	for i := range c.Approvals {
		if a := &c.Approvals[i]; a.Step > at {
			a.Step++
		}
	}
	r.interposed++
	r.replan()
}

// renews reports whether a step that was accepted is a lease which the case held already
// by a step of that name: that one goes on, until the new end.
func (r *responder) renews(ctx workflow.Context, i int, lease incident.Lease) bool {
	s := &r.state.Case.Steps[i]
	at := slices.IndexFunc(r.state.Case.Steps[:i], func(o incident.StepState) bool {
		return o.Status == incident.StepStanding && o.Lease == lease.ID && o.Name == s.Name
	})
	if at < 0 || lease.Until.IsZero() {
		return false
	}
	r.state.Case.Steps[at].Until = lease.Until
	s.Status = incident.StepDone
	r.event(ctx, incident.EvDone, s.Name, "%s stands already, and goes on until %s", s.PlannedStep, lease.Until.UTC().Format(time.RFC3339))
	r.catchUp(ctx)
	return true
}

// overMeanwhile returns the index of the question of gate i that was answered while
// the case had left the gate for something else, or -1.
func (r *responder) overMeanwhile(ctx workflow.Context, i int) int {
	all := r.state.Case.Approvals
	at := len(all) - 1
	for at >= 0 && all[at].Extends != nil {
		at--
	}
	if at < 0 || r.state.Case.Steps[i].Status != incident.StepRunning || all[at].Step != i+1 ||
		all[at].State == incident.Pending || all[at].State == incident.Superseded || !since(ctx, changeKeepAnswer) {
		return -1
	}
	return at
}
