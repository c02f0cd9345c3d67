package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// upgradeCheck runs the command, and returns what it printed and its exit code.
func (s *site) upgradeCheck(args ...string) (out, complaint string, code int) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(s.t.Context(), "stanch", append([]string{"upgrade-check", "--config", s.path("stanch.yaml")}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), code
}

// The gate before an upgrade: it does not touch an engine that runs, reads what one
// that was killed left, names what would stop, and leaves no copy behind.
func TestUpgradeCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start("")
	s.alert("a-1", "ws-042", "10.20.4.42")
	s.until("the containment", func() bool { return s.effects("apply", incident.Isolate) > 0 })
	if _, complaint, code := s.upgradeCheck(); code != 1 || !strings.Contains(complaint, "another process uses it") {
		t.Errorf("while it runs: exit code %d, %s", code, complaint)
	}
	s.kill()
	scratch := t.TempDir()
	out, complaint, code := s.upgradeCheck("--scratch", scratch)
	// On a busy machine it says how far it is.
	if code != 0 || strings.Contains(complaint, "stanch:") || !strings.Contains(out, "respond") || !strings.Contains(out, "lease") {
		t.Errorf("after it was killed: exit code %d, %s%s", code, out, complaint)
	}
	s.write("stanch.yaml", strings.Replace(s.settings(""), "  edr: {", "  other: {", 1))
	out, complaint, code = s.upgradeCheck("--scratch", scratch, "--output", "json")
	if code != 1 || !strings.Contains(out, `no integration \"edr\" is configured`) || !strings.Contains(complaint, "would stop on this build") {
		t.Errorf("without its EDR: exit code %d, %s%s", code, out, complaint)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("%d copies are left, %v", len(left), err)
	}
	if _, complaint, code := s.upgradeCheck("--data", t.TempDir()); code != 2 || !strings.Contains(complaint, "there is no engine's data") {
		t.Errorf("a folder without an engine: exit code %d, %s", code, complaint)
	}
}
