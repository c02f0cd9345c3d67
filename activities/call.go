package activities

import (
	"context"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Call is an update or a signal to a workflow. Where it may be started first, it
// says what with.
type Call struct {
	// Workflow is the workflow's name, ID its id, Input what it starts with.
	Workflow string
	ID       string
	Input    any
	// Instead, where it is set, is what the workflow starts with where it does not
	// run, with the effect of the update: the update is not sent then, and its
	// result stays as it is.
	Instead any
	// Attributes are search attributes of a started workflow.
	Attributes map[string]string
	// Update is the update's name; UpdateID makes a repeated call one update.
	Update   string
	UpdateID string
	// Signal is the signal's name, for a call that is one.
	Signal string
	Arg    any
}

// BudgetCall is an update to the budget, which is started first if it does not run.
func BudgetCall(update, updateID string, arg any) Call {
	return Call{
		Workflow: protocol.BudgetWorkflow, ID: protocol.BudgetID, Input: protocol.BudgetState{},
		Attributes: map[string]string{protocol.AttrKind: protocol.BudgetWorkflow},
		Update:     update, UpdateID: updateID, Arg: arg,
	}
}

// Workflows lets an activity talk to the other workflows.
type Workflows interface {
	// UpdateWithStart sends the update and waits for its answer, which is
	// decoded into result.
	UpdateWithStart(ctx context.Context, c Call, result any) error
	// Update is the same for a workflow that must run already.
	Update(ctx context.Context, c Call, result any) error
	// SignalWithStart sends a signal to a workflow, which is started first if it
	// does not run.
	SignalWithStart(ctx context.Context, c Call) error
	// Case returns the current state of a case. One that does not exist is a not_found
	// error.
	Case(ctx context.Context, id, run string) (incident.Case, error)
}
