package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
)

// urgency orders what waits in one task queue, as where a product may not be asked often:
// the engine hands out the lowest first.
type urgency int

// In a storm on a product that lets itself be asked seldom, what a lease reads every two
// seconds of each device would leave no room for the rest. A network is given back
// first.
const (
	givesBack urgency = iota + 1
	contains
	usual // as the engine has it where nothing is said
	looks
)

// do runs an activity within a time limit, with retries; an empty queue is that
// of the workflow.
func do[In, Out any](ctx workflow.Context, queue string, timeout time.Duration, ref activities.Ref[In, Out], in In) (Out, error) {
	return doBefore(ctx, usual, queue, timeout, ref, in)
}

// doBefore is do for what goes before what is less urgent.
func doBefore[In, Out any](ctx workflow.Context, is urgency, queue string, timeout time.Duration, ref activities.Ref[In, Out], in In) (Out, error) {
	var out Out
	o := workflow.ActivityOptions{
		TaskQueue: queue, ScheduleToCloseTimeout: timeout, StartToCloseTimeout: timeout, HeartbeatTimeout: silence,
		RetryPolicy: retries(200*time.Millisecond, 10*time.Second),
	}
	if is != usual {
		o.Priority = temporal.Priority{PriorityKey: int(is)}
	}
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), ref.Name, in).Get(ctx, &out)
	return out, err
}
