package receiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxListed bounds every list.
const maxListed = 1000

// CaseList is a list of cases, newest first. More tells that it was cut off.
type CaseList struct {
	Cases []incident.CaseSummary `json:"cases"`
	More  bool                   `json:"more,omitempty"`
}

func (r *Receiver) listCases(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	limit := 100
	if text := req.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			return fail(http.StatusBadRequest, "invalid", "limit %q is not a number from 1 to %d", text, maxListed)
		}
		limit = n
	}
	query := activities.AttrKind + " = 'case' AND ExecutionStatus != 'ContinuedAsNew'"
	switch status := req.FormValue("status"); status {
	case "", "all":
	case "open":
		query += " AND ExecutionStatus = 'Running'"
	case "closed":
		query += " AND ExecutionStatus != 'Running'"
	case string(incident.Working), string(incident.Awaiting), string(incident.Contained):
		query += " AND ExecutionStatus = 'Running' AND " + activities.AttrStatus + " = '" + status + "'"
	default:
		return fail(http.StatusBadRequest, "invalid", "status %q is none of all, open, closed, working, awaiting, contained", status)
	}
	infos, more, err := r.list(req.Context(), query, limit)
	if err != nil {
		return r.unavailable("list cases", err)
	}
	out := CaseList{Cases: []incident.CaseSummary{}, More: more}
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
func (r *Receiver) list(ctx context.Context, query string, limit int) (infos []*workflowpb.WorkflowExecutionInfo, more bool, err error) {
	var token []byte
	for {
		page, err := r.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
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
		ID:  strings.TrimPrefix(info.GetExecution().GetWorkflowId(), activities.CaseWorkflowID("")),
		Run: cmp.Or(info.GetFirstRunId(), info.GetExecution().GetRunId()), Playbook: get(activities.AttrPlaybook),
		Subject: get(activities.AttrSubject), Status: incident.CaseStatus(get(activities.AttrStatus)),
		Outcome: incident.CaseOutcome(get(activities.AttrOutcome)), Rule: get(activities.AttrRule),
		Severity: get(activities.AttrSeverity), OpenedAt: info.GetStartTime().AsTime(),
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

func caseID(req *http.Request) string {
	return req.PathValue("playbook") + "/" + req.PathValue("subject")
}

func (r *Receiver) showCase(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	c, err := r.getCase(req.Context(), caseID(req), req.FormValue("run"))
	if err != nil {
		return r.refused("show case "+caseID(req), err)
	}
	reply(w, http.StatusOK, c)
	return nil
}

// getCase returns a case as it stands: a running one is asked, of a closed one
// the result is read.
func (r *Receiver) getCase(ctx context.Context, id, run string) (incident.Case, error) {
	var c incident.Case
	workflowID := activities.CaseWorkflowID(id)
	described, err := r.Client.DescribeWorkflowExecution(ctx, workflowID, run)
	if err != nil {
		return c, fmt.Errorf("look at case %s: %w", id, err)
	}
	info := described.GetWorkflowExecutionInfo()
	run = info.GetExecution().GetRunId()
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		value, err := r.Client.QueryWorkflow(ctx, workflowID, run, activities.CaseQuery)
		if err != nil {
			return c, fmt.Errorf("ask case %s: %w", id, err)
		}
		return c, value.Get(&c)
	default:
		return c, r.Client.GetWorkflow(ctx, workflowID, run).Get(ctx, &c)
	}
}

// DecideRequest is a person's answer to an approval.
type DecideRequest struct {
	Approve bool `json:"approve"`
	// Plan is the digest of the plan that the person was shown.
	Plan   string `json:"plan"`
	Reason string `json:"reason,omitempty"`
	// Via is where the person spoke; the engine records it.
	Via string `json:"via,omitempty"`
}

func (r *Receiver) decideCase(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	var in DecideRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	if in.Plan == "" {
		p := fail(http.StatusBadRequest, "invalid", "the digest of the plan that was shown is needed")
		p.Field = "plan"
		return p
	}
	who.Via = cmp.Or(in.Via, who.Via)
	var approval incident.Approval
	err := r.update(req.Context(), activities.CaseWorkflowID(caseID(req)), activities.DecideUpdate,
		fmt.Sprintf("vote/%s/%s/%t", who.ID, in.Plan, in.Approve),
		incident.Vote{Person: who, Approve: in.Approve, Reason: in.Reason, PlanDigest: in.Plan}, &approval)
	if err != nil {
		return r.refused("decide case "+caseID(req), err)
	}
	reply(w, http.StatusOK, approval)
	return nil
}

// ReasonRequest carries why a person does something.
type ReasonRequest struct {
	Reason string `json:"reason"`
}

func (r *Receiver) closeCase(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	var in ReasonRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	var c incident.Case
	err := r.update(req.Context(), activities.CaseWorkflowID(caseID(req)), activities.CloseUpdate, "close/"+who.ID,
		activities.CloseRequest{By: who.ID, Reason: in.Reason}, &c)
	if err != nil {
		return r.refused("close case "+caseID(req), err)
	}
	reply(w, http.StatusOK, c)
	return nil
}

// update sends an update and waits for its answer.
func (r *Receiver) update(ctx context.Context, id, name, updateID string, arg, result any) error {
	handle, err := r.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, UpdateID: updateID, Args: []any{arg},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", name, id, err)
	}
	return handle.Get(ctx, result)
}

// refused turns an engine's error into an answer: not found, refused with the
// rule that refused it, or unavailable.
func (r *Receiver) refused(op string, err error) *problem {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return fail(http.StatusNotFound, "not_found", "%s: there is none that is open", op)
	}
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok && e.Type() != "" {
		return fail(http.StatusConflict, e.Type(), "%s", e.Message())
	}
	return r.unavailable(op, err)
}

func (r *Receiver) unavailable(op string, err error) *problem {
	r.Log.Error(op, "error", err)
	return fail(http.StatusServiceUnavailable, "unavailable", "%s: the engine did not answer", op)
}
