//go:build !no_embedded

package embedded

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"sync"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	driver "modernc.org/sqlite"
)

// pluginName is the store that waits for the disk, in the server's configuration.
const pluginName = "sqlite-shared-sync"

// plugin is the server's SQLite store, but what it acknowledges is on the disk by a sync that
// many share. The server's own store does everything else, on its own connection.
type plugin struct {
	mu sync.Mutex
	// syncers are those of the databases that are open, by their name in the
	// configuration. They stay as their connections do, until the process ends.
	syncers map[string]*syncer
}

// registered is the plugin, which the server accepts once in a process.
var registered = sync.OnceValue(func() *plugin {
	// SQLite syncs when it copies the log into the database. Where there is no
	// fdatasync it goes on with fsync.
	_, _ = driver.Fdatasync(true)
	p := &plugin{syncers: map[string]*syncer{}}
	sql.RegisterPlugin(pluginName, p)
	return p
})

func (p *plugin) syncer(database string) *syncer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.syncers[database]
}

func (p *plugin) add(database string, s *syncer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.syncers[database] = s
}

// GetVisibilityQueryConverter returns that of the server's store.
func (p *plugin) GetVisibilityQueryConverter() sqlplugin.VisibilityQueryConverter {
	c, err := sql.GetPluginVisibilityQueryConverter(sqlite.PluginName)
	if err != nil {
		return nil // It is registered: its package is imported.
	}
	return c
}

// server is what the server's own store can do.
type server interface {
	sqlplugin.DB
	sqlplugin.AdminDB
}

// CreateDB opens a database whose syncer was added.
func (p *plugin) CreateDB(kind sqlplugin.DbKind, c *config.SQL, r resolver.ServiceResolver, l log.Logger, h metrics.Handler) (sqlplugin.GenericDB, error) {
	own := *c
	own.PluginName = sqlite.PluginName
	s := p.syncer(c.DatabaseName)
	if s == nil {
		return nil, fmt.Errorf("nothing syncs the database %s", c.DatabaseName)
	}
	opened, err := sql.NewSQLDB(kind, &own, r, l, h)
	if err != nil {
		return nil, err
	}
	both, ok := opened.(server)
	if !ok {
		return nil, fmt.Errorf("the server's SQLite store is a %T, which is not administered", opened)
	}
	return newDB(both, s), nil
}

// tables are the server's tables. What is written to them waits for the disk, but for
// what need not (unsynced): a method that is not here is the server's own.
type tables struct {
	sqlplugin.TableCRUD
	to waiter
}

// waiter does a write and sees to it that it is on the disk before anybody is told.
type waiter interface {
	after(write func() error) error
}

// rest is what the server's store can do beside its tables.
type rest interface {
	sqlplugin.AdminDB
	BeginTx(ctx context.Context) (sqlplugin.Tx, error)
	IsDupEntryError(err error) bool
}

// db is the server's store. Its single writes wait for the disk, and so do the ends of its
// transactions.
type db struct {
	tables
	rest
	sync *syncer
}

func newDB(of server, s *syncer) *db {
	return &db{tables: tables{TableCRUD: of, to: s}, rest: of, sync: s}
}

// unsynced are the writes that do not wait for the disk, and why a loss of power that
// takes them changes nothing that anybody was told. What they read to do so is not
// told either.
func unsynced() map[string]string {
	const (
		again = "the task is found again and done again, and what it does is refused the second time or is the same"
		order = "the transaction that refers to it follows in the log and is waited for"
		trash = "what is left over is not referred to"
		list  = "it was made for a task that is deleted only later in the log: the task writes it again"
	)
	return map[string]string{
		"DeleteFromHistoryImmediateTasks": again, "RangeDeleteFromHistoryImmediateTasks": again,
		"DeleteFromHistoryScheduledTasks": again, "RangeDeleteFromHistoryScheduledTasks": again,
		"DeleteFromTransferTasks": again, "RangeDeleteFromTransferTasks": again,
		"DeleteFromTimerTasks": again, "RangeDeleteFromTimerTasks": again,
		"DeleteFromVisibilityTasks": again, "RangeDeleteFromVisibilityTasks": again,
		"DeleteFromTasks": again, "DeleteFromTasksV2": again,
		"InsertIntoHistoryNode": order, "InsertIntoHistoryTree": order,
		"DeleteFromHistoryNode": trash,
		"InsertIntoTasks":       list, "InsertIntoTasksV2": list,
		"InsertIntoVisibility": list, "ReplaceIntoVisibility": list, "DeleteFromVisibility": list,
	}
}

// BeginTx begins a transaction whose end waits for the disk.
func (d *db) BeginTx(ctx context.Context) (sqlplugin.Tx, error) {
	t, err := d.rest.BeginTx(ctx)
	if err != nil {
		return nil, err
	}
	w := &writes{}
	return &tx{tables: tables{TableCRUD: t, to: w}, own: t, sync: d.sync, writes: w}, nil
}

// SelectFromExecutions reads a workflow. What it says may be answered without a
// write, a signal that came twice for example, so it is on the disk.
func (d *db) SelectFromExecutions(ctx context.Context, filter sqlplugin.ExecutionsFilter) (*sqlplugin.ExecutionsRow, error) {
	row, err := d.tables.SelectFromExecutions(ctx, filter)
	if failed := d.sync.settle(); failed != nil {
		return nil, failed
	}
	return row, err
}

// tx is a transaction of the server's store. Its end waits for the disk, unless all that
// it wrote need not.
type tx struct {
	tables
	own    sqlplugin.Tx
	sync   *syncer
	writes *writes
}

// writes are those of a transaction: whether one waits for the disk, and whether one
// need not.
type writes struct{ waits, unsynced bool }

// after does a write; the end of its transaction waits.
func (w *writes) after(write func() error) error {
	w.waits = true
	return write()
}

// The server does these in transactions of their own, whose end need not wait.

func (t *tx) InsertIntoHistoryNode(ctx context.Context, row *sqlplugin.HistoryNodeRow) (stdsql.Result, error) {
	t.writes.unsynced = true
	return t.tables.InsertIntoHistoryNode(ctx, row)
}

func (t *tx) InsertIntoTasks(ctx context.Context, rows []sqlplugin.TasksRow) (stdsql.Result, error) {
	t.writes.unsynced = true
	return t.tables.InsertIntoTasks(ctx, rows)
}

func (t *tx) InsertIntoTasksV2(ctx context.Context, rows []sqlplugin.TasksRowV2) (stdsql.Result, error) {
	t.writes.unsynced = true
	return t.tables.InsertIntoTasksV2(ctx, rows)
}

// Commit returns when the transaction is on the disk, where one of its writes waits. So does
// one that is not known to have written anything.
func (t *tx) Commit() error {
	if t.writes.unsynced && !t.writes.waits {
		return t.own.Commit()
	}
	return t.sync.after(t.own.Commit)
}

// Rollback returns when what the transaction has read is on the disk: a start that
// is refused because the workflow runs is answered by that.
func (t *tx) Rollback() error {
	err := t.own.Rollback()
	if failed := t.sync.settle(); failed != nil {
		return failed
	}
	return err
}

// waited does a write that waits for the disk.
func waited[T any](ctx context.Context, to waiter, write func(context.Context, T) (stdsql.Result, error), row T) (stdsql.Result, error) {
	return result(to, func() (stdsql.Result, error) { return write(ctx, row) })
}

func result(to waiter, write func() (stdsql.Result, error)) (out stdsql.Result, err error) {
	err = to.after(func() error {
		out, err = write()
		return err
	})
	return out, err
}
