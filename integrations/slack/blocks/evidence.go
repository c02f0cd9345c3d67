package blocks

import (
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
)

func (p painter) summary(a wording.Account) []slack.Block {
	head := line{bold(told(a.Subject, 120)), words(" " + told(a.Standing, p.line))}
	return slices.Concat(
		[]slack.Block{header(a.Severity, "Evidence of "+a.Subject, a.Shadow)},
		rich(paragraph(head), list(a.Headline, p.lines, func(l wording.Line) line {
			return sourced(labelled(told(l.Label, 60), told(l.Text, p.line)), l.From)
		})),
	)
}

// sourced is a statement with where it is from.
func sourced(l line, from string) line {
	if from = told(from, 80); from != "" {
		l = append(l, italic(" — "+from))
	}
	return l
}

// facts are what is known, each with its source, and what is not.
func (p painter) facts(a wording.Account) []slack.Block {
	var drawn []slack.Block
	for _, g := range a.Facts {
		// What is known comes first, so that the bound leaves out the rest.
		values := slices.Clone(g.Values)
		slices.SortStableFunc(values, func(a, b wording.Fact) int { return rank(a) - rank(b) })
		drawn = append(drawn, rich(titled("Fact: "+told(g.Name, 60), list(values, p.lines, p.value))...)...)
	}
	return drawn
}

func rank(f wording.Fact) int {
	if f.Known {
		return 0
	}
	return 1
}

func (p painter) value(f wording.Fact) line {
	path := bold(told(f.Path, 80))
	if !f.Known {
		if why := told(f.Why, p.line); why != "" {
			return line{path, words(" is unknown: " + why)}
		}
		return line{path, words(" is unknown")}
	}
	text := told(f.Text, p.line)
	if len(f.Items) > 0 {
		text = told(f.Items[0], p.line)
		if more := len(f.Items) - 1; more > 0 {
			text += fmt.Sprintf(" … (%d more)", more)
		}
	}
	return sourced(line{path, words(" = " + text)}, f.From)
}

// trace is every condition that was looked at, also of the rules that did not
// decide.
func (p painter) trace(a wording.Account) []slack.Block {
	return rich(slices.Concat(
		titled("Computed", list(a.Trace.Let, p.lines, p.let)),
		titled("Guardrails", list(a.Trace.Guardrails, p.lines, p.condition)),
		titled("Rules, the first that holds decides", list(a.Trace.Rules, p.lines, p.condition)),
	)...)
}

func (p painter) let(l wording.Let) line {
	text := " = " + told(l.Value, p.line)
	if l.Problem != "" {
		text = ": " + told(l.Problem, p.line)
	}
	return line{bold(told(l.Name, 80)), words(text)}
}

func (p painter) condition(c wording.Condition) line {
	mark := ""
	if c.Chosen {
		mark = "→ "
	}
	return line{words(mark), bold(told(c.Name, 80)), words(" " + told(c.Mark.Word, 40) + ": " + told(c.Why, p.line))}
}

// titled is a section below its title, or nothing when there is nothing to
// title.
func titled(title string, s section) []section {
	if len(s) == 0 {
		return nil
	}
	return []section{paragraph(line{bold(title)}), s}
}

// proofs are the three levels of proof of each step.
func (p painter) proofs(a wording.Account) []slack.Block {
	return rich(titled("Steps", list(a.Steps, p.lines, p.proof))...)
}

func (p painter) proof(s wording.Step) line {
	l := line{bold(told(s.Name, 80)), words(" " + told(s.Does, p.line) + ": " + told(s.Status, 40))}
	for _, proof := range s.Proofs {
		l = append(l, words(", "+told(proof.Level, 40)+" "+told(proof.Answer, 40)))
	}
	if s.Problem != "" {
		l = append(l, words(". "+told(s.Problem, p.line)))
	}
	return l
}

// timeline is the end of what happened: the newest events matter most.
func (p painter) timeline(a wording.Account) []slack.Block {
	events := a.Timeline
	title := "Timeline"
	if more := len(events) - 2*p.lines; more > 0 {
		events = events[more:]
		title = fmt.Sprintf("Timeline (%d older events are left out)", more)
	}
	return rich(titled(title, list(events, len(events), p.event))...)
}

func (p painter) event(e wording.Event) line {
	return sourced(line{when(e.At), bold(" " + told(e.Word, 40)), words(" " + told(e.Text, p.line))}, e.By)
}
