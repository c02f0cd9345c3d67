//go:build !no_embedded

package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
)

// The marker is a small file beside the database: up to where the write-ahead log
// is on the disk. What is damaged before that point was accepted; what is missing
// after it never was.
const (
	markerEnding = "-synced"
	markerMagic  = "stanch1\n"
	markerBytes  = len(markerMagic) + 8 + 8 + 4
	// markerStep puts the two entries into blocks of their own, so that no write
	// can tear both.
	markerStep = 4096
)

// position is a place in one life of the log, which its salts name.
type position struct {
	salts  [8]byte
	offset int64
}

func (p position) encode() []byte {
	out := append([]byte(markerMagic), p.salts[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(p.offset))
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

func decodePosition(data []byte) (position, bool) {
	if len(data) < markerBytes || string(data[:len(markerMagic)]) != markerMagic ||
		crc32.ChecksumIEEE(data[:markerBytes-4]) != binary.BigEndian.Uint32(data[markerBytes-4:]) {
		return position{}, false
	}
	return position{[8]byte(data[8:16]), int64(binary.BigEndian.Uint64(data[16:]))}, true
}

// marker is the file being written. Its first entry names the life of the log and
// is on the disk before anything of that life is acknowledged. The second follows
// each sync and is left to the system to write: older than the truth it is
// still right.
type marker struct {
	file syncFile
	life [8]byte
}

// clearMarker makes a marker, on the disk, that says nothing of the present log.
func clearMarker(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	m := &marker{file: dataFile{f}}
	return errors.Join(m.begin(position{}), f.Close())
}

func (m *marker) begin(at position) error {
	if _, err := m.file.WriteAt(at.encode(), 0); err != nil {
		return err
	}
	if err := m.file.Datasync(); err != nil {
		return err
	}
	m.life = at.salts
	return nil
}

// note says that the log is on the disk up to a place.
func (m *marker) note(at position) error {
	if at.salts != m.life {
		if err := m.begin(position{at.salts, walHeader}); err != nil {
			return err
		}
	}
	_, err := m.file.WriteAt(at.encode(), markerStep)
	return err
}

// noted is what a marker says after a crash.
type noted struct {
	known   bool
	entries []position
}

func readMarker(file string) (noted, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return noted{}, nil
	}
	if err != nil {
		return noted{}, fmt.Errorf("read the marker of the write-ahead log: %w", err)
	}
	var n noted
	for at := 0; at < len(data); at += markerStep {
		if p, ok := decodePosition(data[at:]); ok {
			n.known, n.entries = true, append(n.entries, p)
		}
	}
	return n, nil
}

// acknowledged reports whether something of a log was: that log has a header then.
func (n noted) acknowledged() bool {
	return slices.ContainsFunc(n.entries, func(e position) bool { return e.offset >= walHeader })
}

// upTo is the place up to which this life of the log was certainly on the disk.
func (n noted) upTo(salts [8]byte) int64 {
	at := int64(0)
	for _, e := range n.entries {
		if e.salts == salts {
			at = max(at, e.offset)
		}
	}
	return at
}

// tail follows the end of a log that SQLite is writing.
type tail struct {
	at    position
	frame int64 // bytes
}

// read returns the end of the last commit that is certainly written: one that other
// frames of this life follow, since SQLite writes one after the other. The zero
// position is an empty log.
func (t *tail) read(log io.ReaderAt) (position, error) {
	l := &walReader{}
	if _, err := log.ReadAt(l.head[:], 0); err != nil {
		return position{}, ended(err)
	}
	if !l.wholeHeader() {
		return position{}, nil
	}
	if l.salts() != t.at.salts {
		t.at = position{l.salts(), walHeader}
		t.frame = walFrameHeader + int64(binary.BigEndian.Uint32(l.head[8:]))
	}
	var head [walFrameHeader]byte
	last := t.at.offset
	for at := t.at.offset; ; at += t.frame {
		if _, err := log.ReadAt(head[:], at); err != nil {
			return t.at, ended(err)
		}
		if [8]byte(head[8:16]) != t.at.salts {
			return t.at, nil
		}
		t.at.offset = last
		if binary.BigEndian.Uint32(head[4:]) != 0 {
			last = at + t.frame
		}
	}
}
