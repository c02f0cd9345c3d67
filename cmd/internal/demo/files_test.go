package demo

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

func TestTheFolderIsAWorkingConfiguration(t *testing.T) {
	f, err := layOut(filepath.Join(t.TempDir(), "new", "demo"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(f.path(configFile), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != f.dir {
		t.Errorf("it keeps its data in %q, want %q", c.Data, f.dir)
	}
	now := time.Now()
	body, err := f.alert(now)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := c.Sources[source].Alerts.Parse(body, now)
	if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
		t.Fatalf("the shipped alert is read as %+v: %v", parsed, err)
	}
	if at, ok := parsed[0].Alert.Time.Get(); !ok || at.Before(now.Add(-time.Minute)) {
		t.Errorf("the alert is of %s, not of now", parsed[0].Alert.Time)
	}
	if ips, _ := parsed[0].Alert.Host.IP.Get(); !slices.Equal(ips, []string{alertedIP}) {
		t.Errorf("the alert is about %v, and the demo watches %s", ips, alertedIP)
	}
	if verdict, _, err := load(t, f).Match(t.Context(), &incident.Facts{Alert: parsed[0].Alert}, now); err != nil || verdict != incident.True {
		t.Errorf("the playbook's trigger is %s for the alert: %v", verdict, err)
	}
}

func load(t *testing.T, f *folder) *playbooks.Playbook {
	t.Helper()
	file := f.path(playbookFile)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := playbooks.Load(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestThePlaybookIsTheLibrarysShortened checks that the demo shows nothing that the
// library does not have.
func TestThePlaybookIsTheLibrarysShortened(t *testing.T) {
	f, err := layOut("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(f.dir) })
	p := load(t, f)
	shelf, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(shelf, func(o *playbooks.Playbook) bool { return o.Name == p.Name })
	if at < 0 {
		t.Fatalf("the library has no playbook %s", p.Name)
	}
	if p.Mode != playbooks.Enforce {
		t.Errorf("the demo's playbook is in mode %s: nothing would happen", p.Mode)
	}
	for what, pair := range map[string][2]any{
		"trigger":         {shelf[at].Trigger, p.Trigger},
		"enrich":          {shelf[at].Enrich, p.Enrich},
		"first guardrail": {shelf[at].Guardrails[0], p.Guardrails[0]},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("the %s differs (-library +demo):\n%s", what, diff)
		}
	}
}

func TestSecretsAreFreshAndTheOwnersAlone(t *testing.T) {
	a, errA := layOut(t.TempDir())
	b, errB := layOut(t.TempDir())
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.token == b.token || a.secret == b.secret || a.token == a.secret {
		t.Error("two demos, or two doors of one, have the same secret")
	}
	err := filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %s", path, info.Mode())
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{a.token.Reveal(), a.secret.Reveal()} {
			if bytes.Contains(data, []byte(secret)) && path != a.path(tokenFile) && path != a.path(secretFile) {
				t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatIsNotEmptyIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "stanch.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := layOut(dir); !errors.Is(err, ErrFolder) {
		t.Errorf("the error is %v, want %v", err, ErrFolder)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v: %v", entries, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "stanch.yaml")); err != nil || string(text) != "mine" {
		t.Errorf("the file was changed to %q: %v", text, err)
	}
}
