package engine

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// Deliver adds alerts to the case of their subject and returns when the engine
// holds them. Those of one subject that arrive while a call is running are sent
// together.
func (c *Client) Deliver(ctx context.Context, in workflows.CaseInput) (Delivered, error) {
	return c.commits.commit(ctx, in)
}

// put starts the case, and on conflict signals the one that runs. A subject
// that was reached before is signalled first. It returns the run, and whether it
// is of a closed case that had all of the alerts.
func (c *Client) put(ctx context.Context, run string, in workflows.CaseInput) (string, bool, error) {
	id := protocol.CaseWorkflowID(in.ID)
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	for {
		if run != "" {
			err := c.temporal.SignalWorkflow(ctx, id, "", protocol.AlertsSignal, in.Alerts)
			if err == nil {
				return run, false, nil
			}
			if !notFound(err) {
				return "", false, fmt.Errorf("signal case %s: %w", in.ID, err)
			}
			run = ""
		}
		started, err := c.temporal.ExecuteWorkflow(ctx, c.caseOptions(id, in, reuse), protocol.RespondWorkflow, in)
		if err == nil {
			return started.GetRunID(), false, nil
		}
		if !alreadyStarted(err) {
			return "", false, fmt.Errorf("start case %s: %w", in.ID, err)
		}
		described, err := c.temporal.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return "", false, fmt.Errorf("look at case %s: %w", in.ID, err)
		}
		info := described.GetWorkflowExecutionInfo()
		if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			// If it has closed by the time of the signal, it is the one to look at.
			run, reuse = info.GetFirstRunId(), enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
			continue
		}
		// A case of the subject has closed: a repeat of its alerts starts nothing,
		// another alert, another occurrence or newer content starts a new case.
		repeats := false
		if in.Seen, repeats, err = c.heardBy(ctx, info, in.Alerts); err != nil {
			return "", false, fmt.Errorf("read the alerts of case %s: %w", in.ID, err)
		}
		if repeats {
			return info.GetFirstRunId(), true, nil
		}
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
}

func (c *Client) caseOptions(id string, in workflows.CaseInput, reuse enumspb.WorkflowIdReusePolicy) client.StartWorkflowOptions {
	o := startOptions(protocol.RespondWorkflow, id, map[string]string{
		protocol.AttrKind: "case", protocol.AttrPlaybook: in.Pin.Name,
		protocol.AttrSubject: in.Subject, protocol.AttrStatus: string(incident.Working),
	})
	o.EnableEagerStart, o.WorkflowExecutionErrorWhenAlreadyStarted = c.eager, true
	o.WorkflowIDReusePolicy, o.WorkflowIDConflictPolicy = reuse, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	return o
}

// heardBy returns the alerts that a closed case and those before it had, as it hands
// them on, and whether all of the alerts are repeats of those. A case that was ended by
// force left none.
func (c *Client) heardBy(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, alerts []incident.Alert) ([]string, bool, error) {
	payload, ok := info.GetMemo().GetFields()[workflows.SeenMemo]
	if !ok {
		return nil, false, nil
	}
	var entries []string
	if err := c.payloads.FromPayload(payload, &entries); err != nil {
		return nil, false, fmt.Errorf("decode what it heard: %w", err)
	}
	seen := workflows.NewSeen(entries)
	seen.Closed(info.GetCloseTime().AsTime())
	repeats := true
	for _, a := range alerts {
		if seen.Judge(a, time.Time{}) != workflows.Same {
			repeats = false
			continue
		}
		over, err := c.over(ctx, seen, a)
		if err != nil {
			return nil, false, err
		}
		if over {
			seen.End(a)
			repeats = false
		}
	}
	return seen.Entries(), repeats, nil
}

// over reports whether an alert that does not say when it happened was resolved
// since it was received first: no case was open then that could have noted it.
func (c *Client) over(ctx context.Context, seen *workflows.Seen, a incident.Alert) (bool, error) {
	received, undated := seen.Received(a)
	if !undated || a.Status != incident.Firing {
		return false, nil
	}
	described, err := c.temporal.DescribeWorkflowExecution(ctx, rejectedWorkflowID(RecordedID(a)), "")
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the news that alert %s is over: %w", a.Key(), err)
	}
	payload, ok := described.GetWorkflowExecutionInfo().GetMemo().GetFields()[receivedMemo]
	if !ok {
		return false, nil
	}
	var at time.Time
	if err := c.payloads.FromPayload(payload, &at); err != nil {
		return false, fmt.Errorf("decode when alert %s was over: %w", a.Key(), err)
	}
	return !at.Before(received), nil
}

// Tell signals alerts that must not start a case to a running one. It reports
// whether there was such a case.
func (c *Client) Tell(ctx context.Context, id string, alerts []incident.Alert) (bool, error) {
	err := c.temporal.SignalWorkflow(ctx, protocol.CaseWorkflowID(id), "", protocol.AlertsSignal, alerts)
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("signal case %s: %w", id, err)
	}
	return true, nil
}
