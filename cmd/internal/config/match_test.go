package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// TestRowsAreChosenByColumnsAndValuesAlone has every mistake told with its place.
func TestRowsAreChosenByColumnsAndValuesAlone(t *testing.T) {
	text := func(match string) string {
		return "integrations:\n  flows: { kind: postgres, dsn: 'postgres://u@h/d',\n    without: [" + match + "] }\n"
	}
	if _, err := Parse("f.yaml", []byte(text("{ column: action, is: [REJECT, 0, true] }")), all.Catalog()); err != nil {
		t.Errorf("a text, a number and a truth are refused: %v", err)
	}
	for match, want := range map[string]string{
		"{ column: 'action = 1 --', is: [REJECT] }": "f.yaml:3:25: column: invalid column name",
		"{ column: '', is: [REJECT] }":              "f.yaml:3:25: column is empty",
		"{ column: action }":                        "f.yaml:3:15: ",
		"{ column: action, is: REJECT }":            "f.yaml:3:37: is must be a list",
		"{ column: action, is: [{ sql: 1 }] }":      "f.yaml:3:38: ",
		"{ column: action, is: [null] }":            "f.yaml:3:38: ",
		"action <> 'REJECT'":                        "f.yaml:3:15: ",
		"{ column: action, like: ['%'] }":           "f.yaml:3:33: ",
	} {
		_, err := Parse("f.yaml", []byte(text(match)), all.Catalog())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", match, err, want)
		}
	}
}
