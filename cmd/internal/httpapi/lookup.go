package httpapi

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Case returns a case as it stands: a running one is asked, of a closed one the
// result is read. An empty run is the last one. One that is not there is a
// not_found error.
func Case(ctx context.Context, engine client.Client, id, run string) (incident.Case, error) {
	c, err := caseOf(ctx, engine, id, run)
	if notFound(err) {
		return c, integrations.Errorf(integrations.NotFound, "look at case "+id, "%w", err)
	}
	return c, err
}

func caseOf(ctx context.Context, engine client.Client, id, run string) (incident.Case, error) {
	var c incident.Case
	workflowID := protocol.CaseWorkflowID(id)
	info, err := lastRun(ctx, engine, workflowID, run)
	if err != nil {
		return c, fmt.Errorf("look at case %s: %w", id, err)
	}
	run = info.GetExecution().GetRunId()
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		value, err := engine.QueryWorkflow(ctx, workflowID, run, protocol.CaseQuery)
		if err != nil {
			return c, fmt.Errorf("ask case %s: %w", id, err)
		}
		if err := value.Get(&c); err != nil {
			return c, fmt.Errorf("read case %s: %w", id, err)
		}
		return c, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		if err := engine.GetWorkflow(ctx, workflowID, run).Get(ctx, &c); err != nil {
			return c, fmt.Errorf("read case %s: %w", id, err)
		}
		return c, nil
	default:
		return endedByForce(info), nil
	}
}

// lastRun finds the engine's run that knows how a case stands. A case keeps the
// id of its first run while the engine goes on with it in others.
func lastRun(ctx context.Context, engine client.Client, workflowID, run string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := engine.DescribeWorkflowExecution(ctx, workflowID, run)
	if err != nil {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
		return info, nil
	}
	newest, err := engine.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return nil, err
	}
	if last := newest.GetWorkflowExecutionInfo(); last.GetFirstRunId() == info.GetFirstRunId() {
		return last, nil
	}
	// A later case of the subject is the newest: this one has ended, and its
	// result is read at the end of its runs.
	return info, nil
}
