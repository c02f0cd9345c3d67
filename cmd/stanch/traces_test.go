package main_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// collector takes spans by OTLP.
type collector struct {
	collectorpb.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracepb.Span
	// bytes are all requests, as they are encoded, and tokens what came with them.
	bytes  []byte
	tokens []string
}

// Export implements the service.
func (c *collector) Export(ctx context.Context, req *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	encoded, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	c.tokens = append(c.tokens, md.Get("authorization")...)
	c.bytes = append(c.bytes, encoded...)
	for _, r := range req.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// of are the spans of a trace, by name.
func (c *collector) of(trace string) map[string][]*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string][]*tracepb.Span{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == trace {
			found[s.GetName()] = append(found[s.GetName()], s)
		}
	}
	return found
}

func startCollector(t *testing.T) (*collector, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server := &collector{}, grpc.NewServer()
	collectorpb.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(listener) }() // It ends with Stop.
	t.Cleanup(server.Stop)
	return c, "http://" + listener.Addr().String()
}

// The traces of two senders.
const (
	firstTrace  = "0af7651916cd43dd8448eb211c80319c"
	secondTrace = "1bf7651916cd43dd8448eb211c80319d"
	senderSpan  = "b7ad6b7169203331"
)

// sendWithin sends an alert from within a trace of its sender, with text of an
// attacker wherever there is room for text.
func (s *site) sendWithin(trace, id, status, hostile string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"id": id + hostile, "status": status, "category": "high_egress", "rule": hostile, "severity": hostile,
		"host":    map[string]any{"id": "ws-042", "name": "ws-042.corp.example", "ip": []string{"10.20.4.42"}, "os": "windows"},
		"process": map[string]any{"name": hostile + ".exe", "command_line": hostile, "user": hostile},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/v1/alerts/siem?q="+hostile, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+sourceToken)
	req.Header.Set("Traceparent", "00-"+trace+"-"+senderSpan+"-01")
	req.Header.Set("Tracestate", "vendor="+hostile)
	req.Header.Set("Baggage", "k="+hostile)
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		s.t.Fatalf("the alert was answered %d", res.StatusCode)
	}
}

// TestOneTraceACase follows a case from the request of its alert to the give-back,
// over a restart of the process, in the trace that the sender began. An alert that
// joins has a trace of its own, and each is linked with the other. Nothing of the
// alert and no secret is in what is sent.
func TestOneTraceACase(t *testing.T) {
	t.Parallel()
	const hostile, token = "ATTACKERSTEXT", "collectors-own-token"
	to, endpoint := startCollector(t)
	s := newSite(t, moment{ttl: "12s"}.edits()...)
	s.settings = func(slow string) string {
		return configuration(slow) + fmt.Sprintf("telemetry: { traces: { endpoint: %q, token: %s } }\nlog: { level: debug }\n", endpoint, token)
	}
	s.start("")
	s.sendWithin(firstTrace, "a-1", "firing", hostile)
	s.until("the first containment", func() bool { return saw(s.see(floodCase), incident.EvAccepted, "") })
	s.sendWithin(secondTrace, "a-2", "resolved", hostile)
	s.until("the second alert to have joined", func() bool { return s.see(floodCase).AlertCount == 2 })
	first := s.logFile()
	s.stop()
	s.start("")
	s.until("the case to end", func() bool { return s.see(floodCase).EvidenceDir != "" })
	s.stop()

	found := to.of(firstTrace)
	for _, name := range []string{
		"POST /v1/alerts/{source}", "StartWorkflow:respond", "RunWorkflow:respond", "RunActivity:contain",
		"RunWorkflow:lease", "RunActivity:apply", "RunActivity:undo", "RunActivity:evidence",
	} {
		if len(found[name]) == 0 {
			t.Errorf("the case's trace has no span %s", name)
		}
	}
	to.check(t, found)
	signalled := to.of(secondTrace)["HandleSignal:"+protocol.AlertsSignal]
	if len(signalled) != 1 {
		t.Errorf("the second alert's trace has %d signals to the case, want 1", len(signalled))
	}
	for _, joined := range signalled {
		if !slices.ContainsFunc(joined.GetLinks(), func(l *tracepb.Span_Link) bool { return hex.EncodeToString(l.GetTraceId()) == firstTrace }) {
			t.Error("the alert that joined is not linked with the case")
		}
	}
	if len(to.of(secondTrace)["POST /v1/alerts/{source}"]) != 1 {
		t.Errorf("the second alert's trace has %v", to.of(secondTrace))
	}
	for _, text := range []string{hostile, strings.ToLower(hostile), token, sourceToken, tokenOf(alice), "ws-042", "10.20.4.42"} {
		if bytes.Contains(to.bytes, []byte(text)) {
			t.Errorf("%s is in what was sent", text)
		}
	}
	if !slices.Contains(to.tokens, "Bearer "+token) {
		t.Errorf("the collector got the tokens %q", to.tokens)
	}
	lines := append(readLog(t, first), readLog(t, s.logFile())...)
	told := about(t, lines, floodCase)
	for _, line := range told {
		if line["run_id"] != nil && line["trace_id"] != firstTrace {
			t.Errorf("a line about the case has the trace %v: %v", line["trace_id"], line)
		}
	}
	if len(told) == 0 {
		t.Error("no line of the log is about the case")
	}
	if text, err := os.ReadFile(first); err != nil || bytes.Contains(text, []byte(token)) {
		t.Errorf("the collector's token is in the log: %v", err)
	}
}

// check wants each span once, below one that was sent, or below the sender's.
func (c *collector) check(t *testing.T, found map[string][]*tracepb.Span) {
	t.Helper()
	names := map[string]string{senderSpan: "the sender"}
	for name, all := range found {
		for _, s := range all {
			id := hex.EncodeToString(s.GetSpanId())
			if other, twice := names[id]; twice {
				t.Errorf("%s has the id of %s", name, other)
			}
			names[id] = name
		}
	}
	for name, all := range found {
		for _, s := range all {
			if names[hex.EncodeToString(s.GetParentSpanId())] == "" {
				t.Errorf("%s is below a span that was never sent", name)
			}
		}
	}
}
