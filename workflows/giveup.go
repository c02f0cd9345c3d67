package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// giveUpWithin bounds how long it is tried to give a request up. Only the engine
// itself is asked, so it ends with an outage of it.
const giveUpWithin = time.Hour

// givingBack is a request that was given up and held a lease: the case is told
// when that is over.
type givingBack struct {
	Lease   string `json:"lease"`
	Step    string `json:"step"`
	Request string `json:"request"`
}

// attempt runs a containing activity. It is stopped when a person closes the
// case, or when its lease is reported over before the activity has returned:
// then none of its attempts may take anything any more.
func (r *responder) attempt(ctx workflow.Context, in activities.ContainIn) (out activities.ContainOut, stopped bool, err error) {
	r.taking = in.ID
	defer func() { r.taking = "" }()
	within := containWithin(in.Step)
	switch name, _ := activities.Carrying(in.Step.Action.Spec()); {
	case name == activities.Kill.Name:
		return r.attemptOn(ctx, r.in.Pin.Queue(in.Step.Use, string(in.Step.Action)), within, activities.Kill, in)
	case since(ctx, changeContainHere):
		began := workflow.Now(ctx)
		out, stopped, err = r.attemptOn(ctx, "", within, activities.Contain, in)
		if err != nil || !out.Busy {
			return out, stopped, err
		}
		within = max(within-workflow.Now(ctx).Sub(began), time.Second)
	}
	return r.attemptOn(ctx, protocol.ContainQueue, within, activities.Contain, in)
}

// attemptOn runs a containing activity on a task queue; an empty one is that of
// the case.
func (r *responder) attemptOn(ctx workflow.Context, queue string, within time.Duration,
	ref activities.Ref[activities.ContainIn, activities.ContainOut], in activities.ContainIn,
) (out activities.ContainOut, stopped bool, err error) {
	running, stop := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, ScheduleToCloseTimeout: within, StartToCloseTimeout: within, HeartbeatTimeout: silence,
		RetryPolicy: retries(200*time.Millisecond, 10*time.Second),
	}))
	answer := workflow.ExecuteActivity(running, ref.Name, in)
	_ = workflow.Await(ctx, func() bool { return answer.IsReady() || r.state.Closing != nil || r.earlyEnd(in.ID) != nil })
	if answer.IsReady() || !since(ctx, changeStopTaking) {
		err = answer.Get(ctx, &out)
		return out, false, err
	}
	stop()
	return out, true, nil
}

// stopped ends a step whose attempts were stopped. One whose lease is over has
// been held, others are left out with the rest of the plan.
func (r *responder) stopped(ctx workflow.Context, i int, in activities.ContainIn) {
	if end := r.earlyEnd(in.ID); end != nil {
		s := &r.state.Case.Steps[i]
		s.Status, s.Lease, s.EndedAt, r.state.Contained = incident.StepEnded, end.Lease, end.At, true
		r.state.Next = i + 1
	}
	r.giveUp(ctx, in.GivesUp())
	r.catchUp(ctx)
}

// earlyEnd is a lease's change that ended a request before the case knew that
// the request holds it, or nil.
func (r *responder) earlyEnd(request string) *protocol.LeaseChange {
	at := slices.IndexFunc(r.state.Early, func(c protocol.LeaseChange) bool {
		return c.Kind == incident.EvGivenBack && c.Request == request
	})
	if at < 0 {
		return nil
	}
	return &r.state.Early[at]
}

// giveUp makes sure that a request takes nothing any more, and writes down what
// it had taken. What is asked for after that is another request.
func (r *responder) giveUp(ctx workflow.Context, in activities.GiveUpIn) {
	r.state.Requests++
	name := in.Request.Step
	// The lease may say that it is over before the answer that it was held.
	back := givingBack{Lease: protocol.LeaseID(in.Use, in.Order), Step: name, Request: in.Request.ID}
	r.state.GivingBack = append(r.state.GivingBack, back)
	out, err := do(ctx, "", giveUpWithin, activities.GiveUp, in)
	if err != nil || !out.Held {
		r.state.GivingBack = slices.DeleteFunc(r.state.GivingBack, func(g givingBack) bool { return g == back })
	}
	switch {
	case err != nil:
		text := name + ": what an earlier attempt may have taken could not be given up: " + activities.Reason(err)
		r.event(ctx, incident.EvUndoFailing, name, "%s", text)
		r.page(ctx, name, text)
	case out.Held:
		r.event(ctx, incident.EvHeldBack, name, "%s: an attempt had taken the lease; it is given back", name)
	case out.Reserved && !in.Order.Action.Leased():
		r.event(ctx, incident.EvHeldBack, name, "%s: an attempt before may have %s; that cannot be undone", name, in.Order.Action.Spec().MayHave)
	}
}

// isGivingBack notes a lease's change of a request that was given up, and
// reports whether it is one.
func (r *responder) isGivingBack(change protocol.LeaseChange) bool {
	at := slices.IndexFunc(r.state.GivingBack, func(g givingBack) bool {
		return g.Lease == change.Lease && g.Step == change.Step && (change.Request == "" || g.Request == change.Request)
	})
	if at >= 0 && change.Kind == incident.EvGivenBack {
		r.state.GivingBack = slices.Delete(r.state.GivingBack, at, at+1)
	}
	return at >= 0
}

// disown gives back what a lease holds for a step that the case does not hold
// it for.
func (r *responder) disown(ctx workflow.Context, change protocol.LeaseChange) {
	at := slices.IndexFunc(r.state.Case.Steps, func(s incident.StepState) bool { return s.Name == change.Step })
	if at < 0 || change.Request == "" || r.state.Case.Plan.Target == nil {
		return
	}
	s := r.state.Case.Steps[at]
	in := activities.ContainIn{
		Pin: r.in.Pin, Target: *r.state.Case.Plan.Target, Step: s.PlannedStep, Case: r.state.Case.ID,
		ID: change.Request, Expires: workflow.Now(ctx).Add(containWithin(s.PlannedStep)),
	}
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		r.giveUp(ctx, in.GivesUp())
	})
}
