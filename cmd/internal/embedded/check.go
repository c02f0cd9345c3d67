//go:build !no_embedded

package embedded

import (
	"fmt"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
)

// readTables reads the first row of every table, on the server's connection: it is
// the only one that the database accepts.
func readTables(c *config.SQL) error {
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindMain, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer func() { _ = db.Close() }()
	tables, err := db.ListTables("")
	if err != nil {
		return fmt.Errorf("list the tables of the database: %w", err)
	}
	for _, table := range tables {
		name := `"` + strings.ReplaceAll(table, `"`, `""`) + `"`
		if err := db.Exec("SELECT * FROM " + name + " LIMIT 1"); err != nil {
			return fmt.Errorf("read table %s of the database: %w", table, err)
		}
	}
	return nil
}
