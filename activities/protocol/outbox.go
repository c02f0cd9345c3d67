package protocol

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// OutboxWorkflowID is the workflow id of what the senders of alerts are told through an
// integration.
func OutboxWorkflowID(use string) string { return "outbox/" + use }

// OutboxInput starts the outbox of an integration, or goes on with it. It is the only one
// that answers alerts there.
type OutboxInput struct {
	Use string `json:"use"`
	// Queue is the task queue of the integration, if it has one of its own.
	Queue string       `json:"queue,omitempty"`
	State *OutboxState `json:"state,omitempty"`
}

// OutboxState is what an outbox carries into its next run.
type OutboxState struct {
	// Entries wait to be sent, in the order in which they came.
	Entries []OutboxEntry `json:"entries,omitempty"`
	// Sent are the last that were sent, oldest first: an echo and a repeat are known by them.
	Sent []SentReply `json:"sent,omitempty"`
	// Muted are the answers of cases that are left out, because their alert was an echo.
	Muted []MutedCase `json:"muted,omitempty"`
}

// OutboxEntry is one reply that waits.
type OutboxEntry struct {
	incident.Reply
	// Since is when it came, Failures counts the tries that failed, and NotBefore is when
	// the next is due.
	Since     time.Time `json:"since"`
	Failures  int       `json:"failures,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

// SentReply is one reply that was sent. Key and Record are digests.
type SentReply struct {
	Key    string    `json:"key"`
	Record string    `json:"record"`
	Run    string    `json:"run"`
	At     time.Time `json:"at"`
}

// MutedCase is a case that does not answer an alert. Record is a digest.
type MutedCase struct {
	Record string    `json:"record"`
	Run    string    `json:"run"`
	At     time.Time `json:"at"`
}

// ReplyChange tells a case how its replies fare, where that changes: they do not arrive, or
// do again.
type ReplyChange struct {
	// Run is that of the case that is told.
	Run string `json:"run"`
	Use string `json:"use"`
	// Alert is the source and id of the alert that is answered.
	Alert string    `json:"alert"`
	At    time.Time `json:"at"`
	// Problem is why it does not arrive; empty: it has.
	Problem string `json:"problem,omitempty"`
	// GivenUp reports whether it is not tried any more.
	GivenUp bool `json:"given_up,omitempty"`
}
