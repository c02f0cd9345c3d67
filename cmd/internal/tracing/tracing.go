// Package tracing sends what happens to a case as OpenTelemetry spans, one trace
// a case: from the alert's request through workflows, activities and calls to
// products until the network is given back.
package tracing

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"google.golang.org/grpc/credentials"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// exportTimeout bounds one delivery, and retryWithin how long a batch is tried
	// again; meanwhile spans wait in a queue of queued, and more are dropped.
	exportTimeout = 5 * time.Second
	retryWithin   = 5 * time.Second
	exportEvery   = time.Second
	queued        = 4096
	// stopTimeout is how long the last spans may take at the end of the process.
	stopTimeout = 2 * time.Second
	// scope names the instrumentation.
	scope = "github.com/stanch-soar/stanch"
)

// Options say where spans go.
type Options struct {
	// Endpoint is https://host:port, or http://host:port without TLS, of a collector
	// that takes OTLP over gRPC.
	Endpoint string
	// TLS is used for https; nil trusts the system's authorities.
	TLS *tls.Config
	// Token is sent in Header, which is lower case: as a bearer token in
	// authorization, as it is in any other. None is sent where it is empty.
	Token  integrations.Secret
	Header string
	// Sample is the share of traces that are recorded, from 0 to 1, where the
	// sender of the alert does not say.
	Sample  float64
	Version string
	Log     *slog.Logger
	// Note is told the trace of each run of a workflow, for the log; nil needs none.
	Note func(run, trace string)
}

// Tracing is a running export of spans.
type Tracing struct {
	provider *sdktrace.TracerProvider
	note     func(run, trace string)
}

// Start begins to send spans. It does not wait for the collector, and nothing
// else ever does.
func Start(ctx context.Context, o Options) (*Tracing, error) {
	host, client, err := o.client(otlptracegrpc.RetryConfig{
		Enabled: true, InitialInterval: exportEvery, MaxInterval: exportTimeout, MaxElapsedTime: retryWithin,
	})
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("start tracing to %q: %w", host, err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "stanch"), attribute.String("service.version", o.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("start tracing: read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := with(&listed{to: exporter, endpoint: host, log: o.Log, token: o.Token}, o.Sample, about)
	t.note = o.Note
	return t, nil
}

// client returns the collector's host:port, and how it is reached.
func (o Options) client(retry otlptracegrpc.RetryConfig) (string, otlptrace.Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return "", nil, fmt.Errorf("invalid endpoint %q", o.Endpoint)
	}
	with := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(u.Host), otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithRetry(retry),
	}
	if u.Scheme == "http" {
		with = append(with, otlptracegrpc.WithInsecure())
	} else {
		with = append(with, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(o.TLS)))
	}
	if o.Token != "" {
		value := o.Token.Reveal()
		if o.Header == "authorization" {
			value = "Bearer " + value
		}
		with = append(with, otlptracegrpc.WithHeaders(map[string]string{o.Header: value}))
	}
	return u.Host, otlptracegrpc.NewClient(with...), nil
}

// with sends spans to an exporter.
func with(exporter sdktrace.SpanExporter, sample float64, about *resource.Resource) *Tracing {
	return &Tracing{provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(queued), sdktrace.WithBatchTimeout(exportEvery), sdktrace.WithExportTimeout(retryWithin+exportTimeout)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(sample))),
		sdktrace.WithIDGenerator(ids{}), sdktrace.WithResource(about),
	)}
}

// Tracer starts spans.
func (t *Tracing) Tracer() trace.Tracer { return t.provider.Tracer(scope) }

// Interceptors make spans of all that goes through the engine's client.
func (t *Tracing) Interceptors() []interceptor.ClientInterceptor {
	return []interceptor.ClientInterceptor{
		interceptor.NewTracingInterceptor(&tracer{with: t.Tracer()}), &keeper{note: t.note},
	}
}

// Stop sends what waits, for two seconds at most.
func (t *Tracing) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	// What a collector did not take by now is lost, as while it is away.
	_ = t.provider.Shutdown(ctx)
}
