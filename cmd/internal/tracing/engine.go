package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// headerKey is the header of workflows and activities that has the context of
// the trace, as in Temporal's own libraries. It holds two ids and a flag.
const headerKey = "_tracer-data"

// spanKey is the key of the current span in the context of a workflow.
type spanKey struct{}

// tracer makes the spans that the engine's client asks for. It has no part in
// what a workflow does: its headers are no commands.
type tracer struct {
	interceptor.BaseTracer
	with       trace.Tracer
	propagator propagation.TraceContext
}

// Options implements interceptor.Tracer, as do the methods below. Queries are
// asked every moment and change nothing.
func (t *tracer) Options() interceptor.TracerOptions {
	return interceptor.TracerOptions{
		SpanContextKey: spanKey{}, HeaderKey: headerKey, DisableQueryTracing: true, AllowInvalidParentSpans: true,
	}
}

// UnmarshalSpan returns the span of a header; nil where it has none.
func (t *tracer) UnmarshalSpan(header map[string]string) (interceptor.TracerSpanRef, error) {
	found := trace.SpanContextFromContext(t.propagator.Extract(context.Background(), propagation.MapCarrier(header)))
	if !found.IsValid() {
		return nil, nil
	}
	return stateless(found), nil
}

// MarshalSpan returns the header of a span.
func (t *tracer) MarshalSpan(s interceptor.TracerSpan) (map[string]string, error) {
	header := propagation.MapCarrier{}
	if of, ok := s.(*engineSpan); ok {
		t.propagator.Inject(trace.ContextWithSpanContext(context.Background(), stateless(of.SpanContext())), header)
	}
	return header, nil
}

// SpanFromContext returns the span of a context; nil where it has none.
func (t *tracer) SpanFromContext(ctx context.Context) interceptor.TracerSpan {
	current := trace.SpanFromContext(ctx)
	if !current.SpanContext().IsValid() {
		return nil
	}
	return &engineSpan{Span: current}
}

// ContextWithSpan returns a context that has the span.
func (t *tracer) ContextWithSpan(ctx context.Context, s interceptor.TracerSpan) context.Context {
	if of, ok := s.(*engineSpan); ok {
		return trace.ContextWithSpan(ctx, of.Span)
	}
	return ctx
}

// StartSpan starts a span.
func (t *tracer) StartSpan(o *interceptor.TracerStartSpanOptions) (interceptor.TracerSpan, error) {
	ctx := context.Background()
	options := []trace.SpanStartOption{trace.WithTimestamp(o.Time), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(about(o.Tags)...)}
	if o.ToHeader {
		options = append(options, trace.WithSpanKind(trace.SpanKindClient))
	}
	parent := contextOf(o.Parent)
	switch {
	case !parent.IsValid():
	case o.Operation == "RunWorkflow" && forMany(o.Name):
		options = append(options, trace.WithLinks(trace.Link{SpanContext: parent}))
	default:
		ctx = trace.ContextWithSpanContext(ctx, parent)
	}
	if o.IdempotencyKey != "" {
		ctx = context.WithValue(ctx, placeKey{}, o.IdempotencyKey)
	}
	_, started := t.with.Start(ctx, o.Operation+":"+o.Name, options...)
	return &engineSpan{Span: started}, nil
}

// GetLogger returns a logger whose lines have the trace.
func (t *tracer) GetLogger(l log.Logger, ref interceptor.TracerSpanRef) log.Logger {
	if of := contextOf(ref); of.IsValid() {
		return log.With(l, "TraceID", of.TraceID().String(), "SpanID", of.SpanID().String())
	}
	return l
}

// forMany reports whether a workflow works for many cases. Its run is a trace of
// its own, for it belongs to none of them; what a case asks of it is in the case's.
func forMany(workflow string) bool {
	switch workflow {
	case protocol.BudgetWorkflow, protocol.ChannelWorkflow, protocol.OutboxWorkflow, protocol.DailyWorkflow:
		return true
	default:
		return false
	}
}

func contextOf(ref interceptor.TracerSpanRef) trace.SpanContext {
	switch ref := ref.(type) {
	case *engineSpan:
		return ref.SpanContext()
	case trace.SpanContext:
		return ref
	default:
		return trace.SpanContext{}
	}
}

// about are the attributes of a span of the engine. A workflow's id is none: that
// of a case has the host's name as an alert writes it.
func about(tags map[string]string) []attribute.KeyValue {
	var out []attribute.KeyValue
	if run := tags["temporalRunID"]; run != "" {
		out = append(out, attribute.String(attrRun, run))
	}
	if of := protocol.CaseID(tags["temporalWorkflowID"]); of != "" {
		playbook, _, _ := strings.Cut(of, "/")
		out = append(out, attribute.String(attrPlaybook, playbook))
	}
	return out
}

// engineSpan is a span that the engine's client started.
type engineSpan struct {
	trace.Span
	// open reports whether it goes on elsewhere: a worker that gives a workflow up, or
	// replays it, does not end its spans.
	open bool
}

// Finish implements interceptor.TracerSpan.
func (s *engineSpan) Finish(o *interceptor.TracerFinishSpanOptions) {
	if s.open {
		return
	}
	if kind := kindOf(o.Error); kind != "" {
		s.SetStatus(codes.Error, "")
		s.SetAttributes(attribute.String(attrError, kind))
	}
	s.End()
}

// kindOf names an error without its text; it is empty for what is no failure.
func kindOf(err error) string {
	if err == nil || workflow.IsContinueAsNewError(err) {
		return ""
	}
	if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return ""
	}
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok && e.Type() != "" {
		return e.Type()
	}
	if temporal.IsCanceledError(err) {
		return "cancelled"
	}
	if temporal.IsTimeoutError(err) {
		return "timeout"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", err), "*")
}
