package wording

import (
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Approval is a question to people and what came of it.
type Approval struct {
	Name, State, Because, Missing string
	Tone                          Tone
	Pending                       bool
	// Answers say what each answer does.
	Answers []Answer
	// Who says who may answer, and how many must.
	Who                         string
	PlanDigest                  string
	AskedAt, ExpiresAt, EndedAt time.Time
	Votes                       []Vote
	// Paused says that containment is paused, by whom, why and what that means for
	// the answer; empty when it is not.
	Paused string
}

// Answer is what one answer to an approval leads to.
type Answer struct {
	// Word is approve, deny or no answer.
	Word, Does string
	Reason     bool // it needs a reason
}

// Vote is one person's answer.
type Vote struct {
	Who, Via, Word, Reason string
	At                     time.Time
	// OtherPlan tells that the vote was for another plan than the approval's.
	OtherPlan bool
}

func approvals(c incident.Case) []Approval {
	var out []Approval
	for _, a := range c.Approvals {
		told := Approval{
			Name: short(a.Name), State: short(string(a.State)), Tone: approvalTone(a.State), Pending: a.State == incident.Pending,
			Because: long(a.Because), Missing: join(incident.MissingTexts(a.Missing)), Who: approvers(a), PlanDigest: short(a.PlanDigest),
			AskedAt: a.AskedAt, ExpiresAt: a.ExpiresAt, EndedAt: a.EndedAt, Answers: answers(c, a), Paused: paused(c, a),
		}
		for _, v := range a.Votes {
			told.Votes = append(told.Votes, vote(v, a.PlanDigest))
		}
		out = append(out, told)
	}
	return out
}

// PauseOf says that containment is paused while people are asked or their yes
// waits, or nothing.
func PauseOf(c incident.Case) string {
	for _, a := range slices.Backward(c.Approvals) {
		if text := paused(c, a); text != "" {
			return text
		}
	}
	return ""
}

func paused(c incident.Case, a incident.Approval) string {
	pending := a.State == incident.Pending
	if a.Paused == nil || c.Status == incident.Closed || !pending && !(a.State == incident.Approved && waits(c, a)) {
		return ""
	}
	text := sentence("Containment is paused by "+short(a.Paused.By), long(a.Paused.Reason))
	if pending {
		text += " An approval waits until it is resumed"
	} else {
		text += " The approval waits until it is resumed"
	}
	return text + ", and is held back if that is not before " + Clock(a.ExpiresAt) + "."
}

// waits reports whether a containing step behind the approval has not begun.
func waits(c incident.Case, a incident.Approval) bool {
	behind := false
	for _, s := range c.Steps {
		if s.Approve != "" {
			behind = s.Approve == a.Name
		}
		if behind && s.Action.Containing() && s.Status == incident.StepWaiting {
			return true
		}
	}
	return false
}

func vote(v incident.Vote, digest string) Vote {
	word := "deny"
	if v.Approve {
		word = "approve"
	}
	return Vote{Who: short(v.Person.ID), Via: short(v.Person.Via), Word: word, Reason: long(v.Reason), At: v.At, OtherPlan: v.PlanDigest != digest}
}

func approvalTone(s incident.ApprovalState) Tone {
	switch s {
	case incident.Approved:
		return Good
	case incident.Superseded:
		return Plain
	case incident.Pending, incident.ApprovalDenied, incident.ApprovalExpired:
	}
	return Warn
}

func approvers(a incident.Approval) string {
	var who []string
	who = append(who, shorts(a.Approvers.People)...)
	if a.Approvers.Group != "" {
		who = append(who, "group "+short(a.Approvers.Group))
	}
	switch use, group := incident.SplitDirectoryGroup(a.Approvers.DirectoryGroup()); {
	case use != "":
		who = append(who, "group "+short(group)+" of "+short(use))
	case group != "":
		who = append(who, "messenger group "+short(group))
	}
	need := "1 person"
	if a.Quorum > 1 {
		need = fmt.Sprintf("%d people", a.Quorum)
	}
	return need + " of " + join(who)
}

// answers say what each answer does: the gated steps, or what the rule runs
// instead after a no and after silence. What stands already goes on standing,
// unless the case gives it back.
func answers(c incident.Case, a incident.Approval) []Answer {
	var gate incident.PlannedStep
	c.Steps = planned(c)
	if at := c.Gate(a); at >= 0 {
		gate = c.Steps[at].PlannedStep
	}
	approve := "nothing more runs"
	if len(a.Gates) > 0 {
		approve = "runs " + join(a.Gates)
	}
	return []Answer{
		{"approve", approve, slices.Contains(a.ReasonRequired, "approve")},
		{"deny", instead(c, gate.IfDenied), slices.Contains(a.ReasonRequired, "deny")},
		{"no answer", instead(c, gate.IfExpired), false},
	}
}

func instead(c incident.Case, steps []incident.PlannedStep) string {
	names := make([]string, 0, len(steps))
	released := false
	for _, s := range steps {
		names = append(names, fmt.Sprintf("%s (%s)", s.Name, short(s.Does(theHost))))
		released = released || s.Release
	}
	text := "those steps do not run"
	if len(names) > 0 {
		text = "runs " + join(names) + " instead"
	}
	if stand := standingLeases(c); stand != "" && !released {
		text += "; still standing: " + stand
	}
	return text
}

func standingLeases(c incident.Case) string {
	var stand []string
	for _, l := range leases(c) {
		switch {
		case !l.Stands():
		case l.Until.IsZero():
			stand = append(stand, l.Step)
		default:
			stand = append(stand, l.Step+" until "+l.Until.UTC().Format("15:04 UTC"))
		}
	}
	return join(stand)
}
