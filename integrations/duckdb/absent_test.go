//go:build !duckdb

package duckdb

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

func TestAbsent(t *testing.T) {
	s := Spec()
	_, err := s.Open(t.Context(), s.NewConfig())
	const want = "open the flow store: invalid: this build has no DuckDB: build with -tags duckdb"
	if err == nil || err.Error() != want || integrations.KindOf(err) != integrations.Invalid {
		t.Errorf("error %v, want %s", err, want)
	}
}
