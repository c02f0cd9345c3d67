package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Bounds of a list.
const (
	listedByDefault = 100
	maxListed       = 1000
)

func (r *Receiver) listCases(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	filter := api.CaseFilter{Status: req.FormValue("status"), Limit: listedByDefault}
	if text := req.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			return invalid("limit", "limit %q is not a number from 1 to %d", text, maxListed)
		}
		filter.Limit = n
	}
	statuses := []string{
		api.AllCases, api.OpenCases, api.ClosedCases,
		string(incident.Working), string(incident.Awaiting), string(incident.Contained), string(incident.Watching),
	}
	if filter.Status != "" && !slices.Contains(statuses, filter.Status) {
		return invalid("status", "status %q is none of %s", filter.Status, strings.Join(statuses, ", "))
	}
	if text := req.FormValue("subject"); text != "" {
		subject, err := playbooks.NormalizeSubject(text)
		if err != nil {
			return invalid("subject", "%v", err)
		}
		filter.Subject = subject
	}
	out, err := r.Engine.Cases(req.Context(), filter)
	if err != nil {
		return r.unavailable(req.Context(), "list cases", err)
	}
	reply(w, http.StatusOK, out)
	return nil
}
