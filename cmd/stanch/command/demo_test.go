package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestDemoWithoutATerminal runs the whole demo as a pipe does: no one can be
// asked, so it approves and says so. Every moment of the story is shown in its
// order, and happened in the estate.
func TestDemoWithoutATerminal(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--data", dir}, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatalf("exit %d: %s\n%s", code, errs.String(), out.String())
	}
	rest := out.String()
	for _, moment := range []string{
		"simulated", "engine", "receiver", "flow log", "synthetic", "egress", "Mbit/s", "202 after", "the same case",
		"opened", "joined", "AN1434", "Exactly one device", "enriched", "role requester", "baseline p99", "decided", "amplification-from-a-workstation",
		"Guardrails", "Rules", "amplification-from-a-workstation\n", "every part is true",
		"accepted", "throttle (rate_limit to 2 Mbit/s)", "verified", "throttle: effective",
		"Asked of people: ws-042", "powershell.exe (pid 7316)", "How sure", "exact", "left to answer", "is a lease", "cannot be undone",
		"no terminal to ask at", "voted", "analyst approved on-call", "cut-off (isolate) accepted", "end-process", "accepted by edr",
		"verified", "cut-off: effective", "given back", "isolate is no longer active on ws-042.corp.example", "as usual for this host",
		"the analyst shortens its lease", "given back", "rate_limit is no longer active on", "closed", "everything was given back",
		"The evidence bundle", "SHA256SUMS", filepath.Join(dir, "evidence"), "Try next", "serve --config " + filepath.Join(dir, "stanch.yaml"),
	} {
		_, after, found := strings.Cut(rest, moment)
		if !found {
			t.Fatalf("%q does not come where it should; the rest is\n%s", moment, rest)
		}
		rest = after
	}
	// These are concurrent with the others, so their order is not certain.
	for _, moment := range []string{", cut-off ", "s left", "Asked on-call", "throttle: read back from the device", "cut-off: read back from the device", "Told #sec-egress"} {
		if !strings.Contains(out.String(), moment) {
			t.Errorf("%q is not shown", moment)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Error("a pipe gets escape sequences")
	}
	checkNoSecret(t, dir, out.String()+errs.String())
	estate, err := memory.New(memory.Options{Path: filepath.Join(dir, "estate.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	defer estate.Close()
	counts := map[string]int{}
	for _, e := range estate.Effects() {
		if e.Action != incident.Notify {
			counts[e.Op+" "+string(e.Action)]++
		}
	}
	want := map[string]int{"apply rate_limit": 1, "apply isolate": 1, "kill kill_process": 1, "undo isolate": 1, "undo rate_limit": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
}

// checkNoSecret wants neither secret of the demo in what it shows or logs.
func checkNoSecret(t *testing.T, dir, shown string) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, "stanch.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"analyst.token", "siem.secret"} {
		secret, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(secret) < 20 {
			t.Fatalf("%s is not a secret: %v", name, err)
		}
		if text := strings.TrimSpace(string(secret)); strings.Contains(shown, text) || strings.Contains(string(log), text) {
			t.Errorf("%s is shown or logged", name)
		}
	}
}
