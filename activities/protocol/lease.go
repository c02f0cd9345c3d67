package protocol

import (
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// LeaseID is the id of the lease for an order: the engine guarantees that
// there is one at a time.
func LeaseID(use string, o incident.Order) string {
	return "lease/" + string(o.Action) + "/" + use + "/" + o.Scope()
}

// LeaseUses reports whether a lease of this id is held through an integration.
func LeaseUses(id, use string) bool {
	parts := strings.SplitN(id, "/", 4)
	return len(parts) == 4 && parts[0] == "lease" && parts[2] == use
}

// LeaseInput starts a lease, or goes on with one.
type LeaseInput struct {
	ID    string         `json:"id"`
	Use   string         `json:"use"`
	Order incident.Order `json:"order"`
	// Queue is the task queue of the integration, if it has one of its own.
	Queue string `json:"queue,omitempty"`
	// What follows is set when the lease goes on in a new run: itself, the
	// former holders that are told when it is over, the requests that were given
	// up, until when one of them may still come, those that held it once, and whether
	// people were told that its undo does not work.
	Lease   *incident.Lease `json:"lease,omitempty"`
	Leaving []Leaving       `json:"leaving,omitempty"`
	GivenUp []string        `json:"given_up,omitempty"`
	Refuses time.Time       `json:"refuses,omitzero"`
	Held    []string        `json:"held,omitempty"`
	Told    bool            `json:"told,omitempty"`
}

// Leaving is a former holder of a lease: why it left, and who decided that.
type Leaving struct {
	Holder incident.Holder `json:"holder"`
	Why    string          `json:"why"`
	By     string          `json:"by,omitempty"`
	// Expired reports whether its time was up.
	Expired bool `json:"expired,omitempty"`
}

// FirstCase is the case that holds a lease first or, where none does, that held it
// and is still to be told; it is empty where there is neither.
func FirstCase(holders []incident.Holder, leaving []Leaving) string {
	switch {
	case len(holders) > 0:
		return CaseID(holders[0].Case)
	case len(leaving) > 0:
		return CaseID(leaving[0].Holder.Case)
	default:
		return ""
	}
}

// HoldRequest adds a holder to a lease.
type HoldRequest struct {
	// ID identifies the request: the same one again is the same holder, and one
	// that its case has given up is refused.
	ID     string          `json:"id"`
	Use    string          `json:"use"`
	Order  incident.Order  `json:"order"`
	Holder incident.Holder `json:"holder"`
	// Expires is from when on the request is refused: nobody waits for its
	// answer any more.
	Expires time.Time `json:"expires,omitzero"`
}

// Found is what a lease knows of a request.
type Found struct {
	// Lease is nil where the request has never held it.
	Lease *incident.Lease `json:"lease,omitempty"`
}

// GiveUpRequest says that a case gives up a request of one of its steps, which
// an attempt that was lost may have on its way still: it is refused from then
// on, and what it holds is given back.
type GiveUpRequest struct {
	ID   string `json:"id"`
	Case string `json:"case"`
	Step string `json:"step"`
	// Expires is from when on the request is refused anyway.
	Expires time.Time `json:"expires"`
}

// GivenUp is what a request had achieved when it was given up.
type GivenUp struct {
	// Held reports whether it held the lease: the case is told when that is over.
	Held bool `json:"held,omitempty"`
	// Reserved reports whether its action was cleared: where there is no lease, it
	// may have been done.
	Reserved bool `json:"reserved,omitempty"`
}

// Compared is how a product differs from the lease that asked it just now.
type Compared struct {
	Drift []incident.Drift `json:"drift,omitempty"`
	// Unread says why the product could not be read.
	Unread string `json:"unread,omitempty"`
}

// LeaveRequest tells a lease that a case no longer needs it.
type LeaveRequest struct {
	Case string `json:"case"`
	Step string `json:"step"`
	// Request is set when the case gives up a request that was not answered.
	Request string `json:"request,omitempty"`
}

// HolderExtension moves the end of one holder of a lease, as people approved, or as far
// as the plan that they approved lets it go on; then there is no Approver.
type HolderExtension struct {
	Case     string    `json:"case"`
	Step     string    `json:"step"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	Approver string    `json:"approver"`
}

// ReleaseRequest gives a lease back now, regardless of its holders.
type ReleaseRequest struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
}
