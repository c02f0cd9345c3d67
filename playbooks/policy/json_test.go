package policy_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks/policy"
)

func anything() []string {
	return []string{"string", "int", "uint", "double", "bool", "list", "map", "timestamp", "duration"}
}

// overJSON compiles an expression that sees doc.
func overJSON(t *testing.T, text string) *policy.JSON {
	t.Helper()
	compiled, issues := policy.CompileJSON("x.yaml", []byte(text), []string{"doc"}, []policy.Wanted{{
		Name: "it", Types: anything(), Expr: policy.Expr{Text: text, Line: 1, Column: 1, Verbatim: true},
	}})
	if len(issues) > 0 {
		t.Fatalf("%s: %v", text, issues)
	}
	return compiled[0]
}

func inputs(t *testing.T, doc string) *policy.Inputs {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	in, err := policy.NewInputs([]string{"doc"}, map[string]any{"doc": v}, len(doc))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// A value that a document lacks is unknown, in three values as a fact is, and is named.
func TestJSONThatIsMissing(t *testing.T) {
	const doc = `{"a":{"b":1,"n":null,"c.d":"x"},"l":[{"x":1},{"y":2}],"o":[null],"t":"text"}`
	for _, c := range []struct{ text, want, why string }{
		{"doc.a.b", `1`, ""},
		{"doc.a['c.d']", `"x"`, ""},
		{"doc.a.n", ``, "doc.a.n is missing"},
		{"doc.x.y.z", ``, "doc.x is missing"},
		{"doc['no such'].z", ``, "doc['no such'] is missing"},
		{"doc.x + doc.y", ``, "doc.x, doc.y are missing"},
		{"doc.x == 1 || doc.a.b == 1", `true`, ""},
		{"doc.x == 1 && doc.a.b == 2", `false`, ""},
		{"doc.x == 1 && doc.a.b == 1", ``, "doc.x is missing"},
		{"!(doc.x == null)", ``, "doc.x is missing"},
		{"known(doc.x) ? doc.x : 'none'", `"none"`, ""},
		{"known(doc.a.n)", `false`, ""},
		{"known(doc.a.b)", `true`, ""},
		{"'b' in doc.a && !('n' in doc.a) && !('z' in doc.a)", `true`, ""},
		{"doc.l.map(e, e.x)", ``, "doc.l[].x is missing"},
		{"doc.l.exists(e, e.y == 2)", `true`, ""},
		{"doc.l.all(e, e.y == 2)", ``, "doc.l[].y is missing"},
		{"doc.o.map(e, e.x)", ``, "no such key: x"},
		{"doc.x.filter(e, e.y == 2)", ``, "doc.x is missing"},
		{"doc.l[0]", `{"x":1}`, ""},
		{"doc.l[7]", ``, "index out of bounds: 7"},
		{"doc.t.b", ``, "no such key: b"},
		{"doc.a.b.startsWith('x')", ``, "no such overload"},
		{"{'k': doc.a.b, 'l': [doc.t, 1.5]}", `{"k":1,"l":["text",1.5]}`, ""},
		{"{1: doc.a.b}", ``, "a key of its value is int, not text"},
		{"{'k': doc.x}", ``, "doc.x is missing"},
		{"doc.a.map(k, k)", `["b","c.d","n"]`, ""},
		{"doc.a == json('{\"n\":null,\"c.d\":\"x\",\"b\":1.0}')", `true`, ""},
		{"doc.a == {'b': 1, 'c.d': 'x'}", `false`, ""},
		{"doc.a == json('{\"n\":null,\"c.d\":\"x\",\"b\":2}')", `false`, ""},
		{"size(doc.a)", `3`, ""},
		{"timestamp('2026-03-01T08:12:45+05:00')", `"2026-03-01T03:12:45Z"`, ""},
		{"duration('90s')", `"1m30s"`, ""},
		{"1e300 * 1e300", ``, "its value is +Inf, which is no number"},
		{"regex.extract(doc.t, 'x(.)')", `"t"`, ""},
		{"regex.extract(doc.t, 'y(.)')", `null`, ""},
	} {
		v, why := overJSON(t, c.text).Value(inputs(t, doc))
		var got bytes.Buffer
		if err := json.NewEncoder(&got).Encode(v); err != nil {
			t.Fatal(err)
		}
		if why != c.why && !(c.why == "no such overload" && strings.HasPrefix(why, c.why)) || why == "" && strings.TrimSpace(got.String()) != c.want {
			t.Errorf("%s is %s (%s), want %s (%s)", c.text, got.String(), why, c.want, c.why)
		}
	}
}

// The result never changes, although Go's maps have no order.
func TestJSONHasOneOrder(t *testing.T) {
	e := overJSON(t, "doc.map(k, k + string(doc[k]))")
	for range 50 {
		v, why := e.Value(inputs(t, `{"z":1,"a":2,"m":3,"b":4,"y":5}`))
		if got, ok := v.([]any); !ok || !slices.Equal(got, []any{"a2", "b4", "m3", "y5", "z1"}) {
			t.Fatalf("%v, %s", v, why)
		}
	}
}

func TestReads(t *testing.T) {
	for text, want := range map[string][][]string{
		"doc":                             {{}},
		"1 + 2":                           nil,
		"doc.a.b":                         {{"a", "b"}},
		"doc['a.b'].c[0].d":               {{"a.b", "c"}},
		"doc.a.filter(x, x.b == doc.c.d)": {{"a"}, {"c", "d"}},
		"json(doc.m).a + [doc.b][0]":      {{"m"}, {"b"}},
		"{'k': doc.a, doc.b: 1}":          {{"a"}, {"b"}},
		"doc[doc.k]":                      {{}, {"k"}},
	} {
		if diff := cmp.Diff(want, overJSON(t, text).Reads("doc")); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
