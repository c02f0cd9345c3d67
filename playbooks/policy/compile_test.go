package policy

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func lines(issues []Issue) []string {
	var out []string
	for _, i := range issues {
		out = append(out, fmt.Sprintf("%s:%d:%d: %s", i.File, i.Line, i.Column, i.Message))
	}
	return out
}

func TestComplaints(t *testing.T) {
	for _, tt := range []struct {
		when string
		want []string // column and message
	}{
		{`trafic.bytes_out > 1`, []string{`1: nothing is called 'trafic': did you mean 'traffic'?`}},
		{`traffic.byte_out > 1`, []string{`9: 'traffic' has no field 'byte_out': did you mean 'bytes_out'?`}},
		{`traffic.top[0].prot == 1`, []string{`16: 'TopFlow' has no field 'prot': did you mean 'port'?`}},
		{`traffic.top.exists(f, f.byte > 1)`, []string{`25: 'TopFlow' has no field 'byte': did you mean 'bytes'?`}},
		{`traffic.top.exists(alert, alert.category == '')`, []string{`33: 'TopFlow' has no field 'category': it has ip, port, transport, bytes, packets, flows`}},
		{`alert.host.hostname == ''`, []string{`12: 'alert.host' has no field 'hostname': it has id, name, os, ip`}},
		{`amplification(1, 'udp').servce == ''`, []string{`25: 'amplification' has no field 'servce': did you mean 'service'?`}},
		{`!asset.prod && asset.rol == 'dns'`, []string{
			`8: 'asset' has no field 'prod': it has name, role, owner, criticality, site, tags`,
			`22: 'asset' has no field 'rol': did you mean 'role'?`,
		}},
		{`endpoint.online`, []string{`1: no enrich entry provides fact "endpoint"`}},
		{`process.nam == ''`, []string{`1: no enrich entry provides fact "process"`, `9: 'process' has no field 'nam': did you mean 'name'?`}},

		// What policies do not see.
		{`alert.raw == ''`, []string{`7: 'alert' has no field 'raw'`}},
		{`size(traffic.sample) > 0`, []string{`14: 'traffic' has no field 'sample'`}},
		{`alert.received_at > now`, []string{`7: 'alert' has no field 'received_at'`}},
		{`dyn(alert).raw == ''`, []string{`1: no function is called 'dyn'`}},
		{`TopFlow{ip: ''}.ip == ''`, []string{`8: a policy reads facts, it cannot make 'TopFlow'`}},
		{`has(baseline.p99)`, []string{`1: nothing is absent from a fact: ask 'known' whether a value is known`}},

		// Types.
		{`traffic.bytes_out > 1.5`, []string{`19: found no matching overload for '_>_' applied to '(int, double)'`}},
		{`traffic.bytes_out`, []string{`1: when is int, it must be bool`}},
		{`asset`, []string{`1: when is Asset, it must be bool`}},
		{`max(1, 2.0) > 1`, []string{`4: found no matching overload for 'max' applied to '(int, double)'`}},
		{`[1, 'a'].exists(a, a == 1)`, []string{`5: expected type 'int' but found 'string'`}},

		// Literals.
		{`traffic.bytes_out > bytes('10 Mib')`, []string{`27: "10 Mib" is not a size: write a number and one of KiB, MiB, GiB, KB, MB, GB`}},
		{`alert.window > duration('14d')`, []string{`25: "14d" is not a duration in CEL, which has no days: write 336h`}},
		{`alert.window > duration('soon')`, []string{`25: "soon" is not a duration: write 90s, 15m or 4h`}},
		{`bytes(b'x') == 1`, []string{`6: found no matching overload for 'bytes' applied to '(bytes)'`}},
		{`byte('1KiB') == 1024`, []string{`1: no function is called 'byte': did you mean 'bytes'?`}},
		{`asset.owner.matches('(')`, []string{"21: the regular expression is none: missing closing ): `(`"}},
		{`cidr('10.0.0.0/99').containsIP('10.0.0.1')`, []string{`6: invalid cidr argument`}},

		// Bounds and syntax.
		{`[1].exists(a, [1].exists(b, [1].exists(c, a == b && b == c)))`, []string{`39: comprehension exceeds nesting limit`}},
		{strings.Repeat(`true && `, 2000) + `true`, []string{`1: expression code point size exceeds limit`}},
		{`asset.role ==`, []string{`14: syntax error: mismatched input end of the expression`}},
		{`asset.role = 'a' && asset.owner = 'b'`, []string{`12: a single = compares nothing: write ==`}},
		{`asset.role === 'a'`, []string{`14: a single = compares nothing: write ==`}},
		{`traffic.bytes_out => 5`, []string{`19: a single = compares nothing: write ==`}},
		{`traffic.bytes_out > 20MiB`, []string{`21: a size is written as bytes('20MiB')`}},
		{`traffic.bytes_out >1.5 GiB && true`, []string{`20: a size is written as bytes('1.5GiB')`}},
		{`now - alert.time > 15m`, []string{`20: a duration is written as duration('15m')`}},
		{`traffic.rate > 20Mbit`, []string{`16: a rate is a number of bits per second: write 20Mbit as one`}},
		{`traffic.bytes_out == '5'`, []string{`19: == takes two numbers or two texts, and here are int and string: write 5 without quotes`}},
		{`traffic.bytes_out > '20MiB'`, []string{`19: > takes two numbers or two texts, and here are int and string: write the size as bytes('20MiB')`}},
		{`5 != asset.role`, []string{`3: != takes two numbers or two texts, and here are int and string: write '5' in quotes`}},
		{`asset.role == 'a' or true`, []string{`19: write || for or`}},
		{`asset.role == 'a' and true`, []string{`19: write && for and`}},
	} {
		src := source(Named{"rule", at(tt.when)})
		src.Content, src.Facts = []byte(tt.when), []string{"traffic", "baseline", "asset"}
		src.Rules[0].Expr.Verbatim = true
		p, issues := Compile(src)
		got := lines(issues)
		if p != nil || len(got) != len(tt.want) {
			t.Errorf("%s: got %q, want %q", tt.when, got, tt.want)
			continue
		}
		for i, want := range tt.want {
			if !strings.HasPrefix(got[i], "playbook.yaml:1:"+want) {
				t.Errorf("%s: got %q, want %q", tt.when, got[i], want)
			}
		}
	}
}

func TestComplaintsOutsideOfRules(t *testing.T) {
	for name, tt := range map[string]struct {
		src  Source
		want []string
	}{
		"trigger sees the alert only": {
			Source{Match: at(`traffic.role == 'x'`), Subject: at(`ratio`), Let: []Named{{"ratio", at(`1`)}}, Facts: []string{"traffic"}},
			[]string{
				`:1:1: a trigger sees only the alert and now: fact "traffic" comes later`,
				`:1:1: nothing is called 'ratio'`,
			},
		},
		"types": {
			Source{Match: at(`alert.id`), Subject: at(`alert.host.ip`), Guardrails: []Named{{"g", at(`alert.id`)}}},
			[]string{
				`:1:1: match is string, it must be bool`,
				`:1:1: subject is list(string), it must be string`,
				`:1:1: deny is string, it must be bool`,
			},
		},
		"a let that does not compile does not blame its users": {
			Source{Let: []Named{{"ratio", at(`alert.bytes / 2`)}}, Rules: []Named{{"r", at(`ratio > 2`)}}},
			[]string{`:1:1: 'alert' has no field 'bytes': did you mean 'bytes_out'?`},
		},
		"a let sees only earlier lets": {
			Source{Let: []Named{{"first", at(`second + 1`)}, {"second", at(`2`)}}},
			[]string{`:1:1: nothing is called 'second'`},
		},
		"a let of any type does not blame its users either": {
			Source{Let: []Named{{"ratio", at(`[][0]`)}}, Rules: []Named{{"r", at(`ratio > 2 && ratio == 'x'`)}, {"s", at(`ratio`)}}},
			[]string{`:1:1: when is dyn, it must be bool`},
		},
		"a let cannot take a name": {
			Source{Let: []Named{{"now", at(`1`)}, {"asset", at(`1`)}, {"a", at(`1`)}, {"a", at(`true`)}}},
			[]string{`:1:1: let "now": the name is taken`, `:1:1: let "asset": the name is taken`, `:1:1: let "a": the name is taken`},
		},
		"an empty guardrail": {
			Source{Guardrails: []Named{{Name: "g", Expr: Expr{Line: 4, Column: 2}}}},
			[]string{`:4:2: syntax error: mismatched input end of the expression`},
		},
	} {
		p, issues := Compile(tt.src)
		if diff := cmp.Diff(tt.want, lines(issues)); diff != "" || p != nil {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestComplaintShowsTheLine(t *testing.T) {
	content := "rules:\n\t- when: traffic.byte_out > 1\n"
	src := source(Named{"rule", in(content, "when: ", "traffic.byte_out > 1")})
	src.Content = []byte(content)
	_, issues := Compile(src)
	want := []Issue{{
		File: "playbook.yaml", Line: 2, Column: 18,
		Message: "'traffic' has no field 'byte_out': did you mean 'bytes_out'?",
		Snippet: "\t- when: traffic.byte_out > 1\n\t                ^",
	}}
	if diff := cmp.Diff(want, issues); diff != "" {
		t.Error(diff)
	}
}

// TestPositions finds the fault at asset.rol however YAML wrote the expression.
func TestPositions(t *testing.T) {
	for name, tt := range map[string]struct {
		content, before, text string
		verbatim              bool
		line, column          int
	}{
		"plain":          {"when: asset.rol == 'a'\n", "when: ", "asset.rol == 'a'", true, 1, 13},
		"after text":     {"when: 'é' == 'ü' || asset.rol == 'a'\n", "when: ", "'é' == 'ü' || asset.rol == 'a'", true, 1, 27},
		"single quotes":  {"when: '''a'' == asset.rol'\n", "when: '", "'a' == asset.rol", true, 1, 23},
		"literal block":  {"when: |\n  true\n  && asset.rol == 'a'\n", "|\n  ", "true\n&& asset.rol == 'a'\n", true, 3, 12},
		"folded block":   {"when: >\n  true\n  && asset.rol == 'a'\n", ">\n  ", "true && asset.rol == 'a'\n", true, 3, 12},
		"folded plain":   {"when: true\n    &&   asset.rol == 'a'\n", "when: ", "true &&   asset.rol == 'a'", true, 2, 16},
		"windows lines":  {"when: |\r\n  true\r\n  && asset.rol == 'a'\r\n", "|\r\n  ", "true\n&& asset.rol == 'a'\n", true, 3, 12},
		"double quotes":  {`when: "'\u0061' == asset.rol"` + "\n", `when: "`, "'a' == asset.rol", false, 1, 8},
		"not what it is": {"when: something else\n", "when: ", "'a' == asset.rol", true, 1, 7},
		"cut short":      {"when: 'a' == ass", "when: ", "'a' == asset.rol", true, 1, 7},
	} {
		e := in(tt.content, tt.before, tt.text)
		e.Verbatim = tt.verbatim
		src := source(Named{"rule", e})
		src.Content = []byte(tt.content)
		_, issues := Compile(src)
		if len(issues) != 1 || issues[0].Line != tt.line || issues[0].Column != tt.column {
			t.Errorf("%s: got %q, want one at %d:%d", name, lines(issues), tt.line, tt.column)
		}
	}
}

func TestPositionOutsideOfTheFile(t *testing.T) {
	src := source(Named{"rule", Expr{Text: "nope", Line: 99, Column: 3, Verbatim: true}})
	src.Content = []byte("a: b\n")
	_, issues := Compile(src)
	if want := []string{"playbook.yaml:99:3: nothing is called 'nope'"}; !cmp.Equal(want, lines(issues)) {
		t.Errorf("got %q, want %q", lines(issues), want)
	}
}

func TestConjunctsKeepTheirText(t *testing.T) {
	for when, want := range map[string][]string{
		`true`: {`true`},
		"traffic.role  == 'requester'\n  && asset.role in ['a',  'b']": {`traffic.role == 'requester'`, `asset.role in ['a', 'b']`},
		`asset.role == 'a  b' && true`:                                 {`asset.role == "a  b"`, `true`},
		`(known(asset) && true) && (false || true)`:                    {`known(asset)`, `true`, `(false || true)`},
		`asset.role == '&&' && (true)`:                                 {`asset.role == '&&'`, `(true)`},
		"true // && false\n && asset.role == 'x' // why":               {`true // && false`, `asset.role == 'x' // why`},
		"asset.role // who\n == 'x'":                                   {`asset.role == "x"`},
		`traffic.top.exists(f, f.port == 1 && f.bytes > 2) && true`:    {`traffic.top.exists(f, f.port == 1 && f.bytes > 2)`, `true`},
		`'é' == 'ü' && 'ö' != 'ä' && now == now`:                       {`'é' == 'ü'`, `'ö' != 'ä'`, `now == now`},
		`true && (false && (true && known(now))) && 1 == 2`:            {`true`, `false`, `true`, `known(now)`, `1 == 2`},
	} {
		p := mustCompile(t, source(Named{"rule", at(when)}))
		var got []string
		for _, part := range p.rules[0].parts {
			got = append(got, part.text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
}

func TestFunctionsAreDocumentedAsTheyBehave(t *testing.T) {
	for _, f := range Functions() {
		if f.Doc == "" || len(f.Signatures) == 0 {
			t.Errorf("%s: doc %q, signatures %q", f.Name, f.Doc, f.Signatures)
		}
		p := mustCompile(t, source(Named{"rule", at(f.Example)}))
		if r := p.Decide(t.Context(), incident.Facts{}, decisionTime); r.Rule != 0 || r.Unsure != nil {
			t.Errorf("example %s is not true: %+v", f.Example, r)
		}
	}
	want := []string{"max(int, int) -> int", "max(double, double) -> double", "max(duration, duration) -> duration"}
	for _, f := range Functions() {
		if f.Name == "max" && !cmp.Equal(want, f.Signatures) {
			t.Errorf("max is %q, want %q", f.Signatures, want)
		}
	}
}

func TestVariables(t *testing.T) {
	types := map[string]string{}
	for _, v := range Variables() {
		types[v.Path] = v.Type
		if v.Doc == "" {
			t.Errorf("%s has no doc", v.Path)
		}
		root, _, _ := strings.Cut(v.Path, ".")
		if path := strings.ReplaceAll(v.Path, "[]", "[0]"); root != v.Path {
			mustCompile(t, source(Named{"rule", at("known(" + path + ")")}))
		}
	}
	for path, want := range map[string]string{
		"alert.id": "string", "alert.host.ip": "list(string)", "alert.time": "timestamp", "alert.window": "duration",
		"traffic.bytes_out": "int", "traffic.join_rate": "double", "process.signed": "bool",
		"traffic.top": "list(TopFlow)", "traffic.top[].ip": "string", "now": "timestamp",
	} {
		if types[path] != want {
			t.Errorf("%s is %q, want %q", path, types[path], want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`ratio > 20`, `known(baseline.p99) ? ratio > 20 : traffic.bytes_out > bytes('2GiB')`, `a.b.c[0]{x: 1}`,
		`[1].map(x, x.y)`, `amplification(1, 'udp').x`, `.alert.host.id`, "a\n&& 'b'", `{1: 2}.all(k, v, k == v)`,
		`alert.?host[?0]`, `!-1`, `'\u00e9'`, "\x00\xff", `Alert{a: 1}`, `((((`, `true && (true && true)`,
	} {
		f.Add(seed, "x: '"+seed+"'", 1, 5, true)
	}
	f.Fuzz(func(t *testing.T, text, content string, line, column int, verbatim bool) {
		e := Expr{Text: text, Line: line % 1000, Column: column % 1000, Verbatim: verbatim}
		src := source(Named{"rule", e})
		src.Content = []byte(content)
		src.Match, src.Subject, src.Let = e, e, []Named{{"x", e}}
		p, issues := Compile(src)
		if (p == nil) != (len(issues) > 0) {
			t.Fatalf("policy %v with %d issues", p != nil, len(issues))
		}
		for _, i := range issues {
			if i.Message == "" || utf8.RuneCountInString(i.Snippet) > 2*maxSnippet+2 {
				t.Errorf("issue %+v", i)
			}
		}
		if p != nil {
			p.Decide(t.Context(), someFacts(), decisionTime)
		}
	})
}
