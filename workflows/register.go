package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// Registry is where workflows are registered: a worker, a test environment or
// a replayer.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow under its name in history.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(Respond, workflow.RegisterOptions{Name: protocol.RespondWorkflow})
	r.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: protocol.LeaseWorkflow})
	r.RegisterWorkflowWithOptions(Budget, workflow.RegisterOptions{Name: protocol.BudgetWorkflow})
	r.RegisterWorkflowWithOptions(Channel, workflow.RegisterOptions{Name: protocol.ChannelWorkflow})
	r.RegisterWorkflowWithOptions(Click, workflow.RegisterOptions{Name: protocol.ClickWorkflow})
	r.RegisterWorkflowWithOptions(Daily, workflow.RegisterOptions{Name: protocol.DailyWorkflow})
	r.RegisterWorkflowWithOptions(Claim, workflow.RegisterOptions{Name: protocol.ClaimWorkflow})
	r.RegisterWorkflowWithOptions(Outbox, workflow.RegisterOptions{Name: protocol.OutboxWorkflow})
	r.RegisterWorkflowWithOptions(Rejected, workflow.RegisterOptions{Name: protocol.RejectedWorkflow})
}
