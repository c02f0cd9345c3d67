package service

import (
	"cmp"
	"context"
	"log/slog"
	"runtime/debug"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/cmd/internal/tracing"
)

// startTracing begins to send spans where the configuration names a collector;
// else nothing is traced, and nothing is different.
func (s *Service) startTracing(ctx context.Context) error {
	if s.options.Config.Telemetry.Traces.Endpoint == "" {
		return nil
	}
	o, err := tracingOf(s.options.Config, s.options.Log)
	if err != nil {
		return err
	}
	o.Note = func(run, trace string) { logs.Note(s.options.Log, run, trace) }
	s.tracing, err = tracing.Start(ctx, o)
	return err
}

// ReachCollector sends the configured collector a request without spans, and
// returns its host:port and why it does not take them.
func ReachCollector(ctx context.Context, c *config.Config) (string, error) {
	o, err := tracingOf(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	return tracing.Probe(ctx, o)
}

// tracingOf says where spans go, and how.
func tracingOf(c *config.Config, log *slog.Logger) (tracing.Options, error) {
	traces := c.Telemetry.Traces
	trusted, err := traces.TLS()
	if err != nil {
		return tracing.Options{}, err
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(info.Main.Version, version)
	}
	return tracing.Options{
		Endpoint: traces.Endpoint, TLS: trusted, Token: traces.Token, Header: traces.Header,
		Sample: traces.Sample, Version: version, Log: log,
	}, nil
}
