package tracing

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stanch-soar/stanch/integrations"
)

// The attributes of a span that leave the process. Each holds what is ours: words
// of the code, names of the configuration, numbers. None may hold what an alert or
// a product says, a path, a query or a person.
const (
	attrSource   = "stanch.source"
	attrPlaybook = "stanch.playbook"
	attrRun      = "stanch.run"
	attrError    = "error.type"
)

// maxValue bounds the value of an attribute, and a name, in bytes.
const maxValue = 128

// Attributes are the names of all attributes that leave the process.
func Attributes() []string {
	return []string{
		attrSource, attrPlaybook, attrRun, attrError,
		"http.request.method", "http.route", "http.response.status_code", "server.address", "server.port",
	}
}

// listed exports of each span only what may leave the process. It is the last
// before the network, so nothing gets around it, whoever adds to a span.
type listed struct {
	to       sdktrace.SpanExporter
	endpoint string
	token    integrations.Secret
	log      *slog.Logger
	failing  atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter. A failure is said once, and ends
// here: nobody waits for a span.
func (l *listed) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	out := make([]sdktrace.ReadOnlySpan, 0, len(spans))
	for _, s := range spans {
		out = append(out, span{s})
	}
	err := l.to.ExportSpans(ctx, out)
	switch {
	case err != nil && l.failing.CompareAndSwap(false, true):
		l.log.Warn("spans do not arrive; they are dropped until the collector takes them", "endpoint", l.endpoint, "error", reason(err, l.token))
	case err == nil && l.failing.CompareAndSwap(true, false):
		l.log.Info("spans arrive again", "endpoint", l.endpoint)
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (l *listed) Shutdown(ctx context.Context) error { return l.to.Shutdown(ctx) }

// span is what leaves the process of a span. Events and descriptions quote
// errors, which quote what was being processed; the state of a sender's trace is
// the sender's text.
type span struct{ sdktrace.ReadOnlySpan }

// Name implements sdktrace.ReadOnlySpan, as do the methods below.
func (s span) Name() string { return bounded(s.ReadOnlySpan.Name()) }

// Attributes are those that are listed.
func (s span) Attributes() []attribute.KeyValue {
	var out []attribute.KeyValue
	for _, a := range s.ReadOnlySpan.Attributes() {
		switch {
		case !slices.Contains(Attributes(), string(a.Key)):
		case a.Value.Type() == attribute.STRING:
			out = append(out, a.Key.String(bounded(a.Value.AsString())))
		case a.Value.Type() == attribute.INT64:
			out = append(out, a)
		}
	}
	return out
}

// Events are none.
func (s span) Events() []sdktrace.Event { return nil }

// Links are to the same spans, without attributes.
func (s span) Links() []sdktrace.Link {
	var out []sdktrace.Link
	for _, l := range s.ReadOnlySpan.Links() {
		out = append(out, sdktrace.Link{SpanContext: stateless(l.SpanContext)})
	}
	return out
}

// Status is without its description.
func (s span) Status() sdktrace.Status { return sdktrace.Status{Code: s.ReadOnlySpan.Status().Code} }

// SpanContext is without the sender's state.
func (s span) SpanContext() trace.SpanContext { return stateless(s.ReadOnlySpan.SpanContext()) }

// Parent is without the sender's state.
func (s span) Parent() trace.SpanContext { return stateless(s.ReadOnlySpan.Parent()) }

func stateless(c trace.SpanContext) trace.SpanContext { return c.WithTraceState(trace.TraceState{}) }

func bounded(text string) string {
	if len(text) > maxValue {
		return text[:maxValue]
	}
	return text
}
