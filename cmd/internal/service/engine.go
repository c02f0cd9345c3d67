package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// NewEngine returns the engine behind a client, as activities and the receiver
// use it.
func NewEngine(c client.Client) activities.Engine {
	return updater{client: c, budget: make(chan struct{}, budgetUpdates)}
}

// budgetUpdates is how many calls to the budget one process has under way. A
// Temporal server takes ten for one workflow (history.maxInFlightUpdates); to
// the eleventh it answers by breaking off the ten, and all begin again.
const budgetUpdates = 4

// updater implements [activities.Engine] on a Temporal client.
type updater struct {
	client client.Client
	// budget holds a token for each call to the budget that is under way.
	budget chan struct{}
}

// UpdateWithStart sends the update, starting the workflow if it does not run.
// The update's id makes a repeat one update.
func (u updater) UpdateWithStart(ctx context.Context, c activities.Call, result any) error {
	if c.ID == protocol.BudgetID {
		select {
		case u.budget <- struct{}{}:
			defer func() { <-u.budget }()
		case <-ctx.Done():
			return fmt.Errorf("update %s of %s: %w", c.Update, c.ID, ctx.Err())
		}
	}
	start := u.client.NewWithStartWorkflowOperation(startOptions(c), c.Workflow, c.Input)
	handle, err := u.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: c.ID, UpdateName: c.Update, UpdateID: c.UpdateID, Args: []any{c.Arg},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", c.Update, c.ID, err)
	}
	if err := handle.Get(ctx, result); err != nil {
		return fmt.Errorf("update %s of %s: %w", c.Update, c.ID, err)
	}
	return nil
}

// Update sends the update to a workflow that runs.
func (u updater) Update(ctx context.Context, c activities.Call, result any) error {
	handle, err := u.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: c.ID, UpdateName: c.Update, UpdateID: c.UpdateID, Args: []any{c.Arg},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, result)
	}
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return integrations.Errorf(integrations.NotFound, "update "+c.ID, "it does not run")
	}
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", c.Update, c.ID, err)
	}
	return nil
}

// SignalWithStart sends the signal, starting the workflow if it does not run.
func (u updater) SignalWithStart(ctx context.Context, c activities.Call) error {
	_, err := u.client.SignalWithStartWorkflow(ctx, c.ID, c.Signal, c.Arg, startOptions(c), c.Workflow, c.Input)
	if err != nil {
		return fmt.Errorf("signal %s of %s: %w", c.Signal, c.ID, err)
	}
	return nil
}

// Case returns a case as it stands.
func (u updater) Case(ctx context.Context, id, run string) (incident.Case, error) {
	return httpapi.Case(ctx, u.client, id, run)
}

func startOptions(c activities.Call) client.StartWorkflowOptions {
	var attributes []temporal.SearchAttributeUpdate
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		attributes = append(attributes, temporal.NewSearchAttributeKeyKeyword(name).ValueSet(c.Attributes[name]))
	}
	var priority temporal.Priority
	if c.Workflow == protocol.ChannelWorkflow {
		priority.PriorityKey = protocol.PriorityTell
	}
	return client.StartWorkflowOptions{
		ID: c.ID, Priority: priority, TaskQueue: protocol.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(attributes...),
	}
}
