package integrations

import (
	"context"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Reply is what the sender of an alert is told about its case, with where the case is.
type Reply struct {
	incident.Reply
	// URL is the address of the API for the case; empty where people have not said by which
	// address it is reached.
	URL string
}

// Lines are the reply for people, plain text, which may hold the attacker's words: the
// integration must escape them for its product, and add the mark.
func (r Reply) Lines() []string {
	lines := strings.Split(r.Text, "\n")
	if r.URL != "" && (r.Kind == incident.EvOpened || r.Kind == incident.EvClosed) {
		lines = append(lines, r.URL)
	}
	return lines
}

// Mark is the text by which a product's comment is known to be this reply. No product's
// markup changes it, and no other key's contains it.
func (r Reply) Mark() string { return "(stanch " + r.Key + ")" }

// Replier tells the senders of alerts, at the alerts themselves, what becomes of them.
type Replier interface {
	// ReplyTo puts the reply at the sender's record of the alert, and closes the record where
	// the reply says so. It must be safe to repeat: the same key is one comment, as far as the
	// product lets one look, and before anything is written again it is looked for. A record
	// that is not there is a not_found error, a reply without key or record an invalid one. A
	// record that is closed already stays as it is; none is ever opened again.
	ReplyTo(ctx context.Context, r Reply) (incident.Receipt, error)
}
