package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Keep stores a request or an alert that started no case. What is stored under the
// same id already stays unchanged.
func (c *Client) Keep(ctx context.Context, record protocol.RejectedAlert) error {
	return c.keep(ctx, record, AsRejected, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
}

// Record stores the news that an alert does not fire, in place of earlier news of
// the same alert, and returns the id under which it is stored.
func (c *Client) Record(ctx context.Context, a incident.Alert, record protocol.RejectedAlert) (string, error) {
	record.ID = RecordedID(a)
	return record.ID, c.keep(ctx, record, AsRecorded, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING)
}

func (c *Client) keep(ctx context.Context, record protocol.RejectedAlert, as KeptAs, conflict enumspb.WorkflowIdConflictPolicy) error {
	o := startOptions(protocol.RejectedWorkflow, rejectedWorkflowID(record.ID), keptAttributes(record.Source, as))
	o.WorkflowIDConflictPolicy, o.Memo = conflict, map[string]any{receivedMemo: record.At, bytesMemo: len(record.Body)}
	_, err := c.temporal.ExecuteWorkflow(ctx, o, protocol.RejectedWorkflow, record)
	if err != nil && !alreadyStarted(err) {
		return fmt.Errorf("keep the rejected alert: %w", err)
	}
	return nil
}

func rejectedWorkflowID(id string) string { return "rejected/" + id }

// RecordedID is the id under which the news that an alert does not fire is stored, of
// each alert the last.
func RecordedID(a incident.Alert) string { return a.Source + "/" + a.Fingerprint() }

// receivedMemo is the memo in which such news has when it was received.
const receivedMemo = "received"

// Rejected lists the rejected alerts that wait to be retried, newest first and
// without their bodies.
func (c *Client) Rejected(ctx context.Context) (api.RejectedList, error) {
	infos, more, err := c.list(ctx, protocol.AttrKind+" = '"+protocol.RejectedWorkflow+"' AND ExecutionStatus = 'Running'", 100)
	if err != nil {
		return api.RejectedList{}, err
	}
	id := func(i int) string {
		return strings.TrimPrefix(infos[i].GetExecution().GetWorkflowId(), rejectedWorkflowID(""))
	}
	records, errs := make([]protocol.RejectedAlert, len(infos)), make([]error, len(infos))
	SideBySide(len(infos), func(i int) { records[i], errs[i] = c.RejectedAlert(ctx, id(i)) })
	out := api.RejectedList{Rejected: []protocol.RejectedAlert{}, More: more}
	for i, record := range records {
		switch {
		case errs[i] != nil:
			out.Unread = append(out.Unread, id(i))
		case record.Resolved == "":
			record.Body = nil
			out.Rejected = append(out.Rejected, record)
		}
	}
	slices.SortFunc(out.Rejected, func(a, b protocol.RejectedAlert) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID))
	})
	slices.Sort(out.Unread)
	return out, nil
}

// RejectedAlert returns a rejected alert with its body. One that is not there is
// a not_found error.
func (c *Client) RejectedAlert(ctx context.Context, id string) (protocol.RejectedAlert, error) {
	var out protocol.RejectedAlert
	workflowID := rejectedWorkflowID(id)
	described, err := c.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return out, missing("look at "+workflowID, err)
	}
	if described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return out, missing("read "+workflowID, c.temporal.GetWorkflow(ctx, workflowID, "").Get(ctx, &out))
	}
	value, err := c.temporal.QueryWorkflow(ctx, workflowID, "", protocol.RejectedQuery)
	if err != nil {
		return out, missing("ask "+workflowID, err)
	}
	return out, missing("read "+workflowID, value.Get(&out))
}

// Resolve records the outcome of a rejected alert that was retried.
func (c *Client) Resolve(ctx context.Context, id, how string) error {
	return c.Update(ctx, activities.Call{
		ID: rejectedWorkflowID(id), Update: protocol.ResolveUpdate, UpdateID: how, Arg: how,
	}, nil)
}
