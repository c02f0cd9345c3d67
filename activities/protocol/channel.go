package protocol

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ChannelWorkflowID is the workflow id of a place in a messenger.
func ChannelWorkflowID(use, channel string) string { return "channel/" + use + "/" + channel }

// ChannelInput starts the workflow of one place in a messenger, or goes on with
// it. It is the place's only writer.
type ChannelInput struct {
	Use     string `json:"use"`
	Channel string `json:"channel"`
	// Queue is the task queue of the integration, if it has one of its own.
	Queue string        `json:"queue,omitempty"`
	State *ChannelState `json:"state,omitempty"`
}

// ShowRequest asks a channel to show a message about a case, or to show it
// again in the case's current state.
type ShowRequest struct {
	// Key identifies the message: the same again brings it up to date.
	Key string `json:"key"`
	// Case and Run are the case that it is about.
	Case     string             `json:"case"`
	Run      string             `json:"run"`
	Kind     incident.ShownKind `json:"kind"`
	Approval int                `json:"approval,omitempty"`
	Mention  string             `json:"mention,omitempty"`
	Severity string             `json:"severity,omitempty"`
	// Title is the message in one line, as a digest lists it.
	Title string `json:"title"`
	// Under is the message of the same channel under which it goes.
	Under string `json:"under,omitempty"`
	// Open reports whether it waits for people, Last whether the case will not ask
	// again, Chart whether the case has a chart for it.
	Open  bool `json:"open,omitempty"`
	Last  bool `json:"last,omitempty"`
	Chart bool `json:"chart,omitempty"`
}

// ChannelState is what a channel carries into its next run.
type ChannelState struct {
	Entries []ChannelEntry `json:"entries,omitempty"`
	// Posted are the times of the last messages in the channel itself, by which
	// a storm is recognised.
	Posted []time.Time `json:"posted,omitempty"`
	Digest *Digest     `json:"digest,omitempty"`
	// Digests counts them, for their keys.
	Digests int `json:"digests,omitempty"`
}

// ChannelEntry is one message of a channel.
type ChannelEntry struct {
	ShowRequest
	// Receipt is set once it was posted; Rendered is the digest of what it shows.
	Receipt  *incident.Receipt `json:"receipt,omitempty"`
	Rendered string            `json:"rendered,omitempty"`
	// Dirty reports whether the case has changed since, Listed whether it is in the
	// digest, Drawn whether its chart was sent or cannot be.
	Dirty  bool `json:"dirty,omitempty"`
	Listed bool `json:"listed,omitempty"`
	Drawn  bool `json:"drawn,omitempty"`
	// Failures counts the tries that failed, NotBefore is when the next is due.
	Failures  int       `json:"failures,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

// Digest is the one message that replaces many in a storm.
type Digest struct {
	Key     string            `json:"key"`
	Receipt *incident.Receipt `json:"receipt,omitempty"`
	// Dirty reports whether its list has changed, At is when it was last sent.
	Dirty bool      `json:"dirty,omitempty"`
	At    time.Time `json:"at"`
}
