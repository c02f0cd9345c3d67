package service

import (
	"cmp"
	"context"
	"runtime/debug"

	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/cmd/internal/tracing"
)

// startTracing begins to send spans where the configuration names a collector;
// else nothing is traced, and nothing is different.
func (s *Service) startTracing(ctx context.Context) error {
	traces := s.options.Config.Telemetry.Traces
	if traces.Endpoint == "" {
		return nil
	}
	trusted, err := traces.TLS()
	if err != nil {
		return err
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(info.Main.Version, version)
	}
	s.tracing, err = tracing.Start(ctx, tracing.Options{
		Endpoint: traces.Endpoint, TLS: trusted, Token: traces.Token, Header: traces.Header,
		Sample: traces.Sample, Version: version, Log: s.options.Log,
		Note: func(run, trace string) { logs.Note(s.options.Log, run, trace) },
	})
	return err
}
