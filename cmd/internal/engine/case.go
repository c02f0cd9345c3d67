package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Case returns the state of a case: a running one is queried, of a closed one the
// result is read. An empty run is the last one. One that is not there is a
// not_found error.
func (c *Client) Case(ctx context.Context, id, run string) (incident.Case, error) {
	var out incident.Case
	workflowID := protocol.CaseWorkflowID(id)
	info, err := c.lastRun(ctx, workflowID, run)
	if err != nil {
		return out, missing("look at case "+id, err)
	}
	return c.record(ctx, info)
}

// record returns the state of a case that the engine knows of.
func (c *Client) record(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (incident.Case, error) {
	var out incident.Case
	workflowID, run := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		value, err := c.temporal.QueryWorkflow(ctx, workflowID, run, protocol.CaseQuery)
		if err != nil {
			return out, missing("ask "+workflowID, err)
		}
		if err := value.Get(&out); err != nil {
			return out, fmt.Errorf("read %s: %w", workflowID, err)
		}
		return out, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		if err := c.temporal.GetWorkflow(ctx, workflowID, run).Get(ctx, &out); err != nil {
			return out, missing("read "+workflowID, err)
		}
		return out, nil
	default:
		return endedByForce(info), nil
	}
}

// lastRun finds the engine's run that has the state of a case. A case keeps the
// id of its first run while the engine goes on with it in others.
func (c *Client) lastRun(ctx context.Context, workflowID, run string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, run)
	if err != nil {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
		return info, nil
	}
	newest, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
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

// endedByForce is the result of a case that was ended from outside of Stanch.
func endedByForce(info *workflowpb.WorkflowExecutionInfo) incident.Case {
	s := summaryOf(info)
	how := strings.ToLower(info.GetStatus().String())
	return incident.Case{
		ID: s.ID, Run: s.Run, Playbook: s.Playbook, Subject: s.Subject, Status: s.Status, Outcome: s.Outcome,
		OpenedAt: s.OpenedAt, ClosedAt: s.ClosedAt,
		Timeline: []incident.Event{{Seq: 1, At: s.ClosedAt, Kind: incident.EvFailed, Text: "The case was ended outside of Stanch: " + how}},
	}
}

// Decide gives a person's vote on the open question of a case. The update's id makes a
// repeat one vote.
func (c *Client) Decide(ctx context.Context, id, updateID string, vote incident.Vote) (incident.Approval, error) {
	var out incident.Approval
	return out, c.Update(ctx, activities.Call{
		ID: protocol.CaseWorkflowID(id), Update: protocol.DecideUpdate, UpdateID: updateID, Arg: vote,
	}, &out)
}

// CloseCase closes a case on a person's request and returns its final state.
func (c *Client) CloseCase(ctx context.Context, id string, in protocol.CloseRequest) (incident.Case, error) {
	var out incident.Case
	return out, c.Update(ctx, activities.Call{
		ID: protocol.CaseWorkflowID(id), Update: protocol.CloseUpdate, UpdateID: "close/" + in.By, Arg: in,
	}, &out)
}

// Extend has a case ask its approvers whether to extend a lease that it holds
// until later. The case is named by its workflow id, as the lease's holder.
func (c *Client) Extend(ctx context.Context, workflowID string, in protocol.ExtendRequest) (incident.Approval, error) {
	var out incident.Approval
	return out, c.Update(ctx, activities.Call{
		ID: workflowID, Update: protocol.ExtendUpdate, Arg: in,
		UpdateID: fmt.Sprintf("extend/%s/%s/%s", in.Lease, in.By, in.Until.Format(time.RFC3339Nano)),
	}, &out)
}
