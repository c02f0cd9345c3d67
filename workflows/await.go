package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// await blocks until the condition holds, and no longer than patience; it reports
// whether it holds. It cancels its timer when it is not needed any more:
// workflow.AwaitWithTimeout leaves it, and the engine wakes the workflow for
// nothing when it fires.
func await(ctx workflow.Context, patience time.Duration, holds func() bool) (bool, error) {
	if holds() {
		return true, nil
	}
	timed, stop := workflow.WithCancel(ctx)
	defer stop()
	over := workflow.NewTimer(timed, patience)
	if err := workflow.Await(ctx, func() bool { return holds() || over.IsReady() }); err != nil {
		return false, err
	}
	return holds(), nil
}
