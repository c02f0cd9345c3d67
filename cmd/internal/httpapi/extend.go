package httpapi

import (
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// extendLease has every open case that holds a lease ask its approvers to extend it.
// Nothing changes until they approve, and then for their case alone.
func (r *Receiver) extendLease(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	in, p := leaseRequest(w, req)
	if p != nil {
		return p
	}
	if in.For <= 0 {
		return invalid("for", "required: how long from now the lease lasts")
	}
	l, err := r.Engine.Lease(req.Context(), in.ID)
	if missing(err) {
		return fail(http.StatusNotFound, "not_found", "extend %s: there is none that is open", in.ID)
	}
	if err != nil {
		return r.unavailable(req.Context(), "extend "+in.ID, err)
	}
	if l.Phase != incident.Holding && l.Phase != incident.Confirmed || len(l.Holders) == 0 {
		return fail(http.StatusConflict, workflows.RefusedNotPending, "the lease is not active: it is %s", l.State())
	}
	until := r.Now().Add(in.For).UTC()
	out := api.Extending{Lease: l, NotAsked: map[string]string{}}
	var last *problem
	for _, h := range l.Holders {
		asked := api.AskedToExtend{Case: strings.TrimPrefix(h.Case, protocol.CaseWorkflowID("")), Step: h.Step}
		asked.Approval, err = r.Engine.Extend(req.Context(), h.Case,
			protocol.ExtendRequest{Lease: in.ID, Step: h.Step, By: who.ID, Reason: in.Reason, Until: until})
		if err != nil {
			last = r.refused(integrations.ForCase(req.Context(), asked.Case), "ask case "+asked.Case, err)
			out.NotAsked[asked.Case] = last.Error
			continue
		}
		out.Asked = append(out.Asked, asked)
	}
	if len(out.Asked) == 0 {
		return last
	}
	reply(w, http.StatusAccepted, out)
	return nil
}
