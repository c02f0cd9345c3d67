package policy

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// arithmetic are expressions whose value is mathematically known whatever the
// value is, and those that a careless author would guard with. $ is the value.
func arithmetic() map[string][]string {
	return map[string][]string{
		"int": {
			"$ - $ == 0", "$ * 0 == 0", "0 * $ == 0", "$ == $", "$ >= 0 || $ < 0", "$ + 1 > $", "($ + 1) * 2 - 7 > 0", "-$ <= 0",
			"max($, 1) >= 1", "min($, 0) <= 0", "$ / max($, 1) <= 1", "$ % 1 == 0", "double($) * 0.0 == 0.0", "string($) != ''",
			"[$].all(x, x * 0 == 0)", "{'a': $}.a - $ == 0", "($ > 0 ? 1 : 1) == 1", "$ in [$]", "size([$, $]) == 2 && $ == $",
		},
		"double":                    {"$ - $ == 0.0", "$ * 0.0 == 0.0", "max($, 1.0) >= 1.0", "int($) >= 0 || true && $ < 0.0"},
		"bool":                      {"$ || !$", "$ == $", "($ ? 1 : 1) == 1"},
		"string":                    {"$ == $", "$ + '' == $", "size($) >= 0", "$.contains('')", "$.matches('.*')"},
		"google.protobuf.Duration":  {"$ - $ == duration('0s')", "now + $ >= now - $", "$ == $"},
		"google.protobuf.Timestamp": {"$ - $ == duration('0s')", "$ <= now || $ > now"},
		"list(string)":              {"size($) >= 0", "$ == $", "$.all(x, true)", "size($ + ['x']) > 0"},
		"list(TopFlow)":             {"size($) >= 0", "$.all(f, f.bytes * 0 == 0)", "$.map(f, f.bytes) == $.map(f, f.bytes)"},
	}
}

// Unknown stays unknown through arithmetic, for every value of the facts: no
// expression makes a number of it, and each names what is missing.
func TestUnknownStaysUnknownThroughArithmetic(t *testing.T) {
	var facts incident.Facts
	facts.Alert.ID, facts.Alert.Source, facts.Alert.Status = "a-1", "siem", incident.Firing
	tried := map[string]int{}
	for _, v := range Variables() {
		switch {
		case v.Path == "alert.id", v.Path == "alert.source", v.Path == "alert.status", v.Path == "now":
			continue // These are always known.
		case strings.Contains(v.Path, "[]"):
			continue // Within a list, which is known or unknown as a whole.
		}
		typ := v.Type
		if alias, ok := map[string]string{"duration": "google.protobuf.Duration", "timestamp": "google.protobuf.Timestamp"}[typ]; ok {
			typ = alias
		}
		expressions := arithmetic()[typ]
		if len(expressions) == 0 {
			t.Errorf("%s is a %s, of which nothing is tried", v.Path, v.Type)
		}
		for _, e := range expressions {
			when := strings.ReplaceAll(e, "$", v.Path)
			r := mustCompile(t, source(Named{"rule", at(when)})).Decide(t.Context(), facts, decisionTime)
			if verdict := r.Trace.Rules[0].Verdict; verdict != incident.Unsure || r.Rule != 1 || paths(r.Unsure) != v.Path {
				t.Errorf("%s: verdict %s, rule %d, unsure of %q, want it unsure of %s", when, verdict, r.Rule, paths(r.Unsure), v.Path)
			}
			tried[typ]++
		}
	}
	for typ := range arithmetic() {
		if tried[typ] == 0 {
			t.Errorf("no value is a %s", typ)
		}
	}
}
