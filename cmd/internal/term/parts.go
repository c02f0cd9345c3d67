package term

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Say shows a paragraph.
func (p *Printer) Say(text string) error {
	p.field(0, 0, span{}, span{text, plain}, "")
	return p.flush()
}

// Aside shows a paragraph that may be skipped.
func (p *Printer) Aside(text string) error {
	p.field(0, 0, span{}, span{text, dim}, "")
	return p.flush()
}

// Command shows a command line. It is never wrapped or cut, so that it can be
// copied; its explanation is above it.
func (p *Printer) Command(text, command string) error {
	if text != "" {
		p.field(2, 0, span{}, span{text, dim}, "")
	}
	p.out.WriteString("    " + p.paint(strong, p.text(command)) + "\n")
	return p.flush()
}

// Ask shows a question and leaves the cursor after it, for the answer.
func (p *Printer) Ask(question string) error {
	p.out.WriteString(p.paint(strong, p.text(question)) + " ")
	return p.flush()
}

// Question shows a question to people: subject, device and attribution,
// containments that are active already, the effect of each answer, and how that
// is undone.
func (p *Printer) Question(c incident.Case) error {
	a := wording.Of(c)
	p.title("Asked of people: " + a.Subject)
	for _, l := range a.Headline {
		p.field(2, labelWidth, span{l.Label, dim}, span{l.Text, toned(l.Tone)}, l.From)
	}
	p.leases(a.Leases)
	for _, approval := range a.Approvals {
		if !approval.Pending {
			continue
		}
		p.approval(approval)
		for _, s := range gated(c, approval.Name) {
			p.field(2, labelWidth, span{"undone", strong}, span{undone(s), plain}, "")
		}
	}
	return p.flush()
}

// gated returns the containing steps that wait for an approval.
func gated(c incident.Case, approval string) []incident.PlannedStep {
	var steps []incident.PlannedStep
	behind := false
	for _, s := range c.Steps {
		switch {
		case s.Approve != "":
			behind = s.Approve == approval && s.Status == incident.StepRunning
		case behind && s.Action.Containing():
			steps = append(steps, s.PlannedStep)
		}
	}
	return steps
}

func undone(s incident.PlannedStep) string {
	if !s.Action.Leased() {
		return fmt.Sprintf("%s is permanent: it cannot be undone", s.Name)
	}
	return fmt.Sprintf("%s is a lease: it ends by itself after %s, and can be released before", s.Name, incident.FormatDuration(s.TTL))
}

// Outcome shows how a case ended, and how far each of its steps was proven.
func (p *Printer) Outcome(c incident.Case) error {
	a := wording.Of(c)
	p.title("How it ended: " + a.Subject)
	p.field(2, 0, span{}, span{a.Standing, toned(a.StandingTone)}, "")
	p.steps(a.Steps)
	return p.flush()
}

// barsWidth is how many bars a live line has at most; a narrow output has
// fewer.
const barsWidth = 24

// high is the part of the largest value above which a value is still high.
const high = 4

// Live shows a line that the next output replaces: the last values as bars, and
// their meaning. Only a terminal shows it.
func (p *Printer) Live(values []int64, text string) error {
	if !p.o.TTY {
		return nil
	}
	room := barsWidth
	if p.o.Width > 0 {
		room = min(barsWidth, p.o.Width/4)
	}
	bars := p.bars(values[max(0, len(values)-room):], values)
	bars = strings.Repeat(" ", room-columns(bars)) + bars
	text = p.text(text)
	if p.o.Width > 0 {
		// A full last column would make some terminals start a new line.
		text = p.cut(text, p.o.Width-room-4)
	}
	look := good
	if len(values) > 0 && values[len(values)-1] > slices.Max(values)/high {
		look = bad
	}
	p.out.WriteString(p.paint(look, bars) + "  " + text)
	err := p.flush()
	p.live = true
	return err
}

// bars draws values against the largest of all. The height is proportional to the
// square root, so that a tenth can still be distinguished from zero.
func (p *Printer) bars(values, all []int64) string {
	steps := []rune("▁▂▃▄▅▆▇█")
	if p.o.ASCII {
		steps = []rune("_.:-=+*#")
	}
	var top int64 = 1
	for _, v := range all {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range values {
		at := 0
		for at+1 < len(steps) && int64(at+1)*int64(at+1)*top <= v*int64(len(steps)*len(steps)) {
			at++
		}
		b.WriteRune(steps[at])
	}
	return b.String()
}
