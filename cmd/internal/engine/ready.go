package engine

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// ReadyWorkflow is the workflow that proves that Temporal accepts one.
// No worker runs it: it would begin long after it was deleted, and on a queue of its
// own.
const ReadyWorkflow = "ready"

const (
	readyQueue   = "stanch-ready"
	readyDelay   = time.Hour
	readyTimeout = 2 * time.Hour
)

// Ready has Temporal take a workflow, as it takes an alert, and delete it. A
// connection that answers does not prove that the disk behind it works.
func (c *Client) Ready(ctx context.Context) error {
	o := startOptions(ReadyWorkflow, ReadyWorkflow, nil)
	o.TaskQueue, o.StartDelay, o.WorkflowExecutionTimeout = readyQueue, readyDelay, readyTimeout
	// Delete what an earlier check left.
	o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	run, err := c.temporal.ExecuteWorkflow(ctx, o, ReadyWorkflow)
	if err != nil {
		return fmt.Errorf("write to the engine: %w", err)
	}
	_, err = c.temporal.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace:         c.namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	})
	if err != nil {
		return fmt.Errorf("delete what was written to the engine: %w", err)
	}
	return nil
}
