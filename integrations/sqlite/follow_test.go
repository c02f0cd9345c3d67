package sqlite

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// tail is a process that follows logs, in the test's own.
type tail struct {
	t     *testing.T
	store *Store
	end   context.CancelFunc
	ended chan struct{}

	mu   sync.Mutex
	told []integrations.Followed
}

func followLogs(t *testing.T, s *Store, logs ...Log) *tail {
	t.Helper()
	s.every = 5 * time.Millisecond
	ctx, end := context.WithCancel(t.Context())
	f := &tail{t: t, store: s, end: end, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		err := s.FollowLogs(ctx, logs, func(one integrations.Followed) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.told = append(f.told, one)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	}()
	t.Cleanup(f.stop)
	return f
}

func (f *tail) stop() { f.end(); <-f.ended }

// until waits until the store has so many records, and fails when it has more.
func (f *tail) until(n int64) {
	f.t.Helper()
	f.wait(func() bool { return records(f.t, f.store) >= n })
	if got := records(f.t, f.store); got != n {
		f.t.Fatalf("%d records are in the store, want %d: %v", got, n, f.heard())
	}
}

func (f *tail) wait(done func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			f.t.Fatalf("it does not come: %d records, told %v", records(f.t, f.store), f.heard())
		}
		<-tick.C
	}
}

func (f *tail) heard() []integrations.Followed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]integrations.Followed(nil), f.told...)
}

func appendLog(t *testing.T, path string, parts ...[]byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if _, err := file.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, n int) [][]byte {
	t.Helper()
	all := bytes.SplitAfter(zeekJSON(newEstate(50, n), n), []byte("\n"))
	return all[:n]
}

// A log is written by pieces that end anywhere, renamed, packed and cut off, while the process that
// follows it ends and begins again: each record is in the store once.
func TestFollowLosesAndDoublesNothing(t *testing.T) {
	const n = 3000
	s := openStore(t, later())
	dir := t.TempDir()
	path := filepath.Join(dir, "conn.log")
	all := lines(t, n)
	log := Log{Path: filepath.Join(dir, "conn.log*"), Sensor: "gw1"}
	chance := rand.New(rand.NewPCG(1, 2))
	f := followLogs(t, s, log)
	rest := bytes.Join(all, nil)
	for round := 0; len(rest) > 0; round++ {
		piece := min(len(rest), 1+chance.IntN(20_000))
		appendLog(t, path, rest[:piece])
		whole := rest[piece-1] == '\n'
		rest = rest[piece:]
		switch {
		case round%7 == 3:
			f.stop()
			f = followLogs(t, s, log)
		case whole && round%2 == 0 || len(rest) > 0 && round%11 == 5:
			// The writer finishes its line in the file that it has open.
			if !whole {
				end := bytes.IndexByte(rest, '\n') + 1
				appendLog(t, path, rest[:end])
				rest = rest[end:]
			}
			rename(t, path, path+"."+string(rune('a'+round%26))+time.Now().Format("150405.000000"))
		}
	}
	f.until(n)
	// What was rotated is packed: the same records under another name, in another file.
	rotated, err := filepath.Glob(path + ".*")
	if err != nil || len(rotated) == 0 {
		t.Fatalf("nothing was rotated: %v", err)
	}
	for _, old := range rotated {
		data, err := os.ReadFile(old)
		if err != nil {
			t.Fatal(err)
		}
		appendLog(t, old+".gz", packed(t, data))
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	f.stop()
	f = followLogs(t, s, log)
	appendLog(t, path, zeekJSON(newEstate(7, 3), 3))
	f.until(n + 3)
	for _, one := range f.heard() {
		if one.Err != nil || one.Bad > 0 {
			t.Errorf("told %+v", one)
		}
	}
}

// Two processes that follow one log write each record once.
func TestTwoMayFollowOneLog(t *testing.T) {
	const n = 2000
	dir := t.TempDir()
	path := filepath.Join(dir, "flows.db")
	stores := make([]*Store, 2)
	for i := range stores {
		s, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		s.now = later
		t.Cleanup(func() { _ = s.Close() })
		stores[i] = s
	}
	log := Log{Path: filepath.Join(dir, "logs")}
	if err := os.Mkdir(log.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	first, _ := followLogs(t, stores[0], log), followLogs(t, stores[1], log)
	for _, line := range lines(t, n) {
		appendLog(t, filepath.Join(log.Path, "conn.log"), line)
	}
	first.until(n)
}

// A log that is copied and emptied begins anew, also where it is as long as before.
func TestAnEmptiedLogBeginsAnew(t *testing.T) {
	s := openStore(t, later())
	path := filepath.Join(t.TempDir(), "conn.log")
	all := lines(t, 40)
	f := followLogs(t, s, Log{Path: path})
	appendLog(t, path, all[:20]...)
	f.until(20)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	appendLog(t, path, all[20:]...)
	f.until(40)
}

// What cannot be read is told once, and read as soon as it can be; what is no flow log is told of.
func TestFollowTellsWhatItCannotRead(t *testing.T) {
	s := openStore(t, later())
	dir := t.TempDir()
	f := followLogs(t, s, Log{Path: filepath.Join(dir, "*")})
	notes := filepath.Join(dir, "notes.txt")
	appendLog(t, notes, []byte("buy milk\n"))
	f.wait(func() bool { return len(f.heard()) > 0 })
	appendLog(t, filepath.Join(dir, "conn.log"), append(lines(t, 5), []byte("{\"ts\": oops\n"))...)
	f.until(5)
	f.wait(func() bool { return len(f.heard()) >= 2 })
	heard := f.heard()
	if len(heard) != 2 || heard[0].File != notes || heard[0].Err == nil || heard[1].Bad != 1 || heard[1].Records != 5 ||
		!strings.Contains(heard[1].Why, "line 6") {
		t.Errorf("told %+v", heard)
	}
}

func TestLogsAreCheckedWhenTheFileIsRead(t *testing.T) {
	for want, log := range map[string]Log{
		"path is empty":           {},
		`unknown format "x"`:      {Path: "/var/log", Format: "x"},
		"needs the format":        {Path: "/var/log", Layout: "%ts"},
		`time zone "Mars"`:        {Path: "/var/log", Zone: "Mars"},
		"sampling must be":        {Path: "/var/log", Sampling: -1},
		"syntax error in pattern": {Path: "/var/log/[", Sampling: 1},
	} {
		err := (&Config{Path: "flows.db", Logs: []Log{log}}).Check()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "logs[0]: ") {
			t.Errorf("%+v: %v, want %q", log, err, want)
		}
	}
}

// Doctor says of each log whether there is something to read.
func TestDoctorLooksAtTheLogs(t *testing.T) {
	s := openStore(t, later())
	dir := t.TempDir()
	appendLog(t, filepath.Join(dir, "conn.log"), lines(t, 1)...)
	s.logs = []Log{{Path: dir}, {Path: filepath.Join(dir, "*.gz")}}
	var said []string
	for _, f := range s.Probe(t.Context()) {
		said = append(said, f.What)
		if strings.Contains(f.What, "*.gz") != f.Warning {
			t.Errorf("%+v", f)
		}
	}
	text := strings.Join(said, "\n")
	for _, want := range []string{"has 1 files", `*.gz" has no file here`, "is empty"} {
		if !strings.Contains(text, want) {
			t.Errorf("doctor says %s, want %q", text, want)
		}
	}
}
