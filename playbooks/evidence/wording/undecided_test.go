package wording_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// open is the flood of a case whose rules could not be told.
func open(t *testing.T) incident.Case {
	t.Helper()
	c := casetest.Flood(t)
	d := c.Decision
	d.Outcome, d.Rule, d.Severity, d.Because = incident.Undecided, "otherwise", "medium", "Whether rule unexplained-volume holds is not known."
	d.Unknown = &incident.UnknownRule{Rule: "unexplained-volume", Severity: "high"}
	for i := range d.Trace.Rules {
		switch r := &d.Trace.Rules[i]; r.Name {
		case "unexplained-volume":
			r.Verdict = incident.Unsure
		case "otherwise":
			r.Verdict, r.Parts = incident.True, nil
		}
	}
	return c
}

func TestAnUndecidedCaseClaimsNothing(t *testing.T) {
	c := open(t)
	a := wording.Of(c)
	if a.Rule != "unexplained-volume" || a.Severity != "high" {
		t.Errorf("it is about rule %s, severity %s", a.Rule, a.Severity)
	}
	if what := a.Headline[0]; what.Text != "not decided. Whether rule unexplained-volume holds is not known." || what.Tone != wording.Warn {
		t.Errorf("what: %+v", what)
	}
	for _, r := range a.Trace.Rules {
		if r.Chosen {
			t.Errorf("rule %s is told as chosen", r.Name)
		}
	}
	last := a.Trace.Rules[len(a.Trace.Rules)-1]
	if last.Why != "the default: no rule above is known to hold" {
		t.Errorf("the default: %q", last.Why)
	}
	c.Status, c.Outcome = incident.Closed, incident.OutcomeUndecided
	if a := wording.Of(c); !strings.HasPrefix(a.Standing, "Closed undecided") || a.StandingTone != wording.Warn {
		t.Errorf("standing: %q", a.Standing)
	}
	c.Outcome, c.Shadow = incident.OutcomeShadow, true
	if a := wording.Of(c); !strings.HasPrefix(a.Standing, "Closed: would be undecided") {
		t.Errorf("standing in shadow mode: %q", a.Standing)
	}
}

// Two questions may have one name: each is told with its own gate.
func TestEachQuestionHasItsOwnGate(t *testing.T) {
	c := incident.Case{Steps: []incident.StepState{
		{PlannedStep: incident.PlannedStep{Approve: "on-call", Undecided: true, IfDenied: []incident.PlannedStep{{Name: "tell", Action: incident.Notify, Channel: "#sec"}}}},
		{PlannedStep: incident.PlannedStep{Name: "throttle", Action: incident.RateLimit}},
		{PlannedStep: incident.PlannedStep{Approve: "on-call"}},
		{PlannedStep: incident.PlannedStep{Name: "cut-off", Action: incident.Isolate}},
	}}
	c.Approvals = []incident.Approval{{Name: "on-call", Step: 1}, {Name: "on-call", Step: 3}, {Name: "on-call"}}
	for i, want := range []string{"runs tell (notify #sec) instead", "those steps do not run", "those steps do not run"} {
		if got := wording.Of(c).Approvals[i].Answers[1].Does; got != want {
			t.Errorf("question %d, no: %q, want %q", i, got, want)
		}
		if behind := len(c.Behind(c.Approvals[i])); behind != []int{3, 1, 1}[i] {
			t.Errorf("question %d lets %d steps run", i, behind)
		}
	}
}
