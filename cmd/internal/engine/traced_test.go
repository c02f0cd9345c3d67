package engine

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"golang.org/x/time/rate"
)

// tracedEngine notes in which trace it is called.
type tracedEngine struct {
	client.Client
	within trace.SpanContext
}

func (e *tracedEngine) ExecuteWorkflow(ctx context.Context, _ client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	e.within = trace.SpanContextFromContext(ctx)
	return started{}, nil
}

// TestAlertsThatGoTogetherAreLinked wants the call for several requests to be in the
// trace of the first, and that linked with the others.
func TestAlertsThatGoTogetherAreLinked(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	_, first := tracer.Start(t.Context(), "first")
	_, later := tracer.Start(t.Context(), "later")
	e := &tracedEngine{}
	c := newCommitter(New(e, Options{}))
	in := stormed(1, 1)
	l := &lane{id: in.ID, busy: true, pace: rate.NewLimiter(rate.Inf, 1)}
	c.lanes[in.ID] = l
	b := c.enqueue(in, first)
	if c.enqueue(in, later) != b {
		t.Fatal("the requests do not go together")
	}
	// One that is not traced changes nothing.
	c.enqueue(in, trace.SpanFromContext(t.Context()))
	c.send(l, c.take(l))
	if !e.within.Equal(first.SpanContext()) {
		t.Errorf("the call is in %v, want that of the first request", e.within.TraceID())
	}
	first.End()
	later.End()
	for i, want := range []trace.Span{later, first} {
		links := spans.Ended()[i].Links()
		if len(links) != 1 || !links[0].SpanContext.Equal(want.SpanContext()) {
			t.Errorf("%s has the links %v", spans.Ended()[i].Name(), links)
		}
	}
}
