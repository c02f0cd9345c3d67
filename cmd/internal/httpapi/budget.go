package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (r *Receiver) showBudget(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	state, err := r.Engine.Budget(req.Context())
	if err != nil {
		return r.unavailable(req.Context(), "show the budget", err)
	}
	reply(w, http.StatusOK, state)
	return nil
}

func (r *Receiver) pause(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	return r.toggle(w, req, who, "pause", r.Engine.Pause)
}

func (r *Receiver) resume(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	return r.toggle(w, req, who, "resume", r.Engine.Resume)
}

// toggle switches the kill switch on or off.
func (r *Receiver) toggle(w http.ResponseWriter, req *http.Request, who incident.Person, op string,
	throw func(context.Context, incident.Pause) (protocol.BudgetState, error),
) *problem {
	var in api.ReasonRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	if strings.TrimSpace(in.Reason) == "" {
		return invalid("reason", "a reason is required")
	}
	state, err := throw(req.Context(), incident.Pause{By: who.ID, Reason: in.Reason})
	if err != nil {
		return r.refused(req.Context(), op, err)
	}
	reply(w, http.StatusOK, state)
	return nil
}
