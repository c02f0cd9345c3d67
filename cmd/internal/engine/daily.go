package engine

import (
	"context"
	"fmt"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
)

// TellDaily has people told once a day what stands, there and then from now on.
func (c *Client) TellDaily(ctx context.Context, in protocol.StandingInput) error {
	return c.SignalWithStart(ctx, activities.Call{
		Workflow: protocol.StandingWorkflow, ID: protocol.StandingWorkflow, Input: in,
		Attributes: map[string]string{protocol.AttrKind: protocol.StandingWorkflow},
		Signal:     protocol.ConfigureSignal, Arg: in,
	})
}

// StopDaily has nobody told any more.
func (c *Client) StopDaily(ctx context.Context, why string) error {
	err := c.temporal.TerminateWorkflow(ctx, protocol.StandingWorkflow, "", why)
	if err != nil && !notFound(err) {
		return fmt.Errorf("stop telling what stands: %w", err)
	}
	return nil
}
