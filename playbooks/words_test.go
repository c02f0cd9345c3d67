package playbooks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A word that means nothing fails lint, and what was deployed loads with it: its
// text and its digest are what they were.
func TestAWordThatMeansNothing(t *testing.T) {
	text := demo(t, "asset.role == 'domain_controller'", "asset.role == 'domain_controler'")
	p := load(t, text)
	const want = `demo.yaml:18:25: "domain_controler" is not an asset role: did you mean 'domain_controller'?`
	if err := p.Lint().Err(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("lint says %v, want %s", err, want)
	}
	if w := p.Warnings(); w.Err() != nil || len(w) != 1 || !strings.Contains(w[0].String(), "warning: \"domain_controler\"") {
		t.Errorf("loading warns of %v", w)
	}
	if string(p.Text()) != text {
		t.Error("the text has changed")
	}
	spelled := load(t, demo(t, "asset.role == 'domain_controller'", "asset.role == 'Domain Controller'"))
	if issues := spelled.Lint(); len(issues) > 0 {
		t.Errorf("another spelling is complained about: %v", issues)
	}
}

// A guardrail on a role denies regardless of the inventory's spelling and its
// own, and one on an unknown role is unsure.
func TestAGuardrailMeetsItsRole(t *testing.T) {
	own, _ := incident.RolesWith(map[string][]string{"kiosk": {"info terminal"}})
	for _, written := range []string{"domain_controller", "Domain Controller", "DC"} {
		p, err := playbooks.Load("demo.yaml", []byte(demo(t, "asset.role == 'domain_controller'", "asset.role == '"+written+"'")), playbooks.WithRoles(own))
		if err != nil {
			t.Fatal(err)
		}
		for said, want := range map[string]incident.DecisionOutcome{
			"Domain Controller": incident.Denied, "domain-controller": incident.Denied, "DC": incident.Denied, " domain_controller ": incident.Denied,
			"Info Terminal": incident.Decided, "Domane Controller": incident.Decided, "unknown": incident.Decided,
		} {
			f := facts(t, "alert: { host: { id: h } }\nendpoint: { id: h, role: x }\nprocess: { path: p }\ntraffic: { bytes_out: 1GiB, role: requester }\nbaseline: { p99: 1 }\nasset: { site: s }\n")
			f.Asset.Role = incident.Known(said, incident.FromInventory)
			d := p.Evaluate(t.Context(), f, time.Now())
			unsure := said == "Domane Controller" || said == "unknown"
			if d.Outcome != want || (d.Outcome == incident.Decided && (len(d.Unsure) > 0) != unsure) {
				t.Errorf("%q meets the role %q: %s, unsure of %v", written, said, d.Outcome, d.Unsure)
			}
			if r := p.Recheck(t.Context(), f, time.Now()); r.Outcome != want {
				t.Errorf("%q meets the role %q at the recheck: %s", written, said, r.Outcome)
			}
			for _, m := range d.Unsure {
				if m.Path == "asset.role" && !strings.Contains(m.Why, `"`+said+`"`) {
					t.Errorf("the role is unknown for %q", m.Why)
				}
			}
		}
	}
}

func TestWordsOfGivens(t *testing.T) {
	tests, err := playbooks.LoadTests("t.yaml", []byte(`playbook: p.yaml
given: { alert: { host: { os: 'Windows 11' } }, asset: { role: Domain Controller } }
cases:
  - name: one
    given: { asset: { role: wrokstation }, endpoint: { os: 'unknown' } }
    expect: { rule: x }
  - name: two
    given: { asset: { role: unknown }, traffic: { role: requestor } }
    expect: { rule: x }
  - name: three
    given: { alert: { category: high_egres } }
    timeline:
      - { at: 1m, alert: { id: second, category: beaconing } }
      - { at: 1m, alert: { category: High Outbound Traffic } }
      - { at: 2m, alert: { category: 'DNS Amplificaton', host: { os: Windows Server 2022 } } }
      - { at: 3m, given: { asset: { role: servr } } }
    expect: { rule: x }
`))
	if err != nil {
		t.Fatal(err)
	}
	got := tests.Lint(incident.AssetRoles())
	want := []string{
		`t.yaml:5:29: "wrokstation" is not an asset role that is known: add it to roles in stanch.yaml: did you mean 'workstation'?`,
		`t.yaml:8:57: "requestor" is not a role of traffic: did you mean 'requester'?`,
		`t.yaml:11:33: "high_egres" is not a category of alerts that the library knows: did you mean 'high_egress'?`,
		`t.yaml:15:38: "DNS Amplificaton" is not a category of alerts that the library knows: did you mean 'dns_amplification'?`,
		`t.yaml:16:43: "servr" is not an asset role that is known: add it to roles in stanch.yaml: did you mean 'server'?`,
	}
	if len(got) != len(want) {
		t.Fatalf("lint says %v", got)
	}
	for i := range want {
		if got[i].String() != want[i] {
			t.Errorf("lint says %s, want %s", got[i], want[i])
		}
	}
}
