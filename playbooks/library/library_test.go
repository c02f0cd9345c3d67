package library_test

import (
	"io/fs"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

func tests(t *testing.T, p *playbooks.Playbook) *playbooks.TestFile {
	t.Helper()
	name := path.Join(p.Name, "playbook_test.yaml")
	data, err := fs.ReadFile(library.Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := playbooks.LoadTests(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t *testing.T) []*playbooks.Playbook {
	t.Helper()
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 3 {
		t.Fatalf("the library holds %d playbooks, want 3 or more", len(all))
	}
	return all
}

func TestTheLibraryReportsAndDoesNotAct(t *testing.T) {
	for _, p := range load(t) {
		if p.Mode != playbooks.Shadow {
			t.Errorf("%s ships in mode %s, want shadow", p.Name, p.Mode)
		}
		if w := p.Warnings(); len(w) > 0 {
			t.Errorf("%s has warnings:\n%v", p.Name, w)
		}
		if path.Base(path.Dir(p.File())) != p.Name {
			t.Errorf("%s stands in folder %s", p.Name, path.Dir(p.File()))
		}
	}
}

func TestEveryRuleHasACase(t *testing.T) {
	for _, p := range load(t) {
		file := tests(t, p)
		if issues := file.Check(p); len(issues) > 0 {
			t.Errorf("%s:\n%v", p.Name, issues)
		}
		if missing := file.Uncovered(p); len(missing) > 0 {
			t.Errorf("%s: no case expects %v", p.Name, missing)
		}
	}
}

// What time and people do is for the engine's own runner; that every case is
// decided as it says needs no engine.
func TestCasesAreDecidedAsTheySay(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, p := range load(t) {
		for _, c := range tests(t, p).Cases {
			t.Run(p.Name+"/"+c.Name, func(t *testing.T) {
				if verdict, missing, err := p.Match(t.Context(), &c.Facts, now); verdict != incident.True || err != nil {
					t.Fatalf("the trigger says %s (%v, %v)", verdict, missing, err)
				}
				check(t, p, c, now)
			})
		}
	}
}

func check(t *testing.T, p *playbooks.Playbook, c playbooks.TestCase, now time.Time) {
	t.Helper()
	target, err := incident.DeviceTarget("d-1", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	d := p.Evaluate(t.Context(), c.Facts, now)
	plan := p.Plan(d, c.Facts, &target)
	var steps, gates []string
	for _, s := range plan.Steps {
		// Where people decide, something is unknown that a step may need.
		if s.Problem != "" && d.Outcome != incident.Undecided {
			t.Errorf("step %s has the problem %q", s.Name, s.Problem)
		}
		if s.Approve != "" {
			gates = append(gates, s.Approve)
		} else {
			steps = append(steps, s.Name)
		}
	}
	want := c.Expect
	if want.Rule != "" && d.Rule != want.Rule {
		t.Errorf("rule %q (%s %s), want %q", d.Rule, d.Outcome, d.Error, want.Rule)
	}
	if d.DeniedBy != want.DeniedBy {
		t.Errorf("denied by %q, want %q", d.DeniedBy, want.DeniedBy)
	}
	if want.Severity != "" && d.Severity != want.Severity {
		t.Errorf("severity %q, want %q", d.Severity, want.Severity)
	}
	if want.Steps != nil && !slices.Equal(steps, want.Steps) {
		t.Errorf("steps %q, want %q", steps, want.Steps)
	}
	if want.Awaiting != "" && !slices.Contains(gates, want.Awaiting) {
		t.Errorf("asks for %q, want %q", gates, want.Awaiting)
	}
	// Without a device the required endpoint is missing.
	if want.Outcome == "no_exact_target" && d.Outcome != incident.CannotDecide {
		t.Errorf("outcome %q, want cannot_decide", d.Outcome)
	}
	var unsure []string
	for _, m := range d.Unsure {
		unsure = append(unsure, m.Path)
	}
	if want.Unsure != nil && !slices.Equal(unsure, want.Unsure) {
		t.Errorf("unsure of %q, want %q", unsure, want.Unsure)
	}
}

func TestAReflectingServerIsNeverIsolated(t *testing.T) {
	for _, p := range load(t) {
		if p.Name != "reflecting-server" {
			continue
		}
		for name, s := range p.Steps {
			if s.Action == incident.Isolate || s.Action == incident.KillProcess {
				t.Errorf("step %s is %s", name, s.Action)
			}
		}
		c := tests(t, p).Cases[0]
		target, err := incident.DeviceTarget("dc-01", "dc-01")
		if err != nil {
			t.Fatal(err)
		}
		plan := p.Plan(p.Evaluate(t.Context(), c.Facts, time.Now()), c.Facts, &target)
		want := incident.Filter{Direction: incident.Inbound, LocalPort: 389, Transport: "udp"}
		if got := plan.Steps[0].Filter; got == nil || *got != want {
			t.Errorf("the edge blocks %v, want %v", got, want)
		}
		return
	}
	t.Fatal("the library has no reflecting-server")
}
