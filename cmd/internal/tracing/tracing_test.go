package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/stanch-soar/stanch/workflows"
	"github.com/stanch-soar/stanch/workflows/historytest"
)

// recorded sends spans to memory.
func recorded(t *testing.T) (*Tracing, *tracetest.InMemoryExporter) {
	t.Helper()
	to := tracetest.NewInMemoryExporter()
	return with(&listed{to: to, log: slog.New(slog.DiscardHandler)}, 1, resource.Empty()), to
}

// sent are the spans that have ended.
func sent(t *testing.T, traces *Tracing, to *tracetest.InMemoryExporter) tracetest.SpanStubs {
	t.Helper()
	if err := traces.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return to.GetSpans()
}

// TestOnlyTheListLeaves wants nothing to leave that anybody has put on a span, but
// for what is listed.
func TestOnlyTheListLeaves(t *testing.T) {
	const secret = "hunter2"
	traces, to := recorded(t)
	state, err := trace.ParseTraceState("vendor=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), parent)
	_, span := traces.Tracer().Start(ctx, "x", trace.WithLinks(trace.Link{SpanContext: parent, Attributes: []attribute.KeyValue{attribute.String("a", secret)}}))
	span.SetAttributes(attribute.String("url.full", "https://x/?token="+secret), attribute.String("temporalWorkflowID", "case/pb/"+secret),
		attribute.StringSlice("http.route", []string{secret}), attribute.String("http.route", strings.Repeat("r", 4*maxValue)), attribute.Int("server.port", 443))
	span.RecordError(fmt.Errorf("the password %s is wrong", secret))
	span.SetStatus(codes.Error, secret)
	span.AddEvent(secret)
	span.End()
	all := sent(t, traces, to)
	if len(all) != 1 {
		t.Fatalf("%d spans, want 1", len(all))
	}
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, secret) {
		t.Errorf("%s leaves: %s", secret, text)
	}
	want := []attribute.KeyValue{attribute.String("http.route", strings.Repeat("r", maxValue)), attribute.Int("server.port", 443)}
	if fmt.Sprint(all[0].Attributes) != fmt.Sprint(want) || all[0].Status.Code != codes.Error {
		t.Errorf("the span has %v and status %v, want %v", all[0].Attributes, all[0].Status, want)
	}
}

// TestRecordedHistoriesReplayTraced wants a case that was opened without tracing to
// go on with it, and sends no span of what is only replayed.
func TestRecordedHistoriesReplayTraced(t *testing.T) {
	traces, to := recorded(t)
	var interceptors []interceptor.WorkerInterceptor
	for _, i := range traces.Interceptors() {
		w, ok := i.(interceptor.WorkerInterceptor)
		if !ok {
			t.Fatalf("%T does not see workers", i)
		}
		interceptors = append(interceptors, w)
	}
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: interceptors})
	if err != nil {
		t.Fatal(err)
	}
	workflows.Register(replayer)
	files := historytest.Files(t, filepath.Join("..", "..", "..", "workflows", "testdata", "histories"))
	for _, file := range files {
		if err := replayer.ReplayWorkflowHistory(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), historytest.History(t, file)); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	for _, s := range sent(t, traces, to) {
		t.Errorf("a replay sent the span %s", s.Name)
	}
}

// TestSpansOfAWorkflowAreTheSameEverywhere wants two workers to give a run the same
// span, so that what was sent as its child stays it.
func TestSpansOfAWorkflowAreTheSameEverywhere(t *testing.T) {
	at := func(place string) trace.SpanContext {
		traces, _ := recorded(t)
		started, err := (&tracer{with: traces.Tracer()}).StartSpan(&interceptor.TracerStartSpanOptions{Operation: "RunWorkflow", Name: "respond", IdempotencyKey: place})
		if err != nil {
			t.Fatal(err)
		}
		return contextOf(started)
	}
	first, again, other := at("run 1"), at("run 1"), at("run 2")
	if !first.Equal(again) || first.TraceID() == other.TraceID() || first.SpanID() == other.SpanID() {
		t.Errorf("got %v, %v and %v", first, again, other)
	}
}

// TestCollectorIsAway wants nobody to wait for a collector that does not answer, and
// the log to say so once.
func TestCollectorIsAway(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	log := &safe{said: make(chan struct{})}
	traces, err := Start(t.Context(), Options{Endpoint: "http://" + address, Header: "authorization", Sample: 1, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 20 * queued {
		_, span := traces.Tracer().Start(context.Background(), "x")
		span.End()
	}
	took := time.Since(began)
	if took > 5*time.Second {
		t.Errorf("%d spans took %s", 20*queued, took)
	}
	<-log.said
	for range queued {
		_, span := traces.Tracer().Start(context.Background(), "x")
		span.End()
	}
	began = time.Now()
	traces.Stop()
	if took := time.Since(began); took > 2*stopTimeout {
		t.Errorf("the end took %s", took)
	}
	if n := log.lines(); n != 1 || !strings.Contains(log.String(), address) {
		t.Errorf("the log has %d lines: %s", n, log.String())
	}
}

// flaky fails until it is well.
type flaky struct {
	sdktrace.SpanExporter
	well bool
}

func (f *flaky) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	if f.well {
		return nil
	}
	return errors.New("the collector does not let Bearer hunter2 in")
}

func TestFailureIsSaidOnce(t *testing.T) {
	log := &safe{said: make(chan struct{})}
	to := &flaky{}
	l := &listed{to: to, endpoint: "c.example:4317", token: "hunter2", log: slog.New(slog.NewTextHandler(log, nil))}
	for _, to.well = range []bool{false, false, false, true, true} {
		if err := l.ExportSpans(t.Context(), nil); err != nil {
			t.Errorf("somebody else is told: %v", err)
		}
	}
	if got := log.String(); log.lines() != 2 || strings.Contains(got, "hunter2") || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "arrive again") {
		t.Errorf("the log is %s", got)
	}
}

// safe is text that several write; said is closed when there is some.
type safe struct {
	mu   sync.Mutex
	text bytes.Buffer
	once sync.Once
	said chan struct{}
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.once.Do(func() { close(s.said) })
	return s.text.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *safe) lines() int { return strings.Count(s.String(), "\n") }

var (
	_ sdktrace.IDGenerator          = ids{}
	_ interceptor.WorkerInterceptor = (*keeper)(nil)
)
