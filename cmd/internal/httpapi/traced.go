package httpapi

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced begins the span of an authenticated request, in the trace of its sender
// where the request names one: who is not let in makes no span. End takes the
// problem that the request is answered with, or nil.
func (r *Receiver) traced(req *http.Request, route string, about ...attribute.KeyValue) (within *http.Request, end func(*problem)) {
	if r.Tracer == nil {
		return req, func(*problem) {}
	}
	sender := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(req.Context(), propagation.HeaderCarrier(req.Header)))
	// What else the sender's systems note about the trace is not ours to pass on.
	ctx := trace.ContextWithRemoteSpanContext(req.Context(), sender.WithTraceState(trace.TraceState{}))
	ctx, span := r.Tracer.Start(ctx, route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(append(about, attribute.String("http.route", route))...))
	return req.WithContext(ctx), func(p *problem) {
		if p != nil {
			span.SetAttributes(attribute.Int("http.response.status_code", p.status))
			if p.status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}
