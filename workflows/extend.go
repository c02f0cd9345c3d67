package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// extending returns the index of the approval that asks whether a lease may
// stand longer, or -1.
func (r *responder) extending() int {
	return slices.IndexFunc(r.state.Case.Approvals, func(a incident.Approval) bool {
		return a.State == incident.Pending && a.Extends != nil
	})
}

// holding returns the index of the step that holds a lease now, or -1.
func (r *responder) holding(lease, step string) int {
	at := r.state.Case.Holding(lease, step)
	if at >= 0 && r.state.Case.Steps[at].Status != incident.StepStanding {
		return -1
	}
	return at
}

// letStand returns the approval by which a step's lease is active, else the
// one that the playbook asks when it is unsure: the people who gave it are asked
// for an extension.
func (r *responder) letStand(i int) (activities.PinnedApproval, bool) {
	if spec, ok := r.in.Pin.Approval(r.state.Case.Steps[i].Approval); ok {
		return spec, true
	}
	return r.in.Pin.Approval(r.in.Pin.Unsure)
}

func (r *responder) mayAskToExtend(ctx workflow.Context, req protocol.ExtendRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case strings.TrimSpace(req.Reason) == "":
		return refuse(RefusedReason, "extending a lease requires a reason")
	case req.Still:
		return refuse(RefusedInvalid, "only the case itself asks whether it goes on as the host still sends")
	case r.asking:
		return refuse(RefusedNotPending, "the case is about to ask for an extension already")
	}
	return r.mayExtend(ctx, req)
}

// mayExtend returns why people may not be asked for an extension now.
func (r *responder) mayExtend(ctx workflow.Context, req protocol.ExtendRequest) error {
	c := &r.state.Case
	i := r.holding(req.Lease, req.Step)
	if r.state.Closing != nil {
		return refuse(RefusedNotPending, "%s is closing the case", r.state.Closing.By)
	}
	if i < 0 {
		return refuse(RefusedNotPending, "the case holds no such lease")
	}
	if at := r.extending(); at >= 0 {
		e := c.Approvals[at].Extends
		return refuse(RefusedNotPending, "%s has already been asked to extend %s until %s, for %s: answer that first",
			c.Approvals[at].Name, e.Step, e.Until.UTC().Format(time.RFC3339), e.By)
	}
	if at := r.pending(); at >= 0 {
		return refuse(RefusedNotPending, "the case is waiting for an answer to %s: answer that first", c.Approvals[at].Name)
	}
	s := c.Steps[i]
	if _, ok := r.letStand(i); !ok {
		return refuse(RefusedNotPending, "the playbook names nobody who could let %s stand longer", s.Name)
	}
	if !req.Until.After(s.Until) {
		return refuse(RefusedInvalid, "the lease already lasts until %s", s.Until.UTC().Format(time.RFC3339))
	}
	if req.Until.Sub(workflow.Now(ctx)) > maxLease {
		return refuse(RefusedInvalid, "a lease may last at most %s from now", incident.FormatDuration(maxLease))
	}
	return nil
}

// askToExtend asks the people who approved a containment for an extension.
// Nothing changes until they have approved.
func (r *responder) askToExtend(ctx workflow.Context, req protocol.ExtendRequest) (incident.Approval, error) {
	r.asking = true
	defer func() { r.asking = false }()
	spec, _ := r.letStand(r.holding(req.Lease, req.Step))
	approvers, notes := r.approvers(ctx, spec)
	// Who is on call was asked meanwhile.
	if err := r.mayExtend(ctx, req); err != nil {
		return incident.Approval{}, err
	}
	c := &r.state.Case
	s := c.Steps[r.holding(req.Lease, req.Step)]
	ext := incident.Extension{
		Lease: req.Lease, Step: req.Step, From: s.Until, Until: req.Until.UTC(),
		By: foreign(req.By), Reason: bounded(req.Reason, maxReason), Still: req.Still,
	}
	now := workflow.Now(ctx)
	a := incident.Approval{
		Name: spec.Name, State: incident.Pending, PlanDigest: ext.Digest(*c.Plan), Extends: &ext,
		Because: fmt.Sprintf("%s asks for it: %s", ext.By, ext.Reason),
		Gates:   []string{fmt.Sprintf("%s stands until %s", s.PlannedStep, ext.Until.Format(time.RFC3339))},
		Quorum:  max(1, spec.Quorum), Approvers: approvers, Notes: notes, ReasonRequired: spec.ReasonRequired,
		AskedAt: now, ExpiresAt: now.Add(spec.ExpireAfter),
	}
	if a.ExpiresAt.After(s.Until) {
		a.ExpiresAt = s.Until
	}
	c.Approvals = append(c.Approvals, a)
	r.eventBy(ctx, incident.EvAsked, s.Name, req.By, "%s asked %s (%d of %s needed) to decide until %s whether %s: %s", ext.By, a.Name, a.Quorum,
		approversText(a.Approvers), a.ExpiresAt.UTC().Format(time.RFC3339), a.Gates[0], ext.Reason)
	r.post(ctx, spec.Ask, incident.Shown{Kind: incident.ShownQuestion, Approval: len(c.Approvals) - 1, Ask: spec.Name})
	r.status(ctx, incident.Awaiting)
	r.followExtension(ctx, len(c.Approvals)-1)
	return a, nil
}

// goOnExtending takes up, in a new run, the extensions that are not settled.
func (r *responder) goOnExtending(ctx workflow.Context) {
	for at, a := range r.state.Case.Approvals {
		if a.Extends != nil && !a.Extends.Settled {
			r.followExtension(ctx, at)
		}
	}
}

// followExtension waits concurrently for the answer, and carries it
// out.
func (r *responder) followExtension(ctx workflow.Context, at int) {
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		r.waitForExtension(ctx, at)
		if !r.yield {
			r.settleExtension(ctx, at)
		}
	})
}

// waitForExtension returns when the question is over, or this run ends.
func (r *responder) waitForExtension(ctx workflow.Context, at int) {
	question := func() *incident.Approval { return &r.state.Case.Approvals[at] }
	ext := question().Extends
	spec, _ := r.in.Pin.Approval(question().Name)
	over := func() bool {
		return question().State != incident.Pending || r.yield || r.holding(ext.Lease, ext.Step) < 0
	}
	for !over() {
		now := workflow.Now(ctx)
		if !now.Before(question().ExpiresAt) {
			question().State, question().EndedAt = incident.ApprovalExpired, now
			r.event(ctx, incident.EvExpired, question().Name, "Nobody decided %s by %s: expired", question().Name, now.UTC().Format(time.RFC3339))
			r.approvalEnded(ctx, *question())
			return
		}
		_, _ = await(ctx, r.nudge(ctx, at, spec).Sub(now), over)
	}
	if a := question(); a.State == incident.Pending && !r.yield {
		a.State, a.EndedAt = incident.Superseded, workflow.Now(ctx)
		r.event(ctx, incident.EvSuperseded, a.Name, "Approval %s is void: %s does not stand any more", a.Name, ext.Step)
		r.approvalEnded(ctx, *a)
	}
}

// settleExtension has the lease moved for this case alone where people approved,
// and says so where they did not.
func (r *responder) settleExtension(ctx workflow.Context, at int) {
	a := r.state.Case.Approvals[at]
	ext := *a.Extends
	r.state.Case.Approvals[at].Extends.Settled = true
	if a.State == incident.Approved {
		err := workflow.SignalExternalWorkflow(ctx, ext.Lease, "", protocol.ExtendSignal, protocol.HolderExtension{
			Case: protocol.CaseWorkflowID(r.state.Case.ID), Step: ext.Step, Until: ext.Until,
			By: ext.By, Reason: ext.Reason, Approver: votersText(a.Votes),
		}).Get(ctx, nil)
		if err != nil {
			r.event(ctx, incident.EvFailed, ext.Step, "%s is not extended: its lease has ended", ext.Step)
		}
	} else if i := r.holding(ext.Lease, ext.Step); i >= 0 && ext.Still {
		r.answeredOn(ctx, i, a.State)
	} else if i >= 0 {
		r.event(ctx, incident.EvHeldBack, ext.Step, "%s is not extended: it stands until %s, as before", ext.Step,
			r.state.Case.Steps[i].Until.UTC().Format(time.RFC3339))
	}
	if r.contained() && r.pending() < 0 && r.extending() < 0 && r.state.Next >= len(r.state.Case.Steps) {
		r.status(ctx, incident.Contained)
	}
}
