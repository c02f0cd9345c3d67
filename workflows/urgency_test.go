package workflows

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// asked is an activity that was asked for, and how urgently.
type asked struct {
	name     string
	priority int
}

// noting notes what workflows ask for.
type noting struct {
	interceptor.WorkerInterceptorBase
	all *[]asked
}

func (a *noting) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &notingIn{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, all: a.all}
}

type notingIn struct {
	interceptor.WorkflowInboundInterceptorBase
	all *[]asked
}

func (a *notingIn) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return a.Next.Init(&notingOut{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: out}, all: a.all})
}

type notingOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	all *[]asked
}

func (a *notingOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	*a.all = append(*a.all, asked{name, workflow.GetActivityOptions(ctx).Priority.PriorityKey})
	return a.Next.ExecuteActivity(ctx, name, args...)
}

// In a queue that is handed out slowly a lease gives back before anybody isolates, and what
// only looks comes last.
func TestGivingBackIsMoreUrgentThanLooking(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	var all []asked
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&noting{all: &all}}})
	lifted := false
	register := func(name string, f any) {
		env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	register(activities.Apply.Name, func(context.Context, activities.LeaseIn) (activities.Applied, error) {
		return activities.Applied{}, nil
	})
	register(activities.Read.Name, func(_ context.Context, in activities.LeaseIn) (incident.Reading, error) {
		return incident.Reading{Stands: !lifted, Key: in.Order.Key}, nil
	})
	register(activities.Undo.Name, func(context.Context, activities.LeaseIn) (incident.Receipt, error) {
		lifted = true
		return incident.Receipt{}, nil
	})
	env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil)
	env.ExecuteWorkflow(Lease, protocol.LeaseInput{Lease: &incident.Lease{
		ID: "lease/isolate/edr/ws-042", Use: "edr", Phase: incident.Applying, Order: incident.Order{Key: "k", Action: incident.Isolate},
		Holders: []incident.Holder{{Case: "case/1", Step: "cut-off", Until: env.Now().Add(time.Hour)}},
	}})
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	want := []asked{{activities.Apply.Name, 2}, {activities.Read.Name, 4}, {activities.Undo.Name, 1}, {activities.Read.Name, 1}}
	if !slices.Equal(all, want) {
		t.Errorf("the lease asked %v, want %v", all, want)
	}
}
