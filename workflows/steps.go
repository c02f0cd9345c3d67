package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// run carries out the plan's steps in order, until they are done or something
// interrupts.
func (r *responder) run(ctx workflow.Context) {
	for r.state.Next < len(r.state.Case.Steps) {
		if r.state.Closing != nil {
			r.skipRest(ctx, "the case was closed by "+r.state.Closing.By, "")
			return
		}
		r.status(ctx, incident.Working)
		if !r.step(ctx, r.state.Next) {
			return
		}
	}
}

// step carries out one step and reports whether it is over. A gate that waits for
// people can be interrupted; then it is not, and is taken up again.
func (r *responder) step(ctx workflow.Context, i int) bool {
	s := &r.state.Case.Steps[i]
	if s.Status == incident.StepWaiting {
		s.StartedAt = workflow.Now(ctx)
	}
	switch {
	case s.Status != incident.StepWaiting && s.Status != incident.StepRunning:
		// It was decided before its turn that it does not run.
	case r.mustAwaitFacts(*s):
		r.wait(ctx, time.Time{}, func() bool { return false })
		return false
	case s.Undecided:
		return r.askUndecided(ctx, i)
	case s.Release:
		r.leaveAll(ctx)
		s.Status = incident.StepDone
	case r.state.Case.Shadow && !s.Action.Tells():
		s.Status = incident.StepShadowed
		r.event(ctx, incident.EvShadowed, s.Name, "Would have run %s: the playbook is in shadow mode", s.PlannedStep)
	case s.Approve != "":
		return r.approve(ctx, i)
	case !s.Action.Tells() && r.state.Case.Plan.Target == nil:
		r.fail(ctx, i, "no exact target: "+r.state.Case.TargetProblem, incident.OutcomeNoTarget)
	case !s.Action.Tells() && len(r.state.Case.Plan.Target.Unchosen(r.state.Answered)) > 0:
		return r.askForDevice(ctx, i)
	case s.Problem != "":
		r.fail(ctx, i, s.Problem, incident.OutcomeFailed)
	default:
		return r.act(ctx, i)
	}
	r.state.Next = i + 1
	return true
}

// act carries out a step's action and reports whether the step is over.
func (r *responder) act(ctx workflow.Context, i int) bool {
	r.acting = true
	defer func() { r.acting = false }()
	action := r.state.Case.Steps[i].Action
	name, _ := activities.Carrying(action.Spec())
	switch name {
	case activities.Show.Name:
		r.tell(ctx, i)
	case activities.Collect.Name:
		r.collect(ctx, i)
	case activities.Contain.Name, activities.Kill.Name:
		return r.contain(ctx, i)
	default:
		r.fail(ctx, i, fmt.Sprintf("no activity carries out %q", action), incident.OutcomeFailed)
	}
	r.state.Next = i + 1
	return true
}

// contain takes a lease, or kills a process, after everything was checked
// again. It reports whether the step is over; it is not when people must be
// asked first.
func (r *responder) contain(ctx workflow.Context, i int) bool {
	if !r.resumed(ctx, i) {
		return r.state.Case.Steps[i].Status != incident.StepWaiting
	}
	r.state.Case.Steps[i].Status = incident.StepRunning
	in := r.containIn(ctx, i)
	out, stopped, err := r.attempt(ctx, in)
	switch {
	case stopped:
		r.stopped(ctx, i, in)
		return true
	case err != nil:
		r.failedToContain(ctx, i, in, err)
		r.state.Next = i + 1
		return true
	}
	if out.Earlier {
		r.giveUp(ctx, in.GivesUp())
		r.catchUp(ctx)
	}
	if held := r.heldBack(ctx, i, out); held {
		return r.state.Case.Steps[i].Status != incident.StepWaiting
	}
	r.accepted(ctx, i, out)
	r.state.Next = i + 1
	return true
}

// containIn is the request of a containing step.
func (r *responder) containIn(ctx workflow.Context, i int) activities.ContainIn {
	c := r.state.Case
	s := c.Steps[i]
	now := workflow.Now(ctx)
	id := fmt.Sprintf("%s/%s/%d/%s", c.ID, c.Run, i, s.Name)
	if r.state.Requests > 0 {
		// One that was given up is refused permanently.
		id = fmt.Sprintf("%s/%d", id, r.state.Requests)
	}
	return activities.ContainIn{
		// The approval is for the plan's target, whatever was found since.
		Pin: r.in.Pin, Facts: c.Facts, Target: *c.Plan.Target, Step: s.PlannedStep,
		Case: c.ID, Run: c.Run, ID: id, Until: now.Add(s.TTL), Reason: reasonText(c), Approver: r.state.Approver,
		Waived: r.state.Waived, UnsureOK: s.UnsureAct, Answered: r.state.Answered,
		Expires: now.Add(containWithin(s.PlannedStep) + silence),
	}
}

// order is what a step asks, on the plan's device, of the integration that carries it out.
func (r *responder) order(i int) incident.Order {
	return activities.OrderOf(r.state.Case.Steps[i].PlannedStep, *r.state.Case.Plan.Target)
}

// containWithin is how long a containing step is tried.
func containWithin(s incident.PlannedStep) time.Duration { return cmp.Or(s.Timeout, containTimeout) }

// failedToContain gives up a step. A lease that may still be under way is told
// that nobody waits for it: what it makes late, it lifts again.
func (r *responder) failedToContain(ctx workflow.Context, i int, in activities.ContainIn, err error) {
	switch {
	case since(ctx, changeGiveUp):
		r.giveUp(ctx, in.GivesUp())
		r.catchUp(ctx)
	case in.Step.Action.Leased():
		// A lease that has ended needs no message.
		_ = r.leave(ctx, protocol.LeaseID(in.Step.Use, in.GivesUp().Order), in.Step.Name, in.ID)
	}
	r.state.Early = nil
	r.fail(ctx, i, in.Step.Use+": "+activities.Reason(err), incident.OutcomeFailed)
}

// accepted records that the vendor took the action: the first level of proof.
func (r *responder) accepted(ctx workflow.Context, i int, out activities.ContainOut) {
	s := &r.state.Case.Steps[i]
	if out.Lease != nil && out.Lease.AppliedAt.IsZero() && since(ctx, changeProofInTime) {
		r.neverApplied(ctx, i, *out.Lease)
		return
	}
	if out.Lease != nil && r.renews(ctx, i, *out.Lease) {
		return
	}
	s.AcceptedAt = workflow.Now(ctx)
	if out.Receipt != nil {
		s.Status = incident.StepDone
		r.state.Contained = true
		r.event(ctx, incident.EvAccepted, s.Name, "%s accepted by %s: %s", s.PlannedStep, s.Use, foreign(out.Receipt.Detail))
		r.timedStep(ctx, *s, incident.StageApplied)
		return
	}
	lease := out.Lease
	s.Status, s.Lease, s.Adopted, s.Until = incident.StepStanding, lease.ID, lease.Adopted, lease.Until
	s.Counts = lease.Counts
	r.state.Contained = true
	if n := len(r.state.Waived); n > 0 {
		s.Approval = r.state.Waived[n-1]
	}
	text := fmt.Sprintf("%s accepted by %s; lease until %s", s.PlannedStep, s.Use, lease.Until.UTC().Format(time.RFC3339))
	switch {
	case lease.Until.IsZero():
		s.Until = s.AcceptedAt
		text = fmt.Sprintf("%s accepted by %s; the lease has ended since", s.PlannedStep, s.Use)
	case lease.Adopted:
		text = fmt.Sprintf("%s was already in place at %s: adopted, and not undone by Stanch", s.PlannedStep, s.Use)
	case len(lease.Holders) > 1:
		text += ", shared with " + otherCases(len(lease.Holders)-1)
	}
	if unkept := s.Unkept(); unkept != "" && !lease.Adopted {
		text += "; " + unkept
	}
	r.event(ctx, incident.EvAccepted, s.Name, "%s", text)
	r.timedStep(ctx, *s, incident.StageApplied)
	if !lease.ConfirmedAt.IsZero() {
		// The lease knew it before it answered.
		s.ConfirmedAt = maxTime(lease.ConfirmedAt, s.AcceptedAt)
		r.timedStep(ctx, *s, incident.StageConfirmed)
		r.event(ctx, incident.EvConfirmed, s.Name, "%s: read back from the device", s.Name)
	}
	r.beginHeld(ctx, i)
	r.catchUp(ctx)
	r.prove(ctx, i)
	r.keepHeld(ctx, i)
}

// neverApplied records that a lease was over before the vendor took the action,
// as after an outage. The lease reports when nothing can be in place any more.
func (r *responder) neverApplied(ctx workflow.Context, i int, lease incident.Lease) {
	s := &r.state.Case.Steps[i]
	s.Status, s.Lease, r.state.Contained = incident.StepStanding, lease.ID, true
	text := fmt.Sprintf("%s: the lease ended before %s had accepted it", s.PlannedStep, s.Use)
	r.event(ctx, incident.EvHeldBack, s.Name, "%s", text)
	if s.Held != nil {
		r.page(ctx, s.Name, text+", though the host still sent")
	}
	r.catchUp(ctx)
}

// heldBack handles everything that keeps a containing step from running. Where
// people may decide it, a gate is put before the step.
func (r *responder) heldBack(ctx workflow.Context, i int, out activities.ContainOut) bool {
	s := &r.state.Case.Steps[i]
	switch {
	case out.TargetProblem != "":
		r.event(ctx, incident.EvHeldBack, s.Name, "%s held back, the target changed: %s", s.Name, out.TargetProblem)
		r.leaveOut(ctx, i, "the target changed: "+out.TargetProblem, incident.OutcomeNoTarget)
	case out.DeniedBy != "":
		r.event(ctx, incident.EvHeldBack, s.Name, "%s held back, guardrail %s forbids it now", s.Name, out.DeniedBy)
		r.leaveOut(ctx, i, "guardrail "+out.DeniedBy, incident.OutcomeDenied)
	case out.Paused != nil && r.awaitsResume(ctx):
		r.state.Case.Steps[i].Status = incident.StepWaiting
	case out.Paused != nil:
		text := pauseText(*out.Paused)
		r.event(ctx, incident.EvHeldBack, s.Name, "%s held back, %s", s.Name, text)
		r.leaveOut(ctx, i, text, incident.OutcomeHeldBack)
	case out.Unheard != nil:
		r.unheardBefore(ctx, i, *out.Unheard)
	case len(out.Unsure) > 0:
		r.state.Missing = out.Unsure
		r.gate(ctx, i, r.in.Pin.Unsure, strings.Join(incident.MissingTexts(out.Unsure), ", "))
	case out.Exceeded != nil:
		text := limitText(*out.Exceeded, out.Counted)
		r.countStep(ctx, protocol.MetricLimitsReached, *s, protocol.LabelGuardrail, out.Exceeded.Guardrail)
		r.event(ctx, incident.EvHeldBack, s.Name, "%s held back, %s", s.Name, text)
		if out.Exceeded.Then == "" || slices.Contains(r.state.Waived, out.Exceeded.Then) {
			r.leaveOut(ctx, i, text, incident.OutcomeHeldBack)
		} else {
			r.gate(ctx, i, out.Exceeded.Then, text)
		}
	default:
		return false
	}
	return true
}

func limitText(l protocol.Limit, counted int) string {
	if l.KeyMissing != "" {
		return fmt.Sprintf("guardrail %s cannot count: %s", l.Guardrail, l.KeyMissing)
	}
	return fmt.Sprintf("guardrail %s: %d of %d %s per %s in %s are used", l.Guardrail, counted, l.Max, l.Action, l.Per,
		incident.FormatDuration(l.Window))
}

// gate puts an approval before step i. The plan, and so its digest, changes.
func (r *responder) gate(ctx workflow.Context, i int, approval, because string) {
	c := &r.state.Case
	if _, ok := r.in.Pin.Approval(approval); !ok {
		r.skipRest(ctx, because+"; the playbook names nobody to ask", incident.OutcomeHeldBack)
		return
	}
	c.Steps[i].Status = incident.StepWaiting
	c.Steps = slices.Insert(c.Steps, i, waiting(incident.PlannedStep{Name: "approve " + approval, Approve: approval, Because: because}))
	r.replan()
}

// replan brings the plan in line with the steps, so that its digest is that of
// what will be done.
func (r *responder) replan() {
	plan := *r.state.Case.Plan
	plan.Steps = nil
	for _, s := range r.state.Case.Steps {
		plan.Steps = append(plan.Steps, s.PlannedStep)
	}
	r.state.Case.Plan = &plan
}

// skipRest leaves out the containing steps that have not run, and says why.
// People are still told: notify steps run.
func (r *responder) skipRest(ctx workflow.Context, why string, ended incident.CaseOutcome) {
	if r.state.Ended == "" {
		r.state.Ended = ended
	}
	for i := r.state.Next; i < len(r.state.Case.Steps); i++ {
		s := &r.state.Case.Steps[i]
		if (s.Action.Tells() || s.StandsIn) && r.state.Closing == nil {
			continue
		}
		if s.Status == incident.StepWaiting || s.Status == incident.StepRunning {
			s.Status, s.Problem = incident.StepSkipped, why
			s.HeldBack = slices.Contains([]incident.CaseOutcome{incident.OutcomeHeldBack, incident.OutcomeDenied, incident.OutcomeNoTarget}, ended)
			r.event(ctx, incident.EvSkipped, s.Name, "%s skipped: %s", s.PlannedStep, why)
		}
	}
	if r.state.Closing != nil {
		r.state.Next = len(r.state.Case.Steps)
	}
}

// leaveOut leaves out step i, which was held back right before it was to act, and what
// contains after it. That a host is not held again though it still sends must not wait for
// somebody to look.
func (r *responder) leaveOut(ctx workflow.Context, i int, why string, ended incident.CaseOutcome) {
	s := &r.state.Case.Steps[i]
	if s.StandsIn && (s.Held != nil || since(ctx, changeLeaveOut)) {
		s.Status, s.Problem, s.HeldBack = incident.StepSkipped, why, true
		r.event(ctx, incident.EvSkipped, s.Name, "%s skipped: %s", s.PlannedStep, why)
	}
	if s.Held != nil {
		r.notHeldAgain(ctx, *s, why)
	}
	r.skipRest(ctx, why, ended)
}

func (r *responder) notHeldAgain(ctx workflow.Context, s incident.StepState, why string) {
	r.page(ctx, s.Name, fmt.Sprintf("%s is not held again though the host still sends: %s", s.Name, why))
}

// fail records that a step failed and does what its on_failure says.
func (r *responder) fail(ctx workflow.Context, i int, why string, ended incident.CaseOutcome) {
	s := &r.state.Case.Steps[i]
	s.Status, s.Problem = incident.StepFailed, why
	r.event(ctx, incident.EvFailed, s.Name, "%s failed: %s", s.PlannedStep, why)
	r.countStep(ctx, protocol.MetricStepsFailed, *s, "", "")
	if s.Held != nil && s.OnFailure != "page" {
		r.notHeldAgain(ctx, *s, why)
	}
	switch s.OnFailure {
	case "continue":
	case "page":
		if r.state.Ended == "" && s.Action.Containing() {
			r.state.Ended = ended
		}
		r.page(ctx, s.Name, fmt.Sprintf("%s failed: %s", s.PlannedStep, why))
	default:
		if s.Action.Containing() {
			r.skipRest(ctx, s.Name+" failed", ended)
		}
	}
}

// askForDevice puts the question which device it is before a step.
func (r *responder) askForDevice(ctx workflow.Context, i int) bool {
	r.state.Missing = r.state.Case.Plan.Target.Unchosen(r.state.Answered)
	r.gate(ctx, i, r.in.Pin.Unsure, strings.Join(incident.MissingTexts(r.state.Missing), ", "))
	return r.state.Case.Steps[i].Status != incident.StepWaiting
}

// collect takes evidence that a containment would destroy. It has a time limit
// and never holds up containment for longer.
func (r *responder) collect(ctx workflow.Context, i int) {
	s := &r.state.Case.Steps[i]
	c := r.state.Case
	out, err := do(ctx, r.in.Pin.Queue(s.Use, string(s.Action)), cmp.Or(s.Timeout, collectTimeout), activities.Collect, activities.CollectIn{
		Use: s.Use, Run: c.Run, Step: s.Name, Target: *c.Plan.Target, What: s.What,
	})
	if err != nil {
		r.fail(ctx, i, s.Use+": "+activities.Reason(err), incident.OutcomeFailed)
		return
	}
	s = &r.state.Case.Steps[i]
	s.Status, s.AcceptedAt = incident.StepDone, workflow.Now(ctx)
	r.event(ctx, incident.EvDone, s.Name, "%s: took %s", s.PlannedStep, out.Summary())
}

// reasonText is why a lease is taken, without text of the alert.
func reasonText(c incident.Case) string {
	if c.Decision == nil {
		return "case " + c.ID
	}
	rule, _ := c.Decision.AtStake()
	return "rule " + rule + " of playbook " + c.Playbook
}
