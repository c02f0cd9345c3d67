package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// lateFacts says when a case asks again for facts that can still come. Until
// then it neither ends nor asks people nor contains anything.
type lateFacts struct {
	// AsOf is the moment that the facts are about, so that a store that lags can
	// catch up with it.
	AsOf  time.Time     `json:"as_of"`
	Next  time.Time     `json:"next"`
	Until time.Time     `json:"until"`
	Pause time.Duration `json:"pause"`
}

// waitForFacts plans when facts that can still come are asked for again. Each
// pause is longer, and all of them together are bounded, however often alerts
// have the case decided in between.
func (r *responder) waitForFacts(ctx workflow.Context, f findings) {
	late := r.state.Late
	r.state.Late = nil
	then := r.without(ctx, f)
	if then == "" {
		return
	}
	now := workflow.Now(ctx)
	if late == nil {
		late = &lateFacts{Until: now.Add(askAgainWithin), Pause: askAgainAfter}
		r.event(ctx, incident.EvEnriched, "", "%s may still come: asked for again until %s, then %s",
			strings.Join(f.late, ", "), late.Until.UTC().Format(time.RFC3339), then)
	} else {
		late.Pause = min(2*late.Pause, askAgainLongest)
	}
	if !now.Before(late.Until) {
		r.event(ctx, incident.EvEnriched, "", "%s did not come", strings.Join(f.late, ", "))
		return
	}
	late.AsOf, late.Next = f.at, now.Add(late.Pause)
	late.Next = earlier(late.Next, late.Until)
	r.state.Late = late
}

// without returns what a case that waits for facts in vain does, or is empty where
// it does not wait: nothing that it lacks can still come, or people are asked
// already.
func (r *responder) without(ctx workflow.Context, f findings) string {
	c := r.state.Case
	switch {
	case c.Decision == nil, r.pending() >= 0:
		return ""
	case r.unanswered():
		if f.mayCome(c.Decision.Unknown.Missing) {
			return "people are asked"
		}
	case c.Decision.Outcome == incident.CannotDecide && f.mayCome(c.Decision.Unsure) && since(ctx, changeAskAgain):
		return "the case ends"
	case r.lacksDevice() && slices.Contains(f.late, incident.EndpointFact) && since(ctx, changeAskAgain):
		return "the plan goes on without a device"
	}
	return ""
}

// lacksDevice reports whether what is left of the plan contains, and there is no
// device to contain.
func (r *responder) lacksDevice() bool {
	c := r.state.Case
	return c.Plan.Target == nil && slices.ContainsFunc(c.Steps[r.state.Next:], func(s incident.StepState) bool {
		return s.Action.Containing() && s.Status == incident.StepWaiting
	})
}

// mustAwaitFacts reports whether a step does not run while facts are waited for.
// Notifications run, and so does the collection of evidence where the device is
// known.
func (r *responder) mustAwaitFacts(s incident.StepState) bool {
	return r.state.Late != nil && (s.Approve != "" || s.Action.Containing() || s.Action.By() == incident.ByCollector && r.state.Case.Plan.Target == nil)
}

// mayCome reports whether something that is missing can still become known.
func (f findings) mayCome(missing []incident.Missing) bool {
	return slices.ContainsFunc(missing, func(m incident.Missing) bool {
		fact, _, _ := strings.Cut(m.Path, ".")
		return slices.ContainsFunc(f.late, func(late string) bool { return slices.Contains(incident.Reach(late), fact) })
	})
}

// lags reports whether the flow store has not yet heard of the moment that it
// was asked about, and therefore does not know what the host sent.
func lags(t incident.Traffic, at time.Time) bool {
	newest, told := t.Freshness.Get()
	if !told || t.BytesOut.IsKnown() && t.Role.IsKnown() {
		return false
	}
	_, stale := incident.Lag(newest, at)
	return stale || newest.Before(at) && !t.Flows.IsKnown()
}
