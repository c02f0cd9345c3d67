//go:build !duckdb

package duckdb

import "github.com/stanch-soar/stanch/integrations"

// open fails: this build was made without DuckDB.
func open(Config) (any, error) {
	return nil, integrations.Errorf(integrations.Invalid, opening, "this build has no DuckDB: build with -tags duckdb")
}
