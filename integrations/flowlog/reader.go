// Package flowlog reads flow records as sensors write them: Zeek's conn.log as
// TSV or JSON, goflow2's JSON and the flow and netflow events of Suricata's EVE,
// also mixed. It streams, bounds every line
// and rejects implausible records.
package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// maxUnrecognised is how many lines may be wrong before the first right one.
const maxUnrecognised = 1000

// ErrUnrecognised reports that nothing in the stream is a flow log.
var ErrUnrecognised = errors.New("the file is not Zeek's conn.log, goflow2's JSON or Suricata's EVE")

// ErrOtherLog is an [ErrUnrecognised] of a file that is another log of Zeek.
var ErrOtherLog = fmt.Errorf("%w: it is another log of Zeek, not a conn log", ErrUnrecognised)

// BadLine is a line that is not a flow record. The reader goes on after it.
type BadLine struct {
	Line int64
	Err  error
}

func (e *BadLine) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *BadLine) Unwrap() error { return e.Err }

// Reader reads the records of one flow log.
type Reader struct {
	lines *lines
	tsv   *tsv  // set once a line began with #
	event event // for lines that begin with {
	// recognised reports whether something was a flow log's.
	recognised bool
	bad        int64
	skipped    int64
	// otherLogs reports whether some lines are of other logs of Zeek, otherEvents
	// whether some are events of EVE without a flow.
	otherLogs, otherEvents bool
}

// NewReader returns a reader of a flow log in any of the formats, plain or
// gzip. It reads the stream only as far as it must.
func NewReader(r io.Reader) (*Reader, error) {
	l, err := newLines(r)
	if err != nil {
		return nil, err
	}
	return &Reader{lines: l}, nil
}

// Head returns up to n (at most MaxLine) of the next bytes, without reading them.
func (r *Reader) Head(n int) []byte { return bytes.Clone(r.lines.head(n)) }

// Offset is how many bytes, unpacked, were read.
func (r *Reader) Offset() int64 { return r.lines.offset }

// Line is how many lines were read.
func (r *Reader) Line() int64 { return r.lines.number }

// Sum is the SHA-256 of the bytes that were read.
func (r *Reader) Sum() []byte { return r.lines.digest.Sum(nil) }

// Skipped counts the lines that are not meant to be flow records, such as alerts.
func (r *Reader) Skipped() int64 { return r.skipped }

// Lacks returns what a stream without any flow would have to contain; nothing
// where that is not known.
func (r *Reader) Lacks() string {
	switch {
	case r.otherEvents:
		return "it holds events of Suricata and no flow: add flow to types of the output eve-log in suricata.yaml"
	case r.otherLogs:
		return "it holds other logs of Zeek and no conn log"
	default:
		return ""
	}
}

// Recognised reports whether anything so far was a flow log's.
func (r *Reader) Recognised() bool { return r.recognised }

// SkipTo moves on to an offset where an earlier reader of the stream stopped.
// Before it only TSV headers are read. It stops at the end.
func (r *Reader) SkipTo(offset int64) error {
	for r.lines.offset < offset {
		line, _ := r.lines.line()
		if len(line) == 0 {
			return r.lines.ended()
		}
		if line[0] == '#' && !r.lines.inLine {
			_ = r.header(line) // it was counted as bad when it was imported
		}
		r.lines.take(int(min(int64(len(line)), offset-r.lines.offset)))
	}
	r.recognised = r.recognised || offset > 0
	return nil
}

// FinishLine moves on to the next line, where [Reader.SkipTo] stopped inside of
// one that was already read.
func (r *Reader) FinishLine() {
	if r.lines.inLine {
		r.lines.finishLine()
	}
}

// Next reads the next record. It returns io.EOF at the end, a [*BadLine] for a
// line that it could not read, [ErrUnrecognised] as soon as it is sure that the
// stream is not a flow log, and any other error when the stream breaks off. A last
// line that is not finished stays unread: a sensor may still be writing it.
func (r *Reader) Next(rec *flowmath.Record) error {
	for {
		line, complete := r.next()
		if len(line) == 0 {
			if err := r.lines.ended(); err != nil {
				return err
			}
			return r.end()
		}
		if !complete {
			return r.unfinished(line, rec)
		}
		err := r.parse(bytes.TrimRight(line, "\r\n"), rec)
		number := r.lines.number + 1
		r.lines.take(len(line))
		if done, err := r.outcome(number, err); done {
			return err
		}
	}
}

// next returns the next line, or the next object that spans lines.
func (r *Reader) next() (line []byte, complete bool) {
	line, complete = r.lines.line()
	if complete && line[0] == '{' && string(bytes.TrimRight(line, " \r\n")) == "{" {
		if object, ok := r.lines.object(); ok {
			return object, true
		}
		// Looking for the object's end may have moved the buffer.
		line, complete = r.lines.line()
	}
	return line, complete
}

// errNothing marks a line without anything to read: a header or a blank one.
var errNothing = errors.New("nothing to read")

func (r *Reader) parse(line []byte, rec *flowmath.Record) error {
	line = bytes.TrimLeft(line, " ")
	*rec = flowmath.Record{}
	switch {
	case len(line) == 0:
		return errNothing
	case line[0] == '#':
		if err := r.header(line); err != nil {
			return err
		}
		return errNothing
	case line[0] == '{':
		if err := r.event.parse(line, rec); err != nil {
			return err
		}
	case r.tsv != nil:
		if err := r.tsv.parse(line, rec); err != nil {
			return err
		}
	default:
		return errors.New("not a line of a known flow log")
	}
	return rec.Check()
}

func (r *Reader) header(line []byte) error {
	if r.tsv == nil {
		r.tsv = newTSV()
	}
	err := r.tsv.header(bytes.TrimRight(line, "\r\n"))
	r.recognised = r.recognised || r.tsv.columns != nil && !r.tsv.other()
	return err
}

// outcome returns what a parsed line means to the caller, and whether it is
// returned.
func (r *Reader) outcome(number int64, err error) (done bool, _ error) {
	switch {
	case err == nil:
		r.recognised = true
		return true, nil
	case errors.Is(err, errNothing):
		return false, nil
	case errors.Is(err, errNoFlow):
		r.recognised = true
		r.skipped++
		r.otherEvents = r.otherEvents || errors.Is(err, errOtherEvent)
		r.otherLogs = r.otherLogs || !errors.Is(err, errOtherEvent)
		return false, nil
	case errors.Is(err, errOtherLog):
		r.otherLogs = true
		r.skipped++
		return false, nil
	}
	r.bad++
	if !r.recognised && r.bad >= maxUnrecognised {
		return true, ErrUnrecognised
	}
	return true, &BadLine{number, err}
}

func (r *Reader) end() error {
	switch {
	case r.recognised:
		return io.EOF
	case r.otherLogs:
		return ErrOtherLog
	case r.bad > 0:
		return ErrUnrecognised
	default:
		return io.EOF
	}
}

// unfinished reads a line without an end: one that is too long, or the last one,
// which counts only if it is visibly complete.
func (r *Reader) unfinished(line []byte, rec *flowmath.Record) error {
	number := r.lines.number + 1
	if len(line) >= MaxLine {
		r.lines.finishLine()
		_, err := r.outcome(number, fmt.Errorf("longer than %d bytes", MaxLine))
		return err
	}
	if err := r.lines.ended(); err != nil {
		return err
	}
	if line[0] == '#' || r.tsv != nil && line[0] != '{' && !r.tsv.whole(line) {
		return r.end()
	}
	err := r.parse(line, rec)
	switch {
	case err == nil || errors.Is(err, errNoFlow) || errors.Is(err, errOtherLog):
		r.lines.take(len(line))
		if done, err := r.outcome(number, err); done {
			return err
		}
	case !r.recognised:
		return ErrUnrecognised
	}
	return r.end()
}
