//go:build !no_embedded

package embedded

import (
	"cmp"
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

const (
	// checkpointPages is how many pages the log may hold before they are copied into the
	// database.
	checkpointPages = 4000
	pageBytes       = 4096
	// exitUnsynced is how a process ends that could not sync its log.
	exitUnsynced = 1
)

// store is an open database.
type store struct {
	dir string
	// own is the server's store on this database, and served the one that the server
	// gets: what it writes waits for the disk. In memory they are the same.
	own, served *config.SQL
	sync        *syncer // nil in memory
}

// openStore opens the database, creates its tables when it is new, and registers
// the namespace. The connection stays open until the process ends, because the
// server keeps it in a pool that is never emptied.
func openStore(ctx context.Context, o Options) (*store, error) {
	c, err := storeConfig(o.DataDir)
	if err != nil {
		return nil, err
	}
	s := &store{dir: o.DataDir, own: c, served: c}
	if o.DataDir != "" {
		if err := s.openFile(o); err != nil {
			return nil, err
		}
	}
	if err := register(ctx, s.served, o); err != nil {
		return nil, fmt.Errorf("register namespace %q: %w", o.Namespace, err)
	}
	return s, nil
}

func (s *store) openFile(o Options) error {
	plugin, database := registered(), filepath.Join(s.dir, fileName)
	before := plugin.syncer(s.own.DatabaseName)
	if before == nil {
		// It opens and closes the database file, which would end the lock of
		// a connection that this process has.
		if err := checkLog(database); err != nil {
			return err
		}
	}
	if err := s.prepare(); err != nil {
		return fmt.Errorf("open %s in %q: %w", fileName, s.dir, err)
	}
	opened, err := openSyncer(database, before, o)
	if err != nil {
		return fmt.Errorf("open the write-ahead log of %s: %w", database, err)
	}
	if opened.fold, err = s.folding(); err != nil {
		return err
	}
	opened.foldAt = walHeader + int64(cmp.Or(o.inTest.checkpoint, checkpointPages))*(walFrameHeader+pageBytes)
	plugin.add(s.own.DatabaseName, opened)
	served := *s.own
	served.PluginName = pluginName
	s.served, s.sync = &served, opened
	return nil
}

// openSyncer opens the log beside SQLite, and keeps it open as SQLite does; a
// server that is started again in the same process takes it over. The log is empty,
// and the marker says nothing of it.
func openSyncer(database string, before *syncer, o Options) (*syncer, error) {
	var log syncFile
	if before != nil {
		log = before.log
	} else {
		f, err := os.OpenFile(database+"-wal", os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		log = dataFile{f}
	}
	if o.inTest.watch != nil {
		log = o.inTest.watch(log)
	}
	f, err := os.OpenFile(database+markerEnding, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := newSyncer(log, dataFile{f}, o.SyncDelay, func(err error) {
		o.Logger.Error("what was accepted last may not be on the disk: the process ends", "error", err)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitUnsynced)
	})
	dir := filepath.Dir(database)
	return s, errors.Join(syncFolder(dir), syncFolder(filepath.Dir(dir)))
}

// folding returns a function that copies the log into the database. It uses the server's own
// connection, which stays open as that does.
func (s *store) folding() (func() error, error) {
	db, err := s.admin()
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := db.Exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
			return fmt.Errorf("copy it into the database: %w", err)
		}
		return nil
	}, nil
}

// admin opens the database by the server's own connection, from its pool: no other
// gets the lock.
func (s *store) admin() (sqlplugin.AdminDB, error) {
	db, err := openAdmin(s.own)
	return db, inUse(err)
}

func openAdmin(c *config.SQL) (sqlplugin.AdminDB, error) {
	return sql.NewSQLAdminDB(sqlplugin.DbKindMain, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
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
			// The log is synced by the syncer, before anything is answered; SQLite
			// syncs where the log is copied into the database.
			"synchronous": "normal",
			// A transaction that is not committed writes nothing into the log.
			"cache_spill": "off",
			// The syncer does that, which heeds an error.
			"wal_autocheckpoint": "0",
			// Two processes that write one database would lose each other's
			// work. The lock ends with the process, however that ends.
			"locking_mode": "exclusive",
		},
	}, nil
}

// prepare makes the tables of a new database, all or none, and refuses one
// that another version of the server laid out. Everything is in the database then,
// on the disk, and the log is empty.
func (s *store) prepare() error {
	db, err := s.admin()
	if err != nil {
		return err
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
		return errors.Join(err, emptyLog(db, s.dir))
	}
	// One connection serves the database, so the statements share a transaction.
	if err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		return inUse(err)
	}
	if err := layOut(db); err != nil {
		return errors.Join(err, db.Exec("ROLLBACK"))
	}
	if err := db.Exec("COMMIT"); err != nil {
		return err
	}
	return emptyLog(db, s.dir)
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

// syncs is how often the log was synced.
func (s *store) syncs() int64 {
	if s.sync == nil {
		return 0
	}
	return s.sync.rounds.Load()
}

// foldIn moves the content of the write-ahead log into the database, so that a
// stopped engine is one file. It waits for the server's last writes.
func (s *store) foldIn() error {
	if s.sync == nil {
		return nil
	}
	db, err := s.admin()
	if err != nil {
		return fmt.Errorf("fold in the write-ahead log: %w", err)
	}
	defer func() { _ = db.Close() }()
	if err := s.sync.wait(); err != nil {
		return err
	}
	if err := emptyLog(db, s.dir); err != nil {
		return err
	}
	// It says nothing about a log that another build may write.
	return os.Remove(filepath.Join(s.dir, fileName+markerEnding))
}

// emptyLog moves the content of the write-ahead log into the database, on the disk.
// The marker says so before the log loses it: a log that is shorter than its
// marker says is refused.
func emptyLog(db sqlplugin.AdminDB, dir string) error {
	const what = "fold in the write-ahead log: %w"
	if err := db.Exec("PRAGMA wal_checkpoint(FULL)"); err != nil {
		return fmt.Errorf(what, inUse(err))
	}
	database := filepath.Join(dir, fileName)
	if err := clearMarker(database + markerEnding); err != nil {
		return fmt.Errorf(what, err)
	}
	if err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf(what, inUse(err))
	}
	info, err := os.Stat(database + "-wal")
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
