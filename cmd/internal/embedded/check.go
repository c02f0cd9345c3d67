//go:build !no_embedded

package embedded

import (
	"fmt"
	"strings"

	"go.temporal.io/server/common/config"
)

// readTables reads the first row of every table, on the server's connection: it is
// the only one that the database accepts.
func readTables(c *config.SQL) error {
	db, err := openAdmin(c)
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
