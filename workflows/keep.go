package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// lookBefore is how long before its end a containment is looked at that may go on:
	// some readings, the checks and the extension fit in.
	lookBefore = 30 * time.Second
	// recheckTimeout is how long the checks are tried before it goes on.
	recheckTimeout = 10 * time.Second
)

// beginHeld notes, when a containment was accepted, what it takes for it to be held again, and
// decides from what rate on the host counts as still sending.
func (r *responder) beginHeld(ctx workflow.Context, i int) {
	s := &r.state.Case.Steps[i]
	switch {
	case s.Adopted || s.Hold == nil && s.QuietFor == 0:
		s.Held = nil
		return
	case s.Held == nil:
		s.Held = &incident.Held{Round: 1, Length: s.TTL, Since: s.AcceptedAt}
		if s.Hold != nil {
			s.Held.Above, s.Held.Of = incident.SendingAbove(s.PlannedStep, r.state.Case.Facts, r.window())
			r.event(ctx, incident.EvWatched, s.Name, "%s: %s; all rounds end by %s", s.Name, s.Held,
				s.Held.Since.Add(s.Hold.AtMost).UTC().Format(time.RFC3339))
		}
	default:
		r.countStep(ctx, protocol.MetricHeldAgain, *s, "", "")
	}
	if s.Held.Since.IsZero() {
		s.Held.Since = s.AcceptedAt
	}
	s.Held.Request = r.containIn(ctx, i).ID
}

// kept reports whether there is something to do about a step whose containment may be held
// again, or end early.
func (r *responder) kept(i int) bool {
	s := r.state.Case.Steps[i]
	return s.Held != nil && r.state.Closing == nil && (s.Status == incident.StepStanding && r.ofThisDevice(i) || s.Watched())
}

// ofThisDevice reports whether a step's lease is of the device that the plan is for: a
// later decision may have been about another.
func (r *responder) ofThisDevice(i int) bool {
	s := r.state.Case.Steps[i]
	return r.state.Case.Plan.Target != nil && s.Lease == protocol.LeaseID(s.Use, r.order(i))
}

// keepHeld looks, concurrently, whether a host still sends: before the end of a containment,
// and while it is watched since then.
func (r *responder) keepHeld(ctx workflow.Context, i int) {
	if !r.kept(i) {
		return
	}
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		for r.kept(i) && !r.yield {
			if r.state.Case.Steps[i].Watched() {
				r.watchAfter(ctx, i)
			} else {
				r.keepStanding(ctx, i)
			}
		}
	})
}

// keepStanding waits until something is due of a containment that stands, and does it.
func (r *responder) keepStanding(ctx workflow.Context, i int) {
	until, asked := r.state.Case.Steps[i].Until, r.asksOn(i)
	changed := func() bool {
		s := r.state.Case.Steps[i]
		return r.yield || !r.kept(i) || s.Status != incident.StepStanding || !s.Until.Equal(until) || r.asksOn(i) != asked
	}
	judge, quiet := r.judgeAt(i), r.quietAt(i)
	next := earlier(judge, quiet)
	if next.IsZero() {
		_ = workflow.Await(ctx, changed)
		return
	}
	if left := next.Sub(workflow.Now(ctx)); left > 0 {
		if ok, err := await(ctx, left, changed); ok || err != nil {
			return
		}
	}
	if next.Equal(judge) {
		r.judge(ctx, i)
	} else {
		r.lookQuiet(ctx, i)
	}
}

// judgeAt is when a step is to be looked at, before its end; zero is never.
func (r *responder) judgeAt(i int) time.Time {
	s := r.state.Case.Steps[i]
	if s.Hold == nil || s.Held.Over || s.Held.Judged.Equal(s.Until) || r.asksOn(i) {
		return time.Time{}
	}
	return s.Until.Add(-min(lookBefore, s.Until.Sub(s.AcceptedAt)/2))
}

// asksOn reports whether people are being asked by the case itself whether a step may stand
// longer.
func (r *responder) asksOn(i int) bool {
	s, at := r.state.Case.Steps[i], r.extending()
	if at < 0 {
		return false
	}
	e := r.state.Case.Approvals[at].Extends
	return e.Still && e.Lease == s.Lease && e.Step == s.Name
}

// judge decides before the end of a containment whether it goes on.
func (r *responder) judge(ctx workflow.Context, i int) {
	end := r.state.Case.Steps[i].Until
	var e evidence
	if r.state.Case.Steps[i].Held.Above > 0 {
		e = r.offered(ctx, i)
	}
	s := &r.state.Case.Steps[i]
	if r.yield || !r.kept(i) || s.Status != incident.StepStanding || !s.Until.Equal(end) {
		return
	}
	s.Held.Judged = end
	switch {
	case s.Held.Above == 0:
		s.Held.End = incident.EndCannotTell
		r.page(ctx, s.Name, fmt.Sprintf("%s ends at %s and is not held again: cannot tell whether the host still sends, %s",
			s.Name, end.UTC().Format(time.RFC3339), s.Held.Of))
	case !e.above:
		// What the limiter holds back may come again: the watch will see it.
	default:
		r.goOn(ctx, i, e)
	}
}

// goOn has a containment go on instead of being given back, by the next round's length.
// Everything that was asked before it was taken is asked again.
func (r *responder) goOn(ctx workflow.Context, i int, e evidence) {
	s := r.state.Case.Steps[i]
	end, in := s.Until, r.containIn(ctx, i)
	in.ID = s.Held.Request
	out, err := do(ctx, "", recheckTimeout, activities.Recheck, in)
	if s = r.state.Case.Steps[i]; r.yield || !r.kept(i) || s.Status != incident.StepStanding || !s.Until.Equal(end) {
		s.Held.Judged = time.Time{}
		return
	}
	next, most := s.Until.Add(2*s.Held.Length), s.Held.Since.Add(s.Hold.AtMost)
	switch why, ask := forbids(out, err); {
	case why != "" && !ask:
		text := fmt.Sprintf("%s is not held on, %s: %s; it ends at %s", s.Name, why, e, s.Until.UTC().Format(time.RFC3339))
		s.Held.Over, s.Held.End = true, incident.EndHeldBack
		r.event(ctx, incident.EvHeldBack, s.Name, "%s", text)
		r.page(ctx, s.Name, text)
	case why != "":
		r.askOn(ctx, i, e, why, incident.EndHeldBack)
	case most.Sub(s.Until) < shortest(s):
		r.askOn(ctx, i, e, "its hold_at_most of "+incident.FormatDuration(s.Hold.AtMost)+" is used up", incident.EndUsedUp)
	default:
		until := earlier(next, most)
		if r.moveEnd(ctx, i, until, e.String()) {
			held := r.state.Case.Steps[i].Held
			held.Round, held.Length = held.Round+1, until.Sub(s.Until)
			r.countStep(ctx, protocol.MetricHeldAgain, s, "", "")
			but := ""
			if s.Problem != "" {
				// Such as that somebody has taken it away, which is told and not put right.
				but = "; but " + s.Problem
			}
			r.event(ctx, incident.EvHeldAgain, s.Name, "%s goes on, round %d until %s: %s%s", s.Name, held.Round, until.UTC().Format(time.RFC3339), e, but)
			r.tellConnected(ctx, i)
		}
	}
}

// forbids returns what keeps a containment from going on, or is empty, and whether people
// are asked about it.
func forbids(out activities.ContainOut, err error) (why string, ask bool) {
	switch {
	case err != nil:
		return "it could not be checked again: " + activities.Reason(err), true
	case out.TargetProblem != "":
		return "the target changed: " + out.TargetProblem, false
	case out.DeniedBy != "":
		return "guardrail " + out.DeniedBy + " forbids it now", false
	case out.Paused != nil:
		return pauseText(*out.Paused), false
	case out.Exceeded != nil:
		return limitText(*out.Exceeded, out.Counted), out.Exceeded.Then != ""
	case len(out.Unsure) > 0:
		return incident.MissingTexts(out.Unsure)[0], true
	case out.Unheard != nil:
		return "the device's agent was not heard before", true
	}
	return "", false
}

// moveEnd has the lease move the end of this case's step, and reports whether the lease
// was told.
func (r *responder) moveEnd(ctx workflow.Context, i int, until time.Time, reason string) bool {
	s := r.state.Case.Steps[i]
	err := workflow.SignalExternalWorkflow(ctx, s.Lease, "", protocol.ExtendSignal, protocol.HolderExtension{
		Case: protocol.CaseWorkflowID(r.state.Case.ID), Step: s.Name, Until: until, By: incident.ByStanch, Reason: reason,
	}).Get(ctx, nil)
	if err != nil {
		r.event(ctx, incident.EvFailed, s.Name, "%s does not go on: its lease has ended", s.Name)
	}
	return err == nil
}

// askOn asks people whether a containment may go on that the plan does not let go on by
// itself. Until they answer, or the question ends, it stands; end is why it ends unless they
// let it go on.
func (r *responder) askOn(ctx workflow.Context, i int, e evidence, because string, end incident.HoldEnd) {
	s := r.state.Case.Steps[i]
	text := fmt.Sprintf("%s: %s, and %s", s.Name, e, because)
	spec, ok := r.letStand(i)
	until := maxTime(workflow.Now(ctx).Add(spec.ExpireAfter), s.Until)
	req := protocol.ExtendRequest{
		Lease: s.Lease, Step: s.Name, By: incident.ByStanch, Reason: e.String() + ", and " + because, Until: until.Add(s.Held.Length), Still: true,
	}
	err := r.mayExtend(ctx, req)
	if !ok || err != nil || r.asking {
		s.Held.Over, s.Held.End = true, end
		r.page(ctx, s.Name, text+"; nobody can be asked now, so it ends at "+s.Until.UTC().Format(time.RFC3339))
		return
	}
	if until.After(s.Until) {
		if !r.moveEnd(ctx, i, until, "until people have answered whether it may go on") {
			return
		}
		_, _ = await(ctx, lookBefore, func() bool { return !r.kept(i) || !r.state.Case.Steps[i].Until.Before(until) })
	}
	r.state.Case.Steps[i].Held.End = end
	if _, err := r.askToExtend(ctx, req); err != nil {
		r.state.Case.Steps[i].Held.Over = true
		r.page(ctx, s.Name, text+"; people could not be asked: "+err.Error())
	}
}

// answeredOn ends what the case asked by itself and people did not approve: people said no, so it is given back now,
// or nobody answered, so that its time is up.
func (r *responder) answeredOn(ctx workflow.Context, i int, answer incident.ApprovalState) {
	s := &r.state.Case.Steps[i]
	s.Held.Over = true
	if answer == incident.ApprovalDenied {
		s.Held.End = incident.EndPeople
		r.event(ctx, incident.EvHeldBack, s.Name, "%s is given back, as people said no", s.Name)
		_ = r.leave(ctx, s.Lease, s.Name, "")
		return
	}
	r.nobodyDecided(ctx, *s)
}

func (r *responder) nobodyDecided(ctx workflow.Context, s incident.StepState) {
	r.page(ctx, s.Name, s.Name+" is given back though the host still sent: nobody decided whether it may go on")
}
