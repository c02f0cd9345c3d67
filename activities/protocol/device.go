package protocol

import (
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ClaimID is the workflow id of the claim to a device: the engine itself
// guarantees that there is one per playbook, integration and device.
func ClaimID(playbook, use string, device incident.Target) string {
	return "device/" + playbook + "/" + use + "/" + device.ID()
}

// ClaimInput starts the claim to a device, or goes on with one.
type ClaimInput struct {
	ID    string            `json:"id"`
	Owner *incident.CaseRef `json:"owner,omitempty"`
}

// ClaimRequest asks for a device for a case.
type ClaimRequest struct {
	Case incident.CaseRef `json:"case"`
	// Gone is an owner that has ended without releasing the device.
	Gone *incident.CaseRef `json:"gone,omitempty"`
}
