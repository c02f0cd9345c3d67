package alerts_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func read1(body string) (incident.Alert, error) {
	found, err := read(source("stanch"), body, now())
	if err != nil {
		return incident.Alert{}, err
	}
	return found[0], nil
}

// Ids that differ only in invalid bytes are two alerts, and no text
// that is read has an invalid byte.
func TestInvalidCharactersStayApart(t *testing.T) {
	bodies := []string{
		"{\"id\":\"a\xff\",\"host\":{\"id\":\"h\"},\"rule\":\"r\xfe\"}",
		"{\"id\":\"a\xfe\",\"host\":{\"id\":\"h\"}}",
		"{\"id\":\"a\xff\xff\",\"host\":{\"id\":\"h\"}}",
		"{\"id\":\"a\xc3\",\"host\":{\"id\":\"h\"}}",
		"{\"id\":\"a\xe2\x82\",\"host\":{\"id\":\"h\"}}",
		"{\"id\":\"a\ufffd\",\"host\":{\"id\":\"h\"}}",
		`{"id":"a\ud800","host":{"id":"h"}}`,
		`{"id":"a\uD801","host":{"id":"h"}}`,
		`{"id":"a\udc00\ud800","host":{"id":"h"}}`,
		`{"id":"a\ud83d\ude00","host":{"id":"h"}}`,
		`{"id":"a\\ud800\\","host":{"id":"h"}}`,
		`{"id":"a","host":{"id":"h"}}`,
	}
	seen := map[string]string{}
	for _, body := range bodies {
		found, err := read1(body)
		if err != nil {
			t.Errorf("%q: %v", body, err)
			continue
		}
		if other, again := seen[found.ID]; again {
			t.Errorf("%q and %q have the id %q", body, other, found.ID)
		}
		seen[found.ID] = body
		data, err := json.Marshal(found)
		if err != nil || !utf8.Valid(data) || !utf8.Valid(found.Raw) {
			t.Errorf("%q is written as %q, %v", body, data, err)
		}
	}
	if got := seen["a😀"]; got != bodies[9] {
		t.Errorf("a pair of surrogates is read as %q", slices.Sorted(maps.Keys(seen)))
	}
	for _, body := range []string{bodies[0], bodies[6]} { // The same again.
		a, _ := read1(body)
		b, _ := read1(body)
		if a.ID != b.ID {
			t.Errorf("%q has the ids %q and %q", body, a.ID, b.ID)
		}
	}
}

// A control character in a side field is shown, never sent on.
func TestControlCharactersAreEscaped(t *testing.T) {
	a, err := read1(`{"host":{"id":"h"},"rule":"a\u0000b\u001b[31m\u0085c","process":{"command_line":"x\u0000\ty\nz"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if rule, _ := a.Rule.Get(); rule != `a\x00b\x1b[31m\x85c` {
		t.Errorf("the rule is %q", rule)
	}
	if line, _ := a.Process.CommandLine.Get(); line != "x\\x00\ty\nz" {
		t.Errorf("the command line is %q", line)
	}
	for _, body := range []string{`{"host":{"id":"h\u0000"}}`, `{"id":"a\u0000","host":{"id":"h"}}`, `{"host":{"name":"h\u001b"}}`} {
		if a, err := read1(body); err == nil {
			t.Errorf("%s is taken as %q of %v", body, a.ID, a.Host.ID)
		}
	}
}
