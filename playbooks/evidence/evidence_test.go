package evidence_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func write(t *testing.T, dir string, c incident.Case, o evidence.Options) evidence.Bundle {
	t.Helper()
	b, err := evidence.Write(t.Context(), dir, c, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tree returns every file below dir with its content, and fails on anything
// that others may read.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(p)
		rel, relErr := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(data)
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheBundleHoldsEverythingAndItsSumsVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	o := evidence.Options{
		Playbook:  []byte("apiVersion: stanch/v1\n"),
		Artifacts: map[string][]byte{"processes.json": []byte("[]"), "connections.json": []byte("[1]")},
	}
	c := casetest.Flood(t)
	b := write(t, dir, c, o)
	if want := filepath.Join(dir, "high-egress-windows", "ws-042", "20260314T031204Z-8c41a7f3"); b.Dir != want {
		t.Fatalf("written to %s, want %s", b.Dir, want)
	}
	files := tree(t, dir)
	prefix := "high-egress-windows/ws-042/20260314T031204Z-8c41a7f3/"
	for name, want := range map[string]string{
		"playbook.yaml": "apiVersion: stanch/v1\n", "artifacts/processes.json": "[]", "artifacts/connections.json": "[1]",
		"alerts/0001.json": string(c.Alerts[0].Raw), "alerts/0002.json": string(c.Alerts[1].Raw),
	} {
		if got := files[prefix+name]; got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	sums := files[prefix+"SHA256SUMS"]
	if got := incident.DigestOf([]byte(sums)); got != b.Digest {
		t.Errorf("the bundle's digest is %s, its sums have %s", b.Digest, got)
	}
	lines := strings.Split(strings.TrimSuffix(sums, "\n"), "\n")
	if len(lines) != len(files)-1 || len(b.Files) != len(lines) {
		t.Errorf("%d sums and %d reported files for %d files", len(lines), len(b.Files), len(files)-1)
	}
	for _, line := range lines {
		sum, name, ok := strings.Cut(line, "  ")
		data := sha256.Sum256([]byte(files[prefix+name]))
		if !ok || hex.EncodeToString(data[:]) != sum {
			t.Errorf("sum %q does not verify", line)
		}
	}
}

func TestTheRecordIsTheCaseWithStableBytes(t *testing.T) {
	c := casetest.Flood(t)
	c.Timeline[0].Text = "a <b> & c"
	record := func(c incident.Case) string {
		b := write(t, t.TempDir(), c, evidence.Options{})
		data, err := os.ReadFile(filepath.Join(b.Dir, "case.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := record(c)
	if !strings.Contains(first, `"a <b> & c"`) {
		t.Error("text is escaped for HTML in JSON")
	}
	var read incident.Case
	if err := json.Unmarshal([]byte(first), &read); err != nil {
		t.Fatal(err)
	}
	if read.Steps[3].ProofDetail != c.Steps[3].ProofDetail || read.Target.ID() != c.Target.ID() || len(read.Series) != len(c.Series) {
		t.Error("the record does not read back as the case")
	}
	read.EvidenceDir = "/somewhere/else"
	if second := record(read); second != first {
		t.Error("the same case, read back and lying elsewhere, has other bytes")
	}
	if keys := []string{`"alert_keys"`, `"alerts"`, `"approvals"`, `"closed_at"`, `"decision"`}; !inOrder(first, keys) {
		t.Error("the keys are not sorted")
	}
}

func inOrder(s string, parts []string) bool {
	for _, p := range parts {
		_, rest, ok := strings.Cut(s, "\n  "+p+":")
		if !ok {
			return false
		}
		s = rest
	}
	return true
}

func TestWritingAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	c := casetest.Waiting(t)
	first := write(t, dir, c, evidence.Options{Artifacts: map[string][]byte{"old.json": []byte("1")}})
	long := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	page := filepath.Join(first.Dir, "index.html")
	if err := os.Chtimes(page, long, long); err != nil {
		t.Fatal(err)
	}
	again := write(t, dir, c, evidence.Options{Artifacts: map[string][]byte{"old.json": []byte("1")}})
	if info, err := os.Stat(page); err != nil || !info.ModTime().Equal(long) || again.Digest != first.Digest {
		t.Errorf("the same case was written anew: %v, %v", info, err)
	}

	if err := os.WriteFile(page, []byte("forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, c, evidence.Options{Artifacts: map[string][]byte{"old.json": []byte("1")}})
	if data, err := os.ReadFile(page); err != nil || string(data) == "forged" {
		t.Errorf("a forged page stays: %v", err)
	}

	later := write(t, dir, casetest.Flood(t), evidence.Options{})
	files := tree(t, dir)
	if later.Dir != first.Dir || len(files) != len(later.Files)+1 {
		t.Errorf("a later state of the run leaves files behind: %d files, want %d", len(files), len(later.Files)+1)
	}
	if data, err := os.ReadFile(filepath.Join(later.Dir, "artifacts", "old.json")); err != nil || string(data) != "1" {
		t.Errorf("what was collected before is %q: %v", data, err)
	}
}

func TestRunsOfOneSubjectStandApart(t *testing.T) {
	dir := t.TempDir()
	c := casetest.Flood(t)
	first := write(t, dir, c, evidence.Options{})
	// Two time-ordered run ids of one minute share their head.
	c.Run = casetest.Run[:len(casetest.Run)-4] + "0000"
	if second := write(t, dir, c, evidence.Options{}); second.Dir == first.Dir {
		t.Error("two runs share a folder")
	}
}

func TestHostileNamesStayBelowTheFolder(t *testing.T) {
	for _, name := range []string{"../../etc", "..", ".", "/etc/passwd", `..\..\windows`, "a/b", ".ssh", "-rf", "\x00", strings.Repeat("x", 5000), casetest.Attack()} {
		dir := filepath.Join(t.TempDir(), "evidence")
		c := casetest.Flood(t)
		c.Subject, c.Playbook, c.Run = name, name, name
		b := write(t, dir, c, evidence.Options{Artifacts: map[string][]byte{name: []byte("kept")}})
		rel, err := filepath.Rel(dir, b.Dir)
		if err != nil || !filepath.IsLocal(rel) || strings.Count(filepath.ToSlash(rel), "/") != 2 {
			t.Errorf("%.40q is written to %s", name, b.Dir)
		}
		for _, part := range strings.Split(filepath.ToSlash(rel), "/") {
			if len(part) > 64 || strings.HasPrefix(part, ".") || strings.HasPrefix(part, "-") {
				t.Errorf("%.40q becomes the path part %q", name, part)
			}
		}
		if siblings, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(siblings) != 1 {
			t.Errorf("%.40q wrote next to the folder: %v, %v", name, siblings, err)
		}
		if files := tree(t, b.Dir); len(files) != len(b.Files)+1 {
			t.Errorf("%.40q: %d files, want %d", name, len(files), len(b.Files)+1)
		}
	}
}

func TestDifferentNamesNeverShareAFolder(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a/b", "a-b", "a b", `a\b`, "a:b", ".a-b", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 66)} {
		c := casetest.Flood(t)
		c.Subject = name
		b := write(t, t.TempDir(), c, evidence.Options{})
		folder := filepath.Base(filepath.Dir(b.Dir))
		if other, ok := seen[folder]; ok {
			t.Errorf("%q and %q share the folder %s", name, other, folder)
		}
		seen[folder] = name
	}
}

func TestALinkOutOfTheFolderIsRefused(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "high-egress-windows")); err != nil {
		t.Skipf("SKIPPED: this system makes no links: %v", err)
	}
	if _, err := evidence.Write(t.Context(), dir, casetest.Flood(t), evidence.Options{}); err == nil {
		t.Error("evidence followed a link out of its folder")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside there is now %v (%v)", left, err)
	}
}

func TestACancelledWriteLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := evidence.Write(ctx, dir, casetest.Flood(t), evidence.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want cancelled", err)
	}
	if files := tree(t, dir); len(files) > 0 {
		t.Errorf("half a bundle is left: %v", files)
	}
}

func TestACaseWithoutAnIdentityIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := evidence.Write(t.Context(), dir, incident.Case{Subject: "ws-042"}, evidence.Options{}); err == nil {
		t.Error("a case without playbook and run was written")
	}
}

func TestWritersOfOneRunDoNotHurtEachOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	c := casetest.Flood(t)
	done := make(chan error)
	const writers = 8
	for i := range writers {
		go func() {
			_, err := evidence.Write(t.Context(), dir, c, evidence.Options{Artifacts: map[string][]byte{"n": {byte(i % 2)}}})
			done <- err
		}()
	}
	wrote := 0
	for range writers {
		if err := <-done; err == nil {
			wrote++
		}
	}
	if wrote == 0 {
		t.Fatal("nobody could write")
	}
	b := write(t, dir, c, evidence.Options{})
	if files := tree(t, dir); len(files) != len(b.Files)+1 {
		t.Errorf("%d files are left, want %d", len(files), len(b.Files)+1)
	}
}
