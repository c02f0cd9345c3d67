package alerts

import (
	"slices"
	"testing"
)

func TestApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ names, want []string }{
		{nil, nil},
		{[]string{"ws-1", "WS-1.a.example"}, []string{"ws-1"}},
		{[]string{"ws-1", "ws-2.a.example"}, []string{"ws-1", "ws-2.a.example"}},
		{[]string{"ws-1", "ws-1.a.example", "ws-1.b.example"}, []string{"ws-1.a.example", "ws-1.b.example"}},
	} {
		if got := Apart(c.names); !slices.Equal(got, c.want) {
			t.Errorf("Apart(%q) = %q, want %q", c.names, got, c.want)
		}
	}
}

func TestTwice(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}`: "",
		`{"a":"b","b":"a","c":"\"a\":"}`:            "",
		`{"a":1,"b":2,"a":1}`:                       "a",
		`{"x":[{"a":{"b":1, "\u0062" : 2}}]}`:       "b",
		`[{"a":1,"a":2}]`:                           "",
		`{"\\":1,"a\\\"":2,"a\\\"":3}`:              `a\"`,
	} {
		if key, found := twice([]byte(body)); key != want && found || found != (want != "") {
			t.Errorf("twice(%s) = %q, %v, want %q", body, key, found, want)
		}
	}
}
