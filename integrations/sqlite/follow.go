package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog"
)

const (
	// followEvery is how often the logs are looked at.
	followEvery = 2 * time.Second
	// mostOpen bounds the files that are kept open: one that has long been still is opened again
	// when it grows, and read from its beginning to find where it was.
	mostOpen = 64
	// goneFor is for how long a file that has lost its name is still read: its writer may have it
	// open.
	goneFor = time.Minute
)

// Follow implements [integrations.Follower]: it adds what is in the logs, and what is appended to
// them, until the context ends. What a file has given is written together with how far it was read,
// so that no end of the process loses or doubles a record.
// Without logs it waits for the context.
func (s *Store) Follow(ctx context.Context, told func(integrations.Followed)) error {
	return s.FollowLogs(ctx, s.logs, told)
}

// FollowLogs is [Store.Follow] of other logs than those of the configuration.
func (s *Store) FollowLogs(ctx context.Context, logs []Log, told func(integrations.Followed)) error {
	f := &following{store: s, logs: logs, told: told}
	defer f.close()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		f.look(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// following is the files of all logs.
type following struct {
	store *Store
	logs  []Log
	told  func(integrations.Followed)
	files []*followed
	// said is the last failure to list a log's files, which is told once.
	said map[string]string
}

// followed is one file, under whatever name.
type followed struct {
	log  Log
	path string
	// info is of the file as it was read last.
	info os.FileInfo
	file *os.File // nil where it is not open
	im   *importing
	head []byte
	// named is when the file was last found by its name, changed when it last had something new.
	named, changed time.Time
	done           ImportResult
	failed         string
}

func (f *following) close() {
	for _, one := range f.files {
		one.close()
	}
}

func (f *followed) close() {
	if f.file != nil {
		_ = f.file.Close() // it was only read
	}
	f.file, f.im = nil, nil
}

// look reads what is new in all files.
func (f *following) look(ctx context.Context) {
	now := time.Now()
	for _, l := range f.logs {
		files, err := l.files()
		f.list(l, err)
		for _, path := range files {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				f.found(l, path, info, now)
			}
		}
	}
	for _, one := range f.files {
		if ctx.Err() != nil {
			return
		}
		f.advance(ctx, one, now)
	}
	f.files = slices.DeleteFunc(f.files, func(one *followed) bool {
		over := now.Sub(one.named) > goneFor
		if over {
			one.close()
		}
		return over
	})
	f.bound()
}

// list tells of a log whose files cannot be listed, once.
func (f *following) list(l Log, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if f.said == nil {
		f.said = map[string]string{}
	}
	if text != "" && text != f.said[l.Path] {
		f.told(integrations.Followed{File: l.Path, Err: err})
	}
	f.said[l.Path] = text
}

// found notes that a file has a name.
func (f *following) found(l Log, path string, info os.FileInfo, now time.Time) {
	for _, one := range f.files {
		if os.SameFile(one.info, info) {
			one.path, one.named = path, now
			return
		}
	}
	f.files = append(f.files, &followed{log: l, path: path, info: info, named: now})
}

// advance reads what is new in a file.
func (f *following) advance(ctx context.Context, one *followed, now time.Time) {
	info, fresh, err := one.stat()
	if err == nil && !fresh {
		return
	}
	if err == nil {
		err = f.read(ctx, one, info)
	}
	if ctx.Err() != nil || errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		one.close()
		// What failed is tried again: nothing of it was noted.
		if text := err.Error(); text != one.failed {
			one.failed = text
			f.told(integrations.Followed{File: one.path, Err: err})
		}
		return
	}
	one.failed, one.changed = "", now
}

// stat returns what the file is now, and whether there is something to read.
func (f *followed) stat() (os.FileInfo, bool, error) {
	var info os.FileInfo
	var err error
	if f.file != nil {
		info, err = f.file.Stat()
	} else {
		info, err = os.Stat(f.path)
	}
	if err != nil {
		return nil, false, err
	}
	if !os.SameFile(info, f.info) {
		return nil, false, os.ErrNotExist // Another file has its name by now.
	}
	if f.changed.IsZero() {
		return info, info.Size() > 0, nil
	}
	return info, info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()), nil
}

// read imports what is new. A file that was emptied and written again is another one.
func (f *following) read(ctx context.Context, one *followed, info os.FileInfo) error {
	if one.im != nil && (info.Size() < one.info.Size() || !one.begins()) {
		one.close()
	}
	if one.im == nil {
		if err := f.open(ctx, one); err != nil {
			return err
		}
	}
	one.im.reader.More()
	err := one.im.run(ctx)
	if errors.Is(err, flowlog.ErrUnrecognised) {
		one.info, one.changed = info, time.Now() // It is looked at again when it has changed.
		return asError(fmt.Sprintf("follow %q", one.path), err)
	}
	f.tell(one)
	if err != nil {
		return asError(fmt.Sprintf("follow %q", one.path), err)
	}
	if r := one.im.reader; !r.Recognised() || !r.Grows() {
		one.close() // Of a file that says nothing yet, the rest may say what it is.
	}
	one.info = info
	return nil
}

// begins reports whether the file still begins as it did.
func (f *followed) begins() bool {
	head := make([]byte, len(f.head))
	n, err := f.file.ReadAt(head, 0)
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Equal(head[:n], f.head)
}

// open opens a file, and goes on where an earlier import of it stopped.
func (f *following) open(ctx context.Context, one *followed) error {
	o, err := one.log.Options(one.path)
	if err != nil {
		return err
	}
	dbs, err := f.store.dbs(ctx)
	if err != nil {
		return err
	}
	file, err := os.Open(one.path)
	if err != nil {
		return err
	}
	one.file, one.done = file, ImportResult{}
	if info, err := file.Stat(); err != nil || !os.SameFile(info, one.info) {
		return errors.Join(os.ErrNotExist, err)
	}
	head := make([]byte, headLength)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	one.head = head[:n]
	im := &importing{store: f.store, dbs: dbs, options: o}
	if err := im.begin(ctx, file); err != nil {
		return asError(fmt.Sprintf("follow %q", one.path), err)
	}
	one.im = im
	return nil
}

// tell tells what came in.
func (f *following) tell(one *followed) {
	now := one.im.result()
	records, bad := now.Records-one.done.Records, now.Bad-one.done.Bad
	if records > 0 || bad > 0 {
		f.told(integrations.Followed{File: one.path, Records: records, Bad: bad, Why: firstReason(now.BadLines)})
	}
	one.done = now
}

func firstReason(bad []flowlog.BadLine) string {
	if len(bad) == 0 {
		return ""
	}
	return bad[0].Error()
}

// bound closes the files that have been still for longest, where many are open.
func (f *following) bound() {
	open := slices.DeleteFunc(slices.Clone(f.files), func(one *followed) bool { return one.file == nil })
	if len(open) <= mostOpen {
		return
	}
	slices.SortFunc(open, func(a, b *followed) int { return a.changed.Compare(b.changed) })
	for _, one := range open[:len(open)-mostOpen] {
		one.close()
	}
}
