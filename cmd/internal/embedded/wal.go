//go:build !no_embedded

package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"
)

// The layout of SQLite's write-ahead log, as https://sqlite.org/walformat.html
// describes it. All numbers are big-endian but those that are summed.
const (
	walHeader      = 32
	walFrameHeader = 24
	walMagic       = 0x377f0682 // its last bit means that sums are of big-endian words
	walChecked     = 24         // bytes of the header that its own sum covers
	minPage        = 512
	maxPage        = 65536
	// walGenerations is how many earlier lives of a log its unwritten frames are
	// looked for in: each life raises the first salt by one.
	walGenerations = 1 << 20
)

// sum is the state of the running checksum of a log: every frame's continues the
// one before.
type sum [2]uint32

func (s sum) add(order binary.ByteOrder, data []byte) sum {
	for ; len(data) >= 8; data = data[8:] {
		s[0] += order.Uint32(data) + s[1]
		s[1] += order.Uint32(data[4:]) + s[0]
	}
	return s
}

func storedSum(data []byte) sum {
	return sum{binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])}
}

// damage is where a log is broken before frames that are whole.
type damage struct {
	file   string
	frame  int   // counted from 1; 0 is the header
	offset int64 // the end of the readable part
	// synced means that the frame was on the disk, as the marker says.
	synced bool
}

func (d *damage) Error() string {
	what := fmt.Sprintf("frame %d does not fit its checksum", d.frame)
	if d.frame == 0 {
		what = "its header does not fit its checksum"
	}
	if d.synced {
		return fmt.Sprintf("the write-ahead log %q is damaged: frame %d is missing or does not fit its checksum, and it was on the disk when it was acknowledged. "+
			"No crash leaves it so, and to start would drop accepted data. Nothing was changed: copy the folder, check the disk, "+
			"and restore a backup. To go on without what was written since, cut the log first: truncate -s %d %s && rm %s",
			d.file, d.frame, d.offset, d.file, strings.TrimSuffix(d.file, "-wal")+markerEnding)
	}
	return fmt.Sprintf("the write-ahead log %q is damaged: %s, and frames that were written after it are whole. "+
		"No crash leaves it so, and to start would drop what they hold. Nothing was changed: copy the folder, check the disk, "+
		"and restore a backup. To go on without what was written since, cut the log first: truncate -s %d %s", d.file, what, d.offset, d.file)
}

// checkLog checks the write-ahead log of a database before SQLite opens it, which
// drops everything from the first frame that does not fit. That is right for the
// end of a log, which a crash cuts off anywhere; before the end it would drop
// accepted data. Nothing is changed. The log of a database that another
// process writes is left to the lock.
func checkLog(database string) error {
	file := database + "-wal"
	before, marked, err := sizes(database)
	if err != nil {
		return err
	}
	var found error
	switch {
	case marked.acknowledged() && before[file].size < walHeader:
		found = &missing{database: database, file: file}
	case marked.acknowledged() && before[database].size == 0:
		// SQLite would take it for a new one, and delete the log.
		found = &missing{database: database, file: database}
	case before[file].size > 0:
		damaged, err := readLog(file, database, marked)
		if err != nil || damaged == nil {
			return err
		}
		found = damaged
	}
	if after, _, err := sizes(database); err != nil || !maps.Equal(before, after) {
		return err
	}
	return found
}

// missing is a file of a database that is not there, or has no content, though
// the marker says that something in it was acknowledged.
type missing struct{ database, file string }

func (m *missing) Error() string {
	return fmt.Sprintf("%q is missing or empty, and it held accepted data: %s names what was on the disk in it. "+
		"No crash leaves it so. Nothing was changed: put the file back, or restore a backup of the whole folder. "+
		"To go on without that data, remove the marker: rm %[2]s", m.file, m.database+markerEnding)
}

// fileState is what a file looks like from outside; the zero value is that of no file.
type fileState struct {
	size    int64
	changed time.Time
}

// sizes returns what the files of a database look like, and what its marker says.
func sizes(database string) (map[string]fileState, noted, error) {
	out := map[string]fileState{}
	for _, file := range []string{database, database + "-wal", database + markerEnding} {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, noted{}, err
		}
		out[file] = fileState{info.Size(), info.ModTime()}
	}
	marked, err := readMarker(database + markerEnding)
	return out, marked, err
}

func readLog(file, database string, marked noted) (*damage, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the write-ahead log: %w", err)
	}
	defer func() { _ = f.Close() }() // It was only read.
	l := &walReader{in: bufio.NewReaderSize(f, 1<<20), file: file}
	if _, err := io.ReadFull(l.in, l.head[:]); err != nil {
		return nil, ended(err)
	}
	if size := binary.BigEndian.Uint32(l.head[8:]); l.wholeHeader() {
		if marked.known {
			return l.damageBefore(marked.upTo(l.salts()), int(size), l.order(), storedSum(l.head[24:]))
		}
		return l.damage(int(size), l.order(), storedSum(l.head[24:]))
	}
	return l.brokenHeader(database)
}

// ended is an error of reading, but for the end of the file.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return fmt.Errorf("read the write-ahead log: %w", err)
}

type walReader struct {
	in   *bufio.Reader
	file string
	head [walHeader]byte
}

func (l *walReader) order() binary.ByteOrder {
	if l.head[3]&1 == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (l *walReader) salts() [8]byte { return [8]byte(l.head[16:24]) }

// wholeHeader reports whether SQLite accepts the header.
func (l *walReader) wholeHeader() bool {
	magic, page := binary.BigEndian.Uint32(l.head[:]), binary.BigEndian.Uint32(l.head[8:])
	return magic&^1 == walMagic && isPage(page) && sum{}.add(l.order(), l.head[:walChecked]) == storedSum(l.head[24:])
}

func isPage(size uint32) bool { return size >= minPage && size <= maxPage && size&(size-1) == 0 }

// whole reports whether a frame is of this life of the log and fits the sum of those
// before it.
func (l *walReader) whole(frame []byte, order binary.ByteOrder, running sum) bool {
	return [8]byte(frame[8:16]) == l.salts() && running.add(order, frame[:8]).add(order, frame[walFrameHeader:]) == storedSum(frame[16:])
}

// damageBefore reads the frames that were on the disk. What comes after them nobody was
// told of, and a loss of power may leave it in any state.
func (l *walReader) damageBefore(synced int64, page int, order binary.ByteOrder, running sum) (*damage, error) {
	frame := make([]byte, walFrameHeader+page)
	at := int64(walHeader)
	for n := 1; at < synced; n++ {
		_, err := io.ReadFull(l.in, frame)
		if err != nil && ended(err) != nil {
			return nil, ended(err)
		}
		if err != nil || !l.whole(frame, order, running) {
			return &damage{file: l.file, frame: n, offset: at, synced: true}, nil
		}
		running = storedSum(frame[16:])
		at += int64(len(frame))
	}
	return nil, nil
}

// damage reads the frames behind a header that is whole, of a log without a
// marker: each of its commits was synced before the next.
func (l *walReader) damage(page int, order binary.ByteOrder, running sum) (*damage, error) {
	frame := make([]byte, walFrameHeader+page)
	var broken *damage
	hole, committed := false, false
	for n := 1; ; n++ {
		if _, err := io.ReadFull(l.in, frame); err != nil {
			return nil, ended(err)
		}
		ours := [8]byte(frame[8:16]) == l.salts()
		whole := l.whole(frame, order, running)
		switch {
		case broken == nil && !whole:
			broken = &damage{file: l.file, frame: n, offset: walHeader + int64(n-1)*int64(len(frame))}
			hole = l.unwritten(frame)
		case broken != nil && whole && (committed || !hole):
			return broken, nil
		}
		// A transaction is on the disk before the next one is written, so that what
		// follows the end of a broken one was never part of it.
		if broken != nil && ours && binary.BigEndian.Uint32(frame[4:]) != 0 {
			committed = true
		}
		// The next frame is checked against the sum in this one: that is how
		// a whole one is known behind a broken one.
		running = storedSum(frame[16:])
	}
}

// unwritten reports whether a frame was never written in this life of the log:
// it is empty, or of an earlier life. A transaction that was under way when the
// power failed may have such a frame in its middle.
func (l *walReader) unwritten(frame []byte) bool {
	salt, now := binary.BigEndian.Uint32(frame[8:]), binary.BigEndian.Uint32(l.head[16:])
	age := now - salt
	return [16]byte(frame[:16]) == [16]byte{} || age > 0 && age < walGenerations
}

// brokenHeader checks whether the frames after a broken header belong to it.
// SQLite takes such a log for an empty one. That is right where a crash
// came while a new life of the log began, for the frames of the one before are in
// the database.
func (l *walReader) brokenHeader(database string) (*damage, error) {
	page, err := pageOf(database)
	if err != nil || page == 0 {
		return nil, err
	}
	frame := make([]byte, walFrameHeader+page)
	running := [2]sum{}
	orders := [2]binary.ByteOrder{binary.LittleEndian, binary.BigEndian}
	for n := 1; n <= 2; n++ {
		if _, err := io.ReadFull(l.in, frame); err != nil {
			return nil, ended(err)
		}
		for i, order := range orders {
			of := func(s sum) bool {
				return s.add(order, frame[:8]).add(order, frame[walFrameHeader:]) == storedSum(frame[16:])
			}
			ours := [8]byte(frame[8:16]) == l.salts()
			if n == 1 && (of(storedSum(l.head[24:])) || ours && of(sum{}.add(order, l.head[:walChecked]))) || n == 2 && ours && of(running[i]) {
				return &damage{file: l.file}, nil
			}
			running[i] = storedSum(frame[16:])
		}
	}
	return nil, nil
}

// pageOf is the size of a database's pages, 0 where there is none.
func pageOf(database string) (int, error) {
	f, err := os.Open(database)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	var head [18]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return 0, ended(err)
	}
	size := uint32(binary.BigEndian.Uint16(head[16:]))
	if size == 1 {
		size = maxPage
	}
	if !isPage(size) {
		return 0, nil
	}
	return int(size), nil
}
