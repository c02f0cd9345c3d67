package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxListed bounds every list.
const maxListed = 1000

// list pages through a visibility query to the end, or to the limit.
func (c *Client) list(ctx context.Context, query string, limit int) (infos []*workflowpb.WorkflowExecutionInfo, more bool, err error) {
	var token []byte
	for {
		page, err := c.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: query, PageSize: int32(min(limit, maxListed)), NextPageToken: token,
		})
		if err != nil {
			return nil, false, fmt.Errorf("list %s: %w", query, err)
		}
		infos = append(infos, page.GetExecutions()...)
		token = page.GetNextPageToken()
		if len(infos) >= limit || len(token) == 0 {
			more = len(infos) > limit || len(token) > 0
			return infos[:min(len(infos), limit)], more, nil
		}
	}
}

// Cases lists cases, newest first. The filter's status is one of
// [api.CaseFilter]'s, its subject is normalised.
func (c *Client) Cases(ctx context.Context, f api.CaseFilter) (api.CaseList, error) {
	query := protocol.AttrKind + " = 'case' AND ExecutionStatus != 'ContinuedAsNew'"
	switch f.Status {
	case "", api.AllCases:
	case api.OpenCases:
		query += " AND ExecutionStatus = 'Running'"
	case api.ClosedCases:
		query += " AND ExecutionStatus != 'Running'"
	default:
		query += " AND ExecutionStatus = 'Running' AND " + protocol.AttrStatus + " = '" + f.Status + "'"
	}
	if f.Subject != "" {
		query += " AND " + protocol.AttrSubject + " = '" + f.Subject + "'"
	}
	if strings.ContainsAny(f.Status+f.Subject, `'\`) {
		return api.CaseList{}, fmt.Errorf("list cases: status %q or subject %q holds a quote", f.Status, f.Subject)
	}
	infos, more, err := c.list(ctx, query, f.Limit)
	if err != nil {
		return api.CaseList{}, err
	}
	out := api.CaseList{Cases: make([]incident.CaseSummary, 0, len(infos)), More: more}
	for _, info := range infos {
		out.Cases = append(out.Cases, summaryOf(info))
	}
	slices.SortStableFunc(out.Cases, func(a, b incident.CaseSummary) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func summaryOf(info *workflowpb.WorkflowExecutionInfo) incident.CaseSummary {
	get := func(name string) string {
		var text string
		payload := info.GetSearchAttributes().GetIndexedFields()[name]
		if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &text) != nil {
			return ""
		}
		return text
	}
	s := incident.CaseSummary{
		ID:  strings.TrimPrefix(info.GetExecution().GetWorkflowId(), protocol.CaseWorkflowID("")),
		Run: cmp.Or(info.GetFirstRunId(), info.GetExecution().GetRunId()), Playbook: get(protocol.AttrPlaybook),
		Subject: get(protocol.AttrSubject), Status: incident.CaseStatus(get(protocol.AttrStatus)),
		Outcome: incident.CaseOutcome(get(protocol.AttrOutcome)), Rule: get(protocol.AttrRule),
		Severity: get(protocol.AttrSeverity), OpenedAt: info.GetStartTime().AsTime(),
	}
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		s.ClosedAt = info.GetCloseTime().AsTime()
		if s.Status != incident.Closed {
			// Ended by force, outside of Stanch.
			s.Status, s.Outcome = incident.Closed, incident.OutcomeFailed
		}
	}
	return s
}
