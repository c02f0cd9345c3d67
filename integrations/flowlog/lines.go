package flowlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// MaxLine bounds one line of a flow log, and one JSON object that spans lines.
const MaxLine = 1 << 20

// maxObject bounds one object of a log that is read by objects: a cloud writes all that
// an interface sent in a minute into one.
const maxObject = 32 << 20

// lines returns the lines of a stream without copying them, and keeps the running
// digest of the bytes that were taken.
type lines struct {
	source io.Reader
	buf    []byte // buf[from:to] is read and not yet taken
	from   int
	to     int
	err    error // why the source ended
	most   int   // bounds one line, or object
	packed bool  // the stream is gzip
	before int   // how much of the last element stands before its object

	digest hash.Hash
	offset int64
	number int64 // lines taken
	inLine bool  // the last byte taken ended no line
}

// newLines reads the stream, unpacked if it is gzip.
func newLines(r io.Reader) (*lines, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	source := io.Reader(b)
	packed := bytes.Equal(magic, []byte{0x1f, 0x8b})
	if packed {
		if source, err = gzip.NewReader(b); err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
	}
	return &lines{source: source, buf: make([]byte, MaxLine+64<<10), most: MaxLine, packed: packed, digest: sha256.New()}, nil
}

// fill reads more, and reports whether there was more.
func (l *lines) fill() bool {
	if l.err != nil {
		return false
	}
	if l.from > 0 {
		copy(l.buf, l.buf[l.from:l.to])
		l.from, l.to = 0, l.to-l.from
	}
	if l.to == len(l.buf) {
		if l.to >= l.most {
			return false
		}
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}
	// A reader that repeatedly returns neither bytes nor an error is broken.
	for range 100 {
		n, err := l.source.Read(l.buf[l.to:])
		l.to += n
		l.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	l.err = io.ErrNoProgress
	return false
}

// head returns up to n of the next bytes.
func (l *lines) head(n int) []byte {
	for l.to-l.from < n && l.fill() {
	}
	return l.buf[l.from:min(l.to, l.from+n)]
}

// find returns how many bytes come up to and with the first sep at or after
// the offset, or -1 when none comes within MaxLine or before the end.
func (l *lines) find(sep []byte, after int) int {
	for {
		pending := l.buf[l.from:l.to]
		if after < len(pending) {
			if i := bytes.Index(pending[after:], sep); i >= 0 {
				return after + i + len(sep)
			}
			after = max(after, len(pending)-len(sep)+1)
		}
		if len(pending) >= l.most || !l.fill() {
			return -1
		}
	}
}

// line returns the next line with its end, without taking it. Complete is
// false for a line without an end: the last of the stream, or one longer than MaxLine.
func (l *lines) line() (line []byte, complete bool) {
	if n := l.find([]byte{'\n'}, 0); n > 0 {
		return l.buf[l.from : l.from+n], true
	}
	return l.buf[l.from:l.to], false
}

// object returns the next lines up to one that is a closing brace, where the
// next line is an opening brace alone.
func (l *lines) object() ([]byte, bool) {
	n := l.find([]byte("\n}"), 0)
	if n < 0 {
		return nil, false
	}
	if end := l.find([]byte{'\n'}, n); end > 0 {
		n = end
	} else if l.to-l.from < l.most {
		n = l.to - l.from
	}
	return l.buf[l.from : l.from+n], true
}

// take marks the next n bytes as read.
func (l *lines) take(n int) {
	b := l.buf[l.from : l.from+n]
	l.digest.Write(b)
	l.from += n
	l.offset += int64(n)
	l.number += int64(bytes.Count(b, []byte{'\n'}))
	if n > 0 {
		l.inLine = b[n-1] != '\n'
	}
}

// finishLine takes the rest of the line.
func (l *lines) finishLine() {
	for {
		line, complete := l.line()
		l.take(len(line))
		if complete || len(line) == 0 {
			return
		}
	}
}

// ended returns nil at the proper end of the stream, and else why it broke off.
func (l *lines) ended() error {
	if l.err == nil || errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}
