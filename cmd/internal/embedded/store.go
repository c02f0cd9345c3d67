//go:build !no_embedded

package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	schema "go.temporal.io/server/schema/sqlite"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fileName is the database in the data folder.
const fileName = "engine.db"

// schemaVersion is the layout that this build of the server reads and writes.
// The server cannot change an older SQLite layout into it.
const schemaVersion = schema.Version + "+" + schema.VisibilityVersion

// openStore opens the database, creates its tables when it is new, and registers
// the namespace. The connection stays open until the process ends, because the
// server keeps it in a pool that is never emptied.
func openStore(ctx context.Context, o Options) (*config.SQL, error) {
	c, err := storeConfig(o.DataDir)
	if err != nil {
		return nil, err
	}
	if o.DataDir != "" {
		if err := checkLog(filepath.Join(o.DataDir, fileName)); err != nil {
			return nil, err
		}
		if err := prepare(c); err != nil {
			return nil, fmt.Errorf("open %s in %q: %w", fileName, o.DataDir, err)
		}
	}
	if err := register(ctx, c, o); err != nil {
		return nil, fmt.Errorf("register namespace %q: %w", o.Namespace, err)
	}
	return c, nil
}

func storeConfig(dir string) (*config.SQL, error) {
	if dir == "" {
		return &config.SQL{
			PluginName:        sqlite.PluginName,
			DatabaseName:      "stanch-" + rand.Text(),
			ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
		}, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &config.SQL{
		PluginName: sqlite.PluginName,
		// It becomes the path of a URL.
		DatabaseName: (&url.URL{Path: filepath.Join(dir, fileName)}).EscapedPath(),
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			// Every commit is on disk before it is answered: accepted is durable.
			"synchronous": "full",
			// Two processes that write one database would lose each other's
			// work. The lock ends with the process, however that ends.
			"locking_mode": "exclusive",
		},
	}, nil
}

// prepare makes the tables of a new database, all or none, and refuses one
// that another version of the server laid out.
func prepare(c *config.SQL) error {
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindMain, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return inUse(err)
	}
	defer func() { _ = db.Close() }()
	tables, err := db.ListTables("")
	if err != nil {
		return inUse(err)
	}
	if slices.Contains(tables, "namespaces") {
		has, err := db.ReadSchemaVersion(fileName)
		if err == nil && has != schemaVersion {
			err = fmt.Errorf("the database has layout %s and this build needs %s: finish its cases with the build that made it, or choose another folder", has, schemaVersion)
		}
		return err
	}
	// One connection serves the database, so the statements share a transaction.
	if err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		return inUse(err)
	}
	if err := layOut(db); err != nil {
		return errors.Join(err, db.Exec("ROLLBACK"))
	}
	return db.Exec("COMMIT")
}

func layOut(db sqlplugin.AdminDB) error {
	if err := schema.SetupSchemaOnDB(lean{db}); err != nil {
		return err
	}
	if err := db.CreateSchemaVersionTables(); err != nil {
		return err
	}
	return db.UpdateSchemaVersion(fileName, schemaVersion, schemaVersion)
}

// lean creates a database without the parts that are only for searches that are
// never made here. The list of workflows comes with some sixty indexes, two of full text
// and many columns for searches of its own, and every start, change and end of a
// workflow is written to all of them, while every other writer waits.
type lean struct{ sqlplugin.AdminDB }

// These match the statements for searches of the list, by the name of the index or
// column, and the indexes and columns that are used: search
// attributes are keywords, or at least neither text nor lists.
var (
	forSearch     = regexp.MustCompile(`^\s*CREATE (?:(?:TRIGGER|VIRTUAL TABLE) executions_visibility_|INDEX (\w+)\s+ON executions_visibility )`)
	searchedIndex = regexp.MustCompile(`^(?:default_idx|by_status|by_keyword_\d+)$`)
	columns       = regexp.MustCompile(`(?m)^\s*\w+\s+[^\n]* GENERATED ALWAYS AS [^\n]*\n`)
	searched      = regexp.MustCompile(`^\s*(?:(?:Bool|Datetime|Double|Int|Keyword)\d+|TemporalNamespaceDivision)\s`)
)

func (l lean) Exec(statement string, args ...any) error {
	if made := forSearch.FindStringSubmatch(statement); made != nil && !searchedIndex.MatchString(made[1]) {
		return nil
	}
	if strings.Contains(statement, "CREATE TABLE executions_visibility") {
		statement = columns.ReplaceAllStringFunc(statement, func(column string) string {
			if searched.MatchString(column) {
				return column
			}
			return ""
		})
	}
	return l.AdminDB.Exec(statement, args...)
}

// foldIn moves the content of the write-ahead log into the database, so that a
// stopped engine is one file. It waits for the server's last writes.
func foldIn(c *config.SQL, dir string) error {
	if dir == "" {
		return nil
	}
	// It is the server's own connection, from its pool: no other gets the lock.
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindMain, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return fmt.Errorf("fold in the write-ahead log: %w", inUse(err))
	}
	defer func() { _ = db.Close() }()
	if err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("fold in the write-ahead log: %w", inUse(err))
	}
	info, err := os.Stat(filepath.Join(dir, fileName+"-wal"))
	if err == nil && info.Size() > 0 {
		return fmt.Errorf("fold in the write-ahead log: %d bytes of it are left; the next start reads them", info.Size())
	}
	return nil
}

// inUse returns the error of a database that another process has locked.
func inUse(err error) error {
	if e, ok := errors.AsType[*driver.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
		return errors.New("another process uses it")
	}
	return err
}
