package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// lateFacts says when an undecided case asks again for facts that can still
// come. People are not asked before Until.
type lateFacts struct {
	// AsOf is the moment that the facts are about, so that a store that lags can
	// catch up with it.
	AsOf  time.Time     `json:"as_of"`
	Next  time.Time     `json:"next"`
	Until time.Time     `json:"until"`
	Pause time.Duration `json:"pause"`
}

// unanswered reports whether the case is undecided and people have not said
// what is to be done.
func (r *responder) unanswered() bool {
	c := r.state.Case
	return c.Decision != nil && c.Decision.Unknown != nil && slices.ContainsFunc(c.Steps[r.state.Next:], func(s incident.StepState) bool {
		return s.Undecided && (s.Status == incident.StepWaiting || s.Status == incident.StepRunning)
	})
}

// settle takes in a further decision of a case that is undecided. One that
// decides takes the place of the question: nothing stands that it could loosen.
func (r *responder) settle(ctx workflow.Context, f findings, out activities.DecideOut, alerts int) {
	c := r.state.Case
	d, how := out.Decision, "Decided, as more is known now: "
	if d.Outcome == incident.Undecided {
		if (r.pending() >= 0 || len(d.Unsure) >= len(c.Decision.Unsure)) && !playbooks.Stricter(*c.Plan, out.Plan) {
			if alerts > 0 {
				r.event(ctx, incident.EvDecided, "", "Decided again, no stricter, the plan is kept: %s", decisionText(d))
			}
			return
		}
		how = "More is known now: "
		out.Plan.Steps = slices.DeleteFunc(out.Plan.Steps, r.toldBefore())
	}
	if r.holds(ctx, f, out.Plan) {
		r.resolve(ctx, f, out, how)
	}
}

// toldBefore reports of the steps that wait for nobody whether the case has
// taken them: that it is undecided still is no news.
func (r *responder) toldBefore() func(incident.PlannedStep) bool {
	asked := false
	return func(s incident.PlannedStep) bool {
		asked = asked || s.Undecided
		return !asked && slices.ContainsFunc(r.state.Case.Steps[:r.state.Next], func(taken incident.StepState) bool { return taken.Name == s.Name })
	}
}

// waitForFacts plans when facts that can still come are asked for again. Each
// pause is longer, and all of them together are bounded, however often alerts
// have the case decided in between.
func (r *responder) waitForFacts(ctx workflow.Context, f findings) {
	late := r.state.Late
	r.state.Late = nil
	if !r.unanswered() || r.pending() >= 0 || !f.mayCome(r.state.Case.Decision.Unknown.Missing) {
		return
	}
	now := workflow.Now(ctx)
	if late == nil {
		late = &lateFacts{Until: now.Add(askAgainWithin), Pause: askAgainAfter}
		r.event(ctx, incident.EvEnriched, "", "%s may still come: asked for again until %s, then people are asked",
			strings.Join(f.late, ", "), late.Until.UTC().Format(time.RFC3339))
	} else {
		late.Pause = min(2*late.Pause, askAgainLongest)
	}
	if !now.Before(late.Until) {
		r.event(ctx, incident.EvEnriched, "", "%s did not come", strings.Join(f.late, ", "))
		return
	}
	late.AsOf, late.Next = f.at, now.Add(late.Pause)
	if late.Next.After(late.Until) {
		late.Next = late.Until
	}
	r.state.Late = late
}

// mustAskAgain reports whether facts that can still come are due.
func (r *responder) mustAskAgain(ctx workflow.Context) bool {
	return r.state.Late != nil && r.state.Closing == nil && !workflow.Now(ctx).Before(r.state.Late.Next)
}

// askUndecided asks people for the plan of the rule that may hold, after all
// that can still come was waited for. It reports whether the gate is over.
func (r *responder) askUndecided(ctx workflow.Context, i int) bool {
	c := &r.state.Case
	s := &c.Steps[i]
	if r.state.Late != nil {
		r.wait(ctx, r.state.Late.Next, func() bool { return false })
		return false
	}
	_, named := r.in.Pin.Approval(s.Approve)
	switch {
	case c.Shadow:
		r.event(ctx, incident.EvShadowed, s.Name, "Would be undecided, and %s would be asked for the plan of rule %s: %s",
			s.Approve, c.Decision.Unknown.Rule, missingText(c.Decision.Unsure))
		for j := i; j < len(c.Steps); j++ {
			c.Steps[j].Status = incident.StepShadowed
		}
		r.state.Next = len(c.Steps)
	case !named:
		s.Status, s.Problem = incident.StepFailed, "the playbook names nobody to ask"
		r.event(ctx, incident.EvFailed, s.Name, "Nobody could be asked: the playbook names no approval as unsure")
		r.instead(ctx, i, "nobody could be asked", incident.OutcomeUndecided, nil)
	default:
		return r.approve(ctx, i)
	}
	return true
}

// reach are the facts that may become known with a fact: who the device is
// leads to all others, and the process is joined from connections and flows.
func reach(fact string) []string {
	switch fact {
	case "endpoint":
		return append(incident.FactNames(), "alert")
	case "asset":
		return []string{"asset", "traffic", "process"}
	case "traffic", "process":
		return []string{"traffic", "process"}
	}
	return []string{fact}
}

// mayCome reports whether something that is missing can still become known.
func (f findings) mayCome(missing []incident.Missing) bool {
	return slices.ContainsFunc(missing, func(m incident.Missing) bool {
		fact, _, _ := strings.Cut(m.Path, ".")
		return slices.ContainsFunc(f.late, func(late string) bool { return slices.Contains(reach(late), fact) })
	})
}

// lags reports whether the flow store has not yet heard of the moment that it
// was asked about, and for that does not know what the host sent.
func lags(t incident.Traffic, at time.Time) bool {
	newest, told := t.Freshness.Get()
	if !told || t.BytesOut.IsKnown() && t.Role.IsKnown() {
		return false
	}
	_, stale := incident.Lag(newest, at)
	return stale || newest.Before(at) && !t.Flows.IsKnown()
}

// headline is what people are told of a decision.
func (r *responder) headline() string {
	d := r.state.Case.Decision
	text := decisionText(*d)
	switch {
	case d.Outcome != incident.Undecided:
		return text
	case r.state.Case.Shadow:
		return "Would be undecided. " + d.Because
	case r.state.Approver != "":
		return "Not decided; " + r.state.Approver + " approved the plan of rule " + d.Unknown.Rule + ". " + d.Because
	case r.state.Late != nil:
		return text + " What is missing is asked for again until " + r.state.Late.Until.UTC().Format("15:04 UTC") + ", then " + r.in.Pin.Unsure + " is asked."
	}
	return text
}
