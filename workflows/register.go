package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
)

// Registry is where workflows are registered: a worker, a test environment or
// a replayer.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow under its name in history.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(Respond, workflow.RegisterOptions{Name: activities.RespondWorkflow})
	r.RegisterWorkflowWithOptions(Lease, workflow.RegisterOptions{Name: activities.LeaseWorkflow})
	r.RegisterWorkflowWithOptions(Budget, workflow.RegisterOptions{Name: activities.BudgetWorkflow})
	r.RegisterWorkflowWithOptions(Channel, workflow.RegisterOptions{Name: activities.ChannelWorkflow})
	r.RegisterWorkflowWithOptions(Click, workflow.RegisterOptions{Name: activities.ClickWorkflow})
	r.RegisterWorkflowWithOptions(Standing, workflow.RegisterOptions{Name: activities.StandingWorkflow})
	r.RegisterWorkflowWithOptions(Claim, workflow.RegisterOptions{Name: activities.ClaimWorkflow})
	r.RegisterWorkflowWithOptions(Rejected, workflow.RegisterOptions{Name: activities.RejectedWorkflow})
}
