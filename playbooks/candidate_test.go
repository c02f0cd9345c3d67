package playbooks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// suspecting is a playbook whose first rule reads who sends.
func suspecting(lets, when string) string {
	return fmt.Sprintf(`apiVersion: stanch/v1
kind: Playbook
name: suspecting
owner: secops
mode: enforce
description: It reads who sends.
trigger:
  match: alert.category == 'high_egress'
  subject: alert.host.id
enrich:
  endpoint: { use: edr, timeout: 20s, required: true }
  process:  { use: edr, timeout: 20s }
  traffic:  { use: flows, timeout: 20s }
%sunsure: on-call
decide:
  - rule: suspected
    when: %s
    severity: high
    because: It is the one.
    do: [end-process, tell]
  - rule: otherwise
    severity: low
    because: It is not.
    do: [tell]
steps:
  end-process: { action: kill_process, use: edr }
  tell: { action: notify, use: slack, with: { channel: '#sec' } }
approvals:
  on-call:
    ask: { slack: '#sec' }
    approvers: { slack_group: sec }
    quorum: 1
    expire_after: 15m
`, lets, when)
}

// A guess is known to a policy by the name of candidate alone, and is never the
// process that ends.
func TestACandidateIsReadByItsNameOnly(t *testing.T) {
	const is = `.path == r'C:\Tools\sender.exe'`
	for _, c := range []struct {
		when, attribution string
		rule              string
		unsure            int
		kills             bool
	}{
		{"process" + is, "exact", "suspected", 0, true},
		{"process" + is, "destination", "otherwise", 1, false},
		{"process" + is, "none", "otherwise", 1, false},
		{"candidate" + is, "exact", "suspected", 0, true},
		{"candidate" + is, "destination", "suspected", 0, false},
		{"candidate" + is, "process_list", "suspected", 0, false},
	} {
		p, err := playbooks.Load("suspecting.yaml", []byte(suspecting("", c.when)))
		if err != nil {
			t.Fatal(err)
		}
		known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
		facts := incident.Facts{
			Alert:    incident.Alert{Category: known("high_egress"), Host: incident.AlertHost{ID: known("ws-042")}},
			Endpoint: incident.Endpoint{ID: known("ws-042")},
			Process:  incident.Process{Path: known(`C:\Tools\sender.exe`), PID: incident.Known(int64(4711), incident.FromEDR)},
			Traffic:  incident.Traffic{Attribution: known(c.attribution)},
		}
		facts.DisownGuess()
		d := p.Evaluate(t.Context(), facts, time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC))
		if d.Rule != c.rule || len(d.Unsure) != c.unsure {
			t.Errorf("%s, %s: rule %s, unsure of %v; want %s and %d", c.when, c.attribution, d.Rule, d.Unsure, c.rule, c.unsure)
		}
		target, err := incident.DeviceTarget("ws-042", "ws-042")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Plan(d, facts, &target).Steps {
			if s.Name == "end-process" && (s.PID == 4711) != c.kills {
				t.Errorf("%s, %s: the process that ends is %d (%s)", c.when, c.attribution, s.PID, s.Problem)
			}
		}
	}
}

// Without a candidate, a rule about it is unknown, with the reason.
func TestNoCandidateIsUnknown(t *testing.T) {
	p, err := playbooks.Load("suspecting.yaml", []byte(suspecting("", `candidate.signed`)))
	if err != nil {
		t.Fatal(err)
	}
	var facts incident.Facts
	facts.Alert.Category = incident.Known("high_egress", incident.FromAlert)
	facts.Endpoint.ID = incident.Known("ws-042", incident.FromEDR)
	facts.Process.Path = incident.NotKnown[string]("edr: timed out")
	d := p.Evaluate(t.Context(), facts, time.Now())
	if len(d.Unsure) != 1 || d.Unsure[0] != (incident.Missing{Path: "candidate.signed", Why: "edr: timed out"}) {
		t.Errorf("unsure of %v", d.Unsure)
	}
}

// The name was free once: a playbook of then reads its own let, and lint
// refuses the file when it is changed.
func TestALetMayHaveHadTheCandidatesName(t *testing.T) {
	lets := "let:\n  candidate: \"alert.host.id == 'ws-042'\"\n  both: candidate && alert.category == 'high_egress'\n"
	text := suspecting(lets, "both && candidate")
	p, err := playbooks.Load("suspecting.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var facts incident.Facts
	facts.Alert.Category = incident.Known("high_egress", incident.FromAlert)
	facts.Alert.Host.ID = incident.Known("ws-042", incident.FromAlert)
	facts.Endpoint.ID = incident.Known("ws-042", incident.FromEDR)
	if d := p.Evaluate(t.Context(), facts, time.Now()); d.Rule != "suspected" || len(d.Unsure) > 0 {
		t.Errorf("rule %s, unsure of %v", d.Rule, d.Unsure)
	}
	if lint := fmt.Sprint(p.Lint()); !strings.Contains(lint, `let "candidate"`) {
		t.Errorf("lint says %q", lint)
	}
}

// The candidate comes with the process.
func TestACandidateNeedsTheProcess(t *testing.T) {
	text := strings.Replace(suspecting("", `candidate.signed`), "  process:  { use: edr, timeout: 20s }\n", "", 1)
	_, err := playbooks.Load("suspecting.yaml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), `no enrich entry provides fact "candidate": it comes with "process"`) {
		t.Errorf("the error is %v", err)
	}
}
