package contract

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

// Match is the setting only, or without, of a column that has one of the values.
func Match(t testing.TB, column string, values ...string) []integrations.Match {
	t.Helper()
	c, err := integrations.ColumnOf(column)
	if err != nil {
		t.Fatal(err)
	}
	m := integrations.Match{Column: c}
	for _, v := range values {
		m.Is = append(m.Is, integrations.LiteralOf(v))
	}
	return []integrations.Match{m}
}
