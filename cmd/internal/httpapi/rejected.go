package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (r *Receiver) listRejected(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	infos, more, err := list(req.Context(), r.Client,
		protocol.AttrKind+" = '"+protocol.RejectedWorkflow+"' AND ExecutionStatus = 'Running'", 100)
	if err != nil {
		return r.unavailable("list rejected alerts", err)
	}
	records, errs := make([]protocol.RejectedAlert, len(infos)), make([]error, len(infos))
	each(len(infos), func(i int) {
		records[i], errs[i] = r.getRejected(req.Context(), infos[i].GetExecution().GetWorkflowId())
	})
	out := api.RejectedList{Rejected: []protocol.RejectedAlert{}, More: more}
	for i, record := range records {
		switch {
		case errs[i] != nil:
			out.Unread = append(out.Unread, strings.TrimPrefix(infos[i].GetExecution().GetWorkflowId(), rejectedWorkflowID("")))
		case record.Resolved == "":
			record.Body = nil
			out.Rejected = append(out.Rejected, record)
		}
	}
	slices.SortFunc(out.Rejected, func(a, b protocol.RejectedAlert) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID))
	})
	slices.Sort(out.Unread)
	reply(w, http.StatusOK, out)
	return nil
}

func rejectedID(req *http.Request) string { return req.PathValue("source") + "/" + req.PathValue("id") }

func (r *Receiver) getRejected(ctx context.Context, workflowID string) (protocol.RejectedAlert, error) {
	var record protocol.RejectedAlert
	described, err := r.Client.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return record, fmt.Errorf("look at %s: %w", workflowID, err)
	}
	if described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return record, r.Client.GetWorkflow(ctx, workflowID, "").Get(ctx, &record)
	}
	value, err := r.Client.QueryWorkflow(ctx, workflowID, "", protocol.RejectedQuery)
	if err != nil {
		return record, fmt.Errorf("ask %s: %w", workflowID, err)
	}
	return record, value.Get(&record)
}

func (r *Receiver) showRejected(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	record, err := r.getRejected(req.Context(), rejectedWorkflowID(rejectedID(req)))
	if err != nil {
		return r.noRejected(rejectedID(req), err)
	}
	reply(w, http.StatusOK, record)
	return nil
}

func (r *Receiver) noRejected(id string, err error) *problem {
	if notFound(err) {
		return fail(http.StatusNotFound, "not_found", "there is no rejected alert %s", id)
	}
	return r.unavailable("read rejected alert "+id, err)
}

// retryRejected reads a rejected alert again, with the sources and playbooks
// as they are now.
func (r *Receiver) retryRejected(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	id := rejectedWorkflowID(rejectedID(req))
	record, err := r.getRejected(req.Context(), id)
	if err != nil {
		return r.noRejected(rejectedID(req), err)
	}
	if record.Resolved != "" {
		return fail(http.StatusConflict, "not_pending", "it was retried already: %s", record.Resolved)
	}
	source, ok := r.Sources[record.Source]
	if !ok {
		return fail(http.StatusConflict, "invalid", "source %q is no longer configured", record.Source)
	}
	if record.Size > 0 {
		return fail(http.StatusConflict, "cut", "only the first %d of its %d bytes are kept: have it sent again", len(record.Body), record.Size)
	}
	accepted, err := r.accept(req.Context(), source, record.Body)
	if wrong, ok := errors.AsType[*alerts.FieldError](err); ok {
		p := fail(http.StatusUnprocessableEntity, "rejected", "%s", wrong.Problem)
		p.Field, p.Rejected = wrong.Path, record.ID
		return p
	}
	if err != nil {
		return r.unavailable("retry rejected alert "+record.ID, err)
	}
	if p := none(accepted); p != nil {
		p.Rejected = record.ID
		return p
	}
	if slices.Contains(accepted.Recorded, record.ID) {
		return fail(http.StatusConflict, "recorded", "%s", record.Problem)
	}
	how := "retried by " + who.ID
	if err := r.update(req.Context(), id, protocol.ResolveUpdate, how, how, &record); err != nil {
		return r.refused("resolve rejected alert "+record.ID, err)
	}
	reply(w, http.StatusAccepted, accepted)
	return nil
}
