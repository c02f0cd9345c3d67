package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// However the inventory spells it, a domain controller is never isolated. A role
// that nobody knows leaves the guardrail unsure, and people are asked.
func TestARoleIsMetInAnySpelling(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"Domain Controller", "domain-controller", "DC", "DOMAIN_CONTROLLER"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			w := behind(t, "assets:\n  - { id: a-1, name: ws-042.corp.example, role: '"+role+"', site: berlin }\n")
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(time.Hour)
			c := w.ended(id, incident.OutcomeDenied)
			w.untouched()
			if got, _ := c.Facts.Asset.Role.Get(); got != "domain_controller" || c.Decision.DeniedBy != "infrastructure" {
				t.Errorf("the role is %v, denied by %q", c.Facts.Asset.Role, c.Decision.DeniedBy)
			}
		})
	}
}

func TestARoleThatNobodyKnowsIsUnsure(t *testing.T) {
	t.Parallel()
	w := behind(t, "assets:\n  - { id: a-1, name: ws-042.corp.example, role: Info Terminal, site: berlin }\n")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(time.Hour)
	if n := w.count("apply", incident.Isolate); n > 0 {
		t.Errorf("a host of a role that nobody knows was isolated %d times without a yes", n)
	}
	c := w.see(id)
	if why := c.Facts.Asset.Role.Why(); !strings.Contains(why, `"Info Terminal" is not an asset role`) {
		t.Errorf("the role is unknown for %q", why)
	}
	if len(c.Approvals) == 0 {
		t.Error("nobody was asked")
	}
}

// Where the alert does not say which machine sends, there is no exact target, and
// the case says why.
func TestADoubtLeavesNoTarget(t *testing.T) {
	t.Parallel()
	w := behind(t, shares)
	const doubt = `the alert names 2 hosts: "ws-042", "ws-007"`
	alert := alertFor("ws-042", "10.20.4.42")
	alert.Host.Doubts = []string{doubt}
	id := w.open(alert)
	w.explainOnFailure(id)
	w.run(time.Hour)
	w.untouched()
	if c := w.see(id); c.Target != nil || c.TargetProblem != doubt || len(c.Candidates) != 1 {
		t.Errorf("target %v, problem %q, candidates %v", c.Target, c.TargetProblem, c.Candidates)
	}
}
