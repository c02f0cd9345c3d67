//go:build !no_embedded

package embedded

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
)

// busyDir makes the test binary a process that starts and signals workflows and
// notes what was answered, until it is killed.
const busyDir = "STANCH_EMBEDDED_BUSY"

// busyBreaks is after how many syncs that process's disk fails; unset, it never does.
const busyBreaks = "STANCH_EMBEDDED_BREAKS"

// busyCheckpoint has the log begin anew many times a second.
const busyCheckpoint = 150

// watched notes beside the log up to where a disk has it at least: the end of the last
// transaction that was whole when a sync began that has ended.
type watched struct {
	syncFile
	note   *os.File
	breaks int
	syncs  *int
}

func (w watched) Datasync() error {
	if *w.syncs++; *w.syncs == w.breaks {
		return syscall.EIO // Once: a second sync would report success, as Linux does.
	}
	whole := wholeCommits(w.syncFile)
	if err := w.syncFile.Datasync(); err != nil {
		return err
	}
	_, err := w.note.WriteAt(whole.encode(), 0)
	return err
}

// wholeCommits is the end of the last transaction whose frames all fit their sums.
func wholeCommits(log io.ReaderAt) position {
	l := &walReader{}
	if _, err := log.ReadAt(l.head[:], 0); err != nil || !l.wholeHeader() {
		return position{}
	}
	frame := make([]byte, walFrameHeader+binary.BigEndian.Uint32(l.head[8:]))
	at, running := position{l.salts(), walHeader}, storedSum(l.head[24:])
	for next := at.offset; ; {
		if _, err := log.ReadAt(frame, next); err != nil || !l.whole(frame, l.order(), running) {
			return at
		}
		running = storedSum(frame[16:])
		if next += int64(len(frame)); binary.BigEndian.Uint32(frame[4:]) != 0 {
			at.offset = next
		}
	}
}

func busyChild(dir string) error {
	ctx := context.Background()
	open := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	}
	answered, err := open("answered")
	if err != nil {
		return err
	}
	note, err := os.Create(filepath.Join(dir, "on disk"))
	if err != nil {
		return err
	}
	breaks, _ := strconv.Atoi(os.Getenv(busyBreaks))
	s, err := Start(ctx, Options{DataDir: filepath.Join(dir, "data"), inTest: inTest{
		checkpoint: busyCheckpoint,
		watch:      func(log syncFile) syncFile { return watched{log, note, breaks, new(int)} },
	}})
	if err != nil {
		return err
	}
	c, err := engine.Dial(ctx, engine.Config{Address: s.HostPort(), Namespace: s.Namespace(), TLS: s.TLS()})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	for lane := range 8 {
		group.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("w-%d-%d", lane, n)
				_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, "none")
				if err == nil {
					_, _ = fmt.Fprintln(answered, "start", id) // A line that is missing is not asked for.
					err = c.SignalWorkflow(ctx, id, "", "sign", strings.Repeat("x", 2000))
				}
				if err == nil {
					_, _ = fmt.Fprintln(answered, "signal", id)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		})
	}
	group.Wait()
	return nil
}

// state is everything that a process left behind at one moment.
type state struct {
	database, log, marker, onDisk []byte
	// starts and signals are the workflows that were answered.
	starts, signals []string
}

func taken(t *testing.T, dir string) state {
	t.Helper()
	get := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	s := state{database: get("data/" + fileName), log: get("data/" + fileName + "-wal"), marker: get("data/" + fileName + markerEnding), onDisk: get("on disk")}
	for line := range strings.Lines(string(get("answered"))) {
		if what, id, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && what == "start" {
			s.starts = append(s.starts, id)
		} else {
			s.signals = append(s.signals, id)
		}
	}
	return s
}

// surely is how much of the log is on the disk for certain. A new life of it has its
// header there before a frame is written; and before SQLite copies any frame into the
// database it syncs them all.
func (s state) surely() int {
	at, ok := decodePosition(s.onDisk)
	if !ok || len(s.log) < walHeader || at.salts != [8]byte(s.log[16:24]) {
		at.offset = int64(min(walHeader, len(s.log)))
	}
	whole := int(wholeCommits(bytes.NewReader(s.log)).offset)
	for from := int(at.offset); from < whole; from += walFrameHeader + 4096 {
		page := (int(binary.BigEndian.Uint32(s.log[from:])) - 1) * 4096
		if page+4096 <= len(s.database) && bytes.Equal(s.database[page:page+4096], s.log[from+walFrameHeader:from+walFrameHeader+4096]) {
			return whole
		}
	}
	return int(at.offset)
}

// darkened is what a disk may hold after the power was lost then.
func (s state) darkened(way int) state {
	from := s.surely()
	s.log, s.marker = bytes.Clone(s.log), bytes.Clone(s.marker)
	if way%2 == 1 && len(s.marker) > markerStep {
		clear(s.marker[markerStep:]) // It is not synced.
	}
	switch way % 3 {
	case 0:
		s.log = s.log[:from]
	case 1:
		s.log = s.log[:from+rand.IntN(len(s.log)-from+1)]
	case 2:
		for block := from / 4096 * 4096; block < len(s.log); block += 4096 {
			if lost := s.log[max(block, from):min(block+4096, len(s.log))]; rand.IntN(2) == 0 {
				clear(lost)
			}
		}
	}
	return s
}

func (s state) put(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, fileName), s.database)
	put(t, filepath.Join(dir, fileName+"-wal"), s.log)
	put(t, filepath.Join(dir, fileName+markerEnding), s.marker)
	return dir
}

// stopped stops a process at one moment, for the time that f takes.
func stopped(t *testing.T, pid int, f func()) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
	f()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// Whenever the power is lost, everything that was answered is there: whatever the disk
// has of the log after the last sync that was waited for.
func TestALossOfPowerLosesNothingAnswered(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), busyDir+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // The error is that it was killed.
	})
	defer killed()
	answers := func() int {
		data, _ := os.ReadFile(filepath.Join(dir, "answered"))
		return bytes.Count(data, []byte("\n"))
	}
	var states []state
	lives := map[string]bool{}
	for range 12 {
		more := answers() + 1 + rand.IntN(30)
		waitFor(t, func() bool { return answers() >= more })
		stopped(t, cmd.Process.Pid, func() { states = append(states, taken(t, dir)) })
		lives[string(states[len(states)-1].log[:min(walHeader, len(states[len(states)-1].log))])] = true
	}
	killed()
	if len(lives) < 3 {
		t.Errorf("the log had %d lives: its checkpoints were not tried", len(lives))
	}
	unsynced := 0
	for i, s := range states {
		unsynced += len(s.log) - s.surely()
		for way := range 6 {
			holds(t, s.darkened(way))
		}
		if i%4 == 3 {
			serves(t, s.darkened(rand.IntN(6)))
		}
	}
	if unsynced == 0 {
		t.Error("no log had anything that was not synced")
	}
	serves(t, taken(t, dir)) // It was killed, and the power stayed on.
}

// holds asks SQLite, which is quick, for the workflows that were started.
func holds(t *testing.T, s state) {
	t.Helper()
	file := filepath.Join(s.put(t), fileName)
	if err := checkLog(file); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found := map[string]bool{}
	rows, err := db.QueryContext(t.Context(), "SELECT workflow_id FROM current_executions")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		found[id] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, id := range s.starts {
		if !found[id] {
			t.Errorf("%s was answered and is lost: %d of %d answered are there", id, len(found), len(s.starts))
			return
		}
	}
}

// serves starts an engine, which must have every workflow and signal.
func serves(t *testing.T, s state) {
	t.Helper()
	server, err := Start(t.Context(), Options{DataDir: s.put(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := engine.Dial(ctx, engine.Config{Address: server.HostPort(), Namespace: server.Namespace(), TLS: server.TLS()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	signed := map[string]bool{}
	for _, id := range s.signals {
		signed[id] = true
	}
	for _, id := range s.starts {
		var has []enums.EventType
		for events := c.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			e, err := events.Next()
			if err != nil {
				t.Fatalf("%s was answered: %v", id, err)
			}
			has = append(has, e.GetEventType())
		}
		if len(has) < 2 || signed[id] && has[len(has)-1] != enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			t.Errorf("%s has %v, and its signal was answered %t", id, has, signed[id])
		}
	}
}

// A process whose log cannot be synced ends at once, and has acknowledged nothing
// that the sync was to hold.
func TestAFailedSyncEndsTheProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), busyDir+"="+dir, busyBreaks+"=60")
	var text strings.Builder
	cmd.Stderr = &text
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != exitUnsynced {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(text.String(), "sync the write-ahead log: input/output error") {
		t.Errorf("it said %s", text.String())
	}
	s := taken(t, dir)
	if len(s.starts) == 0 {
		t.Error("nothing was answered before")
	}
	s.log = s.log[:s.surely()]
	holds(t, s)
}
