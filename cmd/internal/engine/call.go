package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
)

// budgetUpdates bounds this process's concurrent calls to the budget. A
// Temporal server takes ten for one workflow (history.maxInFlightUpdates); to
// the eleventh it answers by aborting the ten, and all begin again.
const budgetUpdates = 4

// UpdateWithStart sends the update, starting the workflow if it does not run.
// The update's id makes a repeat one update.
func (c *Client) UpdateWithStart(ctx context.Context, call activities.Call, result any) error {
	if call.ID == protocol.BudgetID {
		select {
		case c.budget <- struct{}{}:
			defer func() { <-c.budget }()
		case <-ctx.Done():
			return fmt.Errorf("update %s of %s: %w", call.Update, call.ID, ctx.Err())
		}
	}
	if call.Instead != nil {
		if running, err := c.startWith(ctx, call); err != nil || !running {
			return err
		}
	}
	start := c.temporal.NewWithStartWorkflowOperation(startOptions(call.Workflow, call.ID, call.Attributes), call.Workflow, call.Input)
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: call.ID, UpdateName: call.Update, UpdateID: call.UpdateID, Args: []any{call.Arg},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = handle.Get(ctx, result)
	}
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", call.Update, call.ID, err)
	}
	return nil
}

// startWith starts the workflow with what the update would do, and reports
// whether it runs already.
func (c *Client) startWith(ctx context.Context, call activities.Call) (running bool, err error) {
	o := startOptions(call.Workflow, call.ID, call.Attributes)
	o.EnableEagerStart, o.WorkflowExecutionErrorWhenAlreadyStarted = c.eager, true
	o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	_, err = c.temporal.ExecuteWorkflow(ctx, o, call.Workflow, call.Instead)
	if alreadyStarted(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("start %s: %w", call.ID, err)
	}
	return false, nil
}

// Update sends the update to a workflow that runs.
func (c *Client) Update(ctx context.Context, call activities.Call, result any) error {
	handle, err := c.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: call.ID, UpdateName: call.Update, UpdateID: call.UpdateID, Args: []any{call.Arg},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, result)
	}
	if notFound(err) {
		return integrations.Errorf(integrations.NotFound, "update "+call.ID, "it does not run")
	}
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", call.Update, call.ID, err)
	}
	return nil
}

// SignalWithStart sends the signal, starting the workflow if it does not run.
func (c *Client) SignalWithStart(ctx context.Context, call activities.Call) error {
	_, err := c.temporal.SignalWithStartWorkflow(ctx, call.ID, call.Signal, call.Arg, startOptions(call.Workflow, call.ID, call.Attributes), call.Workflow, call.Input)
	if err != nil {
		return fmt.Errorf("signal %s of %s: %w", call.Signal, call.ID, err)
	}
	return nil
}

// startOptions say how a workflow is started where it does not run.
func startOptions(workflow, id string, attributes map[string]string) client.StartWorkflowOptions {
	keywords := make([]temporal.SearchAttributeUpdate, 0, len(attributes))
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		keywords = append(keywords, temporal.NewSearchAttributeKeyKeyword(name).ValueSet(attributes[name]))
	}
	var priority temporal.Priority
	switch workflow {
	case protocol.ChannelWorkflow, protocol.OutboxWorkflow:
		priority.PriorityKey = protocol.PriorityTell
	case protocol.ClickWorkflow:
		priority.PriorityKey = protocol.PriorityAnswer
	}
	return client.StartWorkflowOptions{
		ID: id, Priority: priority, TaskQueue: protocol.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(keywords...),
	}
}
