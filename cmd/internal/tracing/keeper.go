package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// keeper sees to it that the spans of a workflow end once, where it ends, and
// links the trace of a case with the traces of what is said to it.
type keeper struct {
	interceptor.InterceptorBase
	// note is told the trace of each run; nil needs none.
	note func(run, trace string)
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (k *keeper) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	of := &kept{note: k.note}
	of.Next = next
	return of
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (k *keeper) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	of := &noted{note: k.note}
	of.Next = next
	return of
}

// noted is an activity, whose run may be on another worker.
type noted struct {
	interceptor.ActivityInboundInterceptorBase
	note func(run, trace string)
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (n *noted) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if span := trace.SpanContextFromContext(ctx); n.note != nil && span.IsValid() {
		n.note(activity.GetInfo(ctx).WorkflowExecution.RunID, span.TraceID().String())
	}
	return n.Next.ExecuteActivity(ctx, in)
}

// kept is one run of a workflow.
type kept struct {
	interceptor.WorkflowInboundInterceptorBase
	run  *engineSpan
	note func(run, trace string)
}

func current(ctx workflow.Context) *engineSpan {
	found, _ := ctx.Value(spanKey{}).(*engineSpan)
	return found
}

// ExecuteWorkflow implements interceptor.WorkflowInboundInterceptor, as do the
// methods below.
func (k *kept) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	k.run = current(ctx)
	k.run.keep()
	if k.run != nil && k.note != nil {
		k.note(workflow.GetInfo(ctx).WorkflowExecution.RunID, k.run.SpanContext().TraceID().String())
	}
	out, err := k.Next.ExecuteWorkflow(ctx, in)
	k.run.over(ctx)
	return out, err
}

// HandleSignal links an alert that joins, or whatever else is said, with the case.
func (k *kept) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	link(k.run, current(ctx))
	return k.Next.HandleSignal(ctx, in)
}

// ExecuteUpdate links a question or a request with the workflow that answers it.
func (k *kept) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	asked := current(ctx)
	link(k.run, asked)
	asked.keep()
	out, err := k.Next.ExecuteUpdate(ctx, in)
	asked.over(ctx)
	return out, err
}

// keep has a span go on when its worker gives the workflow up: then what is under
// way never returns, and is run again from the history.
func (s *engineSpan) keep() {
	if s != nil {
		s.open = true
	}
}

// over has a span end when what it is about has ended now, and not in a replay.
func (s *engineSpan) over(ctx workflow.Context) {
	if s != nil {
		s.open = workflow.IsReplaying(ctx)
	}
}

// link links two spans of different traces with each other.
func link(a, b *engineSpan) {
	if a == nil || b == nil || a.SpanContext().TraceID() == b.SpanContext().TraceID() {
		return
	}
	a.AddLink(trace.Link{SpanContext: b.SpanContext()})
	b.AddLink(trace.Link{SpanContext: a.SpanContext()})
}
