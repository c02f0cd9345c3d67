package engine

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// KeepClick starts the workflow that answers a click. One that is delivered
// again starts nothing, also when it was answered long ago.
func (c *Client) KeepClick(ctx context.Context, in protocol.ClickInput) error {
	o := startOptions(protocol.ClickWorkflow, protocol.ClickWorkflowID(in.Click), map[string]string{protocol.AttrKind: protocol.ClickWorkflow})
	o.EnableEagerStart, o.WorkflowExecutionErrorWhenAlreadyStarted = c.eager, true
	o.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	_, err := c.temporal.ExecuteWorkflow(ctx, o, protocol.ClickWorkflow, in)
	if err != nil && !alreadyStarted(err) {
		return fmt.Errorf("keep click %s: %w", in.Click.ID, err)
	}
	return nil
}
