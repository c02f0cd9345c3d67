//go:build !no_embedded

package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
)

// reads and neither are the methods that write nothing, by their names.
var (
	reads   = regexp.MustCompile(`^(Select|RangeSelect|Get|List|Count|Paginate|ReadLock|WriteLock|Lock|Read)`)
	neither = regexp.MustCompile(`^(BeginTx|Rollback|Commit|Close|DbName|PluginName|ExpectedVersion|VerifyVersion|IsDupEntryError)$`)
)

// declared reports whether a type has a method of its own, not one that an embedded
// interface lends it.
func declared(of reflect.Type, name string) bool {
	m, ok := of.MethodByName(name)
	if !ok {
		return false
	}
	file, _ := runtime.FuncForPC(m.Func.Pointer()).FileLine(m.Func.Pointer())
	return strings.HasSuffix(file, ".go")
}

// Every method of the server's store reads, waits for the disk, or is among those
// that need not, with a reason. A method that is new in a server fails here
// until it is one of them.
func TestEveryWriteWaits(t *testing.T) {
	db, tables, free := reflect.TypeFor[*db](), reflect.TypeFor[*tables](), unsynced()
	for _, of := range []reflect.Type{reflect.TypeFor[sqlplugin.DB](), reflect.TypeFor[sqlplugin.AdminDB]()} {
		for i := range of.NumMethod() {
			name := of.Method(i).Name
			_, exempt := free[name]
			waits := declared(db, name) || declared(tables, name)
			switch {
			case reads.MatchString(name) || neither.MatchString(name):
				if exempt {
					t.Errorf("%s writes nothing and is said to", name)
				}
			case waits == exempt:
				t.Errorf("%s: it waits %t, it need not %t", name, waits, exempt)
			}
			delete(free, name)
		}
	}
	for name := range free {
		t.Errorf("the store has no %s", name)
	}
	for _, name := range []string{"BeginTx", "SelectFromExecutions"} {
		if !declared(db, name) {
			t.Errorf("%s is the server's own", name)
		}
	}
}

// slowLog is a log whose syncs end when the test says so.
type slowLog struct {
	dataFile
	began chan struct{}
	end   chan error
}

func (l *slowLog) ReadAt([]byte, int64) (int, error)      { return 0, nil }
func (l *slowLog) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (l *slowLog) Datasync() error {
	l.began <- struct{}{}
	return <-l.end
}

func newSlowLog() *slowLog { return &slowLog{began: make(chan struct{}), end: make(chan error)} }

// blank calls a method with empty rows, which the store may take or refuse.
func blank(t *testing.T, of any, name string) func() error {
	t.Helper()
	m := reflect.ValueOf(of).MethodByName(name)
	var in []reflect.Value
	for i := range m.Type().NumIn() {
		if m.Type().IsVariadic() && i == m.Type().NumIn()-1 {
			break
		}
		if m.Type().In(i) == reflect.TypeFor[context.Context]() {
			in = append(in, reflect.ValueOf(t.Context()))
			continue
		}
		in = append(in, empty(m.Type().In(i)))
	}
	return func() error {
		out := m.Call(in)
		err, _ := out[len(out)-1].Interface().(error)
		return err
	}
}

// empty is a value without content, whose pointers can be followed.
func empty(of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch {
	case of == reflect.TypeFor[sqlplugin.MatchingTaskVersion]():
		v.Set(reflect.ValueOf(sqlplugin.MatchingTaskVersion1))
	case of.Kind() == reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
		v.Elem().Set(empty(of.Elem()))
	case of.Kind() == reflect.Slice:
		v.Set(reflect.Append(v, empty(of.Elem())))
	case of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]():
		for i := range of.NumField() {
			if of.Field(i).IsExported() {
				v.Field(i).Set(empty(of.Field(i).Type))
			}
		}
	}
	return v
}

// A commit is answered only after a sync that began when it had returned: one that
// was under way before is not enough. Those who come during a sync share the next.
func TestASyncIsShared(t *testing.T) {
	log := newSlowLog()
	s := newSyncer(log, log, 0, func(error) {})
	var answered atomic.Int32
	commit := func() {
		if err := s.after(func() error { return nil }); err != nil {
			t.Error(err)
		}
		answered.Add(1)
	}
	var group sync.WaitGroup
	group.Go(commit)
	<-log.began
	for range 20 {
		group.Go(commit)
	}
	waitFor(t, func() bool { return s.unsettled.Load() == 21 })
	log.end <- nil
	<-log.began // The second sync began: the first was not enough for the others.
	waitFor(t, func() bool { return answered.Load() == 1 })
	log.end <- nil
	group.Wait()
	if got := s.rounds.Load(); got != 2 {
		t.Errorf("%d syncs for 21 commits", got)
	}
}

func waitFor(t *testing.T, true func() bool) {
	t.Helper()
	for ctx, until := t.Context(), time.Now().Add(30*time.Second); !true(); runtime.Gosched() {
		if ctx.Err() != nil || time.Now().After(until) {
			t.Fatal("it never came to be")
		}
	}
}

// After a sync that failed nothing is acknowledged, and no sync is tried again.
func TestAFailedSyncEndsEverything(t *testing.T) {
	log := newSlowLog()
	var ended []error
	s := newSyncer(log, log, 0, func(err error) { ended = append(ended, err) })
	gone := errors.New("input/output error")
	go func() {
		<-log.began
		log.end <- gone
	}()
	if err := s.after(func() error { return nil }); !errors.Is(err, gone) {
		t.Errorf("the commit is answered %v", err)
	}
	if err := s.after(func() error { return nil }); !errors.Is(err, gone) {
		t.Errorf("a commit after it is answered %v", err)
	}
	if len(ended) != 1 || s.rounds.Load() != 1 || !strings.HasPrefix(ended[0].Error(), "sync the write-ahead log: ") {
		t.Errorf("ended with %v after %d syncs", ended, s.rounds.Load())
	}
}

// The log is copied into the database when it is long. If that fails, its pages may be
// neither in the database nor, soon, in the log.
func TestAFailedCopyIntoTheDatabaseEndsEverything(t *testing.T) {
	dir := t.TempDir()
	db := admin(t, dir)
	defer db.Close()
	log, err := os.OpenFile(filepath.Join(dir, fileName+"-wal"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	marked, err := os.Create(filepath.Join(dir, "marker"))
	if err != nil {
		t.Fatal(err)
	}
	defer marked.Close()
	var ended []error
	s := newSyncer(dataFile{log}, dataFile{marked}, 0, func(err error) { ended = append(ended, err) })
	var copied int
	var broken error
	s.fold, s.foldAt = func() error { copied++; return broken }, walHeader+10*(walFrameHeader+pageBytes)
	write := func() error {
		return s.after(func() error {
			return db.Exec("UPDATE schema_version SET curr_version = curr_version || '.'")
		})
	}
	for range 5 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if copied != 0 {
		t.Fatalf("a log of a few pages was copied %d times", copied)
	}
	for copied == 0 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.wait(); err != nil || copied != 1 {
		t.Errorf("nothing was written since, and it was copied %d times: %v", copied, err)
	}
	broken = errors.New("input/output error")
	if err := write(); !errors.Is(err, broken) || len(ended) != 1 {
		t.Errorf("the commit is answered %v, and the process ends with %v", err, ended)
	}
}

// What a read sees is on the disk before it is answered, and so is what refuses a
// transaction. A request that ended meanwhile does not make a write seen early.
func TestAReadWaitsForWhatItSaw(t *testing.T) {
	log := newSlowLog()
	s := newSyncer(log, log, 0, func(error) {})
	// The commit is done, and its goroutine has not come to wait for it yet.
	seen, answer := make(chan struct{}), make(chan error)
	go func() {
		answer <- s.after(func() error {
			<-seen
			return context.DeadlineExceeded
		})
	}()
	waitFor(t, func() bool { return s.unsettled.Load() == 1 })
	read := make(chan error)
	go func() { read <- s.settle() }()
	<-log.began
	select {
	case <-read:
		t.Fatal("the read was answered before its sync ended")
	case log.end <- nil:
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	// The write whose answer is not known is on the disk too before anybody is told.
	close(seen)
	<-log.began
	log.end <- nil
	if err := <-answer; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the write is answered %v", err)
	}
	if err := s.settle(); err != nil || s.rounds.Load() != 2 {
		t.Errorf("at rest a read waits: %v after %d syncs", err, s.rounds.Load())
	}
}

// inMemory is the server's own store.
func inMemory(t *testing.T) server {
	t.Helper()
	c, err := storeConfig("")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := sql.NewSQLDB(sqlplugin.DbKindMain, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		t.Fatal(err)
	}
	both, ok := opened.(server)
	if !ok {
		t.Fatalf("the server's store is a %T", opened)
	}
	return both
}

var errRefused = errors.New("refused")

// refusing is a syncer whose syncs fail.
func refusing(t *testing.T) *syncer {
	log := newSlowLog()
	go func() {
		select {
		case <-log.began:
			log.end <- errRefused
		case <-t.Context().Done():
		}
	}()
	return newSyncer(log, log, 0, func(error) {})
}

// The server's store is asked and waited for by every method that writes.
func TestEveryWaitingMethodWaits(t *testing.T) {
	of := inMemory(t)
	for _, own := range []reflect.Type{reflect.TypeFor[*tables](), reflect.TypeFor[*db]()} {
		for i := range own.NumMethod() {
			name := own.Method(i).Name
			if !declared(own, name) || name == "BeginTx" || name == "SelectFromExecutions" {
				continue
			}
			if err := blank(t, newDB(of, refusing(t)), name)(); !errors.Is(err, errRefused) {
				t.Errorf("%s is answered %v where the sync fails", name, err)
			}
		}
	}
}

// The end of a transaction waits for each write in it that waits, and where nothing is known
// to have been written. Of those that need not wait it waits for none.
func TestTheEndOfATransactionWaits(t *testing.T) {
	of, free := inMemory(t), unsynced()
	table := reflect.TypeFor[sqlplugin.TableCRUD]()
	after := func(names ...string) error {
		d := newDB(of, refusing(t))
		begun, err := d.BeginTx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			_ = blank(t, begun, name)() // What is blank may be refused.
		}
		return begun.Commit()
	}
	for i := range table.NumMethod() {
		name := table.Method(i).Name
		_, exempt := free[name]
		if !exempt && !reads.MatchString(name) {
			if err := after("InsertIntoHistoryNode", name); !errors.Is(err, errRefused) {
				t.Errorf("after %s the end is answered %v where the sync fails", name, err)
			}
		}
	}
	for _, names := range [][]string{{}, {"LockTaskQueues"}, {"DeleteFromTasks"}} {
		if err := after(names...); !errors.Is(err, errRefused) {
			t.Errorf("after %v the end is answered %v where the sync fails", names, err)
		}
	}
	for _, names := range [][]string{{"InsertIntoHistoryNode", "InsertIntoHistoryTree"}, {"InsertIntoTasks", "LockTaskQueues"}, {"InsertIntoTasksV2"}} {
		if err := after(names...); err != nil {
			t.Errorf("after %v the end waits: %v", names, err)
		}
	}
}
