package engine

import (
	"context"
	"fmt"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
)

// TellDaily schedules the daily message about active leases, replacing its settings.
func (c *Client) TellDaily(ctx context.Context, in protocol.DailyInput) error {
	return c.SignalWithStart(ctx, activities.Call{
		Workflow: protocol.DailyWorkflow, ID: protocol.DailyWorkflow, Input: in,
		Attributes: map[string]string{protocol.AttrKind: protocol.DailyWorkflow},
		Signal:     protocol.ConfigureSignal, Arg: in,
	})
}

// StopDaily stops the daily message.
func (c *Client) StopDaily(ctx context.Context, why string) error {
	err := c.temporal.TerminateWorkflow(ctx, protocol.DailyWorkflow, "", why)
	if err != nil && !notFound(err) {
		return fmt.Errorf("stop telling what stands: %w", err)
	}
	return nil
}
