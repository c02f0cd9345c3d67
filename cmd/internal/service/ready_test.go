package service

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
)

func configIn(t *testing.T, data string) *config.Config {
	t.Helper()
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, "listen: 127.0.0.1:0\ndata: %q\nplaybooks: [%q]\n", data, t.TempDir()), integrations.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needsEngine skips a test in a build without the engine.
func needsEngine(t *testing.T) {
	t.Helper()
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
}

// serveIn starts a service whose data is in a folder.
func serveIn(t *testing.T, data string) *Service {
	t.Helper()
	needsEngine(t)
	s, err := Start(t.Context(), Options{Config: configIn(t, data), Roles: []string{RoleReceiver}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Service) status(t *testing.T, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// becomes waits until readiness is as wanted: a result is valid for a while.
func (s *Service) becomes(t *testing.T, status int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for look := time.Tick(50 * time.Millisecond); s.status(t, "/readyz") != status; {
		select {
		case <-deadline:
			t.Fatalf("readiness never was %d", status)
		case <-look:
		}
	}
	if got := s.status(t, "/healthz"); got != http.StatusOK {
		t.Errorf("the process is answered %d", got)
	}
}

// Regardless of which part of the database is damaged, it does not start, or is not ready.
func TestNotReadyOnADamagedDatabase(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "data")
	s := serveIn(t, whole)
	s.becomes(t, http.StatusOK)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(whole, "temporal", "engine.db"))
	if err != nil {
		t.Fatal(err)
	}
	page := func(tenth int) int { return len(data) / 4096 * tenth / 10 * 4096 }
	for name, part := range map[string][2]int{"the end": {page(7), len(data)}, "the beginning": {page(1), page(3)}, "the middle": {page(3), page(5)}, "one page": {page(5), page(5) + 4096}, "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			damaged := slices.Clone(data)
			for i := part[0]; i < part[1]; i++ {
				damaged[i] = 0xA5
			}
			// In the old folder this process would continue with what it has in memory.
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "temporal"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "temporal", "engine.db"), damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			s, err := Start(ctx, Options{Config: configIn(t, dir), Roles: []string{RoleReceiver}, Log: slog.New(slog.DiscardHandler)})
			if err != nil && part[1] > 0 {
				t.Logf("it does not start: %v", err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Stop() }()
			want := http.StatusServiceUnavailable
			if part[1] == 0 {
				want = http.StatusOK
			}
			s.becomes(t, want)
		})
	}
}

// However often it is checked, no workflow is left.
func TestReadinessLeavesNothingBehind(t *testing.T) {
	s := serveIn(t, filepath.Join(t.TempDir(), "data"))
	defer func() { _ = s.Stop() }()
	for range 20 {
		if err := s.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(time.Minute)
	for look := time.Tick(50 * time.Millisecond); ; {
		list, err := s.client.WorkflowService().ListWorkflowExecutions(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.options.Config.Temporal.Namespace, Query: "WorkflowType = '" + engine.ReadyWorkflow + "'",
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.GetExecutions()) == 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d are left", len(list.GetExecutions()))
		case <-look:
		}
	}
}
