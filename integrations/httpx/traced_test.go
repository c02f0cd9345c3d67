package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

// TestCallIsPartOfItsTrace wants the product to hear of the trace of a call, and of
// none where there is none, and no secret of the address on the span.
func TestCallIsPartOfItsTrace(t *testing.T) {
	heard := make(chan string, 2)
	product := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		heard <- req.Header.Get("traceparent")
		w.WriteHeader(http.StatusTeapot)
	}))
	defer product.Close()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ctx, around := provider.Tracer("test").Start(t.Context(), "around")
	client := open(t, httpx.Options{})
	call := httpx.Request{Op: "ask", Method: http.MethodGet, URL: product.URL + "/hooks/hunter2?token=hunter2"}
	if _, err := client.Do(t.Context(), call); err == nil {
		t.Error("a teapot is no error")
	}
	if got := <-heard; got != "" || len(spans.Ended()) != 0 {
		t.Errorf("outside of a trace the product heard %q, and there are %d spans", got, len(spans.Ended()))
	}
	call.Write = true
	if _, err := client.Do(ctx, call); err == nil {
		t.Error("a teapot is no error")
	}
	if len(spans.Ended()) != 1 {
		t.Fatalf("%d spans, want 1", len(spans.Ended()))
	}
	span := spans.Ended()[0]
	if got := <-heard; !strings.Contains(got, around.SpanContext().TraceID().String()) || !strings.Contains(got, span.SpanContext().SpanID().String()) {
		t.Errorf("the product heard %q", got)
	}
	if span.Parent().SpanID() != around.SpanContext().SpanID() {
		t.Errorf("the call's span is below %v", span.Parent())
	}
	for _, a := range span.Attributes() {
		if strings.Contains(a.Value.String(), "hunter2") {
			t.Errorf("the span has %s: %s", a.Key, a.Value.String())
		}
	}
}
