package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestTrace(t *testing.T) {
	p := mustCompile(t, realistic())
	r := p.Decide(t.Context(), someFacts(), decisionTime)
	p99 := []incident.Missing{{Path: "baseline.p99", Why: "baseline: 3 of 24 windows"}}
	owner := []incident.Missing{{Path: "asset.owner"}}
	role := []incident.Operand{{Name: "asset.role", Value: "workstation"}}
	want := incident.Trace{
		Let: []incident.LetTrace{{Name: "ratio", Unknown: p99}},
		Guardrails: []incident.ConditionTrace{{
			Name: "infrastructure", Verdict: incident.False, Parts: []incident.PartTrace{{
				Expr:    "asset.role in ['domain_controller', 'dns', 'dhcp', 'hypervisor', 'vpn', 'proxy']",
				Verdict: incident.False, Values: role,
			}},
		}},
		Rules: []incident.ConditionTrace{
			{
				Name: "sanctioned-transfer", Verdict: incident.False, Parts: []incident.PartTrace{
					{
						Expr: `process.path == r'C:\Program Files\Veeam\VeeamAgent.exe'`, Verdict: incident.False,
						Values: []incident.Operand{{Name: "process.path", Value: `C:\Users\kim\x.exe`}},
					},
					{Expr: "process.signed", Verdict: incident.False, Values: []incident.Operand{{Name: "process.signed", Value: "false"}}},
				},
			},
			{
				Name: "amplification-from-a-workstation", Verdict: incident.Unsure, Parts: []incident.PartTrace{
					{Expr: "traffic.role == 'requester'", Verdict: incident.True, Values: []incident.Operand{{Name: "traffic.role", Value: "requester"}}},
					{Expr: "traffic.attribution == 'exact'", Verdict: incident.True, Values: []incident.Operand{{Name: "traffic.attribution", Value: "exact"}}},
					{Expr: "asset.role == 'workstation'", Verdict: incident.True, Values: role},
					{Expr: "asset.owner != 'lab'", Verdict: incident.Unsure, Unknown: owner},
				},
			},
			{Name: "unexplained-volume", Verdict: incident.Unsure, Parts: []incident.PartTrace{{Expr: "ratio > 20", Verdict: incident.Unsure, Unknown: p99}}},
			{Name: "much", Verdict: incident.True, Parts: []incident.PartTrace{{
				Expr:    "known(baseline.p99) ? ratio > 20 : traffic.bytes_out > bytes('2GiB')",
				Verdict: incident.True,
				Values:  []incident.Operand{{Name: "traffic.bytes_out", Value: "4294967296"}},
				Unknown: p99,
			}}},
			{Name: "otherwise", Verdict: incident.Skipped},
		},
	}
	if diff := cmp.Diff(want, r.Trace); diff != "" {
		t.Error(diff)
	}
	if r.Rule != 3 || paths(r.Unsure) != "asset.owner baseline.p99" {
		t.Errorf("rule %d, unsure of %q", r.Rule, paths(r.Unsure))
	}
}

func TestTraceShowsValues(t *testing.T) {
	for expr, want := range map[string]string{
		`traffic.bytes_out`:                     `4294967296`,
		`traffic.join_rate`:                     `0.97`,
		`alert.window`:                          `15m`,
		`alert.time`:                            `2026-11-23T02:50:00Z`,
		`alert.host.ip`:                         `["10.0.0.7","192.0.2.9"]`,
		`process.signed`:                        `false`,
		`asset.role + '!'`:                      `workstation!`,
		`alert.status`:                          `firing`,
		`traffic.top.map(f, f.port)`:            `[123,53]`,
		`{'a': 1}`:                              `a map of 1`,
		`null`:                                  `null`,
		`1u`:                                    `1`,
		`traffic.top[0]`:                        `{"ip":"198.51.100.1","port":123,"transport":"udp","bytes":3221225472,"packets":1000,"flows":9}`,
		`ip('192.0.2.1')`:                       `192.0.2.1`,
		`amplification(123, 'udp').factor_high`: `556.9`,
		`duration('90s') + duration('1500ms')`:  `1m32s`,
		`"a\nb\x1b[31m" + "\u202e"`:             "a\uFFFDb\uFFFD[31m\uFFFD",
		`lists.range(1000).map(i, 'xxxxxxxxxxxx')`: "[" + strings.Repeat(`"xxxxxxxxxxxx",`, 15)[:199] + "…",
	} {
		src := source()
		src.Let = []Named{{"shown", at(expr)}}
		r := mustCompile(t, src).Decide(t.Context(), someFacts(), decisionTime)
		if got := r.Trace.Let[0].Value; got != want {
			t.Errorf("%s is shown as %q (%s), want %q", expr, got, r.Trace.Let[0].Error, want)
		}
	}
}

func TestTraceListsOperandsInTheOrderOfReading(t *testing.T) {
	src := source(Named{"rule", at(`ratio == 4 && (now > alert.time || alert.host.os == 'linux' || alert.host == alert.host || alert.id == '' || asset.role == asset.role)`)})
	src.Let = []Named{{"ratio", at(`traffic.bytes_out / bytes('1GiB')`)}}
	r := mustCompile(t, src).Decide(t.Context(), someFacts(), decisionTime)
	want := []incident.PartTrace{
		{Expr: "ratio == 4", Verdict: incident.True, Values: []incident.Operand{{Name: "ratio", Value: "4"}}},
		{
			Expr:    "(now > alert.time || alert.host.os == 'linux' || alert.host == alert.host || alert.id == '' || asset.role == asset.role)",
			Verdict: incident.True,
			Values: []incident.Operand{
				{Name: "now", Value: "2026-11-23T03:00:00Z"},
				{Name: "alert.time", Value: "2026-11-23T02:50:00Z"},
				{Name: "alert.host.id", Value: "ws-042"},
				{Name: "alert.host.ip", Value: `["10.0.0.7","192.0.2.9"]`},
				{Name: "alert.id", Value: "a-1"},
				{Name: "asset.role", Value: "workstation"},
			},
			Unknown: []incident.Missing{{Path: "alert.host.name"}, {Path: "alert.host.os"}},
		},
	}
	if diff := cmp.Diff(want, r.Trace.Rules[0].Parts); diff != "" {
		t.Error(diff)
	}
}

func TestTraceBoundsTheAttackersText(t *testing.T) {
	f := someFacts()
	f.Process.CommandLine = given(strings.Repeat("é\x1b", 5000))
	p := mustCompile(t, source(Named{"rule", at(`process.command_line == 'x' && known(process.command_line)`)}))
	r := p.Decide(t.Context(), f, decisionTime)
	for _, part := range r.Trace.Rules[0].Parts {
		value := part.Values[0].Value
		if n := utf8.RuneCountInString(value); n != maxText+1 || !strings.HasSuffix(value, "é\uFFFD…") {
			t.Errorf("%s shows %d runes: %q", part.Expr, n, value)
		}
	}
}

func TestTraceOfErrors(t *testing.T) {
	src := source(Named{"rule", at(`asset.role == 'workstation' && ratio > 1`)})
	src.Let = []Named{{"ratio", at(`1 / baseline.median`)}}
	src.Guardrails = []Named{{"g", at(`ratio > 1`)}}
	r := mustCompile(t, src).Decide(t.Context(), someFacts(), decisionTime)
	want := `{"let":[{"name":"ratio","error":"division by zero"}],` +
		`"guardrails":[{"name":"g","verdict":"error","parts":[{"expr":"ratio \u003e 1","verdict":"error",` +
		`"values":[{"name":"ratio","value":"let ratio: division by zero"}]}],"error":"let ratio: division by zero"}],` +
		`"rules":[{"name":"rule","verdict":"error","parts":[` +
		`{"expr":"asset.role == 'workstation'","verdict":"true","values":[{"name":"asset.role","value":"workstation"}]},` +
		`{"expr":"ratio \u003e 1","verdict":"error","values":[{"name":"ratio","value":"let ratio: division by zero"}]}],` +
		`"error":"let ratio: division by zero"},{"name":"otherwise","verdict":"not_reached"}]}`
	got, err := json.Marshal(r.Trace)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if r.DeniedBy != 0 || r.Err != "rule rule: let ratio: division by zero" {
		t.Errorf("denied by %d, error %q", r.DeniedBy, r.Err)
	}
}

func TestNoDefaultValueHidesAnUnknown(t *testing.T) {
	for _, when := range []string{
		`baseline.?p99.orValue(0) == 0`,
		`alert.?host.?name.orValue('') == ''`,
		`optional.of(baseline.p99).orValue(0) == 0`,
		`[baseline.p99].first().orValue(0) == 0`,
		`(baseline.p99 == 0 || baseline.p99 != 0)`,
		`{'a': baseline.p99}['a'] == 0`,
	} {
		p := mustCompile(t, source(Named{"rule", at(when)}))
		if r := p.Decide(t.Context(), someFacts(), decisionTime); r.Rule != 1 || len(r.Unsure) == 0 {
			t.Errorf("%s: rule %d, unsure %v", when, r.Rule, r.Unsure)
		}
	}
}
