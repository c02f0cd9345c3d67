package memory

import (
	"context"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Replied is what the sender of an alert was told at it.
type Replied struct {
	Reply integrations.Reply `json:"reply"`
	At    time.Time          `json:"at"`
}

// ReplyTo implements [integrations.Replier]. The estate takes every alert for one of its own,
// but those of [Estate.LoseRecord].
func (e *Estate) ReplyTo(ctx context.Context, r integrations.Reply) (incident.Receipt, error) {
	var receipt incident.Receipt
	u := use{op: "reply", on: r.To.ID, write: true}
	err := e.perform(ctx, u, func() error {
		switch {
		case r.Key == "" || r.To.ID == "":
			return integrations.Errorf(integrations.Invalid, u.String(), "the reply needs a key and an alert")
		case slices.Contains(e.gone, r.To):
			return integrations.Errorf(integrations.NotFound, u.String(), "there is no such alert")
		}
		if i := slices.IndexFunc(e.replies, func(s Replied) bool { return s.Reply.Key == r.Key }); i >= 0 {
			receipt = incident.Receipt{Ref: r.Key, At: e.replies[i].At, Detail: "told before"}
			return nil
		}
		now := e.now().UTC()
		receipt = incident.Receipt{Ref: r.Key, At: now, Detail: "told"}
		return e.commit(entry{Reply: &Replied{Reply: r, At: now}})
	})
	return receipt, err
}

// Replies returns what the senders of alerts were told, oldest first.
func (e *Estate) Replies() []Replied {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.replies)
}

// LoseRecord has the sender of an alert not have it any more.
func (e *Estate) LoseRecord(r incident.AlertRecord) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = append(e.gone, r)
}
