package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// shownBad is how many bad lines a result lists; all are counted.
const shownBad = 10

// maxSensors bounds the sensors of a store; a network has fewer.
const maxSensors = 10_000

// ImportOptions are the options of an import of a flow log.
type ImportOptions struct {
	// Name is the file's name as it is shown to people. It does not identify it: the same
	// content under another name, or packed, is the same file.
	Name string
	// Log says of the log what it does not say itself; the zero value recognises its format.
	Log flowlog.Options
	// Sensor is the sensor of records that do not name theirs. Two
	// sensors that see the same traffic must have different names.
	Sensor string
	// Sampling is the rate, one packet in n, of sensors whose records have none;
	// 0 leaves their volume unknown.
	Sampling int64
	// ShiftTo moves all times so that the newest record ends then, for experiments
	// with old captures. It needs a file that can be read twice.
	ShiftTo time.Time
	// Progress is called from time to time with the result so far.
	Progress func(ImportResult)
}

// ImportResult is the result of an import.
type ImportResult struct {
	Records int64 // flows added
	Bad     int64 // lines that should be a flow record and are not
	Skipped int64 // lines of other kinds, such as alerts
	Bytes   int64 // read, unpacked, with what was there already
	// Already is how many of the bytes an earlier import had read.
	Already int64
	// Shift is what was added to all times.
	Shift time.Duration
	// Lacks is what the file would have to contain, where it has no flow and that is
	// known.
	Lacks string
	// BadLines are the first bad lines with their reasons.
	BadLines []flowlog.BadLine
	// Gaps is how many times the sensors say that they have no records of.
	Gaps int64
	// Unfinished reports whether the last line has no end, and was left for the next import.
	Unfinished bool
	// Format is the name of the log's format, "" where lines of Zeek, goflow2 and Suricata may mix.
	Format string
}

// Import adds the flows of a log in any format of package flowlog, plain or gzip. Bad lines are counted and never fatal;
// a file that is not a flow log at all is an invalid error and changes nothing.
//
// A file that was imported before adds nothing, and one that has grown since
// adds what is new. An import that is interrupted keeps what it has written and
// goes on there the next time.
func (s *Store) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportResult, error) {
	op := fmt.Sprintf("import %q", o.Name)
	dbs, err := s.dbs(ctx)
	if err != nil {
		return ImportResult{}, err
	}
	im := &importing{store: s, dbs: dbs, options: o}
	if err := im.begin(ctx, r); err != nil {
		return ImportResult{}, asError(op, err)
	}
	err = im.run(ctx)
	return im.result(), asError(op, err)
}

func asError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, flowlog.ErrUnrecognised):
		return integrations.Errorf(integrations.Invalid, op, "%w", err)
	default:
		return failed(op, err)
	}
}

type importing struct {
	store   *Store
	dbs     *pools
	options ImportOptions

	reader *flowlog.Reader
	latest time.Time // no record is of later
	source source
	batch  batch
	// chunk is what was read and not written, done what was written.
	chunk, done ImportResult
	already     int64
	firstBad    []flowlog.BadLine
}

// begin opens the stream and skips what was imported before.
func (im *importing) begin(ctx context.Context, stream io.Reader) error {
	if err := im.options.Log.Check(); err != nil {
		return invalid("import "+im.options.Name, "%w", err)
	}
	reader, err := flowlog.NewReader(stream, im.options.Log)
	if err != nil {
		return err
	}
	head := reader.Head(headLength)
	var known []source
	err = im.store.inTx(ctx, im.dbs, func(tx *sql.Tx) error {
		if known, err = sourcesLike(ctx, tx, head); err != nil {
			return err
		}
		im.batch.sensors, err = sensorNumbers(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	of, matched, err := resume(ctx, reader, known)
	if err != nil {
		return err
	}
	switch {
	case matched:
		im.reader, im.source, im.already = reader, of, reader.Offset()
		return nil
	case of.id == 0 && !im.options.ShiftTo.IsZero():
		return im.beginShifted(ctx, stream, head)
	}
	sum := sha256.Sum256(head)
	im.source = source{head: sum[:], size: len(head)}
	if reader.Offset() > 0 {
		if reader, err = im.again(stream); err != nil {
			return err
		}
	}
	im.reader = reader
	if of.id == 0 {
		return nil
	}
	// The longest of several streams with the same beginning was another one.
	im.source, im.already = of, of.length
	if err := reader.SkipTo(of.length); err != nil {
		return err
	}
	reader.FinishLine()
	return nil
}

// beginShifted reads the stream once for its newest time.
func (im *importing) beginShifted(ctx context.Context, stream io.Reader, head []byte) error {
	reader, err := im.again(stream)
	if err != nil {
		return err
	}
	var newest time.Time
	var r flowmath.Record
	for {
		err := reader.Next(&r)
		if _, bad := errors.AsType[*flowlog.BadLine](err); bad {
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if end := r.End(); end.After(newest) {
			newest = end
		}
	}
	if im.reader, err = im.again(stream); err != nil {
		return err
	}
	sum := sha256.Sum256(head)
	im.source = source{head: sum[:], size: len(head)}
	if !newest.IsZero() {
		im.source.shift = im.options.ShiftTo.Sub(newest)
	}
	return nil
}

// again reads the stream from its beginning.
func (im *importing) again(stream io.Reader) (*flowlog.Reader, error) {
	seeker, ok := stream.(io.Seeker)
	if !ok {
		return nil, errors.New("a stream cannot be read twice: give a file instead")
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the stream again: %w", err)
	}
	return flowlog.NewReader(stream, im.options.Log)
}

func (im *importing) run(ctx context.Context) error {
	im.latest = im.store.now().Add(future)
	var r flowmath.Record
	for n := 1; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := im.reader.Next(&r)
		if err == nil {
			err = im.add(ctx, &r)
		}
		if bad, ok := errors.AsType[*flowlog.BadLine](err); ok {
			im.chunk.Bad++
			if len(im.firstBad) < shownBad {
				im.firstBad = append(im.firstBad, *bad)
			}
			err = nil
		}
		if errors.Is(err, io.EOF) {
			return im.commit(ctx)
		}
		if err != nil {
			return err
		}
		if im.chunk.Records+im.chunk.Bad >= im.store.chunk && im.reader.Settled() {
			if err := im.commit(ctx); err != nil {
				return err
			}
		}
	}
}

func (im *importing) add(ctx context.Context, r *flowmath.Record) error {
	r.Start = r.Start.Add(im.source.shift)
	if r.Sensor == "" {
		r.Sensor = im.options.Sensor
	}
	if r.Sampling == 0 {
		r.Sampling = im.options.Sampling
	}
	if err := checkRecord(r, im.latest); err != nil {
		return &flowlog.BadLine{Line: im.reader.Line(), Err: err}
	}
	if _, ok := im.batch.sensors[r.Sensor]; !ok && len(im.batch.sensors) >= maxSensors {
		return &flowlog.BadLine{Line: im.reader.Line(), Err: fmt.Errorf("the store already has %d sensors", maxSensors)}
	}
	if err := im.store.number(ctx, im.dbs, &im.batch, r.Sensor); err != nil {
		return err
	}
	im.chunk.Records++
	return im.batch.add(r)
}

// commit writes the chunk together with how far the stream was read.
func (im *importing) commit(ctx context.Context) error {
	if !im.reader.Recognised() || im.reader.Offset() == im.source.length {
		return nil
	}
	gaps := im.reader.TakeGaps()
	for i := range gaps {
		if err := im.gap(ctx, &gaps[i]); err != nil {
			return err
		}
	}
	err := im.store.inTx(ctx, im.dbs, func(tx *sql.Tx) error {
		if err := im.batch.write(ctx, tx); err != nil {
			return err
		}
		if err := writeGaps(ctx, tx, im.batch.sensors, gaps); err != nil {
			return err
		}
		return im.source.record(ctx, tx, im.reader, im.options.Name, im.chunk)
	})
	if err != nil {
		return err
	}
	im.done.Records += im.chunk.Records
	im.done.Bad += im.chunk.Bad
	im.done.Gaps += int64(len(gaps))
	im.chunk = ImportResult{}
	if im.options.Progress != nil {
		im.options.Progress(im.result())
	}
	return nil
}

// gap gives a gap the names and times that the store has for them.
func (im *importing) gap(ctx context.Context, g *flowmath.Gap) error {
	if g.Sensor == "" {
		g.Sensor = im.options.Sensor
	}
	g.From, g.To = g.From.Add(im.source.shift), g.To.Add(im.source.shift)
	return im.store.number(ctx, im.dbs, &im.batch, g.Sensor)
}

// result returns what was written.
func (im *importing) result() ImportResult {
	done := im.done
	done.Bad += im.chunk.Bad
	done.Skipped = im.reader.Skipped()
	done.Bytes, done.Already = im.reader.Offset(), im.already
	if done.Records == 0 && im.already == 0 {
		done.Lacks = im.reader.Lacks()
	}
	done.Shift, done.BadLines = im.source.shift, im.firstBad
	done.Unfinished, done.Format = im.reader.Unfinished(), im.reader.Format().Name
	return done
}
