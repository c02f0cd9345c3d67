package service

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// The workflow by which it is known that the engine takes one. Nobody runs it:
// it would begin long after it was deleted, and on a queue of its own.
const (
	readyWorkflow = "ready"
	readyDelay    = time.Hour
	readyTimeout  = 2 * time.Hour
)

// ready has the engine take a workflow, as it takes an alert, and delete it. A
// connection that answers says nothing of the disk behind it.
func (s *Service) ready(ctx context.Context) error {
	if s.server != nil {
		if err := s.server.Check(); err != nil {
			return err
		}
	}
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: readyWorkflow, TaskQueue: "stanch-ready", StartDelay: readyDelay, WorkflowExecutionTimeout: readyTimeout,
		// What an earlier question left goes.
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, readyWorkflow)
	if err != nil {
		return fmt.Errorf("write to the engine: %w", err)
	}
	_, err = s.client.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace:         s.options.Config.Temporal.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	})
	if err != nil {
		return fmt.Errorf("delete what was written to the engine: %w", err)
	}
	return nil
}
