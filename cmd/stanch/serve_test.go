package main_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestStoppedAndStartedAgain stops the process as a service manager does, while
// a containment is under way: it ends cleanly, and the next one goes on.
func TestStoppedAndStartedAgain(t *testing.T) {
	t.Parallel()
	m := moment{slow: "delay: { apply isolate: 1m }"}
	s := newSite(t, m.edits()...)
	s.start(m.slow)
	opened := s.alert("a-1", "ws-042", "10.20.4.42")
	s.until("the first containment", func() bool { return saw(s.see(floodCase), incident.EvAccepted, "throttle") })
	s.stop()
	s.start("")
	s.until("the case to end", func() bool { return s.see(floodCase).EvidenceDir != "" })
	s.checkGivenBack(opened, false)
	s.stop()
}

// TestServeRefuses wants a user's mistake to end with 2, before anything was
// started or made.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"the embedded engine without a worker", []string{"--roles", "receiver"}, "roles receiver without worker: no other process reaches the embedded engine"},
		{"the embedded engine without a receiver", []string{"--roles", "worker"}, "roles worker without receiver"},
		{"a role that does not exist", []string{"--roles", "console"}, `invalid role "console": must be one of receiver, worker, speaker`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.write("stanch.yaml", configuration(""))
			var stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), "stanch", append([]string{"serve", "--config", s.path("stanch.yaml")}, tt.args...)...)
			cmd.Stderr = &stderr
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 2 {
				t.Errorf("it ended with %v, want exit code 2", err)
			}
			if !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("it said %q, want %q", stderr.String(), tt.want)
			}
			if s.has("data") {
				t.Error("it made the data folder")
			}
		})
	}
}
