// Package flowlog reads flow records as sensors write them: Zeek's conn.log as TSV or JSON,
// goflow2's JSON and the flow and netflow events of Suricata's EVE, also mixed, and the egress logs
// of firewalls, proxies and clouds, each a [Format]. It streams, bounds every line and rejects
// implausible records.
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
var ErrUnrecognised = errors.New("the file is no flow log that is known by its beginning; some need --format")

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
	lines  *lines
	format Format // its Name is "" for what mixed reads
	parser Parser

	// entry is the last line, of which records and complaints before given and told were returned.
	entry       Entry
	line        int64 // its number
	given, told int
	gaps        []flowmath.Gap

	// recognised reports whether something was a flow log's.
	recognised bool
	bad        int64
	skipped    int64
	unfinished bool
	// otherLogs reports whether some lines are of other logs of Zeek, otherEvents
	// whether some are events of EVE without a flow.
	otherLogs, otherEvents bool
}

// NewReader returns a reader of a flow log, plain or gzip. It reads the stream only as far as it
// must. A format that the options name and that does not exist is an error.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	l, err := newLines(r)
	if err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	var f Format
	known := false
	if o.Format != "" {
		f, err = FormatOf(o.Format)
		known = err == nil
	} else {
		f, known = recognise(l.head(HeadLength))
	}
	if !known {
		return &Reader{lines: l, parser: &mixed{}}, err
	}
	parser, err := f.open(o)
	if err != nil {
		return nil, err
	}
	if f.Frame == ByObject {
		l.most = maxObject
	}
	return &Reader{lines: l, format: f, parser: parser}, nil
}

// Format is the format that is read; its Name is "" where lines of Zeek, goflow2 and Suricata may mix.
func (r *Reader) Format() Format { return r.format }

// Grows reports whether [Reader.More] can read what is appended to the stream. What is packed does not grow,
// and the end of a document is written anew when it does.
func (r *Reader) Grows() bool { return !r.lines.packed && r.format.Frame == ByLine }

// More has [Reader.Next] go on behind what was the end, where the stream has grown.
func (r *Reader) More() {
	if errors.Is(r.lines.err, io.EOF) {
		r.lines.err, r.unfinished = nil, false
	}
}

// Head returns up to n (at most MaxLine) of the next bytes, without reading them.
func (r *Reader) Head(n int) []byte { return bytes.Clone(r.lines.head(n)) }

// Offset is how many bytes, unpacked, were read.
func (r *Reader) Offset() int64 { return r.lines.offset }

// Settled reports whether everything that was read up to Offset was returned, so that a later
// reader may go on there.
func (r *Reader) Settled() bool { return r.given == len(r.entry.Records) && r.told == len(r.entry.Bad) }

// Line is the number of the line that was read last.
func (r *Reader) Line() int64 { return r.line }

// Sum is the SHA-256 of the bytes that were read.
func (r *Reader) Sum() []byte { return r.lines.digest.Sum(nil) }

// Skipped counts the lines that are not meant to be flow records, such as alerts.
func (r *Reader) Skipped() int64 { return r.skipped }

// Unfinished reports whether the last line was left unread, because its end is missing.
func (r *Reader) Unfinished() bool { return r.unfinished }

// TakeGaps returns the gaps that were read since it was last called.
func (r *Reader) TakeGaps() []flowmath.Gap {
	gaps := r.gaps
	r.gaps = nil
	return gaps
}

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
// Before it only headers are read. It stops at the end.
func (r *Reader) SkipTo(offset int64) error {
	for r.lines.offset < offset {
		line, _ := r.lines.line()
		if len(line) == 0 {
			return r.lines.ended()
		}
		if r.format.Frame == ByLine && !r.lines.inLine {
			_, _ = r.parser.Header(bytes.TrimRight(line, "\r\n")) // it was counted as bad when it was imported
		}
		r.lines.take(int(min(int64(len(line)), offset-r.lines.offset)))
	}
	r.recognised = r.recognised || offset > 0
	return nil
}

// FinishLine moves on to the next line, where [Reader.SkipTo] stopped inside of
// one that was already read.
func (r *Reader) FinishLine() {
	if r.format.Frame == ByLine && r.lines.inLine {
		r.lines.finishLine()
	}
}

// Next reads the next record. It returns io.EOF at the end, a [*BadLine] for a
// line that it could not read, [ErrUnrecognised] as soon as it is sure that the
// stream is not a flow log, and any other error when the stream breaks off. A last
// line that is not finished stays unread: a sensor may still be writing it.
func (r *Reader) Next(rec *flowmath.Record) error {
	for {
		if done, err := r.give(rec); done {
			return err
		}
		if err := r.read(); err != nil {
			return err
		}
	}
}

// give returns the next record, or complaint, of the line that was read last.
func (r *Reader) give(rec *flowmath.Record) (bool, error) {
	if r.given < len(r.entry.Records) {
		*rec = r.entry.Records[r.given]
		r.given++
		if err := rec.Check(); err != nil {
			return true, r.complain(err)
		}
		r.recognised = true
		return true, nil
	}
	if r.told < len(r.entry.Bad) {
		r.told++
		return true, r.complain(r.entry.Bad[r.told-1])
	}
	return false, nil
}

// complain counts something that is wrong with the line.
func (r *Reader) complain(err error) error {
	r.bad++
	if !r.recognised && r.bad >= maxUnrecognised {
		return r.unrecognised()
	}
	return &BadLine{r.line, err}
}

func (r *Reader) unrecognised() error {
	if r.format.Name != "" {
		return fmt.Errorf("%w: it is not of the format %s", ErrUnrecognised, r.format.Name)
	}
	return ErrUnrecognised
}

// read reads the next line, or object, into the entry.
func (r *Reader) read() error {
	line, complete := r.next()
	if len(line) == 0 {
		if err := r.lines.ended(); err != nil {
			return err
		}
		return r.end()
	}
	if !complete && len(line) >= r.lines.most {
		return r.skipLong()
	}
	text := line
	if r.format.Frame == ByObject {
		text = line[min(r.lines.before, len(line)):]
	}
	text = bytes.TrimLeft(bytes.TrimRight(text, "\r\n"), " ")
	if !complete {
		if err := r.lines.ended(); err != nil {
			return err
		}
		if r.format.Frame == ByObject || len(text) == 0 || !r.parser.Whole(text) {
			return r.endUnfinished(text)
		}
	}
	r.line = r.lines.number + 1
	err := r.parse(text)
	r.lines.take(len(line))
	return r.outcome(err)
}

// next returns the next line, or the next object.
func (r *Reader) next() (line []byte, complete bool) {
	if r.format.Frame == ByObject {
		return r.lines.element()
	}
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

func (r *Reader) parse(text []byte) error {
	r.entry.reset()
	r.given, r.told = 0, 0
	if len(text) == 0 {
		return nil
	}
	header, err := r.parser.Header(text)
	if header {
		r.recognised = r.recognised || err == nil
		if errors.Is(err, errHeading) {
			return nil
		}
		return err
	}
	err = r.parser.Parse(text, &r.entry)
	if len(r.entry.Gaps) > 0 {
		r.recognised = true
		r.gaps = append(r.gaps, r.entry.Gaps...)
	}
	r.skipped += r.entry.Skipped
	return err
}

// outcome returns what a parsed line means to the caller; nil where reading goes on.
func (r *Reader) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoFlow):
		r.recognised = true
		r.skipped++
		r.otherEvents = r.otherEvents || errors.Is(err, errOtherEvent)
		r.otherLogs = r.otherLogs || errors.Is(err, errNamedLog)
		return nil
	case errors.Is(err, errOtherLog):
		r.otherLogs = true
		r.skipped++
		return nil
	}
	return r.complain(err)
}

// skipLong moves over a line, or object, that is longer than any may be.
func (r *Reader) skipLong() error {
	r.line = r.lines.number + 1
	r.entry.reset()
	r.given, r.told = 0, 0
	if r.format.Frame == ByObject {
		r.lines.finishObject()
	} else {
		r.lines.finishLine()
	}
	return r.complain(fmt.Errorf("longer than %d bytes", r.lines.most))
}

// endUnfinished ends before a last line whose end is missing. One that is neither a header nor
// of a format that was recognised may be anything.
func (r *Reader) endUnfinished(text []byte) error {
	r.unfinished = len(text) > 0
	if r.unfinished && r.format.Name == "" && text[0] != '#' && !r.recognised {
		r.bad++
	}
	return r.end()
}

func (r *Reader) end() error {
	switch {
	case r.recognised:
		return io.EOF
	case r.otherLogs:
		return ErrOtherLog
	case r.bad > 0:
		return r.unrecognised()
	default:
		return io.EOF
	}
}
