package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// rejectedKept is how long a rejected alert waits to be retried.
const rejectedKept = 30 * 24 * time.Hour

// Rejected keeps an alert that was authentic but not understood, or that asks
// for no response, until somebody retries it or its time is up.
func Rejected(ctx workflow.Context, in protocol.RejectedAlert) (protocol.RejectedAlert, error) {
	record := in
	err := workflow.SetQueryHandler(ctx, protocol.RejectedQuery, func() (protocol.RejectedAlert, error) { return record, nil })
	if err != nil {
		return record, fmt.Errorf("listen for questions: %w", err)
	}
	err = workflow.SetUpdateHandler(ctx, protocol.ResolveUpdate, func(_ workflow.Context, how string) (protocol.RejectedAlert, error) {
		record.Resolved = how
		return record, nil
	})
	if err != nil {
		return record, fmt.Errorf("listen for retries: %w", err)
	}
	_, err = await(ctx, rejectedKept, func() bool { return record.Resolved != "" })
	if err != nil {
		return record, fmt.Errorf("keep rejected alert %s: %w", in.ID, err)
	}
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	return record, nil
}
