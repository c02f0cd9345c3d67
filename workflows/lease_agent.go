package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// heardSlack is by how much the clock of a product may be ahead of ours, so that a
// sign of life from before an isolation is not taken for one from after it.
const heardSlack = 30 * time.Second

// hear reads the device, concurrently, until its agent was heard since the
// isolation is in place. An agent that is cut off from its cloud could not be told
// to give the network back: the isolation is undone in time.
func (l *leaseKeeper) hear(ctx workflow.Context) {
	if l.hearing || l.lease.Order.HeardWithin == 0 || l.lease.Adopted || !l.listening() {
		return
	}
	l.hearing = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { l.hearing = false }()
		pause := hearEvery
		if since(ctx, changeHearLater) {
			pause += heardSlack
		}
		for ; l.listening(); pause = hearEvery {
			_, _ = await(ctx, pause, func() bool { return !l.listening() })
			if l.listening() {
				l.askAgent(ctx)
			}
		}
	})
}

// hearEvery is how often the device is read for a sign of its agent's life.
const hearEvery = 15 * time.Second

func (l *leaseKeeper) listening() bool {
	return l.lease.Phase == incident.Confirmed && l.lease.Agent == "" && !l.yield
}

// askAgent reads the device once. A product that does not answer, or does not say
// when it heard the agent, proves nothing: nobody is cut loose for that.
func (l *leaseKeeper) askAgent(ctx workflow.Context) {
	r, err := doBefore(ctx, looks, l.queue, readTimeout, activities.Read, l.in())
	within := l.lease.Order.HeardWithin
	late := workflow.Now(ctx).Sub(l.lease.ConfirmedAt) >= within
	switch {
	case !l.listening():
	case err == nil && r.Heard.After(l.lease.ConfirmedAt.Add(heardSlack)):
		l.lease.Agent = incident.AgentHeard
		l.tellAll(ctx, incident.EvHeard, "the agent was heard at "+r.Heard.UTC().Format(time.RFC3339)+": it reaches its cloud", "")
	case !late:
	case err != nil || r.Heard.IsZero():
		l.lease.Agent = incident.AgentUntold
		why := l.lease.Use + " does not say when it heard the agent"
		if err != nil {
			why = "the device could not be read: " + activities.Reason(err)
		}
		l.tellAll(ctx, incident.EvUntold, "cannot tell whether the agent reaches its cloud, "+why, "")
	default:
		l.lease.Agent = incident.AgentUnheard
		l.keepUnheard(ctx)
		why := fmt.Sprintf("the agent was not heard within %s", incident.FormatDuration(within))
		l.tellAll(ctx, incident.EvUnheard, why+": the isolation is undone", "")
		l.drop(ctx, func(incident.Holder) bool { return true }, why, "")
	}
}

// unheardKept is for how long people are asked before a device is isolated again whose
// agent was not heard.
const unheardKept = 7 * 24 * time.Hour

// keepUnheard has the budget remember the device. It is told before the isolation is
// undone, and before any case goes on.
func (l *leaseKeeper) keepUnheard(ctx workflow.Context) {
	if !since(ctx, changeKeepUnheard) {
		return
	}
	o := l.lease.Order
	err := workflow.SignalExternalWorkflow(ctx, protocol.BudgetID, "", protocol.UnheardSignal, protocol.Unheard{
		Use: l.lease.Use, Device: o.Target.ID(), Isolated: l.lease.ConfirmedAt, Within: o.HeardWithin,
		Until: workflow.Now(ctx).Add(unheardKept),
	}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("the budget does not know that an agent was not heard", "lease", l.lease.ID, "error", err)
	}
}
