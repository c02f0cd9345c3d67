package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Why an update was refused; the type of the error that the caller gets. A
// refused update leaves no trace in history.
const (
	RefusedNotPending  = "not_pending"
	RefusedNotApprover = "not_an_approver"
	RefusedTwice       = "already_voted"
	RefusedPlan        = "plan_changed"
	RefusedExpired     = "expired"
	RefusedReason      = "reason_required"
	RefusedInvalid     = "invalid"
)

func refuse(kind, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, nil)
}

// approve asks people and waits for their answer. It reports whether the gate is
// over; an interruption leaves the question open.
func (r *responder) approve(ctx workflow.Context, i int) bool {
	s := &r.state.Case.Steps[i]
	spec, ok := r.in.Pin.Approval(s.Approve)
	if !ok {
		r.fail(ctx, i, "the playbook has no approval "+s.Approve, incident.OutcomeFailed)
		r.state.Next = i + 1
		return true
	}
	interposed := r.interposed
	at := r.pending()
	if at < 0 {
		at = r.overMeanwhile(ctx, i)
	}
	if at < 0 {
		at = r.ask(ctx, i, spec)
	}
	if at < 0 {
		return false
	}
	r.status(ctx, incident.Awaiting)
	for r.pending() == at && r.interposed == interposed {
		a := &r.state.Case.Approvals[at]
		if !workflow.Now(ctx).Before(a.ExpiresAt) {
			a.State, a.EndedAt = incident.ApprovalExpired, workflow.Now(ctx)
			r.event(ctx, incident.EvExpired, a.Name, "Nobody decided %s within %s: expired", a.Name, incident.FormatDuration(spec.ExpireAfter))
			r.approvalEnded(ctx, *a)
			break
		}
		deadline := r.nudge(ctx, at, spec)
		answered := r.wait(ctx, deadline, func() bool { return r.pending() != at })
		if !answered && (workflow.Now(ctx).Before(deadline) || ctx.Err() != nil) {
			return false
		}
	}
	if r.interposed != interposed {
		return false
	}
	r.answered(ctx, i, r.state.Case.Approvals[at])
	return true
}

// pending returns the index of the gate's approval that waits for people, or -1.
func (r *responder) pending() int {
	return slices.IndexFunc(r.state.Case.Approvals, func(a incident.Approval) bool {
		return a.State == incident.Pending && a.Extends == nil
	})
}

// votedOn returns the index of the question that an answer is about: the one
// that waits and has its digest, else the one that waits; -1 when none does.
func (r *responder) votedOn(v incident.Vote) int {
	at := slices.IndexFunc(r.state.Case.Approvals, func(a incident.Approval) bool {
		return a.State == incident.Pending && a.PlanDigest == v.PlanDigest
	})
	for _, other := range []int{r.pending(), r.extending()} {
		if at < 0 {
			at = other
		}
	}
	return at
}

// ask puts the question, and returns its index. It is bound to the digest of the
// exact plan. A case that a person has closed meanwhile asks nothing: -1.
func (r *responder) ask(ctx workflow.Context, i int, spec activities.PinnedApproval) int {
	c := &r.state.Case
	interposed := r.interposed
	approvers, notes := r.approvers(ctx, spec)
	if since(ctx, changeShowPause) {
		r.watch(ctx, workflow.Now(ctx).Add(spec.ExpireAfter+watchTimeout))
		if r.state.Closing != nil {
			return -1
		}
	}
	if r.interposed != interposed {
		return -1
	}
	now := workflow.Now(ctx)
	a := incident.Approval{
		Name: spec.Name, State: incident.Pending, PlanDigest: c.Plan.Digest(),
		Because: c.Steps[i].Because, Step: i + 1, Quorum: max(1, spec.Quorum), Approvers: approvers, Notes: notes,
		ReasonRequired: spec.ReasonRequired, AskedAt: now, ExpiresAt: now.Add(spec.ExpireAfter),
	}
	if c.Decision != nil {
		a.Missing = append(slices.Clip(c.Decision.Unsure), r.state.Missing...)
		if a.Because == "" {
			a.Because = c.Decision.Because
		}
	}
	for _, s := range c.Steps[i+1:] {
		if s.Approve != "" && !c.Steps[i].Undecided {
			break
		}
		a.Gates = append(a.Gates, gated(s.PlannedStep))
	}
	c.Approvals = append(c.Approvals, a)
	c.Steps[i].Status = incident.StepRunning
	r.event(ctx, incident.EvAsked, a.Name, "Asked %s (%d of %s needed) to decide until %s: %s",
		a.Name, a.Quorum, approversText(a.Approvers), a.ExpiresAt.UTC().Format(time.RFC3339), strings.Join(a.Gates, ", "))
	at := len(c.Approvals) - 1
	r.timed(ctx, c.ApprovalTimes(a), incident.StageAsked)
	r.markPause(ctx, nil)
	r.post(ctx, spec.Ask, incident.Shown{Kind: incident.ShownQuestion, Approval: at, Ask: spec.Name})
	r.drawEgress(ctx)
	return at
}

// gated names a step to those who are asked about it, with what they should know of it
// before.
func gated(s incident.PlannedStep) string {
	switch chosen := s.Chosen(); {
	case s.Problem != "":
		return s.String() + ", which cannot be carried out: " + bounded(s.Problem, maxReason)
	case chosen != "":
		return s.String() + " through " + bounded(chosen, maxReason)
	}
	return s.String()
}

// onCallWithin bounds asking who is on call.
const onCallWithin = 30 * time.Second

// approvers are those of the playbook, with who is on call now by name. When
// nobody is, or that is unknown, the group named for that is asked.
func (r *responder) approvers(ctx workflow.Context, spec activities.PinnedApproval) (incident.Approvers, []string) {
	a := spec.Approvers
	rota := a.OnCall
	if rota.Use == "" {
		return a, nil
	}
	out, err := ask(ctx, r.in.Pin.Queue(rota.Use, activities.OnCall.Name), onCallWithin, activities.OnCall, activities.OnCallIn{OnCall: rota})
	if err == nil && len(out.People) > 0 {
		a.People = append(slices.Clone(a.People), out.People...)
		return a, []string{fmt.Sprintf("on call by %s %s, level %d: %s", rota.Use, rota.Policy, rota.Level, strings.Join(out.People, ", "))}
	}
	why := "nobody is on call"
	switch {
	case err != nil:
		why = "who is on call is not known (" + activities.Reason(err) + ")"
	case out.Unbound > 0:
		why = fmt.Sprintf("none of those on call (%d) is in stanch.yaml", out.Unbound)
	}
	a.Group = rota.Otherwise
	return a, []string{fmt.Sprintf("%s by %s %s, level %d: group %s is asked", why, rota.Use, rota.Policy, rota.Level, rota.Otherwise)}
}

// nudge sends the reminder and the escalations that are due, and returns when
// the next thing is due.
func (r *responder) nudge(ctx workflow.Context, at int, spec activities.PinnedApproval) time.Time {
	a := &r.state.Case.Approvals[at]
	now := workflow.Now(ctx)
	next := a.ExpiresAt
	if spec.RemindAfter > 0 && a.Reminded == 0 {
		if due := a.AskedAt.Add(spec.RemindAfter); !now.Before(due) {
			a.Reminded++
			r.event(ctx, incident.EvReminded, a.Name, "Reminded %s", spec.Ask.Channel)
			r.remind(ctx, at, spec)
		} else if due.Before(next) {
			next = due
		}
	}
	for n := a.Escalated; n < len(spec.Escalate); n++ {
		due := a.AskedAt.Add(spec.Escalate[n].After)
		if now.Before(due) {
			if due.Before(next) {
				next = due
			}
			break
		}
		a.Escalated++
		ask := spec.Escalate[n].Ask
		r.event(ctx, incident.EvEscalated, a.Name, "Escalated to %s", ask.Channel)
		a.Notes = append(a.Notes, fmt.Sprintf("escalated to %s %s", ask.Channel, ask.Mention))
		r.post(ctx, ask, incident.Shown{Kind: incident.ShownQuestion, Approval: at, Ask: spec.Name})
	}
	return next
}

// remind asks again under the question, where it was posted.
func (r *responder) remind(ctx workflow.Context, at int, spec activities.PinnedApproval) {
	a := &r.state.Case.Approvals[at]
	a.Notes = append(a.Notes, "reminded")
	s := incident.Shown{
		Kind: incident.ShownReminder, Approval: at, Ask: spec.Name,
		Text: fmt.Sprintf("Still waiting for an answer to %s, until %s", a.Name, a.ExpiresAt.UTC().Format("15:04 UTC")),
	}
	for _, shown := range r.state.Case.Shown {
		if shown.Kind == incident.ShownQuestion && shown.Approval == at && shown.Use == spec.Ask.Use && shown.Channel == spec.Ask.Channel {
			s.Under = shown.Key
		}
	}
	r.post(ctx, spec.Ask, s)
}

// answered ends the gate: go on, or leave out what is behind it.
func (r *responder) answered(ctx workflow.Context, i int, a incident.Approval) {
	s := &r.state.Case.Steps[i]
	r.state.Next = i + 1
	s.Status = incident.StepDone
	switch a.State {
	case incident.Approved:
		r.state.Waived = append(r.state.Waived, a.Name)
		r.state.Approver = votersText(a.Votes)
		if a.Name == r.in.Pin.Unsure {
			for _, m := range a.Missing {
				r.state.Answered = append(r.state.Answered, m.Path)
			}
			r.state.Missing = nil
		}
	case incident.ApprovalDenied:
		s.Status = incident.StepFailed
		r.instead(ctx, i, "people said no", incident.OutcomeRefused, s.IfDenied)
	case incident.ApprovalExpired:
		s.Status = incident.StepFailed
		ended := incident.OutcomeExpired
		if s.Undecided {
			ended = incident.OutcomeUndecided
		}
		r.instead(ctx, i, "nobody answered in time", ended, s.IfExpired)
	case incident.Superseded, incident.Pending:
		s.Status = incident.StepSkipped
	}
}

// instead leaves out every step after a gate, and runs those that the gate
// names for this answer.
func (r *responder) instead(ctx workflow.Context, i int, why string, ended incident.CaseOutcome, steps []incident.PlannedStep) {
	c := &r.state.Case
	if r.state.Ended == "" {
		r.state.Ended = ended
	}
	for j := i + 1; j < len(c.Steps); j++ {
		c.Steps[j].Status, c.Steps[j].Problem = incident.StepSkipped, why
		r.event(ctx, incident.EvSkipped, c.Steps[j].Name, "%s skipped: %s", c.Steps[j].PlannedStep, why)
	}
	r.state.Next = len(c.Steps)
	for _, planned := range steps {
		c.Steps = append(c.Steps, waiting(planned))
	}
}

// mayVote refuses, before it enters history, an answer that may not be given.
func (r *responder) mayVote(ctx workflow.Context, v incident.Vote) error {
	at := r.votedOn(v)
	if at < 0 {
		return r.refuseLate(v)
	}
	a := r.state.Case.Approvals[at]
	word := "deny"
	if v.Approve {
		word = "approve"
	}
	_, voted := a.VoteOf(v.Person.ID)
	switch {
	case v.Person.ID == "":
		return refuse(RefusedNotApprover, "nobody is named")
	case r.excluded(a.Name, v.Person) != "":
		return refuse(RefusedNotApprover, "%s is excluded from %s: %s", v.Person.ID, a.Name, r.excluded(a.Name, v.Person))
	case !a.Approvers.Include(v.Person.ID, v.Person.Groups):
		return refuse(RefusedNotApprover, "%s may not answer %s: that takes one of %s", v.Person.ID, a.Name, approversText(a.Approvers))
	case v.PlanDigest != a.PlanDigest:
		return refuse(RefusedPlan, "the plan has changed since it was shown: it is %s now", a.PlanDigest)
	case v.Approval != a.Name:
		return refuse(RefusedNotPending, "the case does not wait for %q, it waits for %s", foreign(v.Approval), a.Name)
	case !workflow.Now(ctx).Before(a.ExpiresAt):
		return refuse(RefusedExpired, "%s expired at %s", a.Name, a.ExpiresAt.UTC().Format(time.RFC3339))
	case voted:
		return refuse(RefusedTwice, "%s has answered %s already", v.Person.ID, a.Name)
	case slices.Contains(a.ReasonRequired, word) && strings.TrimSpace(v.Reason) == "":
		return refuse(RefusedReason, "to %s %s takes a reason", word, a.Name)
	}
	return nil
}

// refuseLate says what became of the question in the meantime.
func (r *responder) refuseLate(v incident.Vote) error {
	for _, a := range slices.Backward(r.state.Case.Approvals) {
		if a.PlanDigest == v.PlanDigest {
			return refuse(RefusedNotPending, "%s is %s already", a.Name, a.State)
		}
	}
	return refuse(RefusedNotPending, "the case waits for no approval")
}

// vote counts an answer. One denial ends the question, a quorum of distinct
// people approves it.
func (r *responder) vote(ctx workflow.Context, v incident.Vote) (incident.Approval, error) {
	at := r.votedOn(v)
	if at < 0 {
		return incident.Approval{}, r.refuseLate(v)
	}
	a := &r.state.Case.Approvals[at]
	v.At = workflow.Now(ctx)
	a.Votes = append(a.Votes, v)
	r.heard = true
	said := ""
	if v.Reason != "" {
		said = ": " + bounded(v.Reason, maxReason)
	}
	if !v.Approve {
		a.State, a.EndedAt = incident.ApprovalDenied, v.At
		r.eventBy(ctx, incident.EvDenied, a.Name, v.Person.ID, "%s denied %s%s", v.Person.ID, a.Name, said)
		r.approvalEnded(ctx, *a)
		return *a, nil
	}
	r.eventBy(ctx, incident.EvVoted, a.Name, v.Person.ID, "%s approved %s (%d of %d)%s", v.Person.ID, a.Name, len(a.Votes), a.Quorum, said)
	if len(a.Votes) >= a.Quorum {
		a.State, a.EndedAt = incident.Approved, v.At
		r.event(ctx, incident.EvApproved, a.Name, "%s is approved by %s", a.Name, votersText(a.Votes))
		r.approvalEnded(ctx, *a)
	}
	return *a, nil
}

// excluded says why the playbook keeps a person from answering, whatever groups
// they belong to; it is empty where it does not.
func (r *responder) excluded(approval string, p incident.Person) string {
	spec, ok := r.in.Pin.Approval(approval)
	if !ok {
		return ""
	}
	is := func(id string) bool { return strings.EqualFold(id, p.ID) }
	raisers := r.state.Case.Raisers
	switch {
	case slices.ContainsFunc(spec.Exclude, is):
		return "the playbook names them"
	case slices.Contains(spec.Exclude, playbooks.ExcludeAuthor) && slices.ContainsFunc(r.in.Pin.Authors, is):
		return "they wrote the playbook"
	case !slices.Contains(spec.Exclude, playbooks.ExcludeRaiser) || !raisers.Has(p.ID):
		return ""
	case raisers.More:
		return fmt.Sprintf("more than %d people raised alerts of the case, so that anybody may have", len(raisers.IDs))
	}
	return "they raised an alert of the case"
}

func approversText(a incident.Approvers) string { return strings.Join(a.Texts(), ", ") }

func votersText(votes []incident.Vote) string {
	names := make([]string, 0, len(votes))
	for _, v := range votes {
		names = append(names, v.Person.ID)
	}
	return strings.Join(names, ", ")
}
