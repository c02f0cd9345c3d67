package webhook

import (
	"cmp"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// version is that of the document's shape. Within a version keys are only added;
// receivers must ignore keys that they do not know.
const version = 1

// The events of a document: a new message, or a change of the one with the same
// key.
const (
	eventPost   = "post"
	eventUpdate = "update"
)

// document is the body of a request. Its texts are plain, and may be an
// attacker's: the receiver must escape them where they are shown.
type document struct {
	Version int    `json:"version"`
	Event   string `json:"event"`
	Key     string `json:"key"`
	Channel string `json:"channel"`
	// Thread is the key of the message under which it goes.
	Thread   string   `json:"thread,omitempty"`
	Mention  string   `json:"mention,omitempty"`
	Severity string   `json:"severity,omitempty"`
	Title    string   `json:"title"`
	Lines    []string `json:"lines"`
	URL      string   `json:"url,omitempty"`
	// API is the address of the API for it.
	API string `json:"api,omitempty"`
	// Card is the case in full; Title and Lines are it in short.
	Card *card `json:"card,omitempty"`
}

type card struct {
	State          integrations.CardState `json:"state"`
	Case           string                 `json:"case"`
	Subject        string                 `json:"subject"`
	Severity       string                 `json:"severity,omitempty"`
	Title          string                 `json:"title"`
	Because        string                 `json:"because,omitempty"`
	Shadow         bool                   `json:"shadow,omitempty"`
	Facts          []fact                 `json:"facts,omitempty"`
	Missing        []string               `json:"missing,omitempty"`
	Effect         []string               `json:"effect,omitempty"`
	Impact         []string               `json:"impact,omitempty"`
	Undo           string                 `json:"undo,omitempty"`
	Rule           string                 `json:"rule,omitempty"`
	Playbook       string                 `json:"playbook,omitempty"`
	PlaybookDigest string                 `json:"playbook_digest,omitempty"`
	Question       *question              `json:"question,omitempty"`
	Steps          []step                 `json:"steps,omitempty"`
	Commands       []string               `json:"commands,omitempty"`
	URL            string                 `json:"url,omitempty"`
}

type fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
	How   string `json:"how,omitempty"`
}

type question struct {
	Approval      string    `json:"approval"`
	PlanDigest    string    `json:"plan_digest"`
	State         string    `json:"state"`
	Approve       string    `json:"approve"`
	Critical      bool      `json:"critical,omitempty"`
	ApproveReason bool      `json:"approve_reason,omitempty"`
	DenyReason    bool      `json:"deny_reason,omitempty"`
	Quorum        int       `json:"quorum"`
	Approvers     string    `json:"approvers,omitempty"`
	Groups        []string  `json:"groups,omitempty"`
	Votes         []vote    `json:"votes,omitempty"`
	AskedAt       time.Time `json:"asked_at"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
	EndedAt       time.Time `json:"ended_at,omitzero"`
	Notes         []string  `json:"notes,omitempty"`
	// Paused is set while containment is paused.
	Paused *incident.Pause `json:"paused,omitempty"`
}

type vote struct {
	Person  string    `json:"person"`
	Via     string    `json:"via,omitempty"`
	Approve bool      `json:"approve"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
}

type step struct {
	Text    string    `json:"text"`
	Status  string    `json:"status"`
	Word    string    `json:"word,omitempty"`
	Proof   string    `json:"proof,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Counted string    `json:"counted,omitempty"`
	Problem string    `json:"problem,omitempty"`
}

// describe is a message as a document.
func describe(event string, m integrations.Message) document {
	d := document{
		Version: version, Event: event, Key: m.Key, Channel: m.Channel, Thread: m.Thread, Mention: m.Mention,
		Severity: m.Severity, Title: m.Title, Lines: append([]string{}, m.Lines...), URL: cmp.Or(m.URL, m.API), API: m.API,
	}
	if c := m.Card; c != nil {
		d.Card = &card{
			State: c.State, Case: c.Case, Subject: c.Subject, Severity: c.Severity, Title: c.Title, Because: c.Because,
			Shadow: c.Shadow, Missing: c.Missing, Effect: c.Effect, Impact: c.Impact, Undo: c.Undo, Rule: c.Rule,
			Playbook: c.Playbook, PlaybookDigest: c.PlaybookDigest, Question: questionOf(c.Question), Commands: c.Commands, URL: c.URL,
		}
		for _, f := range c.Facts {
			d.Card.Facts = append(d.Card.Facts, fact(f))
		}
		for _, s := range c.Steps {
			d.Card.Steps = append(d.Card.Steps, step{s.Text, string(s.Status), s.Word, s.Proof, s.At, s.Until, s.Counted, s.Problem})
		}
	}
	return d
}

func questionOf(q *integrations.CardQuestion) *question {
	if q == nil {
		return nil
	}
	out := &question{
		Approval: q.Approval, PlanDigest: q.PlanDigest, State: string(q.State), Approve: q.Approve, Critical: q.Critical,
		ApproveReason: q.ApproveReason, DenyReason: q.DenyReason, Quorum: q.Quorum, Approvers: q.Approvers, Groups: q.Groups,
		AskedAt: q.AskedAt, ExpiresAt: q.ExpiresAt, EndedAt: q.EndedAt, Notes: q.Notes, Paused: q.Paused,
	}
	for _, v := range q.Votes {
		out.Votes = append(out.Votes, vote(v))
	}
	return out
}
