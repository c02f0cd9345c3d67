package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// GiveUp makes sure that a request of a containing step takes nothing any more,
// also by an attempt that was lost and still runs, and returns what it had taken.
var GiveUp = Ref[GiveUpIn, protocol.GivenUp]{"give_up"}

// GiveUpIn names the request as [ContainIn] did.
type GiveUpIn struct {
	Use     string                 `json:"use"`
	Order   incident.Order         `json:"order"`
	Queue   string                 `json:"queue,omitempty"`
	Request protocol.GiveUpRequest `json:"request"`
}

// order is what the step asks of a lease, without its key and its end.
func (in ContainIn) order() incident.Order { return OrderOf(in.Step, in.Target) }

// OrderOf is what a step asks of the integration that carries it out, without a key and
// an end.
func OrderOf(s incident.PlannedStep, target incident.Target) incident.Order {
	return incident.Order{
		Action: s.Action, Target: target, Rate: s.Rate, Filter: s.Filter, HeardWithin: s.HeardWithin, Except: s.Except,
		Addresses: s.Addresses, Program: s.Path,
	}
}

// GivesUp returns what gives the request up.
func (in ContainIn) GivesUp() GiveUpIn {
	return GiveUpIn{
		Use: in.Step.Use, Order: in.order(), Queue: in.Pin.Queue(in.Step.Use, string(in.Step.Action)),
		Request: protocol.GiveUpRequest{ID: in.ID, Case: protocol.CaseWorkflowID(in.Case), Step: in.Step.Name, Expires: in.Expires},
	}
}

// earlier reports whether another attempt began before this one. That one may
// be lost, or still be at work and not know that it counts for nothing.
func earlier(ctx context.Context) bool {
	return activity.IsActivity(ctx) && activity.GetInfo(ctx).Attempt > 1
}

// found waits for what an earlier attempt has asked of the lease, and returns
// the resulting lease. It is nil where the lease does not run, or has not
// heard of the request.
func (a *Activities) found(ctx context.Context, in ContainIn, hold Call) (*incident.Lease, error) {
	var found protocol.Found
	hold.Update, hold.UpdateID = protocol.FindUpdate, a.unique(in.ID+"/find")
	err := a.Workflows.Update(ctx, hold, &found)
	if integrations.KindOf(err) == integrations.NotFound {
		return nil, nil
	}
	return found.Lease, err
}

// giveUp has the lease refuse the request; one that does not run is started to
// do so until the request cannot come any more. Then its reservation is given
// back, unless its action may have been done.
func (a *Activities) giveUp(ctx context.Context, in GiveUpIn) (protocol.GivenUp, error) {
	var out protocol.GivenUp
	if in.Order.Action.Leased() {
		order := in.Order
		id := protocol.LeaseID(in.Use, order)
		order.Key = id
		err := a.Workflows.UpdateWithStart(ctx, Call{
			Workflow: protocol.LeaseWorkflow, ID: id,
			Input: protocol.LeaseInput{
				ID: id, Use: in.Use, Order: order, Queue: in.Queue,
				GivenUp: []string{in.Request.ID}, Refuses: in.Request.Expires,
				Lease: &incident.Lease{ID: id, Use: in.Use, Order: order, Phase: incident.LeaseFailed, Problem: "its request was given up"},
			},
			Attributes: leaseAttributes(order, incident.LeaseFailed),
			Update:     protocol.GiveUpUpdate, UpdateID: in.Request.ID + "/give-up", Arg: in.Request,
		}, &out)
		if err != nil || out.Held {
			return out, err
		}
	}
	var reserved protocol.GivenUp
	err := a.Workflows.UpdateWithStart(ctx, BudgetCall(protocol.GiveUpUpdate, in.Request.ID+"/give-up", in.Request), &reserved)
	if err != nil {
		return out, fmt.Errorf("give up the reservation of %s: %w", in.Request.Step, err)
	}
	out.Reserved = reserved.Reserved
	return out, nil
}

// leaseAttributes are the search attributes that a lease is started with.
func leaseAttributes(o incident.Order, phase incident.LeasePhase) map[string]string {
	return map[string]string{
		protocol.AttrKind: protocol.LeaseWorkflow, protocol.AttrAction: string(o.Action), protocol.AttrTarget: o.Target.ID(), protocol.AttrStatus: string(phase),
	}
}
