package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// eventReply is the event of a document that tells the sender of an alert what becomes of it.
const eventReply = "reply"

// answer is the body of such a request. Its texts are plain, and may be an attacker's.
type answer struct {
	Version int    `json:"version"`
	Event   string `json:"event"`
	Key     string `json:"key"`
	Alert   record `json:"alert"`
	// Kind is opened, accepted, confirmed, verified, not_effective, cannot_tell or closed.
	Kind string    `json:"kind"`
	Case string    `json:"case"`
	Run  string    `json:"run"`
	Step string    `json:"step,omitempty"`
	Use  string    `json:"use,omitempty"`
	Text []string  `json:"lines"`
	At   time.Time `json:"at"`
	URL  string    `json:"url,omitempty"`
	// Outcome and Verdict are those of a case that has closed, Close whether the alert is to
	// be closed too.
	Outcome string `json:"outcome,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	Close   bool   `json:"close,omitempty"`
}

type record struct {
	Source    string `json:"source"`
	ID        string `json:"id"`
	Reference string `json:"reference,omitempty"`
}

// ReplyTo implements [integrations.Replier]. The receiver knows a repeated reply by its
// Idempotency-Key; one that does not have the alert answers 404 or 410.
func (w *Webhook) ReplyTo(ctx context.Context, r integrations.Reply) (incident.Receipt, error) {
	op := fmt.Sprintf("reply to alert %q", r.To.ID)
	if r.Key == "" || r.To.ID == "" {
		return incident.Receipt{}, invalid(op, "the reply needs a key and an alert")
	}
	return w.send(ctx, op, request{key: r.Key, event: eventReply, document: answer{
		Version: version, Event: eventReply, Key: r.Key, Alert: record(r.To), Kind: string(r.Kind),
		Case: r.Case.ID, Run: r.Case.Run, Step: r.Step, Use: r.Use, Text: r.Lines(), At: r.At, URL: r.URL,
		Outcome: string(r.Outcome), Verdict: string(r.Verdict), Close: r.Close,
	}})
}
