package alerts_test

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// The members of an object are read as decoders do, but for lists of one name, of which
// nothing is lost.
func TestObjectKeepsLists(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":[1],"b":2}`:                   `[1]`,
		`{"a":[1],"a":[2,3],"b":{"a":[9]}}`: `[1,2,3]`,
		`{"a":[],"a":[]}`:                   `[]`,
		`{"a":7,"a":[1]}`:                   `[1]`,
		`{"a":[1],"a":7}`:                   `7`,
		`{"a":[1],"\u0061":[":{\""]}`:       `[1,":{\""]`,
		`{"a":[1],"b":"x\\","c":":","a":5}`: `5`,
	} {
		members, bad := alerts.Object("", []byte(body))
		if bad != nil {
			t.Errorf("%s: %v", body, bad)
			continue
		}
		if got := string(members["a"]); got != want {
			t.Errorf("%s: a is %s, want %s", body, got, want)
		}
	}
	for _, body := range []string{`null`, `[]`, `{"a":1`, `7`, ``} {
		if members, bad := alerts.Object("", []byte(body)); bad == nil {
			t.Errorf("%q is read as %v", body, members)
		}
	}
}

// One object where a list is expected is a list of one; nothing else is.
func TestListOfOne(t *testing.T) {
	for body, want := range map[string]int{`[{},{}]`: 2, `{"a":1}`: 1, ` {}`: 1, `[]`: 0, `"x"`: -1, `7`: -1} {
		found, bad := alerts.List("p", []byte(body), "")
		if bad != nil != (want < 0) || bad == nil && len(found) != want {
			t.Errorf("%s is read as %v, %v; want %d", body, found, bad, want)
		}
	}
}
