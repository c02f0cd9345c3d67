package incident

import (
	"strings"
	"time"
)

// LeasePhase is the phase of a lease's life.
type LeasePhase string

// The closed set of lease phases.
const (
	Applying    LeasePhase = "applying"
	Holding     LeasePhase = "holding"   // accepted by the vendor
	Confirmed   LeasePhase = "confirmed" // and read back from the device
	Undoing     LeasePhase = "undoing"
	GivenBack   LeasePhase = "given_back"
	LeaseFailed LeasePhase = "failed" // it was never applied
)

// AgentState is what is known of an isolated device's agent.
type AgentState string

// The closed set of agent states.
const (
	AgentHeard   AgentState = "heard"
	AgentUnheard AgentState = "unheard"
	// AgentUntold: the product does not say when it heard the agent, or could not
	// be read.
	AgentUntold AgentState = "cannot_tell"
)

// Holder is a case that needs a containment.
type Holder struct {
	// Case is the workflow id of the case, which is told of every change.
	Case string `json:"case"`
	Run  string `json:"run"`
	Step string `json:"step"`
	// Request is the id of the request by which the step holds the lease.
	Request string `json:"request,omitempty"`
	// Rate is the limit that the step is for, in bits per second; zero: it is not for one,
	// or the holder is older than this.
	Rate     int64     `json:"rate,omitempty"`
	Reason   string    `json:"reason"`
	Approver string    `json:"approver,omitempty"`
	Until    time.Time `json:"until"`
}

// Lease is an active containment: who needs it, why, until when, how it is
// undone and what was in place before.
type Lease struct {
	ID    string     `json:"id"`
	Use   string     `json:"use"`
	Order Order      `json:"order"`
	Phase LeasePhase `json:"phase"`
	// Adopted reports whether it was in place before us: then it is never undone
	// by us.
	Adopted bool    `json:"adopted"`
	Before  Reading `json:"before"`
	// Undo says in words how it is undone.
	Undo        string    `json:"undo"`
	Holders     []Holder  `json:"holders"`
	Receipt     Receipt   `json:"receipt"`
	AppliedAt   time.Time `json:"applied_at,omitzero"`
	ConfirmedAt time.Time `json:"confirmed_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
	Until       time.Time `json:"until,omitzero"`
	// Agent is whether the device's agent was heard since an isolation is in place;
	// empty where that is not looked for, or not known yet.
	Agent AgentState `json:"agent,omitempty"`
	// Counts reports whether the product counts what it lets through and drops.
	Counts bool `json:"counts,omitempty"`
	// Drifted says how the product differed from the lease when it was read last; empty: in
	// nothing, or it is not looked at.
	Drifted string `json:"drifted,omitempty"`
	// UndoPendingSince is when the undo began that was tried and has not worked yet.
	UndoPendingSince time.Time `json:"undo_pending_since,omitzero"`
	// Problem says what went wrong last, such as an undo that keeps failing.
	Problem string `json:"problem,omitempty"`
}

// UndoPending is what people read of a lease whose undo was tried and has not worked yet,
// and of the step that held it.
const UndoPending = "undo pending"

// State says for people how far a lease is.
func (l Lease) State() string {
	if l.Phase == Undoing && !l.UndoPendingSince.IsZero() {
		return UndoPending
	}
	return strings.ReplaceAll(string(l.Phase), "_", " ")
}
