package blocks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

const shadowSentence = "Shadow mode: nothing is done to the host, whatever is answered."

// card draws a case. While it asks: until when, why, what a yes does, and the
// buttons. Afterwards first what became of it.
func (p painter) card(m integrations.Message, mention string) []slack.Block {
	c := *m.Card
	head := []slack.Block{header(c.Severity, c.Title, c.Shadow), markup(status(c, mention))}
	if c.State == integrations.CardAsking {
		return slices.Concat(
			head, p.uncalled(mention), p.paused(c), p.why(c), p.effect(c), p.answers(m), p.people(c), p.origin(c), p.commands(m))
	}
	return slices.Concat(
		head, p.uncalled(mention), p.paused(c), p.progress(c), p.people(c), p.why(c), p.effect(c), p.origin(c), p.commands(m))
}

// status is the state of the case, whom it calls and until when. It is parsed
// text, so it holds our own words only.
func status(c integrations.Card, mention string) string {
	var parts []string
	if text := called(mention); text != "" {
		parts = append(parts, text)
	}
	q := c.Question
	asking := c.State == integrations.CardAsking && q != nil
	switch {
	case asking && !q.ExpiresAt.IsZero():
		parts = append(parts, fmt.Sprintf("⏳ *Answer by %s.* %s. Silence is never approval.", moment(q.ExpiresAt), votesSoFar(*q)))
	case asking:
		parts = append(parts, fmt.Sprintf("⏳ *Waiting for an answer.* %s. No deadline is set.", votesSoFar(*q)))
	default:
		parts = append(parts, stateMark(c.State)+" "+stateSentence(c.State))
		if q != nil && !q.EndedAt.IsZero() {
			parts = append(parts, "The question ended "+moment(q.EndedAt)+".")
		}
	}
	if c.Shadow {
		parts = append(parts, shadowSentence)
	}
	return strings.Join(parts, " ")
}

// paused says who has paused containment, why, and what that does to an approval.
func (p painter) paused(c integrations.Card) []slack.Block {
	q := c.Question
	if q == nil || q.Paused == nil || c.State != integrations.CardAsking && c.State != integrations.CardPaused {
		return nil
	}
	who := line{bold("⏸ Containment is paused"), words(" by " + told(q.Paused.By, min(80, p.line)))}
	if !q.Paused.At.IsZero() {
		who = append(who, words(", "), when(q.Paused.At))
	}
	if reason := told(q.Paused.Reason, p.line); reason != "" {
		who = append(who, words(": “"+reason+"”"))
	}
	waits := line{words("An approval waits until it is resumed. ")}
	if c.State == integrations.CardPaused {
		waits = line{words("It is checked again when containment is resumed. ")}
	}
	if !q.ExpiresAt.IsZero() {
		waits = append(waits, words("Not resumed before "), when(q.ExpiresAt), words(", it is not done."))
	}
	return rich(paragraph(who), paragraph(waits))
}

// votesSoFar counts distinct people.
func votesSoFar(q integrations.CardQuestion) string {
	var people []string
	for _, v := range q.Votes {
		if v.Approve && !slices.Contains(people, v.Person) {
			people = append(people, v.Person)
		}
	}
	if q.Quorum <= 1 {
		return fmt.Sprintf("%d of 1 needed approval", len(people))
	}
	return fmt.Sprintf("%d of %d needed approvals, each by another person", len(people), q.Quorum)
}

// why says what is known, from where, and what is not known.
func (p painter) why(c integrations.Card) []slack.Block {
	var because line
	if text := told(c.Because, p.long); text != "" {
		because = line{bold("Why: "), words(text)}
	}
	var missing []section
	if len(c.Missing) > 0 {
		missing = []section{paragraph(line{bold("Not known, and it would have mattered:")}), list(c.Missing, p.lines, p.text)}
	}
	return rich(slices.Concat([]section{paragraph(because), list(c.Facts, p.lines, p.fact)}, missing)...)
}

func (p painter) fact(f integrations.CardFact) line {
	fact := labelled(told(f.Label, min(60, p.line)), told(f.Value, p.line))
	if how := told(f.How, p.line); how != "" {
		fact = append(fact, italic(" — "+how))
	}
	return fact
}

// labelled is a value below its name, or nothing where there is neither.
func labelled(label, value string) line {
	if label == "" {
		return line{words(value)}
	}
	return line{bold(label + ": "), words(value)}
}

func (p painter) text(s string) line { return line{words(told(s, p.line))} }

// effect says what a yes does, for how long, to whom else, and how it ends.
func (p painter) effect(c integrations.Card) []slack.Block {
	var sections []section
	if len(c.Effect) > 0 {
		head := "Approving does this:"
		if c.State != integrations.CardAsking {
			head = "What was asked:"
		}
		sections = append(sections, paragraph(line{bold(head)}), list(c.Effect, p.lines, p.text))
	}
	if len(c.Impact) > 0 {
		var parts []string
		for i, text := range c.Impact {
			if i == p.lines {
				parts = append(parts, fmt.Sprintf("… (%d more)", len(c.Impact)-i))
				break
			}
			parts = append(parts, told(text, p.line))
		}
		sections = append(sections, paragraph(line{bold("Blast radius: "), words(strings.Join(parts, " · "))}))
	}
	if text := told(c.Undo, p.long); text != "" {
		sections = append(sections, paragraph(line{bold("Undo: "), words(text)}))
	}
	return rich(sections...)
}

// people says who may answer, who has, and what was done to get an answer.
func (p painter) people(c integrations.Card) []slack.Block {
	q := c.Question
	if q == nil {
		return nil
	}
	var who line
	if text := told(q.Approvers, p.line); text != "" {
		head := "Who may answer: "
		if c.State != integrations.CardAsking {
			head = "Who could answer: "
		}
		who = line{bold(head), words(sentence(text))}
	}
	return rich(paragraph(who), list(q.Votes, p.lines, p.vote), list(q.Notes, p.lines, p.text))
}

func (p painter) vote(v integrations.CardVote) line {
	word := "✋ denied"
	if v.Approve {
		word = "👍 approved"
	}
	vote := line{bold(told(v.Person, min(80, p.line))), words(" " + word)}
	if via := told(v.Via, 40); via != "" {
		vote = append(vote, words(" in "+via))
	}
	if !v.At.IsZero() {
		vote = append(vote, words(", "), when(v.At))
	}
	if reason := told(v.Reason, p.line); reason != "" {
		vote = append(vote, words(": “"+reason+"”"))
	}
	return vote
}

// origin says what decided.
func (p painter) origin(c integrations.Card) []slack.Block {
	var parts []string
	add := func(label, value string) {
		if value = told(value, p.line); value != "" {
			parts = append(parts, label+" "+value)
		}
	}
	add("rule", c.Rule)
	if c.Playbook != "" {
		add("playbook", c.Playbook+version(c.PlaybookDigest))
	}
	if c.Question != nil {
		add("plan", digest(c.Question.PlanDigest))
	}
	add("case", c.Case)
	if len(parts) == 0 {
		return nil
	}
	return []slack.Block{slack.NewContextBlock("", plainText(strings.Join(parts, " · ")))}
}

func version(full string) string {
	if full == "" {
		return ""
	}
	return " @ " + digest(full)
}

// digest is as much of a digest as tells two versions apart.
func digest(full string) string {
	_, hex, found := strings.Cut(full, ":")
	if !found {
		hex = full
	}
	kept, _ := inert(hex, 12)
	return kept
}

// commands are the lines that do without Slack. A line is whole or not there:
// half of a command is useless.
func (p painter) commands(m integrations.Message) []slack.Block {
	const most, longest = 3, 1000
	c := m.Card
	var whole []string
	for _, command := range c.Commands[:min(len(c.Commands), most)] {
		kept, rest := inert(command, longest)
		if written, err := compact(kept); kept != "" && rest == "" && err == nil && width(written) <= longest {
			whole = append(whole, kept)
		}
	}
	var head, foot line
	if len(whole) > 0 {
		head = line{words("In a terminal, also when Slack is down:")}
	}
	if c.State != integrations.CardAsking || !p.answerable {
		foot = link(m)
	}
	return rich(paragraph(head), preformatted(strings.Join(whole, "\n")), paragraph(foot))
}
