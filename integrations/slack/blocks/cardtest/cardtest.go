// Package cardtest has messages for tests and for the documents: a flood on a
// workstation in every state that a card can have, a storm, and a card whose
// every text was written by an attacker.
package cardtest

import (
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

func after(d time.Duration) time.Time { return Asked().Add(d) }

// Samples returns all samples.
func Samples() []Sample {
	return []Sample{
		question("asking", Asking()),
		question("critical", Critical()),
		question("asking-paused", askingPaused()),
		question("paused", paused()),
		question("held-back", heldBack()),
		question("approved-running", running()),
		question("accepted", accepted()),
		question("confirmed", confirmed()),
		question("effective", effective()),
		question("not-effective", notEffective()),
		question("cannot-tell", cannotTell()),
		question("given-back", givenBack()),
		question("denied", denied()),
		question("expired", expired()),
		question("void", void()),
		question("failed", failed()),
		question("hostile", Hostile()),
		{Name: "notice", Message: message(told())},
		{Name: "digest", Message: digest(), Mention: OnCall},
		{Name: "reminder", Message: reminder(), Mention: OnCall},
	}
}

func question(name string, c integrations.Card) Sample {
	return Sample{Name: name, Message: message(c), Mention: OnCall}
}

func message(c integrations.Card) integrations.Message {
	return integrations.Message{
		Key: "case/" + c.Case, Channel: "#sec-oncall", Severity: c.Severity, Title: c.Title, Card: &c,
		URL: "https://stanch.example.com/v1/cases/high-egress-windows/ws-042",
	}
}

// PlanDigest is the digest of the samples' plan.
func PlanDigest() string { return incident.DigestOf([]byte("plan")) }

// Asking is a card that waits for one person.
func Asking() integrations.Card {
	id := "high-egress-windows/ws-042"
	return integrations.Card{
		State: integrations.CardAsking, Case: id, Subject: "ws-042", Severity: "high",
		Title:   "Isolate WS-042 for 4 h?",
		Because: "Far above what this host ever sent, by a process that nobody vouched for.",
		Facts: []integrations.CardFact{
			{Label: "Who", Value: `updatesvc.exe (pid 6612), unsigned, run by CORP\m.keller`, How: "from the EDR"},
			{Label: "What", Value: "4.1 GiB out in 15 min, 205 times its usual maximum", How: "from the flow store, sensors saw both directions"},
			{Label: "Where", Value: "198.51.100.7 port 443 over tcp, 98 % of it", How: "from the flow store"},
			{Label: "How sure", Value: "process and traffic agree on address and port", How: "computed"},
		},
		Missing: []string{"asset.role: inventory: timed out"},
		Effect:  []string{"Isolate WS-042 for 4 h, then undone by itself"},
		Impact:  []string{"role unknown", "criticality tier 3", "owner finance", "site Zürich"},
		Undo:    "Given back when the time is up, or earlier with stanch lease release.",
		Rule:    "unexplained-volume", Playbook: "high-egress-windows", PlaybookDigest: incident.DigestOf([]byte("playbook")),
		Question: &integrations.CardQuestion{
			Approval: "on-call", PlanDigest: PlanDigest(), State: incident.Pending, Approve: "Isolate WS-042 for 4 h",
			DenyReason: true, Quorum: 1, Approvers: "1 person of messenger group sec-oncall", Groups: []string{"sec-oncall"},
			AskedAt: Asked(), ExpiresAt: after(15 * time.Minute),
		},
		Steps: []integrations.CardStep{{Text: "cut-off (isolate)", Status: incident.StepWaiting}},
		Commands: []string{
			"stanch case approve " + id + " --plan " + PlanDigest(),
			"stanch case deny " + id + " --plan " + PlanDigest() + " --reason …",
		},
		URL: "/v1/cases/" + id,
	}
}

// Critical is a card that two people must answer, one of whom has.
func Critical() integrations.Card {
	c := Asking()
	c.Severity, c.Because = "critical", "A process on a workstation drives a reflection attack."
	c.Missing, c.Impact[0] = nil, "role workstation"
	q := c.Question
	q.Critical, q.ApproveReason, q.Quorum, q.Approval = true, true, 2, "two-people"
	q.Approvers, q.Groups = "2 people of messenger group sec-leads", []string{"sec-leads"}
	q.Votes = []integrations.CardVote{{
		Person: "alice", Via: "slack", Approve: true, Reason: "Seen on the firewall as well.", At: after(3 * time.Minute),
	}}
	q.Notes = []string{"reminded after 5 min", "escalated to @sec-manager"}
	return c
}

func decided(state integrations.CardState, title string) integrations.Card {
	c := Asking()
	c.State, c.Title = state, title
	c.Question.State, c.Question.EndedAt = incident.Approved, after(4*time.Minute)
	c.Question.Votes = []integrations.CardVote{{Person: "alice", Via: "slack", Approve: true, At: after(4 * time.Minute)}}
	c.Commands = []string{"stanch case show " + c.Case}
	return c
}

func askingPaused() integrations.Card {
	c := Asking()
	c.Question.Paused = pause()
	return c
}

func paused() integrations.Card {
	c := decided(integrations.CardPaused, "Paused: Isolate WS-042 for 4 h")
	c.Question.Paused = pause()
	c.Commands = append(c.Commands, "stanch resume --reason …")
	return c
}

func pause() *incident.Pause {
	return &incident.Pause{By: "carol", Reason: "Change freeze until the core switches are back.", At: after(-20 * time.Minute)}
}

func heldBack() integrations.Card {
	c := decided(integrations.CardHeldBack, "Held back: Isolate WS-042 for 4 h")
	c.Question.Paused = pause()
	c.Steps[0].Status = incident.StepSkipped
	c.Steps[0].Problem = "containment is paused by carol: Change freeze until the core switches are back.; it was not resumed before 2026-03-14T03:29:00Z"
	return c
}

func running() integrations.Card {
	c := decided(integrations.CardRunning, "Running: Isolate WS-042 for 4 h")
	c.Steps[0].Status = incident.StepRunning
	return c
}

func standing(state integrations.CardState, title, proof string) integrations.Card {
	c := decided(state, title)
	c.Steps[0] = integrations.CardStep{
		Text: "cut-off (isolate)", Status: incident.StepStanding, Proof: proof, At: after(7 * time.Minute), Until: after(4*time.Hour + 5*time.Minute),
	}
	return c
}

func accepted() integrations.Card {
	return standing(integrations.CardAccepted, "Accepted: Isolate WS-042 for 4 h", "accepted")
}

func confirmed() integrations.Card {
	return standing(integrations.CardConfirmed, "Confirmed: Isolate WS-042 for 4 h", "confirmed")
}

func effective() integrations.Card {
	return standing(integrations.CardEffective, "Effective: Isolate WS-042 for 4 h", string(incident.Verified))
}

func notEffective() integrations.Card {
	c := standing(integrations.CardNotEffective, "Not effective: Isolate WS-042 for 4 h", string(incident.NotEffective))
	c.Steps[0].Problem = "egress is 31.4 Mbit/s, asked for below 64 kbit/s within 5 min"
	return c
}

func cannotTell() integrations.Card {
	c := standing(integrations.CardCannotTell, "Cannot tell: Isolate WS-042 for 4 h", string(incident.CannotTell))
	c.Steps[0].Problem = "the newest flow is 22 min old"
	return c
}

func givenBack() integrations.Card {
	c := standing(integrations.CardGivenBack, "Given back: Isolate WS-042 for 4 h", string(incident.Verified))
	c.Steps[0].Status, c.Steps[0].At = incident.StepEnded, after(4*time.Hour+5*time.Minute)
	return c
}

func failed() integrations.Card {
	c := decided(integrations.CardFailed, "Failed: Isolate WS-042 for 4 h")
	c.Steps[0].Status, c.Steps[0].Problem = incident.StepFailed, "the EDR refused: the agent is offline"
	return c
}

func denied() integrations.Card {
	c := decided(integrations.CardDenied, "Denied: Isolate WS-042 for 4 h")
	c.Question.State = incident.ApprovalDenied
	c.Question.Votes = []integrations.CardVote{{
		Person: "bob", Via: "slack", Reason: "A restore test of finance, announced in CHG-1042.", At: after(4 * time.Minute),
	}}
	c.Steps[0].Status = incident.StepSkipped
	return c
}

func expired() integrations.Card {
	c := decided(integrations.CardExpired, "Expired, not approved: Isolate WS-042 for 4 h")
	c.Question.State, c.Question.EndedAt, c.Question.Votes = incident.ApprovalExpired, c.Question.ExpiresAt, nil
	c.Question.Notes = []string{"reminded after 5 min"}
	c.Steps[0].Status = incident.StepSkipped
	return c
}

func void() integrations.Card {
	c := decided(integrations.CardSuperseded, "No longer asked: Isolate WS-042 for 4 h")
	c.Question.State, c.Question.Votes = incident.Superseded, nil
	c.Steps[0].Status = incident.StepSkipped
	return c
}

func told() integrations.Card {
	c := standing(integrations.CardTold, "ws-042: Contained: leases stand.", string(incident.Verified))
	c.Question, c.Effect, c.Undo = nil, nil, ""
	c.Steps = append([]integrations.CardStep{{
		Text: "throttle (rate_limit to 2 Mbit/s)", Status: incident.StepStanding, Proof: "confirmed", At: after(-time.Minute), Until: after(time.Hour),
	}}, c.Steps...)
	return c
}

func digest() integrations.Message {
	return integrations.Message{
		Key: "storm/1", Channel: "#sec-oncall", Severity: "high",
		Title: "Many cases at once: 41 wait for an answer, 12 need none any more",
		Lines: []string{
			"critical ws-042: Isolate WS-042 for 4 h? Answer by 03:29 UTC",
			"high ws-107: Isolate WS-107 for 4 h? Answer by 03:31 UTC",
			"high srv-mail-2: Limit SRV-MAIL-2 to 2 Mbit/s for 1 h? Answer by 03:31 UTC",
		},
		URL: "https://stanch.example.com/v1/cases?status=awaiting",
	}
}

func reminder() integrations.Message {
	return integrations.Message{
		Key: "reminder/1", Channel: "#sec-oncall", Severity: "high", Title: "Still waiting: Isolate WS-042 for 4 h?",
		URL: "https://stanch.example.com/v1/cases/high-egress-windows/ws-042",
	}
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
