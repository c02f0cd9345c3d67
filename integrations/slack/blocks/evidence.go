package blocks

import (
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/playbooks/evidence/account"
)

func (p painter) summary(a account.Account) []slack.Block {
	head := line{bold(told(a.Subject, 120)), words(" " + told(a.Standing, p.line))}
	lines := make([]line, 0, len(a.Headline))
	for _, l := range a.Headline {
		entry := line{bold(told(l.Label, 60) + ": "), words(told(l.Text, p.line))}
		if l.From != "" {
			entry = append(entry, italic(" — "+told(l.From, p.line)))
		}
		lines = append(lines, entry)
	}
	return slices.Concat([]slack.Block{header(a.Severity, "Evidence of "+a.Subject, a.Shadow)}, rich(paragraph(head), list(lines, p.lines)))
}

// facts are what is known, each with its source, and then what is not.
func (p painter) facts(a account.Account) []slack.Block {
	var sections []section
	for _, g := range a.Facts {
		var known, unknown []line
		for _, f := range g.Values {
			if !f.Known {
				unknown = append(unknown, line{bold(told(f.Path, 80)), words(" is unknown: " + told(f.Why, p.line))})
				continue
			}
			known = append(known, p.fact(f))
		}
		if len(known)+len(unknown) > 0 {
			sections = append(sections, paragraph(line{bold("Fact: " + told(g.Name, 60))}), list(slices.Concat(known, unknown), p.lines))
		}
	}
	return rich(sections...)
}

func (p painter) fact(f account.Fact) line {
	text := told(f.Text, p.line)
	if len(f.Items) > 0 {
		text = told(f.Items[0], p.line)
		if more := len(f.Items) - 1; more > 0 {
			text += fmt.Sprintf(" … (%d more)", more)
		}
	}
	return line{bold(told(f.Path, 80)), words(" = " + text), italic(" — " + told(f.From, 80))}
}

// trace is every condition that was looked at, also of the rules that did not
// decide.
func (p painter) trace(a account.Account) []slack.Block {
	var lets []line
	for _, l := range a.Trace.Let {
		text := " = " + told(l.Value, p.line)
		if l.Problem != "" {
			text = ": " + told(l.Problem, p.line)
		}
		lets = append(lets, line{bold(told(l.Name, 80)), words(text)})
	}
	return rich(slices.Concat(
		titled("Computed", list(lets, p.lines)),
		titled("Guardrails", list(p.conditions(a.Trace.Guardrails), p.lines)),
		titled("Rules, first that holds decides", list(p.conditions(a.Trace.Rules), p.lines)),
	)...)
}

func (p painter) conditions(list []account.Condition) []line {
	lines := make([]line, 0, len(list))
	for _, c := range list {
		mark := ""
		if c.Chosen {
			mark = "→ "
		}
		lines = append(lines, line{words(mark), bold(told(c.Name, 80)), words(" " + told(c.Mark.Word, 40) + ": " + told(c.Why, p.line))})
	}
	return lines
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
func (p painter) proofs(a account.Account) []slack.Block {
	var lines []line
	for _, s := range a.Steps {
		l := line{bold(told(s.Name, 80)), words(" " + told(s.Does, p.line) + ": " + told(s.Status, 40))}
		for _, proof := range s.Proofs {
			l = append(l, words(", "+told(proof.Level, 40)+" "+told(proof.Answer, 40)))
		}
		if s.Problem != "" {
			l = append(l, words(". "+told(s.Problem, p.line)))
		}
		lines = append(lines, l)
	}
	return rich(titled("Steps", list(lines, p.lines))...)
}

// timeline is the end of what happened: the newest events matter most.
func (p painter) timeline(a account.Account) []slack.Block {
	events := a.Timeline
	var older line
	if more := len(events) - 2*p.lines; more > 0 {
		events = events[more:]
		older = line{words(fmt.Sprintf("… (%d older events)", more))}
	}
	lines := make([]line, 0, len(events))
	for _, e := range events {
		l := line{when(e.At), bold(" " + told(e.Word, 40)), words(" " + told(e.Text, p.line))}
		if e.By != "" {
			l = append(l, italic(" — "+told(e.By, 80)))
		}
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil
	}
	return rich(paragraph(line{bold("Timeline")}), paragraph(older), list(lines, len(lines)))
}
