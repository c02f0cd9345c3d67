//go:build !no_embedded

package embedded

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/temporal"
)

// admin opens a folder's database through the server's own pool, so that it is
// the same connection as the server's.
func admin(t *testing.T, dir string) sqlplugin.AdminDB {
	t.Helper()
	c, err := storeConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &store{dir: dir, own: c}
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	db, err := s.admin()
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// SQLite syncs where it copies the log into the database (1 is normal); the syncer
// waits for the log. A transaction under way writes nothing.
func TestPragmas(t *testing.T) {
	const read = `journal_mode || ' ' || synchronous || ' ' || locking_mode || ' ' || cache_spill FROM pragma_journal_mode, pragma_synchronous, pragma_locking_mode, pragma_cache_spill`
	if got := selected(t, read); got != "wal 1 exclusive 0" {
		t.Errorf("the connection runs with %q", got)
	}
}

// selected returns the one value of a query to a new database. It is read through
// the one table that the plugin can query.
func selected(t *testing.T, read string) string {
	t.Helper()
	db := admin(t, t.TempDir())
	if err := db.Exec("INSERT INTO schema_version (version_partition, db_name, curr_version) SELECT 0, 'read', " + read); err != nil {
		t.Fatal(err)
	}
	got, err := db.ReadSchemaVersion("read")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The list of workflows has only the indexes that are searched; the rest of the
// server's own layout is complete.
func TestTheListHasTheIndexesThatAreSearched(t *testing.T) {
	const made = `group_concat(name, ' ') FROM (SELECT name FROM sqlite_master
		WHERE tbl_name LIKE 'executions_visibility%' AND name NOT LIKE 'sqlite_%' ORDER BY name)`
	const want = "by_keyword_01 by_keyword_02 by_keyword_03 by_keyword_04 by_keyword_05 by_keyword_06 by_keyword_07 " +
		"by_keyword_08 by_keyword_09 by_keyword_10 by_status default_idx executions_visibility"
	if got := selected(t, made); got != want {
		t.Errorf("the list has %s, want %s", got, want)
	}
	const generated = `count(*) || ' ' || sum(name LIKE 'Keyword__') FROM pragma_table_xinfo('executions_visibility') WHERE hidden > 1`
	if got := selected(t, generated); got != "23 10" {
		t.Errorf("the list has %s columns for searches and for keywords, want 23 10", got)
	}
}

func TestAnotherLayoutIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := admin(t, dir).UpdateSchemaVersion(fileName, "0.1+0.1", ""); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "the database has layout 0.1+0.1 and this build needs "+schemaVersion) {
		t.Errorf("error %v", err)
	}
}

func TestConfigure(t *testing.T) {
	c := &persistence.NamespaceConfig{CustomSearchAttributeAliases: map[string]string{"Keyword02": "Old"}}
	if err := configure(c, Options{SearchAttributes: keywords("A", "B", "Old")}); err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]string{"Keyword01": "A", "Keyword02": "Old", "Keyword03": "B"} {
		if got := c.GetCustomSearchAttributeAliases()[column]; got != want {
			t.Errorf("%s holds %q, want %q", column, got, want)
		}
	}
	all := keywords("C", "D", "E", "F", "G", "H", "I", "J")
	if err := configure(c, Options{SearchAttributes: all}); err == nil || err.Error() != "there is no column left for search attribute J of type Keyword" {
		t.Errorf("error %v", err)
	}
	if err := configure(c, Options{SearchAttributes: map[string]enums.IndexedValueType{"N": enums.INDEXED_VALUE_TYPE_INT}}); err != nil {
		t.Errorf("another type has room: %v", err)
	}
}

// A fatal fault of the server is an error of Start, and does not end the process.
func TestFatalIsAnError(t *testing.T) {
	var text strings.Builder
	l := newLogger(slog.New(slog.NewTextHandler(&text, nil)), slog.LevelWarn)
	_, err := boot(t.Context(), l, func() (temporal.Server, error) {
		l.Info("not wanted")
		l.Fatal("no listener", tag.Error(errors.New("no port")))
		return nil, errors.New("it went on")
	})
	if err == nil || err.Error() != "no listener: no port" {
		t.Errorf("error %v", err)
	}
	if got := text.String(); !strings.Contains(got, `level=ERROR msg="no listener" component=engine error="no port"`) || strings.Contains(got, "not wanted") {
		t.Errorf("logged %s", got)
	}
}

// lateServer comes up after Start has returned.
type lateServer struct{ stopped chan struct{} }

func (lateServer) Start() error { return nil }

func (s lateServer) Stop() error {
	close(s.stopped)
	return nil
}

func TestLateServerIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	late := lateServer{make(chan struct{})}
	asked := make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := boot(ctx, newLogger(slog.New(slog.DiscardHandler), slog.LevelWarn), func() (temporal.Server, error) {
			<-asked
			return late, nil
		})
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(asked)
	<-late.stopped
}
