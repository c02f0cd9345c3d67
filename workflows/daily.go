package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
)

// dailyWithin bounds sending the digest of active leases: later on the day it is
// better sent the next.
const dailyWithin = 4 * time.Hour

// Daily sends the digest of active leases once a day. Every start of Stanch signals
// the current configuration.
func Daily(ctx workflow.Context, in protocol.DailyInput) error {
	changes := workflow.GetSignalChannel(ctx, protocol.ConfigureSignal)
	for changed := (protocol.DailyInput{}); changes.ReceiveAsync(&changed); {
		in = changed
	}
	out, err := do(ctx, in.Queue, dailyWithin, activities.Daily, activities.DailyIn{DailyInput: in})
	if err != nil {
		return fmt.Errorf("find out when what stands is told: %w", err)
	}
	for !workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		changed := awaitDigest(ctx, changes, &in, out.Next)
		if err := ctx.Err(); err != nil {
			return err // Somebody cancelled it: nothing would be waited for any more.
		}
		due := !workflow.Now(ctx).Before(out.Next)
		if !due && !changed {
			continue
		}
		if again, err := do(ctx, in.Queue, dailyWithin, activities.Daily, activities.DailyIn{DailyInput: in, Due: due}); err == nil {
			out = again
		} else {
			workflow.GetLogger(ctx).Warn("the daily message about standing leases was not sent", "use", in.Use, "channel", in.Channel, "error", err)
			out.Next = out.Next.Add(24 * time.Hour)
		}
	}
	return workflow.NewContinueAsNewError(ctx, Daily, in)
}

// awaitDigest waits until the digest is due or a configuration comes, and reports
// whether that is another one.
func awaitDigest(ctx workflow.Context, changes workflow.ReceiveChannel, in *protocol.DailyInput, due time.Time) (changed bool) {
	took := func(c workflow.ReceiveChannel, _ bool) {
		var next protocol.DailyInput
		c.Receive(ctx, &next)
		changed, *in = changed || next != *in, next
	}
	if changes.Len() > 0 && since(ctx, changeHeardBefore) {
		for changes.Len() > 0 {
			took(changes, true)
		}
		return changed
	}
	timer, cancel := workflow.WithCancel(ctx)
	defer cancel()
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimer(timer, max(due.Sub(workflow.Now(ctx)), 0)), func(workflow.Future) {}).
		AddReceive(changes, took).
		Select(ctx)
	return changed
}
