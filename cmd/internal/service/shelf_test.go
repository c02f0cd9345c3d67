package service

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/library"
)

func libraryText(t *testing.T, name string) []byte {
	t.Helper()
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == name {
			return p.Text()
		}
	}
	t.Fatalf("the library has no %s", name)
	return nil
}

func simulated(names ...string) *integrations.Set {
	set := integrations.NewSet()
	for _, name := range names {
		set.Add(name, memory.Spec(), nil)
	}
	return set
}

// writer returns a function that rewrites a file, each time with a later date.
func writer(t *testing.T, file string) func(text []byte) {
	t.Helper()
	stamp := time.Now().Add(-time.Hour)
	return func(text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		stamp = stamp.Add(time.Minute)
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that does not lint never replaces one that did, and a corrected one does.
func TestABrokenPlaybookNeverReplacesAGoodOne(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "high-egress-windows.yaml")
	good := libraryText(t, "high-egress-windows")
	put := writer(t, file)
	put(good)
	var log bytes.Buffer
	s, err := newShelf([]string{dir}, simulated("edr", "flows", "gateway", "inventory", "slack"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	before := s.playbooks()[0].Digest()

	put(bytes.Replace(good, []byte("traffic.role"), []byte("traffic.roel"), 1))
	s.refresh()
	if got := s.playbooks()[0].Digest(); got != before {
		t.Errorf("a broken file is in force: %s", got)
	}
	if !strings.Contains(log.String(), "roel") {
		t.Errorf("nobody was told: %s", log.String())
	}
	put(bytes.Replace(good, []byte("rate: 2Mbit"), []byte("rate: 1600kbit"), 1))
	s.refresh()
	if got := s.playbooks()[0].Digest(); got == before {
		t.Error("the mended file is not in force")
	}
}

// A deployed playbook loads with the complaints that lint has learnt since; a changed
// file does not.
func TestAComplaintOfLintKeepsOnlyAChangedFileOut(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	put := writer(t, file)
	odd := bytes.Replace(libraryText(t, "high-egress-windows"), []byte("asset.role == 'workstation'"), []byte("asset.role == 'wrokstation'"), 1)
	put(odd)
	var log bytes.Buffer
	s, err := newShelf([]string{dir}, simulated("edr", "flows", "gateway", "inventory", "slack"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatalf("what was deployed does not load: %v", err)
	}
	if !strings.Contains(log.String(), "wrokstation") {
		t.Errorf("nobody was warned: %s", log.String())
	}
	before := s.playbooks()[0].Digest()
	put(odd) // Touched, and the same.
	s.refresh()
	put(bytes.Replace(odd, []byte("rate: 2Mbit"), []byte("rate: 1Mbit"), 1))
	s.refresh()
	if got := s.playbooks()[0].Digest(); got != before {
		t.Error("a changed file with a complaint is in force")
	}
	put(libraryText(t, "high-egress-windows"))
	s.refresh()
	if got := s.playbooks()[0].Digest(); got == before {
		t.Error("the mended file is not in force")
	}
}

func TestPlaybooksFitTheIntegrations(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), libraryText(t, "high-egress-windows"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newShelf([]string{dir}, simulated("edr", "flows", "inventory", "slack"), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `no integration "gateway" is configured; there are edr, flows, inventory, slack`) {
		t.Errorf("a missing integration is told as %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "q.yaml"), libraryText(t, "high-egress-windows"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = newShelf([]string{dir}, simulated("edr", "flows", "gateway", "inventory", "slack"), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "playbook high-egress-windows is in") {
		t.Errorf("two playbooks of one name are told as %v", err)
	}
}

// A deployed playbook that lint refuses by now stays in force, over a restart too, and
// is reported; a text that is changed is refused.
func TestADeployedPlaybookOutlivesANewComplaint(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "high-egress-windows.yaml")
	good := libraryText(t, "high-egress-windows")
	// A proof that a limit which does not hold would pass.
	old := bytes.Replace(good, []byte("egress_below: 3Mbit"), []byte("egress_below: 30Mbit"), 1)
	put := writer(t, file)
	put(old)
	var log bytes.Buffer
	s, err := newShelf([]string{dir}, simulated("edr", "flows", "gateway", "inventory", "slack"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	deployed := s.playbooks()[0]
	if deployed.Lint().Err() == nil || !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "more than twice the rate") {
		t.Errorf("lint says %v, and the log %s", deployed.Lint(), log.String())
	}
	inForce := func(want string) {
		t.Helper()
		s.refresh()
		if got := s.playbooks()[0].Digest(); got != want {
			t.Errorf("digest %s is in force, want %s", got, want)
		}
	}
	put(bytes.Replace(old, []byte("ttl: 4h"), []byte("ttl: 5h"), 1))
	inForce(deployed.Digest())
	if !strings.Contains(log.String(), "do not load; those before stay in force") {
		t.Errorf("nobody was told: %s", log.String())
	}
	put(good)
	s.refresh()
	if got := s.playbooks()[0]; got.Digest() == deployed.Digest() || got.Lint().Err() != nil {
		t.Error("the mended file is not in force")
	}
}

// A playbook may not ask to hear an agent sooner than the product tells it, nor one that
// never does.
func TestAPlaybookAsksToHearAnAgentInTime(t *testing.T) {
	dir := t.TempDir()
	put := writer(t, filepath.Join(dir, "p.yaml"))
	for _, c := range []struct{ asked, tells, want string }{
		{"15m", "10m", ""},
		{"10m", "10m", ""},
		{"9m", "10m", "p.yaml:137:72: heard_within must be at least 10m: integration edr (acme) may not tell sooner that it heard an agent"},
		{"24h", "", "p.yaml:137:72: integration edr (acme) does not tell when it heard an agent: leave out heard_within and fallback"},
	} {
		put(bytes.Replace(libraryText(t, "high-egress-windows"), []byte("heard_within: 15m"), []byte("heard_within: "+c.asked), 1))
		set := simulated("flows", "gateway", "inventory", "slack")
		edr := memory.Spec()
		edr.Kind, edr.Hearing = "acme", integrations.Hearing{}
		if c.tells != "" {
			edr.Hearing.Within = 10 * time.Minute
		}
		set.Add("edr", edr, nil)
		_, err := newShelf([]string{dir}, set, slog.New(slog.DiscardHandler))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("asked for %s where it tells within %q: %v, want %q", c.asked, c.tells, err, c.want)
		}
	}
}
