package alerts

import (
	"slices"
	"testing"
)

func TestStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		want []string
		bad  string
	}{
		{``, nil, "is empty"},
		{" \r\n", nil, "is empty"},
		{`{"a":1}`, []string{`{"a":1}`}, ""},
		{"{\"a\":1}\n\n{\"b\":2}\r\n", []string{`{"a":1}`, `{"b":2}`}, ""},
		{`{"a":1}{"b":2}`, []string{`{"a":1}`, `{"b":2}`}, ""},
		{`[{"a":1}, 2] {"b":2}`, []string{`{"a":1}`, `2`, `{"b":2}`}, ""},
		{`[]`, nil, ""},
		{"{\"a\":1}\n{\"b\":", []string{`{"a":1}`, `{"b":`}, ""},
		{"{\"a\":1}\n{b} {\"c\":3}", []string{`{"a":1}`, `{b} {"c":3}`}, ""},
		{"{\"a\":1}\n{\"b\": \"cut\n{\"c\":3}\n{\"d\":4}", []string{`{"a":1}`, `{"b": "cut`, `{"c":3}`, `{"d":4}`}, ""},
		{"{\"b\":\r\n{\"c\":3}\n{\"d\":4}", []string{`{"b":`, `{"c":3}`, `{"d":4}`}, ""},
		{"[{\"a\":1},\n{\"b\":", nil, "is not JSON: it ends too early"},
		{`x`, nil, "is not JSON: byte 1 does not belong there"},
	} {
		documents, bad := Stream([]byte(c.body))
		var got []string
		for _, d := range documents {
			got = append(got, string(d.Raw))
		}
		if bad != nil && bad.Error() != c.bad || (bad != nil) != (c.bad != "") || !slices.Equal(got, c.want) {
			t.Errorf("%q is read as %q, %v; want %q, %q", c.body, got, bad, c.want, c.bad)
		}
		if len(documents) == 0 {
			continue
		}
		again, bad := Stream(JoinStream(documents))
		if bad != nil || len(again) != len(documents) {
			t.Errorf("%q, joined again, is read as %v, %v", c.body, again, bad)
		}
	}
}
