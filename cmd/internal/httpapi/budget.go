package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.temporal.io/api/serviceerror"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (r *Receiver) showBudget(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	var state protocol.BudgetState
	value, err := r.Client.QueryWorkflow(req.Context(), protocol.BudgetID, "", protocol.BudgetQuery)
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		// Nothing was ever contained or paused.
		reply(w, http.StatusOK, state)
		return nil
	}
	if err == nil {
		err = value.Get(&state)
	}
	if err != nil {
		return r.unavailable("show the budget", err)
	}
	reply(w, http.StatusOK, state)
	return nil
}

func (r *Receiver) pause(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	return r.toggle(w, req, who, protocol.PauseUpdate)
}

func (r *Receiver) resume(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	return r.toggle(w, req, who, protocol.ResumeUpdate)
}

// toggle throws the kill switch, one way or the other.
func (r *Receiver) toggle(w http.ResponseWriter, req *http.Request, who incident.Person, update string) *problem {
	var in api.ReasonRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	var state protocol.BudgetState
	if strings.TrimSpace(in.Reason) == "" {
		return invalid("reason", "a reason is required")
	}
	err := r.Engine.UpdateWithStart(req.Context(), activities.Call{
		Workflow: protocol.BudgetWorkflow, ID: protocol.BudgetID, Input: protocol.BudgetState{},
		Attributes: map[string]string{protocol.AttrKind: protocol.BudgetWorkflow},
		Update:     update, UpdateID: fmt.Sprintf("%s/%s/%d", update, who.ID, r.Now().UnixNano()),
		Arg: incident.Pause{By: who.ID, Reason: in.Reason},
	}, &state)
	if err != nil {
		return r.refused(update, err)
	}
	reply(w, http.StatusOK, state)
	return nil
}
