package incident

import (
	"slices"
	"time"
)

// Stage is a point on the way from an alert to a network that is given back.
type Stage string

// The closed set of stages, in their order. A case that asks nobody has no asked and no
// answered, one that contains nothing ends with decided.
const (
	StageReceived  Stage = "received"   // the receiver took the alert
	StageAccepted  Stage = "accepted"   // the case has the alert
	StageEnriched  Stage = "enriched"   // the facts were asked for, and came or did not
	StageDecided   Stage = "decided"    // the policy answered
	StageAsked     Stage = "asked"      // people were asked
	StageAnswered  Stage = "answered"   // they approved or denied
	StageApplied   Stage = "applied"    // the product accepted the action
	StageConfirmed Stage = "confirmed"  // it was read back from the device
	StageEffective Stage = "effective"  // the flow store showed that egress fell
	StageGivenBack Stage = "given_back" // the lease has ended
)

// Stages lists the stages, in their order.
func Stages() []Stage {
	return []Stage{
		StageReceived, StageAccepted, StageEnriched, StageDecided, StageAsked, StageAnswered,
		StageApplied, StageConfirmed, StageEffective, StageGivenBack,
	}
}

// Round is one way of a case from an alert to a decision that it follows.
type Round struct {
	// ReceivedAt is when the first of the alerts that it is about was received, by the
	// receiver's clock; the other times are by the engine's.
	ReceivedAt time.Time `json:"received_at,omitzero"`
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	EnrichedAt time.Time `json:"enriched_at,omitzero"`
	DecidedAt  time.Time `json:"decided_at,omitzero"`
}

// StageTime is when a case reached a stage, and how long that took.
type StageTime struct {
	Stage Stage `json:"stage"`
	// Step is the step that it concerns, or the approval of asked and answered; Action is
	// the step's, or that of the first containing step behind the approval. Both are empty
	// up to decided.
	Step   string    `json:"step,omitempty"`
	Action Action    `json:"action,omitempty"`
	At     time.Time `json:"at"`
	// After is the stage before it, Took the time since then and Total the time since the
	// alert was received. Neither is negative: two clocks may differ.
	After Stage         `json:"after,omitempty"`
	Took  time.Duration `json:"took"`
	Total time.Duration `json:"total"`
}

// StageTimes are the times of the stages that the case has reached: of each round, then of
// each approval, then of each containing step.
func (c Case) StageTimes() []StageTime {
	var out []StageTime
	for _, round := range c.rounds() {
		out = append(out, round.Times()...)
	}
	for _, a := range c.Approvals {
		if a.Extends == nil {
			out = append(out, c.ApprovalTimes(a)...)
		}
	}
	for _, s := range c.Steps {
		if s.Action.Containing() && !s.AcceptedAt.IsZero() {
			out = append(out, c.StepTimes(s)...)
		}
	}
	return out
}

// Times are the times of the stages up to the decision.
func (r Round) Times() []StageTime { return newPath(r).reached }

// ApprovalTimes are when people were asked for an approval, and when they answered.
func (c Case) ApprovalTimes(a Approval) []StageTime {
	p := newPath(c.roundAt(a.AskedAt))
	from := len(p.reached)
	p.step = a.Name
	if at := slices.IndexFunc(c.Behind(a), func(s StepState) bool { return s.Action.Containing() }); at >= 0 {
		p.action = c.Behind(a)[at].Action
	}
	p.reach(StageAsked, a.AskedAt)
	if a.State == Approved || a.State == ApprovalDenied {
		p.reach(StageAnswered, a.EndedAt)
	}
	return p.reached[from:]
}

// StepTimes are the times of the stages that a containing step has reached.
func (c Case) StepTimes(s StepState) []StageTime {
	round := c.roundAt(s.StartedAt)
	p := newPath(round)
	for _, a := range c.Approvals {
		if a.Extends == nil && a.State == Approved && !a.AskedAt.Before(round.DecidedAt) && !a.EndedAt.After(s.AcceptedAt) {
			p.reach(StageAnswered, a.EndedAt)
		}
	}
	from := len(p.reached)
	p.step, p.action = s.Name, s.Action
	p.reach(StageApplied, s.AcceptedAt)
	p.reach(StageConfirmed, s.ConfirmedAt)
	p.reach(StageEffective, s.ProvenAt)
	p.reach(StageGivenBack, s.EndedAt)
	return p.reached[from:]
}

// path is a sequence of stages, with the times that each took.
type path struct {
	start, last time.Time
	after       Stage
	step        string
	action      Action
	reached     []StageTime
}

func newPath(r Round) *path {
	p := &path{}
	p.reach(StageReceived, r.ReceivedAt)
	p.reach(StageAccepted, r.AcceptedAt)
	p.reach(StageEnriched, r.EnrichedAt)
	p.reach(StageDecided, r.DecidedAt)
	return p
}

// reach adds a stage; one that was not reached, which has no time, is left out.
func (p *path) reach(stage Stage, at time.Time) {
	if at.IsZero() {
		return
	}
	if p.start.IsZero() {
		p.start, p.last = at, at
	}
	p.reached = append(p.reached, StageTime{
		Stage: stage, Step: p.step, Action: p.action, At: at,
		After: p.after, Took: max(0, at.Sub(p.last)), Total: max(0, at.Sub(p.start)),
	})
	p.after = stage
	if at.After(p.last) {
		p.last = at
	}
}

// roundAt is the round whose decision was followed at a time.
func (c Case) roundAt(at time.Time) Round {
	rounds := c.rounds()
	for _, r := range slices.Backward(rounds) {
		if !r.DecidedAt.After(at) {
			return r
		}
	}
	return rounds[0]
}

// rounds are the case's rounds, at least one. The first of a case that was opened by a version that
// noted none is taken from its alerts and its timeline.
func (c Case) rounds() []Round {
	first := Round{ReceivedAt: FirstReceived(c.Alerts), AcceptedAt: c.OpenedAt}
	first.EnrichedAt, first.DecidedAt = c.first(EvEnriched), c.first(EvDecided)
	if len(c.Rounds) == 0 {
		return []Round{first}
	}
	if !first.DecidedAt.IsZero() && first.DecidedAt.Before(c.Rounds[0].DecidedAt) {
		return append([]Round{first}, c.Rounds...)
	}
	return c.Rounds
}

// first is when something of a kind happened first; zero where it did not.
func (c Case) first(kind EventKind) time.Time {
	at := slices.IndexFunc(c.Timeline, func(e Event) bool { return e.Kind == kind })
	if at < 0 {
		return time.Time{}
	}
	return c.Timeline[at].At
}

// FirstReceived is when the first of some alerts was received; zero where none says so.
func FirstReceived(alerts []Alert) time.Time {
	var first time.Time
	for _, a := range alerts {
		if !a.ReceivedAt.IsZero() && (first.IsZero() || a.ReceivedAt.Before(first)) {
			first = a.ReceivedAt
		}
	}
	return first
}
