package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

func caseID(req *http.Request) string {
	return req.PathValue("playbook") + "/" + req.PathValue("subject")
}

func (r *Receiver) showCase(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	id := caseID(req)
	c, err := r.Engine.Case(req.Context(), id, req.FormValue("run"))
	if missing(err) {
		return fail(http.StatusNotFound, "not_found", "there is no case %s", id)
	}
	if err != nil {
		return r.unavailable(req.Context(), "show case "+id, err)
	}
	reply(w, http.StatusOK, c)
	return nil
}

func (r *Receiver) decideCase(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	var in api.DecideRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	if in.Plan == "" {
		return invalid("plan", "the digest of the plan that was shown is needed")
	}
	if !slices.Contains([]string{"", "cli", "console"}, in.Via) {
		return invalid("via", "via %q is none of cli, console", in.Via)
	}
	who.Via = cmp.Or(in.Via, who.Via)
	id := caseID(req)
	c, err := r.Engine.Case(req.Context(), id, "")
	if missing(err) {
		return fail(http.StatusNotFound, "not_found", "there is no case %s", id)
	}
	if err != nil {
		return r.unavailable(req.Context(), "decide case "+id, err)
	}
	asked, p := question(c, in, who)
	if p != nil {
		return p
	}
	if asked >= 0 && c.Approvals[asked].State != incident.Pending {
		reply(w, http.StatusOK, c.Approvals[asked])
		return nil
	}
	who.Groups = append(slices.Clone(who.Groups), r.vouched(req.Context(), c, asked, who)...)
	name := in.Approval
	if asked >= 0 {
		name = c.Approvals[asked].Name
	}
	// The same answer to the same question is one vote, however often it is given.
	vote := fmt.Sprintf("vote/%s/%s/%d/%t", who.ID, in.Plan, asked, in.Approve)
	approval, err := r.Engine.Decide(req.Context(), id, vote,
		incident.Vote{Person: who, Approval: name, Approve: in.Approve, Reason: in.Reason, PlanDigest: in.Plan})
	if err != nil {
		return r.refused(req.Context(), "decide case "+id, err)
	}
	reply(w, http.StatusOK, approval)
	return nil
}

// vouched are the messenger's groups of the question in which the person is now.
// Those of the configuration count in addition: the terminal answers also when
// the messenger is down.
func (r *Receiver) vouched(ctx context.Context, c incident.Case, asked int, who incident.Person) []string {
	if asked < 0 || r.Vouch == nil {
		return nil
	}
	group := c.Approvals[asked].Approvers.DirectoryGroup()
	if group == "" || slices.Contains(who.Groups, group) {
		return nil
	}
	return r.Vouch(ctx, who.ID, []string{group})
}

// question finds the approval that is answered: the last of that name and plan.
// -1 leaves it to the case to refuse. A question that is closed takes no answer,
// except a repeat of the one that the person gave: that was counted.
func question(c incident.Case, in api.DecideRequest, who incident.Person) (int, *problem) {
	for i, a := range slices.Backward(c.Approvals) {
		if a.PlanDigest != in.Plan || in.Approval != "" && a.Name != in.Approval {
			continue
		}
		vote, voted := a.VoteOf(who.ID)
		if a.State != incident.Pending && !(voted && vote.Approve == in.Approve) {
			return i, fail(http.StatusConflict, workflows.RefusedNotPending, "%s is %s already", a.Name, a.State)
		}
		return i, nil
	}
	if in.Approval != "" && slices.ContainsFunc(c.Approvals, func(a incident.Approval) bool {
		return a.State == incident.Pending && a.PlanDigest == in.Plan
	}) {
		return -1, fail(http.StatusConflict, workflows.RefusedNotPending, "the case does not wait for %s", in.Approval)
	}
	return -1, nil
}

func (r *Receiver) closeCase(w http.ResponseWriter, req *http.Request, who incident.Person) *problem {
	var in api.CloseRequest
	if p := decode(w, req, &in); p != nil {
		return p
	}
	if in.Verdict != incident.NoVerdict && !slices.Contains(incident.CaseVerdicts(), in.Verdict) {
		return invalid("verdict", "verdict %q is none of %v", in.Verdict, incident.CaseVerdicts())
	}
	c, err := r.Engine.CloseCase(req.Context(), caseID(req), protocol.CloseRequest{By: who.ID, Reason: in.Reason, Verdict: in.Verdict})
	if err != nil {
		return r.refused(req.Context(), "close case "+caseID(req), err)
	}
	reply(w, http.StatusOK, c)
	return nil
}
