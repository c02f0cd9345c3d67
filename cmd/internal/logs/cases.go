package logs

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
)

// Cases has the lines of a logger of [New] about a lease or a click name the case
// for which it works: their workflows have ids of their own. Of several cases that
// hold a lease they name one.
func Cases(l *slog.Logger) interceptor.WorkerInterceptor {
	c := &cases{known: &notes{}}
	if h, ok := l.Handler().(*handler); ok {
		c.known = h.cases
	}
	return c
}

// cases notes which case a workflow works for, where it or its activities are told.
type cases struct {
	interceptor.WorkerInterceptorBase
	known *notes
}

func (c *cases) note(workflow string, args []any) {
	for _, a := range args {
		if id := caseOf(a); id != "" {
			c.known.note(workflow, id)
		}
	}
}

// caseOf returns the case that an input is about; it is empty where that is none,
// or one among many.
func caseOf(in any) string {
	switch in := in.(type) {
	case protocol.LeaseInput:
		if in.Lease != nil {
			return protocol.FirstCase(in.Lease.Holders, in.Leaving)
		}
	case protocol.HoldRequest:
		return protocol.CaseID(in.Holder.Case)
	case protocol.ClickInput:
		return in.Click.Case
	case activities.LeaseIn:
		return in.Case
	}
	return ""
}

// InterceptWorkflow implements interceptor.WorkerInterceptor, as does the method
// below.
func (c *cases) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	of := &workflowOfCase{cases: c}
	of.Next = next
	return of
}

func (c *cases) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	of := &activityOfCase{cases: c}
	of.Next = next
	return of
}

type workflowOfCase struct {
	interceptor.WorkflowInboundInterceptorBase
	cases *cases
}

// ExecuteWorkflow implements interceptor.WorkflowInboundInterceptor, as does the
// method below.
func (w *workflowOfCase) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	w.cases.note(workflow.GetInfo(ctx).WorkflowExecution.ID, in.Args)
	return w.Next.ExecuteWorkflow(ctx, in)
}

func (w *workflowOfCase) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	w.cases.note(workflow.GetInfo(ctx).WorkflowExecution.ID, in.Args)
	return w.Next.ExecuteUpdate(ctx, in)
}

type activityOfCase struct {
	interceptor.ActivityInboundInterceptorBase
	cases *cases
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (a *activityOfCase) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	a.cases.note(activity.GetInfo(ctx).WorkflowExecution.ID, in.Args)
	return a.Next.ExecuteActivity(ctx, in)
}
