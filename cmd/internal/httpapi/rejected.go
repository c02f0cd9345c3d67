package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (r *Receiver) listRejected(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	out, err := r.Engine.Rejected(req.Context())
	if err != nil {
		return r.unavailable(req.Context(), "list rejected alerts", err)
	}
	reply(w, http.StatusOK, out)
	return nil
}

func rejectedID(req *http.Request) string { return req.PathValue("source") + "/" + req.PathValue("id") }

func (r *Receiver) showRejected(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	id := rejectedID(req)
	record, err := r.Engine.RejectedAlert(req.Context(), id)
	if err != nil {
		return r.noRejected(req.Context(), id, err)
	}
	reply(w, http.StatusOK, record)
	return nil
}

func (r *Receiver) noRejected(ctx context.Context, id string, err error) *problem {
	if missing(err) {
		return fail(http.StatusNotFound, "not_found", "there is no rejected alert %s", id)
	}
	return r.unavailable(ctx, "read rejected alert "+id, err)
}

// retryRejected reads a rejected alert again, with the current sources and
// playbooks.
func (r *Receiver) retryRejected(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	id := rejectedID(req)
	record, err := r.Engine.RejectedAlert(req.Context(), id)
	if err != nil {
		return r.noRejected(req.Context(), id, err)
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
	r.keeper.known(record.Source, record.ID)
	accepted, err := r.acceptPart(req.Context(), source, record.Body, cmp.Or(record.BodyDigest, incident.DigestOf(record.Body)))
	if wrong, ok := errors.AsType[*alerts.FieldError](err); ok {
		p := fail(http.StatusUnprocessableEntity, "rejected", "%s", wrong.Problem)
		p.Field, p.Rejected = wrong.Path, record.ID
		return p
	}
	if err != nil {
		return r.unavailable(req.Context(), "retry rejected alert "+record.ID, err)
	}
	if p := none(accepted); p != nil {
		p.Rejected = record.ID
		return p
	}
	if slices.Contains(accepted.Recorded, record.ID) {
		return fail(http.StatusConflict, "recorded", "%s", record.Problem)
	}
	if err := r.Engine.Resolve(req.Context(), id, "retried by "+who.ID); err != nil {
		return r.refused(req.Context(), "resolve rejected alert "+record.ID, err)
	}
	reply(w, http.StatusAccepted, accepted)
	return nil
}
