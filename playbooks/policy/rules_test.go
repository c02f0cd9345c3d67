package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestLets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		lets   []Named
		when   string
		want   incident.Verdict
		unsure string
		err    string
	}{
		{"value", []Named{{"ratio", at(`traffic.bytes_out / bytes('1GiB')`)}}, `ratio == 4`, incident.True, "", ""},
		{"uses an earlier one", []Named{{"a", at(`2`)}, {"b", at(`a * 3`)}}, `b == 6`, incident.True, "", ""},
		{"object", []Named{{"first", at(`traffic.top[0]`)}}, `first.port == 123`, incident.True, "", ""},
		{"list", []Named{{"big", at(`traffic.top.filter(f, f.bytes > bytes('2GiB'))`)}}, `big.all(f, f.port == 123)`, incident.True, "", ""},
		{"unknown", []Named{{"ratio", at(`1 / baseline.p99`)}}, `ratio > 20`, incident.Unsure, "baseline.p99", ""},
		{"unknown through two", []Named{{"a", at(`baseline.p99 + baseline.p95`)}, {"b", at(`a * 2`)}}, `b > 20`, incident.Unsure, "baseline.p95 baseline.p99", ""},
		{"unknown and absolved", []Named{{"ratio", at(`1 / baseline.p99`)}}, `false && ratio > 20`, incident.False, "", ""},
		{"known of an unknown one", []Named{{"ratio", at(`1 / baseline.p99`)}}, `known(ratio)`, incident.False, "", ""},
		{"known of a known one", []Named{{"ratio", at(`1`)}}, `known(ratio)`, incident.True, "", ""},
		{"failed", []Named{{"ratio", at(`1 / baseline.median`)}}, `ratio > 20`, incident.Failed, "", "rule rule: let ratio: division by zero"},
		{"failed through two", []Named{{"a", at(`1 / baseline.median`)}, {"b", at(`a + 1`)}}, `b > 20`, incident.Failed, "", "rule rule: let b: let a: division by zero"},
		{"known of a failed one", []Named{{"ratio", at(`1 / baseline.median`)}}, `known(ratio)`, incident.Failed, "", "rule rule: let ratio: division by zero"},
		{"failed and not used", []Named{{"ratio", at(`1 / baseline.median`)}}, `asset.role == 'workstation'`, incident.True, "", ""},
		{"failed and absolved", []Named{{"ratio", at(`1 / baseline.median`)}}, `true || ratio > 20`, incident.True, "", ""},
		{"too costly", []Named{{"a", at(`lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))`)}}, `a`, incident.Failed, "", "rule rule: let a: the cost limit of 100000 is exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := source(Named{"rule", at(tt.when)})
			src.Let = tt.lets
			r := mustCompile(t, src).Decide(t.Context(), someFacts(), decisionTime)
			if got := r.Trace.Rules[0].Verdict; got != tt.want || paths(r.Unsure) != tt.unsure || r.Err != tt.err {
				t.Errorf("got %s, unsure of %q, error %q; want %s, %q, %q", got, paths(r.Unsure), r.Err, tt.want, tt.unsure, tt.err)
			}
		})
	}
}

func TestRules(t *testing.T) {
	const (
		yes, no = `true`, `false`
		unknown = `baseline.p99 > 1`
		fails   = `1 / baseline.median > 1`
	)
	for _, tt := range []struct {
		name                string
		guardrails, rules   []string
		rule, denied        int
		unsure, err         string
		guardTrace, verdict []incident.Verdict
	}{
		{
			name: "the first that is true wins", rules: []string{no, yes, yes}, rule: 1, denied: -1,
			verdict: []incident.Verdict{incident.False, incident.True, incident.Skipped, incident.Skipped},
		},
		{
			name: "the default always holds", rules: []string{no}, rule: 1, denied: -1,
			verdict: []incident.Verdict{incident.False, incident.True},
		},
		{
			name: "unknown above the chosen one is unsure", rules: []string{unknown, yes}, rule: 1, denied: -1, unsure: "baseline.p99",
			verdict: []incident.Verdict{incident.Unsure, incident.True, incident.Skipped},
		},
		{
			name: "unknown above the default is unsure", rules: []string{unknown}, rule: 1, denied: -1, unsure: "baseline.p99",
			verdict: []incident.Verdict{incident.Unsure, incident.True},
		},
		{
			name: "unknown below the chosen one does not matter", rules: []string{yes, unknown, fails}, rule: 0, denied: -1,
			verdict: []incident.Verdict{incident.True, incident.Skipped, incident.Skipped, incident.Skipped},
		},
		{
			name: "an error does not fall through", rules: []string{no, fails, yes}, rule: -1, denied: -1, err: "rule r1: division by zero",
			verdict: []incident.Verdict{incident.False, incident.Failed, incident.Skipped, incident.Skipped},
		},
		{
			name: "the first guardrail that holds denies, and all are traced", guardrails: []string{no, yes, yes, unknown}, rules: []string{yes},
			rule: 0, denied: 1, unsure: "baseline.p99",
			guardTrace: []incident.Verdict{incident.False, incident.True, incident.True, incident.Unsure},
			verdict:    []incident.Verdict{incident.True, incident.Skipped},
		},
		{
			name: "a guardrail that fails denies", guardrails: []string{fails}, rules: []string{yes}, rule: 0, denied: 0,
			guardTrace: []incident.Verdict{incident.Failed}, verdict: []incident.Verdict{incident.True, incident.Skipped},
		},
		{
			name: "a guardrail that is unknown makes unsure", guardrails: []string{unknown, no}, rules: []string{yes}, rule: 0, denied: -1, unsure: "baseline.p99",
			guardTrace: []incident.Verdict{incident.Unsure, incident.False}, verdict: []incident.Verdict{incident.True, incident.Skipped},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := source()
			src.Rules = nil
			for i, g := range tt.guardrails {
				src.Guardrails = append(src.Guardrails, Named{fmt.Sprintf("g%d", i), at(g)})
			}
			for i, r := range tt.rules {
				src.Rules = append(src.Rules, Named{fmt.Sprintf("r%d", i), at(r)})
			}
			src.Rules = append(src.Rules, Named{Name: "otherwise"})
			p := mustCompile(t, src)
			r := p.Decide(t.Context(), someFacts(), decisionTime)
			if r.Rule != tt.rule || r.DeniedBy != tt.denied || paths(r.Unsure) != tt.unsure || r.Err != tt.err {
				t.Errorf("got rule %d, denied by %d, unsure of %q, error %q; want %d, %d, %q, %q",
					r.Rule, r.DeniedBy, paths(r.Unsure), r.Err, tt.rule, tt.denied, tt.unsure, tt.err)
			}
			if diff := cmp.Diff(tt.verdict, verdicts(r.Trace.Rules)); diff != "" {
				t.Error("rules:", diff)
			}
			if diff := cmp.Diff(tt.guardTrace, verdicts(r.Trace.Guardrails)); diff != "" {
				t.Error("guardrails:", diff)
			}

			g := p.Guard(t.Context(), someFacts(), decisionTime)
			if g.Rule != -1 || g.DeniedBy != tt.denied || g.Err != "" || g.Trace.Rules != nil {
				t.Errorf("Guard gave %+v", g)
			}
			if diff := cmp.Diff(tt.guardTrace, verdicts(g.Trace.Guardrails)); diff != "" {
				t.Error("Guard:", diff)
			}
		})
	}
}

func verdicts(traces []incident.ConditionTrace) []incident.Verdict {
	var out []incident.Verdict
	for _, c := range traces {
		out = append(out, c.Verdict)
	}
	return out
}
