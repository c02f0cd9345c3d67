package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxListed bounds every list.
const maxListed = 1000

func (r *Receiver) listCases(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	limit := 100
	if text := req.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			return invalid("limit", "limit %q is not a number from 1 to %d", text, maxListed)
		}
		limit = n
	}
	query := protocol.AttrKind + " = 'case' AND ExecutionStatus != 'ContinuedAsNew'"
	switch status := req.FormValue("status"); status {
	case "", "all":
	case "open":
		query += " AND ExecutionStatus = 'Running'"
	case "closed":
		query += " AND ExecutionStatus != 'Running'"
	case string(incident.Working), string(incident.Awaiting), string(incident.Contained):
		query += " AND ExecutionStatus = 'Running' AND " + protocol.AttrStatus + " = '" + status + "'"
	default:
		return invalid("status", "status %q is none of all, open, closed, working, awaiting, contained", status)
	}
	if text := req.FormValue("subject"); text != "" {
		subject, err := playbooks.NormalizeSubject(text)
		if err != nil {
			return invalid("subject", "%v", err)
		}
		// What is normalised holds no quote.
		query += " AND " + protocol.AttrSubject + " = '" + subject + "'"
	}
	infos, more, err := list(req.Context(), r.Client, query, limit)
	if err != nil {
		return r.unavailable("list cases", err)
	}
	out := api.CaseList{Cases: []incident.CaseSummary{}, More: more}
	for _, info := range infos {
		out.Cases = append(out.Cases, summaryOf(info))
	}
	slices.SortStableFunc(out.Cases, func(a, b incident.CaseSummary) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	reply(w, http.StatusOK, out)
	return nil
}

// list pages through a visibility query to the end, or to the limit.
func list(ctx context.Context, engine client.Client, query string, limit int) (infos []*workflowpb.WorkflowExecutionInfo, more bool, err error) {
	var token []byte
	for {
		page, err := engine.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
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
