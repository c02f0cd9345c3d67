package playbooktest_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/playbooktest"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// load reads a playbook of testdata and its tests, edited.
func load(t *testing.T, dir string) (*playbooks.Playbook, *playbooks.TestFile, string) {
	t.Helper()
	read := func(name string) (string, []byte) {
		file := filepath.Join("testdata", dir, name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return file, data
	}
	file, data := read("playbook.yaml")
	p, err := playbooks.Load(file, data)
	if err != nil {
		t.Fatal(err)
	}
	file, data = read("playbook_test.yaml")
	tests, err := playbooks.LoadTests(file, data)
	if err != nil {
		t.Fatal(err)
	}
	if issues := tests.Check(p); len(issues) > 0 {
		t.Fatal(issues)
	}
	return p, tests, file
}

func TestTheExampleOfTheLanguagePasses(t *testing.T) { passes(t, "example", 5) }

// A default rule that contains nothing closes no case of which something that
// matters is unknown.
func TestAnUnknownTunnelIsAskedAbout(t *testing.T) { passes(t, "tunnel", 11) }

// What a host sends after it was contained is told by the timeline.
func TestALimitThatIsHeldAgainIsTold(t *testing.T) { passes(t, "held", 4) }

// passes runs the tests of a folder of testdata.
func passes(t *testing.T, dir string, cases int) {
	t.Helper()
	p, tests, file := load(t, dir)
	report, err := playbooktest.Run(t.Context(), p, tests, file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cases) != cases {
		t.Errorf("%d cases ran, want %d", len(report.Cases), cases)
	}
	for _, c := range report.Cases {
		for _, f := range c.Failures {
			t.Errorf("%s: %s", c.Name, f)
		}
		for _, e := range c.Timeline {
			t.Logf("%s %-13s %-9s %s", e.At.Format("15:04:05.000"), e.Kind, e.Step, e.Text)
		}
	}
}

// The library's tests hold in the real engine, not in the policy alone.
func TestTheLibraryPasses(t *testing.T) {
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, p := range all {
		file := path.Join(p.Name, "playbook_test.yaml")
		data, err := fs.ReadFile(library.Files(), file)
		if err != nil {
			t.Fatal(err)
		}
		tests, err := playbooks.LoadTests(file, data)
		if err != nil {
			t.Fatal(err)
		}
		report, err := playbooktest.Run(t.Context(), p, tests, file, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !report.Enforced || len(report.Uncovered) > 0 {
			t.Errorf("%s: enforced %t, not covered %q", p.Name, report.Enforced, report.Uncovered)
		}
		for _, c := range report.Cases {
			ran++
			for _, f := range c.Failures {
				t.Errorf("%s: %s: %s", p.Name, c.Name, f)
			}
			for _, e := range c.Timeline {
				t.Logf("%s %-13s %-9s %s", e.At.Format("15:04:05.000"), e.Kind, e.Step, e.Text)
			}
		}
	}
	if ran < 30 {
		t.Errorf("%d cases ran, want 30 or more", ran)
	}
}
