package playbooks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const loud = `
alert: { category: high_egress, host: { id: WS 042 } }
traffic:
  bytes_out: 4GiB
  top: [{ ip: 198.51.100.7, port: 53, transport: udp, bytes: 3GiB }, { ip: 203.0.113.9, port: 443, transport: tcp, bytes: 1GiB }]
asset: { role: workstation }
process: { pid: 4711, path: 'C:\flood.exe' }
`

func facts(tb testing.TB, text string) incident.Facts {
	tb.Helper()
	f, err := playbooks.DecodeFacts("facts.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func at() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func device(tb testing.TB) *incident.Target {
	tb.Helper()
	target, err := incident.DeviceTarget("d-1", "ws-042")
	if err != nil {
		tb.Fatal(err)
	}
	return &target
}

// told is a plan in short: steps, gates with their reason, problems.
func told(plan incident.Plan) []string {
	var out []string
	for _, s := range plan.Steps {
		line := s.Name
		if s.Because != "" {
			line += " because " + s.Because
		}
		if s.Problem != "" {
			line += " problem " + s.Problem
		}
		out = append(out, line)
	}
	return out
}

func TestEvaluateAndPlan(t *testing.T) {
	const unknown = "alert: { category: high_egress, host: { id: a } }\nasset: unknown"
	const open = "Whether rule loud holds is not known, for something is missing: asset.role (not given), traffic.bytes_out (not given). If it holds: It sends much."
	const unknownRole = "The decision rests on something unknown: asset.role (not given)."
	for _, c := range []struct {
		name    string
		replace []string
		facts   string
		outcome incident.DecisionOutcome
		rule    string
		denied  string
		plan    []string
	}{
		{
			name: "decided", facts: loud, outcome: incident.Decided, rule: "loud",
			plan: []string{"throttle", "cut-off", "tell"},
		},
		{
			name:  "an unknown guardrail is asked about before the first step that may not run unsure",
			facts: strings.Replace(loud, "asset: { role: workstation }", "asset: unknown", 1), replace: []string{"when: much && asset.role == 'workstation'", "when: much"},
			outcome: incident.Decided, rule: "loud",
			plan: []string{"throttle", "approve on-call because " + unknownRole, "cut-off", "tell"},
		},
		{
			name:    "the same approval is asked once",
			facts:   strings.Replace(loud, "asset: { role: workstation }", "asset: unknown", 1),
			replace: []string{"when: much && asset.role == 'workstation'", "when: much", "[throttle, cut-off, tell]", "[approve: on-call, throttle, cut-off]"},
			outcome: incident.Decided, rule: "loud",
			plan: []string{"approve on-call because " + unknownRole, "throttle", "cut-off"},
		},
		{
			name:    "a gate after the containing step does not ask for it",
			facts:   strings.Replace(loud, "asset: { role: workstation }", "asset: unknown", 1),
			replace: []string{"when: much && asset.role == 'workstation'", "when: much", "[throttle, cut-off, tell]", "[cut-off, approve: on-call, throttle]"},
			outcome: incident.Decided, rule: "loud",
			plan: []string{"approve on-call because " + unknownRole, "cut-off", "approve on-call", "throttle"},
		},
		{
			name:  "a rule that contains nothing needs no gate",
			facts: "alert: { category: high_egress, host: { id: a } }\ntraffic: { bytes_out: 1MiB }", outcome: incident.Decided, rule: "otherwise",
			plan: []string{"tell"},
		},
		{
			name:  "an unknown rule that would contain is people's, whole, also a step that may act unsure",
			facts: unknown, outcome: incident.Undecided, rule: "otherwise",
			plan: []string{"tell", "approve on-call because " + open, "throttle", "cut-off", "tell"},
		},
		{
			name:  "an unknown rule that contains nothing needs no approval",
			facts: unknown, outcome: incident.Decided, rule: "otherwise", replace: []string{"[throttle, cut-off, tell]", "[tell]"},
			plan: []string{"tell"},
		},
		{
			name:  "below an unknown rule that contains nothing is one that would contain",
			facts: unknown, outcome: incident.Undecided, rule: "otherwise",
			replace: []string{"decide:\n", "decide:\n  - rule: backup\n    when: traffic.bytes_in > 5\n    severity: info\n    because: A backup.\n    do: [tell]\n"},
			plan:    []string{"tell", "approve on-call because " + open, "throttle", "cut-off", "tell"},
		},
		{
			name:  "a guardrail that holds denies, regardless of unknown facts",
			facts: strings.Replace(unknown, "asset: unknown", "asset: { role: domain_controller }", 1), outcome: incident.Denied, rule: "otherwise", denied: "infrastructure",
			replace: []string{"when: much && asset.role == 'workstation'", "when: much"}, plan: []string{"tell"},
		},
		{
			name:  "the rule's own gates stay, the same one before anything contains is asked once",
			facts: unknown, outcome: incident.Undecided, rule: "otherwise",
			replace: []string{"[throttle, cut-off, tell]", "[{ approve: on-call, if_denied: [tell] }, throttle, approve: on-call, cut-off]", "do: [tell]", "do: []"},
			plan:    []string{"approve on-call because " + open, "throttle", "approve on-call", "cut-off"},
		},
		{
			name:  "a guardrail denies, and people are notified",
			facts: strings.Replace(loud, "role: workstation }", "role: domain_controller }", 1), replace: []string{"when: much && asset.role == 'workstation'", "when: much"},
			outcome: incident.Denied, rule: "loud", denied: "infrastructure",
			plan: []string{"tell"},
		},
		{
			name:    "a denied rule without a notify step notifies as the default does",
			facts:   strings.Replace(loud, "role: workstation }", "role: domain_controller }", 1),
			replace: []string{"when: much && asset.role == 'workstation'", "when: much", "[throttle, cut-off, tell]", "[throttle, cut-off]"},
			outcome: incident.Denied, rule: "loud", denied: "infrastructure",
			plan: []string{"tell"},
		},
		{
			name:    "a denied rule that would have done nothing notifies no one",
			facts:   strings.Replace(loud, "role: workstation }", "role: domain_controller }", 1),
			replace: []string{"when: much && asset.role == 'workstation'", "when: much", "[throttle, cut-off, tell]", "[]"},
			outcome: incident.Denied, rule: "loud", denied: "infrastructure",
		},
		{
			name:  "a required fact is missing",
			facts: "asset: unknown", replace: []string{"use: inventory", "use: inventory, required: true"},
			outcome: incident.CannotDecide, plan: []string{"tell"},
		},
		{
			name:  "a rule fails, and it never falls through",
			facts: loud, replace: []string{"when: much && asset.role == 'workstation'", "when: traffic.top[9].port == 53"},
			outcome: incident.DecisionErr, plan: []string{"tell"},
		},
		{
			name:  "a guardrail that fails denies",
			facts: loud, replace: []string{"deny: asset.role == 'domain_controller'", "deny: traffic.top[9].port == 53"},
			outcome: incident.Denied, rule: "loud", denied: "infrastructure", plan: []string{"tell"},
		},
		{
			name:  "when no default rule notifies, any does",
			facts: "asset: unknown", replace: []string{"use: inventory", "use: inventory, required: true", "do: [tell]", "do: []"},
			outcome: incident.CannotDecide, plan: []string{"tell"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, f := load(t, demo(t, c.replace...)), facts(t, c.facts)
			d := p.Evaluate(t.Context(), f, at())
			if d.Outcome != c.outcome || d.Rule != c.rule || d.DeniedBy != c.denied {
				t.Errorf("decision %s %q %q (%s), want %s %q %q", d.Outcome, d.Rule, d.DeniedBy, d.Error, c.outcome, c.rule, c.denied)
			}
			if d.PlaybookDigest != p.Digest() || !d.At.Equal(at()) || d.Severity == "" {
				t.Errorf("the decision is not pinned: %+v", d)
			}
			if diff := cmp.Diff(c.plan, told(p.Plan(d, f, device(t)))); diff != "" {
				t.Errorf("plan differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADecisionSaysWhatWasMissing(t *testing.T) {
	p := load(t, demo(t, "use: inventory", "use: inventory, required: true"))
	f := facts(t, loud)
	f.Asset = incident.Asset{}
	incident.Explain(&f.Asset, "inventory: timed out")
	d := p.Evaluate(t.Context(), f, at())
	want := []incident.Missing{{Path: "asset", Why: "inventory: timed out"}}
	if diff := cmp.Diff(want, d.Unsure); diff != "" {
		t.Errorf("missing differs (-want +got):\n%s", diff)
	}
	if !strings.Contains(d.Because, "asset (inventory: timed out)") {
		t.Errorf("because %q does not name what was missing", d.Because)
	}
	if again := p.Recheck(t.Context(), f, at()); again.Outcome != incident.CannotDecide {
		t.Errorf("the recheck says %s, want cannot_decide", again.Outcome)
	}
}

func TestRecheckAsksTheGuardrailsAlone(t *testing.T) {
	p := load(t, demo(t))
	f := facts(t, loud)
	if d := p.Recheck(t.Context(), f, at()); d.Outcome != incident.Decided || d.Rule != "" || len(d.Trace.Rules) > 0 {
		t.Errorf("recheck of a workstation: %+v", d)
	}
	f.Asset.Role = incident.Known("domain_controller", incident.FromInventory)
	if d := p.Recheck(t.Context(), f, at()); d.Outcome != incident.Denied || d.DeniedBy != "infrastructure" || d.Because != "Others need it." {
		t.Errorf("recheck of what became a domain controller: %+v", d)
	}
	f.Asset = incident.Asset{}
	if d := p.Recheck(t.Context(), f, at()); len(d.Unsure) == 0 {
		t.Error("recheck of an unknown host is sure")
	}
}

func TestSubject(t *testing.T) {
	p := load(t, demo(t))
	for raw, want := range map[string]string{
		"  WS-042.corp ":         "ws-042.corp",
		"ws 042/../x":            "ws%20042%2f..%2fx",
		"Grüße":                  "gr%c3%bc%c3%9fe",
		"a_b:c@d-e.f":            "a_b:c@d-e.f",
		"100%":                   "100%25",
		strings.Repeat("ü", 200): strings.Repeat("%c3%bc", 200),
	} {
		got, err := p.Subject(t.Context(), &incident.Facts{Alert: incident.Alert{Host: incident.AlertHost{ID: incident.Known(raw, incident.FromAlert)}}}, at())
		if err != nil || got != want {
			t.Errorf("subject of %q: %q, %v, want %q", raw, got, err, want)
		}
	}
	for name, id := range map[string]incident.Value[string]{
		"empty":   incident.Known("  ", incident.FromAlert),
		"unknown": {},
		"long":    incident.Known(strings.Repeat("x", 201), incident.FromAlert),
	} {
		if got, err := p.Subject(t.Context(), &incident.Facts{Alert: incident.Alert{Host: incident.AlertHost{ID: id}}}, at()); err == nil {
			t.Errorf("a subject that is %s is %q", name, got)
		}
	}
}

func TestPlanWithoutTarget(t *testing.T) {
	p, f := load(t, demo(t)), facts(t, loud)
	plan := p.Plan(p.Evaluate(t.Context(), f, at()), f, nil)
	want := []string{"throttle problem no exact target", "cut-off problem no exact target", "tell"}
	if diff := cmp.Diff(want, told(plan)); diff != "" {
		t.Errorf("plan differs (-want +got):\n%s", diff)
	}
	if !plan.Shadow || plan.Target != nil {
		t.Errorf("the plan is %+v", plan)
	}
}

func TestPlanCarriesWhatRunsAfterARefusal(t *testing.T) {
	p := load(t, demo(t, "[throttle, cut-off, tell]", "[{ approve: on-call, if_denied: [release, tell], if_expired: [throttle] }, cut-off]"))
	f := facts(t, loud)
	gate := p.Plan(p.Evaluate(t.Context(), f, at()), f, device(t)).Steps[0]
	if len(gate.IfDenied) != 2 || !gate.IfDenied[0].Release || gate.IfDenied[1].Channel != "#sec" {
		t.Errorf("if denied: %+v", gate.IfDenied)
	}
	if len(gate.IfExpired) != 1 || gate.IfExpired[0].Rate != 2_000_000 {
		t.Errorf("if expired: %+v", gate.IfExpired)
	}
}

func TestPlanResolvesWhatABlockStopsAndALimitBounds(t *testing.T) {
	const flows = `
traffic:
  sample:
    - { src_ip: 192.0.2.1, src_port: 389, dst_ip: 198.51.100.1, dst_port: 4000, transport: udp, bytes_out: 2GiB }
    - { src_ip: 192.0.2.1, src_port: 53, dst_ip: 198.51.100.1, dst_port: 4000, transport: udp, bytes_out: 1GiB }
    - { src_ip: 192.0.2.1, src_port: 53, dst_ip: 198.51.100.2, dst_port: 4001, transport: udp, bytes_out: 1500MiB }
    - { src_ip: 192.0.2.1, src_port: 50111, dst_ip: 198.51.100.2, dst_port: 443, transport: tcp, bytes_out: 9GiB }
    - { src_ip: 192.0.2.1, src_port: 123, dst_ip: 198.51.100.2, dst_port: 4001, transport: udp, bytes_out: -1 }
    - { src_ip: 192.0.2.1, src_port: 80, dst_ip: 198.51.100.3, dst_port: 50123, transport: tcp, bytes_out: 9GiB }
`
	// As Zeek writes it: the peers began the flows, and are their sources.
	const begun = `
alert: { host: { ip: [192.0.2.1] } }
traffic:
  sample:
    - { src_ip: 198.51.100.1, src_port: 53, dst_ip: 192.0.2.1, dst_port: 389, transport: udp, bytes_out: 2GiB }
`
	for _, c := range []struct {
		match, facts string
		want         *incident.Filter
		problem      string
	}{
		{match: "top_destination", facts: loud, want: &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7", Transport: "udp"}},
		{match: "top_port", facts: loud, want: &incident.Filter{Direction: incident.Outbound, RemotePort: 53, Transport: "udp"}},
		{match: "top_port", facts: "traffic: unknown", problem: "traffic.top is unknown (not given)"},
		{match: "top_destination", facts: "traffic: { top: [] }", problem: "traffic.top is empty: nothing was sent that could be named"},
		{match: "top_port", facts: "traffic: { top: [{ ip: 192.0.2.1 }] }", problem: "the largest destination has no port that could be named"},
		{match: "top_destination", facts: "traffic: { top: [{ port: 53 }] }", problem: "the largest destination has no address that could be named"},
		{match: "top_flow", facts: loud, want: &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7", RemotePort: 53, Transport: "udp"}},
		{match: "top_flow", facts: "traffic: { top: [{ ip: 192.0.2.1 }] }", problem: "the largest destination has no port that could be named"},
		{match: "top_flow", facts: "traffic: { top: [{ port: 53 }] }", problem: "the largest destination has no address that could be named"},
		{match: "reflected_port", facts: flows, want: &incident.Filter{Direction: incident.Inbound, LocalPort: 53, Transport: "udp"}},
		{match: "reflected_port", facts: begun, want: &incident.Filter{Direction: incident.Inbound, LocalPort: 389, Transport: "udp"}},
		{match: "reflected_port", facts: loud, problem: "the flows do not show which amplification service of the host answers"},
	} {
		t.Run(c.match+" "+c.problem, func(t *testing.T) {
			p := load(t, demo(t, "  cut-off: { action: isolate, use: edr,", "  cut-off: { action: block, use: gateway, with: { match: "+c.match+" },",
				"action: isolate, per", "action: block, per"))
			step := p.Plan(incident.Decision{Outcome: incident.Decided, Do: []incident.Doing{{Step: "cut-off"}}}, facts(t, c.facts), device(t)).Steps[0]
			if diff := cmp.Diff(c.want, step.Filter); diff != "" || step.Problem != c.problem {
				t.Errorf("problem %q, filter (-want +got):\n%s", step.Problem, diff)
			}
			// A limit bounds what the host sends: of a service the answers, and not the
			// requests.
			if c.want != nil {
				c.want.Direction = incident.Outbound
			}
			p = load(t, demo(t, "with: { rate: 2Mbit }", "with: { rate: 2Mbit, match: "+c.match+" }"))
			step = p.Plan(incident.Decision{Outcome: incident.Decided, Do: []incident.Doing{{Step: "throttle"}}}, facts(t, c.facts), device(t)).Steps[0]
			if diff := cmp.Diff(c.want, step.Filter); diff != "" || step.Problem != c.problem || step.Rate != 2_000_000 {
				t.Errorf("limit %d, problem %q, filter (-want +got):\n%s", step.Rate, step.Problem, diff)
			}
		})
	}
}

func TestPlanNamesTheProcessThatItEnds(t *testing.T) {
	p := load(t, demo(t, "isolate, use: edr, ttl: 4h, verify: { egress_below: 64kbit, within: 5m }", "kill_process, use: edr",
		"action: isolate, per", "action: kill_process, per", "  endpoint: { use: edr }\n", "  endpoint: { use: edr }\n  process: { use: edr }\n"))
	kill := incident.Decision{Outcome: incident.Decided, Do: []incident.Doing{{Step: "cut-off"}}}
	step := p.Plan(kill, facts(t, loud), device(t)).Steps[0]
	if step.PID != 4711 || step.Path != `C:\flood.exe` || step.Problem != "" {
		t.Errorf("ends %d %s (%s)", step.PID, step.Path, step.Problem)
	}
	for text, want := range map[string]string{
		"process: { pid: 4711 }":       "process.path is unknown (not given)",
		`process: { path: 'C:\x.exe'}`: "process.pid is unknown (not given)",
	} {
		if step := p.Plan(kill, facts(t, text), device(t)).Steps[0]; step.Problem != want {
			t.Errorf("%s: problem %q, want %q", text, step.Problem, want)
		}
	}
}

func TestStricter(t *testing.T) {
	plan := func(actions ...incident.Action) incident.Plan {
		var p incident.Plan
		for _, a := range actions {
			p.Steps = append(p.Steps, incident.PlannedStep{Action: a})
		}
		return p
	}
	part := plan(incident.RateLimit)
	part.Steps[0].Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7"}
	for _, c := range []struct {
		old, new incident.Plan
		want     bool
	}{
		{plan(), plan(incident.RateLimit), true},
		{plan(incident.RateLimit), plan(incident.RateLimit, incident.Isolate), true},
		{plan(incident.Isolate), plan(incident.Block, incident.Isolate), false},
		{plan(incident.Isolate), plan(incident.RateLimit), false},
		{plan(), plan(incident.Notify, incident.Collect), false},
		{plan(), part, true},
		{part, plan(incident.RateLimit), true},
		{plan(incident.RateLimit), part, false},
		{part, part, false},
		{part, plan(incident.Block), true},
		{plan(incident.Block), part, false},
	} {
		if got := playbooks.Stricter(c.old, c.new); got != c.want {
			t.Errorf("from %v to %v: %v, want %v", c.old.Steps, c.new.Steps, got, c.want)
		}
	}
}
