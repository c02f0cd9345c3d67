package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/receiver"
)

// NewEngine returns the engine behind a client, as activities and the receiver
// use it.
func NewEngine(c client.Client) activities.Engine { return updater{c} }

// updater implements [activities.Engine] on a Temporal client.
type updater struct{ client client.Client }

// UpdateWithStart sends the update, starting the workflow if it does not run.
// The update's id makes a repeat one update.
func (u updater) UpdateWithStart(ctx context.Context, c activities.Call, result any) error {
	var attributes []temporal.SearchAttributeUpdate
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		attributes = append(attributes, temporal.NewSearchAttributeKeyKeyword(name).ValueSet(c.Attributes[name]))
	}
	start := u.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: c.ID, TaskQueue: receiver.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(attributes...),
	}, c.Workflow, c.Input)
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
