package playbooktest_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/cmd/internal/playbooktest"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// run runs one case, written as in a file, over the example's given.
func run(t *testing.T, text string) playbooktest.Result {
	t.Helper()
	p, _, _ := load(t, "example")
	tests, err := playbooks.LoadTests("playbook_test.yaml", fmt.Appendf(nil, `playbook: playbook.yaml
given:
  alert: { category: high_egress, host: { id: ws-042, os: windows } }
  endpoint: { id: ws-042, role: workstation, online: true }
  process: { path: 'C:\Users\Public\updater.exe', signed: false }
  traffic: { bytes_out: 4GiB, role: transfer, attribution: exact }
  baseline: { p99: 20MiB }
  asset: { role: workstation, site: berlin }
cases:
  - name: it
%s`, text))
	if err != nil {
		t.Fatal(err)
	}
	report, err := playbooktest.Run(t.Context(), p, tests, "playbook_test.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report.Cases[0]
}

// The effects of people and time, and the messages of failures, word for word.
func TestCases(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"the preferred gateway acts": {`
    timeline: [{ at: 3m, approve: alice }]
    expect: { use: { throttle: gateway, cut-off: edr }, leases: [isolate, rate_limit] }`, nil},
		"the preferred gateway cannot": {`
    given: { cannot: { gateway: it is full } }
    timeline: [{ at: 3m, approve: alice }]
    expect: { use: { throttle: edge }, leases: [isolate, rate_limit] }`, nil},
		"no gateway can": {
			`
    given: { cannot: { gateway: it is full, edge: it is down } }
    timeline: [{ at: 3m, approve: alice }]
    expect: { use: { throttle: edge }, leases: [isolate] }`,
			[]string{`use throttle: want "edge", got "none: gateway cannot, it is full; edge cannot, it is down"`},
		},
		"approved, it is cut off": {`
    timeline: [{ at: 3m, approve: alice }]
    expect: { rule: unexplained-volume, approval: approved, after: 3m, leases: [isolate, rate_limit] }`, nil},
		"denied, it is not": {`
    timeline: [{ at: 3m, deny: alice }]
    expect: { approval: denied, leases: [rate_limit] }`, nil},
		"denied, the case ends as refused": {`
    timeline: [{ at: 3m, deny: alice }, { at: 2h }]
    expect: { outcome: refused, leases: [] }`, nil},
		"a second alert joins": {`
    timeline: [{ at: 2m, alert: { category: high_egress } }, { at: 5m, approve: bob }]
    expect: { approval: approved, after: 5m }`, nil},
		"the alert's own time is the decision's": {`
    given: { alert: { time: 2026-05-01T12:00:00Z } }
    expect: { awaiting: on-call }`, nil},
		"identifiers that do not agree": {`
    given: { endpoint: { name: ws-042, ip: [10.20.4.42] }, alert: { host: { name: other, ip: [192.0.2.9] } } }
    expect: { outcome: no_exact_target, leases: [] }`, nil},
		"the trigger does not hold": {
			`
    given: { alert: { category: malware } }
    expect: { rule: unexplained-volume, outcome: nothing_to_do }`,
			[]string{`rule: want "unexplained-volume", got none`, `outcome: want "nothing_to_do", got "no_playbook_matched"`},
		},
		"everything is otherwise": {
			`
    given: { asset: unknown }
    expect: { rule: otherwise, severity: low, outcome: failed, steps: [tell], leases: [], unsure: [], awaiting: two-people, denied_by: infrastructure, approval: denied, after: 1m }`,
			[]string{
				`rule: want "otherwise", got "unexplained-volume"`,
				`severity: want "low", got "high"`,
				`denied_by: want "infrastructure", got none`,
				`steps: want [tell], got [throttle, cut-off, tell]`,
				`unsure: want [], got [asset.role]`,
				`leases: want [], got [rate_limit]`,
				`outcome: want "failed", got none`,
				`awaiting: want "two-people", got "on-call"`,
				`approval: want "denied", got "pending"`,
				`after: want "1m", got none`,
			},
		},
		"nobody was asked": {
			`
    given: { traffic: { role: requester } }
    timeline: [{ at: 1m, approve: alice }]
    expect: { approval: approved }`,
			[]string{`timeline at 1m: alice cannot approve: no approval is pending, the case is contained`, `approval: want "approved", got none`},
		},
		"the same person twice": {
			`
    given: { asset: { site: unknown } }
    timeline: [{ at: 1m, approve: alice }, { at: 2m, approve: bob, reason: seen }, { at: 3m, approve: bob, reason: seen }, { at: 4m, approve: carol, reason: seen }]
    expect: { leases: [rate_limit, isolate] }`,
			[]string{`timeline at 3m: bob cannot approve two-people: bob has answered two-people already`},
		},
		"a reason is missing": {
			`
    given: { asset: { site: unknown }, traffic: { role: requester } }
    timeline: [{ at: 1m, deny: alice }, { at: 2m, deny: alice, reason: it is a backup }]
    expect: { approval: denied, after: 2m }`,
			[]string{`timeline at 1m: alice cannot deny two-people: to deny two-people takes a reason`},
		},
		"too late": {
			`
    timeline: [{ at: 16m, approve: alice }]
    expect: { approval: expired }`,
			[]string{`timeline at 16m: alice cannot approve: no approval is pending, the case is contained`},
		},
		"the flow store lags, and what it says decides": {`
    given: { traffic: unknown }
    timeline: [{ at: 2m, given: { traffic: { bytes_out: 4GiB, role: requester, attribution: exact } } }]
    expect: { rule: amplification-from-a-workstation, unsure: [], leases: [isolate, rate_limit] }`, nil},
		"the flow store lags for too long, and people are asked": {`
    given: { traffic: unknown }
    timeline: [{ at: 20m, given: { traffic: { bytes_out: 4GiB, role: requester, attribution: exact } } }]
    expect: { approval: expired, after: 15m, outcome: undecided, leases: [] }`, nil},
		"the inventory is late by a minute, and a guardrail forbids": {`
    given: { asset: unknown, traffic: { role: transfer, bytes_out: unknown } }
    timeline: [{ at: 1m, given: { asset: { role: domain_controller } } }]
    expect: { denied_by: infrastructure, outcome: denied, leases: [] }`, nil},
		"people contain an undecided case": {`
    given: { traffic: { role: unknown, bytes_out: unknown } }
    timeline: [{ at: 1m, approve: alice }]
    expect: { rule: otherwise, approval: approved, after: 1m, leases: [isolate, rate_limit] }`, nil},
		"people do not contain an undecided case": {`
    given: { traffic: { role: unknown, bytes_out: unknown } }
    timeline: [{ at: 1m, deny: alice }]
    expect: { outcome: refused, leases: [] }`, nil},
		"nothing is open any more": {
			`
    given: { endpoint: unknown }
    timeline: [{ at: 5m, alert: { category: high_egress } }]
    expect: { outcome: no_exact_target }`,
			[]string{`timeline at 5m: the alert joins no open case: it is closed`},
		},
		"no subject": {
			`
    given: { alert: { host: { id: ' ' } } }
    expect: { outcome: no_exact_target }`,
			[]string{`rehearsal: the alert of the case has no subject: subject: it is empty`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, strings.TrimPrefix(c.text, "\n"))
			var got []string
			for _, f := range r.Failures {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
				for _, e := range r.Timeline {
					t.Logf("%s %-13s %-9s %s", e.At.Format("15:04:05.000"), e.Kind, e.Step, e.Text)
				}
			}
		})
	}
}

// A rehearsal proves as the engine does: the estate's flow store shows what the
// throttle did, though the test says nothing of how fresh its records are.
func TestARehearsalProves(t *testing.T) {
	r := run(t, "    timeline: [{ at: 3m }]\n    expect: { leases: [] }")
	for _, e := range r.Timeline {
		if e.Kind == incident.EvVerified && e.Step == "throttle" {
			return
		}
	}
	t.Errorf("the throttle was not proven: %+v", r.Timeline)
}

func TestOnlyTheNamedCasesRun(t *testing.T) {
	p, tests, file := load(t, "example")
	report, err := playbooktest.Run(t.Context(), p, tests, file, regexp.MustCompile("domain controller"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cases) != 1 || report.Cases[0].Name != "a domain controller is never isolated" || report.Failed() != 0 {
		t.Errorf("%+v", report)
	}
	if diff := cmp.Diff([]string{"sanctioned-transfer", "otherwise"}, report.Uncovered); diff != "" || report.Rules != 4 || report.Enforced {
		t.Errorf("%+v", report)
	}
}
