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
		changed := false
		left := out.Next.Sub(workflow.Now(ctx))
		timer, cancel := workflow.WithCancel(ctx)
		selector := workflow.NewSelector(ctx)
		selector.AddFuture(workflow.NewTimer(timer, max(left, 0)), func(workflow.Future) {})
		selector.AddReceive(changes, func(c workflow.ReceiveChannel, _ bool) {
			var next protocol.DailyInput
			c.Receive(ctx, &next)
			changed, in = next != in, next
		})
		selector.Select(ctx)
		cancel()
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
