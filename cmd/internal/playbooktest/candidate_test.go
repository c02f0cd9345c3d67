package playbooktest_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/playbooktest"
	"github.com/stanch-soar/stanch/playbooks"
)

// A test may say who is guessed: a rule that asks for the candidate reads it, a
// rule about the process does not.
func TestACandidateIsGiven(t *testing.T) {
	example, _, _ := load(t, "example")
	const when = `when: process.path == r'C:\Program Files\Veeam\VeeamAgent.exe' && process.signed`
	for name, c := range map[string]struct{ when, given, rule string }{
		"read by its name":                   {strings.ReplaceAll(when, "process.", "candidate."), "candidate", "sanctioned-transfer"},
		"not read as the process":            {when, "candidate", "unexplained-volume"},
		"the process is one":                 {strings.ReplaceAll(when, "process.", "candidate."), "process", "sanctioned-transfer"},
		"there is none, where none is given": {strings.ReplaceAll(when, "process.", "candidate."), "asset: { role: server, site: berlin }\n  #", "unexplained-volume"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := playbooks.Load("playbook.yaml", []byte(strings.Replace(string(example.Text()), when, c.when, 1)))
			if err != nil {
				t.Fatal(err)
			}
			tests, err := playbooks.LoadTests("playbook_test.yaml", []byte(`playbook: playbook.yaml
given:
  alert: { category: high_egress, host: { id: ws-042, os: windows } }
  endpoint: { id: ws-042, role: workstation, online: true }
  `+c.given+`: { path: 'C:\Program Files\Veeam\VeeamAgent.exe', signed: true }
  traffic: { bytes_out: 4GiB, role: transfer`+map[bool]string{true: ", attribution: exact"}[c.given == "process"]+` }
  baseline: { p99: 20MiB }
cases:
  - name: it
    expect: { rule: `+c.rule+` }
`))
			if err != nil {
				t.Fatal(err)
			}
			report, err := playbooktest.Run(t.Context(), p, tests, "playbook_test.yaml", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Cases[0].Failures {
				t.Errorf("%s", f)
			}
		})
	}
}
