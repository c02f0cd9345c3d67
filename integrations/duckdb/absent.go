//go:build !duckdb

package duckdb

import "github.com/stanch-soar/stanch/integrations"

// absent stands for what this build cannot open, so that playbooks that use it
// can be checked.
type absent struct{ capabilities }

func implements() any { return (*absent)(nil) }

// open fails: this build was made without DuckDB.
func open(Config) (any, error) {
	return nil, integrations.Errorf(integrations.Invalid, opening, "this build has no DuckDB: build with -tags duckdb")
}
