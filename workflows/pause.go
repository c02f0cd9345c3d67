package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// watch has the budget tell the case of every pause and resumption until a time,
// and takes in the state of the kill switch. It reports whether the case will
// be notified. What the case shows and waits for rests on this; whether a step may
// act, the budget says when it is asked for the step.
func (r *responder) watch(ctx workflow.Context, until time.Time) bool {
	c := r.state.Case
	change, err := do(ctx, "", watchTimeout, activities.Watch, protocol.Watcher{
		Case: protocol.CaseWorkflowID(c.ID), Run: c.Run, Until: until,
	})
	if err != nil {
		workflow.GetLogger(ctx).Warn("it is not known whether containment is paused", "case", c.ID, "error", err)
		r.state.Paused = nil
		r.markPause(ctx, nil)
		return false
	}
	r.pauseChanged(ctx, change)
	return !change.Full
}

// pauseChanged takes in a change of the kill switch from the budget.
func (r *responder) pauseChanged(ctx workflow.Context, change protocol.PauseChange) {
	if change.Run != r.state.Case.Run || change.Changes < r.state.Pauses {
		return
	}
	r.state.Paused, r.state.Pauses = change.Paused, change.Changes
	r.markPause(ctx, change.Resumed)
}

// markPause has the approval that waits, for people or for a resumption, show
// the state of the kill switch.
func (r *responder) markPause(ctx workflow.Context, resumed *incident.Pause) {
	a := r.waits()
	if a == nil {
		return
	}
	was, is := a.Paused, r.state.Paused
	if was != nil && is == nil && a.State == incident.Approved && !workflow.Now(ctx).Before(a.ExpiresAt) {
		// The approval has run out before: what waits for it is held back.
		return
	}
	a.Paused = is
	switch {
	case is != nil && (was == nil || !was.At.Equal(is.At)):
		r.eventBy(ctx, incident.EvPaused, a.Name, is.By, "What is approved waits for a resumption, until %s at most: %s",
			a.ExpiresAt.UTC().Format(time.RFC3339), pauseText(*is))
	case is == nil && was != nil && resumed != nil:
		r.eventBy(ctx, incident.EvResumed, a.Name, resumed.By, "Containment is resumed by %s", foreign(resumed.By))
	}
}

func pauseText(p incident.Pause) string {
	return fmt.Sprintf("containment is paused by %s: %s", foreign(p.By), bounded(p.Reason, maxReason))
}

// waits returns the approval that waits: for people, or that what it lets run is
// carried out.
func (r *responder) waits() *incident.Approval {
	if at := r.pending(); at >= 0 {
		return &r.state.Case.Approvals[at]
	}
	if r.state.Next >= len(r.state.Case.Steps) {
		return nil
	}
	return r.granted()
}

// granted returns the last approval that people gave for the plan as it is.
func (r *responder) granted() *incident.Approval {
	all := r.state.Case.Approvals
	for i := len(all) - 1; i >= 0; i-- {
		last := &all[i]
		switch {
		case last.Extends != nil:
			// An extension lets nothing run.
		case last.State != incident.Approved || !slices.Contains(r.state.Waived, last.Name):
			return nil
		default:
			return last
		}
	}
	return nil
}

// awaitsResume reports whether a step that is held back by a pause waits until
// it is over: people have approved it, and their answer still holds.
func (r *responder) awaitsResume(ctx workflow.Context) bool {
	a := r.granted()
	return a != nil && workflow.Now(ctx).Before(a.ExpiresAt) && since(ctx, changeAwaitResume) && r.watch(ctx, a.ExpiresAt)
}

// resumed waits with step i while containment is paused, for as long as people's
// approval holds, and reports whether the step may be tried now. If not, it is
// left out, or something interrupts and it is taken up again.
func (r *responder) resumed(ctx workflow.Context, i int) bool {
	a := r.granted()
	if a == nil || a.Paused == nil {
		return true
	}
	r.state.Case.Steps[i].Status = incident.StepWaiting
	r.changed = true
	deadline := a.ExpiresAt
	if r.wait(ctx, deadline, func() bool { g := r.granted(); return g == nil || g.Paused == nil }) {
		return true
	}
	if workflow.Now(ctx).Before(deadline) {
		return false
	}
	s := r.state.Case.Steps[i]
	text := pauseText(*r.granted().Paused) + "; it was not resumed before " + deadline.UTC().Format(time.RFC3339)
	r.event(ctx, incident.EvHeldBack, s.Name, "%s held back, %s", s.Name, text)
	r.skipRest(ctx, text, incident.OutcomeHeldBack)
	return false
}
