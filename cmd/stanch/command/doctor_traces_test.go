package command

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// gatekeeper is a collector that lets one token in, and repeats what it was sent where it
// refuses.
type gatekeeper struct {
	collectorpb.UnimplementedTraceServiceServer
	spans int
}

// Export implements the service.
func (a *gatekeeper) Export(ctx context.Context, req *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	a.spans += len(req.GetResourceSpans())
	md, _ := metadata.FromIncomingContext(ctx)
	if sent := strings.Join(md.Get("authorization"), " "); sent != "Bearer the-right-token" {
		return nil, status.Errorf(codes.Unauthenticated, "not let in with %q", sent)
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// doctor says whether the collector of traces takes spans, sends it none, and says
// nothing of the token.
func TestDoctorAsksTheCollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to, server := &gatekeeper{}, grpc.NewServer()
	collectorpb.RegisterTraceServiceServer(server, to)
	go func() { _ = server.Serve(listener) }() // It ends with Stop.
	t.Cleanup(server.Stop)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	up, down := listener.Addr().String(), closed.Addr().String()
	for name, tt := range map[string]struct{ traces, want string }{
		"taken":        {"endpoint: 'http://" + up + "', token: the-right-token", "ok       traces  the collector at " + up + " takes spans"},
		"refused":      {"endpoint: 'http://" + up + "', token: a-wrong-token", "FAILS    traces  " + up + " does not take spans: rpc error: code = Unauthenticated"},
		"unreachable":  {"endpoint: 'http://" + down + "', token: a-wrong-token", "FAILS    traces  " + down + " does not take spans: Error while dialing: dial tcp " + down + ": connect: connection refused"},
		"no such host": {"endpoint: 'https://collector.invalid:4317'", "FAILS    traces  collector.invalid:4317 does not take spans: lookup collector.invalid"},
		"untrusted":    {"endpoint: 'https://" + up + "', token: the-right-token", "FAILS    traces  " + up + " does not take spans: "},
		"no ca":        {"endpoint: 'https://" + up + "', ca: missing.pem", "FAILS    traces  read the ca of the collector: "},
		"off":          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "stanch.yaml")
			text := "data: data\n"
			if tt.traces != "" {
				text += "telemetry: { traces: { " + tt.traces + " } }\n"
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			run(t.Context(), []string{"doctor", "--config", file}, streams{strings.NewReader(""), &out, &errs})
			found := ""
			for line := range strings.Lines(out.String()) {
				if fields := strings.Fields(line); len(fields) > 1 && fields[1] == "traces" {
					found = strings.Join(fields, " ")
				}
			}
			want := strings.Join(strings.Fields(tt.want), " ")
			if !strings.HasPrefix(found, want) || want == "" && found != "" {
				t.Errorf("it says %q, want %q", found, want)
			}
			if said := out.String() + errs.String(); strings.Contains(said, "right-token") || strings.Contains(said, "wrong-token") {
				t.Errorf("it says the token:\n%s", said)
			}
		})
	}
	if to.spans != 0 {
		t.Errorf("the collector got %d spans", to.spans)
	}
}
