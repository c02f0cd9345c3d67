package httpx

import (
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Traced returns a transport that makes each call a span of the trace in the
// call's context, and tells the product the ids of the trace. A call outside of a
// trace goes through it unchanged. The span has the server's name and port: a
// path or a query may hold a secret.
func Traced(to http.RoundTripper) http.RoundTripper { return traced{to} }

type traced struct{ to http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t traced) RoundTrip(req *http.Request) (*http.Response, error) {
	around := trace.SpanFromContext(req.Context())
	if !around.SpanContext().IsValid() {
		return t.to.RoundTrip(req)
	}
	ctx, span := around.TracerProvider().Tracer("github.com/stanch-soar/stanch/integrations/httpx").Start(req.Context(), "HTTP "+req.Method,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("http.request.method", req.Method), attribute.String("server.address", req.URL.Hostname())))
	defer span.End()
	if port, err := strconv.Atoi(req.URL.Port()); err == nil {
		span.SetAttributes(attribute.Int("server.port", port))
	}
	req = req.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := t.to.RoundTrip(req)
	switch {
	case err != nil:
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", "no_answer"))
	default:
		span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
		if res.StatusCode >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	return res, err
}

// CloseIdleConnections closes the connections that wait for the next call.
func (t traced) CloseIdleConnections() {
	if c, ok := t.to.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
