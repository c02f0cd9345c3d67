package term

import (
	"cmp"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// labelWidth is the column of the card's labels.
const labelWidth = 12

// Case shows a case: subject, device and attribution, the reasons of the
// decision, the steps and how far they are proven, the active leases with their
// ends, and last, next to the prompt, the question and the effect of each answer.
func (p *Printer) Case(c incident.Case) error {
	a := wording.Of(c)
	p.head(a)
	for _, l := range a.Headline {
		p.field(0, labelWidth, span{l.Label, dim}, span{l.Text, toned(l.Tone)}, l.From)
	}
	for _, candidate := range a.Candidates {
		p.field(0, labelWidth, span{"Candidate", dim}, span{candidate, warn}, "")
	}
	p.trace(a.Trace)
	p.steps(a.Steps)
	p.leases(a.Leases)
	for _, approval := range a.Approvals {
		p.approval(approval)
	}
	return p.flush()
}

func (p *Printer) head(a wording.Account) {
	severity := cmp.Or(strings.ToUpper(a.Severity), "NOT DECIDED")
	p.line(span{severity + " ", severityStyle(a.Severity)}, span{a.Subject, strong})
	standing := a.Standing
	if a.Shadow {
		standing += " Shadow: nothing is done to the host."
	}
	p.field(0, 0, span{}, span{standing, toned(a.StandingTone)}, "")
	about := a.Playbook
	if a.Rule != "" {
		about += ", rule " + a.Rule
	}
	p.field(0, 0, span{}, span{about, dim}, "")
	opened := "opened " + wording.Clock(a.OpenedAt)
	if a.ClosedAt.IsZero() {
		opened += ", " + wording.Between(a.OpenedAt, p.o.Now()) + " ago"
	} else {
		opened += ", closed after " + wording.Between(a.OpenedAt, a.ClosedAt)
	}
	p.field(0, 0, span{}, span{opened, dim}, "run "+a.Run)
	p.line()
}

func severityStyle(severity string) style {
	switch severity {
	case "critical", "high":
		return bad
	case "medium":
		return warn
	default:
		return strong
	}
}

func (p *Printer) title(text string) {
	p.line()
	p.line(span{text, strong})
}

func (p *Printer) steps(steps []wording.Step) {
	if len(steps) == 0 {
		return
	}
	p.title("Steps")
	for _, s := range steps {
		does := s.Does
		if s.Lasts != "" {
			does += " " + s.Lasts
		}
		p.field(2, labelWidth, span{s.Name, strong}, span{does + ": " + s.Status, toned(s.Tone)}, "")
		for _, proof := range s.Proofs {
			p.proof(proof)
		}
		if s.Held != "" {
			p.field(4, 0, span{}, span{s.Held, dim}, "")
		}
		if s.Because != "" {
			p.field(4, 0, span{}, span{s.Because, dim}, "")
		}
		if s.Problem != "" {
			p.field(4, 0, span{}, span{"problem: " + s.Problem, bad}, "")
		}
	}
}

func (p *Printer) proof(proof wording.Proof) {
	detail := proof.Detail
	if !proof.At.IsZero() {
		detail = strings.TrimPrefix(detail+", "+proof.At.UTC().Format("15:04:05 UTC"), ", ")
	}
	p.field(4, labelWidth-2, span{proof.Level, dim}, span{p.sign(proof.Answer) + " " + proof.Answer, toned(proof.Tone)}, detail)
}

// sign shows an answer as one character.
func (p *Printer) sign(answer string) string {
	ascii, sign := "-", "–"
	switch answer {
	case "yes":
		ascii, sign = "+", "✓"
	case "no":
		ascii, sign = "x", "✗"
	case "cannot tell":
		ascii, sign = "?", "?"
	case "not yet":
		ascii, sign = ".", "…"
	default:
	}
	if p.o.ASCII {
		return ascii
	}
	return sign
}

func (p *Printer) leases(leases []wording.Lease) {
	if len(leases) == 0 {
		return
	}
	p.title("Leases")
	for _, l := range leases {
		text, tone := "given back "+wording.Clock(l.EndedAt), good
		switch {
		case l.UndoPending:
			text, tone = incident.UndoPending+" since "+wording.Clock(l.Until), bad
		case l.Stands():
			text, tone = "stands, "+p.Countdown(l.Until), warn
			if !l.Until.IsZero() {
				text += ", until " + wording.Clock(l.Until)
			}
		}
		if l.Adopted {
			text += "; it stood before and is never undone by Stanch"
		}
		p.field(2, labelWidth, span{l.Step, strong}, span{text, tone}, l.Does+"; let by "+l.Approver)
	}
}

func (p *Printer) approval(a wording.Approval) {
	p.title("Approval " + a.Name)
	state := a.State
	if a.Pending {
		state += ", " + p.Countdown(a.ExpiresAt) + " to answer"
	}
	p.field(2, labelWidth, span{"state", dim}, span{state, toned(a.Tone)}, a.Who)
	if a.Paused != "" {
		p.field(2, labelWidth, span{"paused", strong}, span{a.Paused, warn}, "")
	}
	if a.Because != "" {
		p.field(2, labelWidth, span{"because", dim}, span{a.Because, plain}, "")
	}
	if a.Missing != "" {
		p.field(2, labelWidth, span{"unknown", dim}, span{a.Missing, warn}, "")
	}
	for _, v := range a.Votes {
		text, tone := v.Word+", "+wording.Clock(v.At), plain
		if v.Reason != "" {
			text += ": " + v.Reason
		}
		if v.OtherPlan {
			text, tone = text+" (for another plan)", bad
		}
		p.field(2, labelWidth, span{v.Who, strong}, span{text, tone}, v.Via)
	}
	p.field(2, labelWidth, span{"plan", dim}, span{a.PlanDigest, plain}, "")
	if !a.Pending {
		return
	}
	for _, answer := range a.Answers {
		note := ""
		if answer.Reason {
			note = "needs a reason"
		}
		p.field(2, labelWidth, span{answer.Word, strong}, span{answer.Does, plain}, note)
	}
}
