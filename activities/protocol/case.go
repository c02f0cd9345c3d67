package protocol

import (
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// CaseWorkflowID is the workflow id of a case.
func CaseWorkflowID(id string) string { return "case/" + id }

// CaseID is the id of the case whose workflow has the id; it is empty where that is
// another workflow's.
func CaseID(workflow string) string {
	if id, ok := strings.CutPrefix(workflow, CaseWorkflowID("")); ok {
		return id
	}
	return ""
}

// CloseRequest closes a case by hand: what it holds is given back.
type CloseRequest struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
	// Verdict is what the person found the alert to be; empty where they do not say.
	Verdict incident.CaseVerdict `json:"verdict,omitempty"`
}

// ExtendRequest asks a case whether one of its leases may stand longer.
type ExtendRequest struct {
	Lease  string    `json:"lease,omitempty"`
	Step   string    `json:"step,omitempty"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
	// Still is set where the case itself asks; see [incident.Extension].
	Still bool `json:"still,omitempty"`
}

// MergeRequest gives the alerts of one case to another.
type MergeRequest struct {
	From incident.CaseRef `json:"from"`
	// Run is the case that is meant, of all that its subject has had.
	Run string `json:"run"`
	// Alerts are those that From has in full, Keys those of all that it has
	// noted, Count how many they are, and Seen how repeats of them are
	// recognised.
	Alerts  []incident.Alert `json:"alerts"`
	Keys    []string         `json:"keys,omitempty"`
	Count   int              `json:"count"`
	Seen    []string         `json:"seen,omitempty"`
	Raisers incident.Raisers `json:"raisers,omitzero"`
}

// LeaseChange is a change of a lease that a case holds, sent to the case.
type LeaseChange struct {
	Lease  string             `json:"lease"`
	Step   string             `json:"step"`
	Kind   incident.EventKind `json:"kind"` // confirmed, not_confirmed, extended, released, given_back, undo_failing, drifted, as_held
	At     time.Time          `json:"at"`
	Until  time.Time          `json:"until,omitzero"`
	Detail string             `json:"detail,omitempty"`
	By     string             `json:"by,omitempty"`
	// Expired reports whether it is over because the step's time was up, and for no other
	// reason.
	Expired bool `json:"expired,omitempty"`
	// Request is the one by which the step holds the lease, or held it.
	Request string `json:"request,omitempty"`
	// Counts reports, of a lease that is confirmed, whether its product counts what it lets
	// through and drops. Gone reports, of one that drifted, whether it is not in place.
	Counts bool `json:"counts,omitempty"`
	Gone   bool `json:"gone,omitempty"`
	// Told reports, of one that was given back, whether people were told before that its
	// undo does not work.
	Told bool `json:"told,omitempty"`
}

// ShownChange is a change of a message, sent to its case.
type ShownChange struct {
	Key     string    `json:"key"`
	At      time.Time `json:"at,omitzero"`
	Link    string    `json:"link,omitempty"`
	Digest  bool      `json:"digest,omitempty"`
	Problem string    `json:"problem,omitempty"`
	// GivenUp reports whether it is not tried any more.
	GivenUp bool `json:"given_up,omitempty"`
}

// PauseChange is the state of the kill switch.
type PauseChange struct {
	// Run is that of the case that is told.
	Run string `json:"run"`
	// Changes counts the pauses and resumptions before: of two messages that
	// overtook each other the one with more is right.
	Changes int `json:"changes"`
	// Paused is set while containment is paused; if it is not, Resumed says who
	// resumed it, if anybody did.
	Paused  *incident.Pause `json:"paused,omitempty"`
	Resumed *incident.Pause `json:"resumed,omitempty"`
	// Full reports whether too many cases watch already: this one is not notified.
	Full bool `json:"full,omitempty"`
}
