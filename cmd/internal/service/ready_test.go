package service

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/stanch-soar/stanch/cmd/internal/config"
)

// serveIn starts a service whose data is in a folder.
func serveIn(t *testing.T, data string) *Service {
	t.Helper()
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, "listen: 127.0.0.1:0\ndata: %q\nplaybooks: [%q]\n", data, t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), Options{Config: c, Roles: []string{RoleReceiver}, Log: slog.New(slog.DiscardHandler)})
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

// becomes waits until readiness is as wanted: an answer holds for a while.
func (s *Service) becomes(t *testing.T, status int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for s.status(t, "/readyz") != status {
		select {
		case <-deadline:
			t.Fatalf("readiness never was %d", status)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if got := s.status(t, "/healthz"); got != http.StatusOK {
		t.Errorf("the process is answered %d", got)
	}
}

func TestNotReadyOnADamagedDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := serveIn(t, dir)
	s.becomes(t, http.StatusOK)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "temporal", "engine.db")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The tables of workflows are somewhere behind the first pages.
	for i := len(data) / 3; i < len(data); i++ {
		data[i] = 0xA5
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, "listen: 127.0.0.1:0\ndata: %q\nplaybooks: [%q]\n", dir, t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err = Start(ctx, Options{Config: c, Roles: []string{RoleReceiver}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		// Better still: it does not even start.
		return
	}
	defer func() { _ = s.Stop() }()
	s.becomes(t, http.StatusServiceUnavailable)
}

// However often it is asked, it leaves nothing behind.
func TestReadinessLeavesNothingBehind(t *testing.T) {
	s := serveIn(t, filepath.Join(t.TempDir(), "data"))
	defer func() { _ = s.Stop() }()
	for range 20 {
		if err := s.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(time.Minute)
	for {
		list, err := s.client.WorkflowService().ListWorkflowExecutions(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.options.Config.Temporal.Namespace, Query: "WorkflowType = '" + readyWorkflow + "'",
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
		case <-time.After(50 * time.Millisecond):
		}
	}
}
