package wording

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// theHost is the case's device in what a step does to it.
const theHost = "the host"

// Step is one step of the plan and how far it came.
type Step struct {
	Name, Does string
	Action     incident.Action
	// Use is the integration that carries it out.
	Use    string
	Status string
	Tone   Tone
	// Proofs are the three levels, in order; none for a gate and for a step
	// that contains nothing.
	Proofs []Proof
	// Because says why a gate was put in, or who carries the step out in place of whom
	// and why, Problem why a step failed.
	Because, Problem string
	// Lasts says for how long, of a containment that may be held again or end early, and
	// Held how far that is.
	Lasts, Held string
}

// Proof is one level of proof.
type Proof struct {
	// Level is accepted, confirmed or effective.
	Level string
	// Answer is yes, no, not yet, not started, not asked, cannot tell or stood
	// before.
	Answer string
	Tone   Tone
	At     time.Time
	Detail string
}

// Lease is a containment that this case holds or held.
type Lease struct {
	Step, Does, Target, ID string
	Adopted                bool
	// UndoPending reports whether it could not be given back yet.
	UndoPending           bool
	Since, Until, EndedAt time.Time
	// Approver is who let it happen.
	Approver string
}

// Stands reports whether the lease has not been given back.
func (l Lease) Stands() bool { return l.EndedAt.IsZero() }

// planned are the case's steps, or those of its plan where none has started.
func planned(c incident.Case) []incident.StepState {
	if len(c.Steps) > 0 || c.Plan == nil {
		return c.Steps
	}
	out := make([]incident.StepState, 0, len(c.Plan.Steps))
	for _, p := range c.Plan.Steps {
		out = append(out, incident.StepState{PlannedStep: p, Status: incident.StepWaiting})
	}
	return out
}

func steps(c incident.Case) []Step {
	var out []Step
	for _, s := range planned(c) {
		word, tone := StatusOf(c, s)
		told := Step{
			Name: short(s.Name), Does: short(s.Does(theHost)), Action: s.Action, Use: short(s.Use), Status: word, Tone: tone,
			Because: long(joined(s.Because, s.Chosen(), s.Unkept())), Problem: long(cmp.Or(s.Problem, s.PlannedStep.Problem)),
		}
		if s.Approve != "" {
			told.Name = "approval"
		}
		told.Lasts, told.Held = held(s)
		if s.Action.Containing() {
			told.Proofs = []Proof{accepted(s), confirmed(s), effective(s)}
		}
		out = append(out, told)
	}
	return out
}

// held says for how long a containment may be held again, and how far that is.
func held(s incident.StepState) (lasts, told string) {
	if s.Hold == nil && s.QuietFor == 0 {
		return "", ""
	}
	lasts = s.Lasts(incident.FormatDuration)
	if s.Held == nil || s.Hold == nil {
		return lasts, ""
	}
	told = s.Held.String()
	if s.Watched() {
		told += "; watched until " + s.Held.WatchUntil.UTC().Format("15:04 UTC")
	}
	return lasts, long(told)
}

// joined are the texts that are not empty, on one line.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "; ")
}

func accepted(s incident.StepState) Proof {
	p := Proof{Level: "accepted", At: s.AcceptedAt}
	switch {
	case s.Adopted:
		p.Answer, p.Tone, p.Detail = "stood before", Plain, "found in place and adopted; not undone by Stanch"
	case !s.AcceptedAt.IsZero():
		p.Answer, p.Tone, p.Detail = "yes", Good, "the product accepted the request"
	default:
		p.Answer, p.Tone = pending(s)
	}
	return p
}

func confirmed(s incident.StepState) Proof {
	p := Proof{Level: "confirmed", At: s.ConfirmedAt}
	if s.ConfirmedAt.IsZero() {
		p.Answer, p.Tone = pending(s)
		return p
	}
	p.Answer, p.Tone, p.Detail = "yes", Good, "read back from the device"
	return p
}

func effective(s incident.StepState) Proof {
	p := Proof{Level: "effective", At: s.ProvenAt, Detail: long(s.ProofDetail)}
	p.Answer, p.Tone = "not asked", Plain
	if s.Verify != nil {
		p.Answer, p.Tone = pending(s)
	}
	switch s.Proof {
	case incident.Verified:
		p.Answer, p.Tone = "yes", Good
	case incident.NotEffective:
		p.Answer, p.Tone = "no", Bad
	case incident.CannotTell:
		p.Answer, p.Tone = "cannot tell", Warn
	case incident.NoProof:
	}
	if p.Detail == "" && s.Verify != nil {
		p.Detail = "wanted: egress below " + incident.FormatRate(s.Verify.EgressBelow) + " within " + incident.FormatDuration(s.Verify.Within)
	}
	return p
}

// pending answers for a level that was not reached: never a claim of success.
func pending(s incident.StepState) (string, Tone) {
	switch s.Status {
	case incident.StepRunning, incident.StepStanding:
		return "not yet", Warn
	case incident.StepFailed, incident.StepEnded:
		return "no", Bad
	case incident.StepWaiting:
		return "not started", Plain
	case incident.StepDone, incident.StepSkipped, incident.StepShadowed:
	}
	return "not asked", Plain
}

func leases(c incident.Case) []Lease {
	var out []Lease
	for i, s := range c.Steps {
		if !s.Action.Leased() || s.Lease == "" || s.Status != incident.StepStanding && s.Status != incident.StepEnded {
			continue
		}
		told := Lease{
			Step: short(s.Name), Does: short(s.Does(theHost)), ID: short(s.Lease), Adopted: s.Adopted, UndoPending: s.UndoPending,
			Since: s.AcceptedAt, Until: s.Until, EndedAt: s.EndedAt, Approver: approver(c, i),
		}
		if c.Target != nil {
			told.Target = short(c.Target.Name())
		}
		out = append(out, told)
	}
	return out
}

// approver names who approved the gates that stand before the step.
func approver(c incident.Case, step int) string {
	var who []string
	for _, s := range c.Steps[:step] {
		for _, a := range c.Approvals {
			if s.Approve == "" || a.Name != s.Approve || a.State != incident.Approved {
				continue
			}
			for _, v := range a.Votes {
				if name := short(v.Person.ID); v.Approve && !slices.Contains(who, name) {
					who = append(who, name)
				}
			}
		}
	}
	if len(who) == 0 {
		return "the policy (no approval was needed)"
	}
	return strings.Join(shorts(who), ", ")
}
