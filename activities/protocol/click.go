package protocol

import (
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ClickWorkflowID is the workflow id of a click: one that is delivered again is
// the same.
func ClickWorkflowID(c integrations.Click) string { return "click/" + c.Use + "/" + c.ID }

// ClickInput starts the workflow that answers one click.
type ClickInput struct {
	Click integrations.Click `json:"click"`
	// Queue is the task queue of the integration, if it has one of its own.
	Queue string `json:"queue,omitempty"`
}

// Answered is the result of a click. Refused is the rule that refused it, and
// empty when it counts.
type Answered struct {
	Person   string                 `json:"person,omitempty"`
	Refused  string                 `json:"refused,omitempty"`
	Text     string                 `json:"text,omitempty"`
	Approval incident.ApprovalState `json:"approval,omitempty"`
}

// The rules by which a click is refused before the case is asked.
const (
	RefusedUnknownPerson = "unknown_person"
	RefusedNoCase        = "no_open_case"
)
