//go:build !no_embedded

package embedded

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// syncer puts what SQLite wrote into its write-ahead log onto the disk, for all who
// wait at once. SQLite itself does not wait there (synchronous=NORMAL); a commit
// returns to the server only when a sync that began after it has ended.
//
// What survives a loss of power is always a beginning of the log. So one sync holds for
// every commit before it, and a write needs no sync of its own where one that
// waits follows before anybody is told, or before its task is done with.
type syncer struct {
	log  syncFile
	mark *marker
	tail tail
	// end ends the process: after a failed sync nobody knows what is on the disk,
	// and a second one would report success. It gets the error and does not return.
	end func(error)
	// delay is added to each sync, to play a slower disk.
	delay time.Duration
	// fold copies the log into the database, on the disk, once the log has foldAt bytes.
	// SQLite would do that by itself after a commit, but drops the error: the next
	// time it would take the log's place for free, and pages that never reached
	// the disk would be lost.
	fold   func() error
	foldAt int64
	folded position

	// unsettled counts writes from before they begin until they are on the disk.
	unsettled atomic.Int64
	// rounds counts syncs.
	rounds atomic.Int64

	mu          sync.Mutex
	turn        sync.Cond
	begun, done uint64
	running     bool
	err         error
}

func newSyncer(log, marked syncFile, delay time.Duration, end func(error)) *syncer {
	s := &syncer{log: log, mark: &marker{file: marked}, delay: delay, end: end}
	s.turn.L = &s.mu
	return s
}

// after does a write and returns when it is on the disk. It does not heed the end
// of a request: a write that was done and not yet synced must not be seen
// by the next request. A write that failed may have been done: it is waited for too.
func (s *syncer) after(write func() error) error {
	s.unsettled.Add(1)
	defer s.unsettled.Add(-1)
	err := write()
	if failed := s.wait(); failed != nil {
		return failed
	}
	return err
}

// settle returns when everything that a read has seen is on the disk.
func (s *syncer) settle() error {
	if s.unsettled.Load() == 0 {
		return nil
	}
	return s.wait()
}

// wait returns after a sync that began after the call. One of those who wait does
// it; those who come meanwhile wait for the next.
func (s *syncer) wait() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for want := s.begun + 1; s.done < want && s.err == nil; {
		if s.running {
			s.turn.Wait()
			continue
		}
		s.running = true
		s.begun++
		s.mu.Unlock()
		err := s.sync()
		s.mu.Lock()
		if s.running = false; err != nil {
			s.err = fmt.Errorf("sync the write-ahead log: %w", err)
			s.end(s.err)
		} else {
			s.done = s.begun
		}
		s.turn.Broadcast()
	}
	return s.err
}

// sync puts the log on the disk, and then notes up to where.
func (s *syncer) sync() error {
	s.rounds.Add(1)
	at, err := s.tail.read(s.log)
	if err != nil {
		return err
	}
	time.Sleep(s.delay)
	if err := s.log.Datasync(); err != nil {
		return err
	}
	if at == (position{}) {
		return nil
	}
	if err := s.mark.note(at); err != nil {
		return err
	}
	if s.fold == nil || at.offset < s.foldAt || at == s.folded {
		return nil
	}
	s.folded = at
	return s.fold()
}

// dataFile is a file on a disk.
type dataFile struct{ *os.File }

// Datasync waits for the disk; the file's times may be lost, its size and
// content are not.
func (f dataFile) Datasync() error { return datasync(f.File) }

// syncFolder makes the names of new files durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // It was only synced.
	return f.Sync()
}
