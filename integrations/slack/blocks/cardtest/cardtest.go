// Package cardtest has messages for tests and for the documents: a flood on a
// workstation in every state that a card can have, a storm, and a card whose
// every text was written by an attacker.
package cardtest

import (
	_ "embed" // messages.json
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// OnCall is the user group that the samples call.
const OnCall = "<!subteam^S0ONCALL>"

// Sample is a message and whom it calls.
type Sample struct {
	Name    string
	Message integrations.Message
	Mention string
}

// Asked is when the samples' questions are asked.
func Asked() time.Time { return time.Date(2026, 3, 14, 3, 14, 0, 0, time.UTC) }

//go:embed messages.json
var messages []byte

// Samples returns all samples: those of messages.json, which are what the code
// makes of a case, and the hostile one.
func Samples() []Sample {
	all := made()
	var out []Sample
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		m.Channel = "#sec-oncall"
		s := Sample{Name: name, Message: m, Mention: OnCall}
		if name == "notice" {
			s.Mention = ""
		}
		out = append(out, s)
	}
	hostile := Hostile()
	return append(out, Sample{Name: "hostile", Message: integrations.Message{
		Key: "case/" + hostile.Case, Channel: "#sec-oncall", Severity: hostile.Severity, Title: hostile.Title, Card: &hostile,
	}, Mention: OnCall})
}

// made are the messages of messages.json by their names. A file that cannot be
// read has none, and every test that looks for one fails.
func made() map[string]integrations.Message {
	var all map[string]integrations.Message
	_ = json.Unmarshal(messages, &all)
	return all
}

// PlanDigest is the digest of the samples' plan.
func PlanDigest() string { return incident.DigestOf([]byte("plan")) }

// Asking is a card that waits for one person.
func Asking() integrations.Card {
	if c := made()["asking"].Card; c != nil {
		return *c
	}
	return integrations.Card{}
}

// Attack is what an attacker would write into every text that they reach.
func Attack() string {
	return "<!channel> <@U0VICTIM> @here @everyone <https://evil.example/|Approve> https://evil.example/login *bold* _it_ ~no~ `code` " +
		":fire: &lt;!here&gt; \u202egnp.exe\u2066 \u200b\x1b[2J\x00\r\n\u2028 \xff " + strings.Repeat("A", 10_000)
}

// Hostile is a card with [Attack] in every text.
func Hostile() integrations.Card {
	text := Attack()
	many := []string{text, text, text, text, text, text, text, text, text, text, text, text}
	c := Asking()
	c.Title, c.Because, c.Subject, c.Rule, c.Playbook, c.PlaybookDigest = "Isolate "+text, text, text, text, text, text
	c.Undo, c.URL, c.Effect, c.Impact, c.Missing, c.Commands = text, text, many, many, many, many
	c.Facts, c.Steps = nil, nil
	for range many {
		c.Facts = append(c.Facts, integrations.CardFact{Label: text, Value: text, How: text})
		c.Steps = append(c.Steps, integrations.CardStep{Text: text, Status: incident.StepStatus(text), Problem: text, At: Asked()})
		c.Question.Votes = append(c.Question.Votes, integrations.CardVote{Person: text, Via: text, Approve: true, Reason: text, At: Asked()})
	}
	c.Question.Paused = &incident.Pause{By: text, Reason: text, At: Asked()}
	c.Question.Approve, c.Question.Approvers, c.Question.Notes, c.Question.Critical = "Isolate "+text, text, many, true
	return c
}
