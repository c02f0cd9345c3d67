package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// chunkRecords is how many lines an import writes in one transaction: enough
// that a block holds some hundred flows, and some ten megabytes in memory.
const chunkRecords = 128 << 10

// future is how far ahead of this machine's clock a record may be. One wrong
// clock must not make the store believe that it is up to date.
const future = 24 * time.Hour

// batch gathers flows until they are written together.
type batch struct {
	sensors map[string]uint64
	open    [buckets]block
	full    []block
	span    flowmath.Span
	views   []flowmath.View // scratch
	scratch []byte
	senders map[sender]period
}

// block is the flows of one row.
type block struct {
	bucket      int
	first, last int64
	records     int
	flows       []byte
}

// add takes a record that passed its Check.
func (b *batch) add(r *flowmath.Record) error {
	sensor, ok := b.sensors[r.Sensor]
	if !ok {
		return fmt.Errorf("sensor %q has no number", r.Sensor)
	}
	end := r.End()
	if b.span.Records == 0 || r.Start.Before(b.span.Oldest) {
		b.span.Oldest = r.Start
	}
	if end.After(b.span.Newest) {
		b.span.Newest = end
	}
	b.span.Records++
	b.sends(r, sensor)
	b.scratch = appendFlow(b.scratch[:0], r, sensor)
	src, dst := bucketOf(r.Src), bucketOf(r.Dst)
	b.put(src, r.Start.UnixNano(), end.UnixNano())
	if dst != src {
		b.put(dst, r.Start.UnixNano(), end.UnixNano())
	}
	return nil
}

func (b *batch) put(bucket int, first, last int64) {
	open := &b.open[bucket]
	if open.records == 0 {
		open.bucket, open.first, open.last = bucket, first, last
	}
	open.first, open.last = min(open.first, first), max(open.last, last)
	open.flows = append(open.flows, b.scratch...)
	if open.records++; open.records == blockRecords {
		b.full = append(b.full, *open)
		*open = block{}
	}
}

// write writes the gathered flows and clears the batch. The transaction is the
// caller's, who adds what must be committed with it.
func (b *batch) write(ctx context.Context, tx *sql.Tx) error {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO block (bucket, first, last, minutes, flows) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, full := range b.full {
		if err := b.insert(ctx, insert, &full); err != nil {
			return err
		}
	}
	b.full = b.full[:0]
	for i := range b.open {
		if b.open[i].records == 0 {
			continue
		}
		if err := b.insert(ctx, insert, &b.open[i]); err != nil {
			return err
		}
		b.open[i].records, b.open[i].flows = 0, b.open[i].flows[:0]
	}
	if err := b.writeSenders(ctx, tx); err != nil || b.span.Records == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO span (id, oldest, newest, records) VALUES (1, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest),
		records = records + excluded.records`, b.span.Oldest.UnixNano(), b.span.Newest.UnixNano(), b.span.Records)
	b.span = flowmath.Span{}
	return err
}

func (b *batch) insert(ctx context.Context, stmt *sql.Stmt, full *block) error {
	views, err := viewsIn(b.views[:0], full.flows, always(), func(addr []byte) bool { return bucketOf(addrOf(addr)) == full.bucket })
	if err != nil {
		return err
	}
	b.views = views
	minutes := appendMinutes(nil, flowmath.Distinct(views), minuteOf(full.first))
	_, err = stmt.ExecContext(ctx, full.bucket, full.first, full.last, minutes, full.flows)
	return err
}

// sensorNumbers reads the numbers of all sensors.
func sensorNumbers(ctx context.Context, tx *sql.Tx) (map[string]uint64, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, name FROM sensor`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	numbers := map[string]uint64{}
	for rows.Next() {
		var id uint64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		numbers[name] = id
	}
	return numbers, rows.Err()
}

// number gives a sensor its number, in a transaction of its own: a number
// without flows does no harm.
func (s *Store) number(ctx context.Context, dbs *pools, b *batch, sensor string) error {
	if _, ok := b.sensors[sensor]; ok {
		return nil
	}
	return s.inTx(ctx, dbs, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO sensor (name) VALUES (?) ON CONFLICT DO NOTHING`, sensor); err != nil {
			return err
		}
		numbers, err := sensorNumbers(ctx, tx)
		b.sensors = numbers
		return err
	})
}

func (s *Store) inTx(ctx context.Context, dbs *pools, do func(*sql.Tx) error) error {
	tx, err := dbs.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error says what went wrong
		return err
	}
	return tx.Commit()
}

// Append adds records of a live sensor, all or none.
func (s *Store) Append(ctx context.Context, records []flowmath.Record) error {
	const op = "append flows"
	latest := s.now().Add(future)
	for i := range records {
		if err := checkRecord(&records[i], latest); err != nil {
			return invalid(op, "record %d: %w", i+1, err)
		}
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return err
	}
	b := &batch{}
	for i := range records {
		if err := s.number(ctx, dbs, b, records[i].Sensor); err != nil {
			return failed(op, err)
		}
		if err := b.add(&records[i]); err != nil {
			return failed(op, err)
		}
	}
	if err := s.inTx(ctx, dbs, func(tx *sql.Tx) error { return b.write(ctx, tx) }); err != nil {
		return failed(op, err)
	}
	return nil
}

func checkRecord(r *flowmath.Record, latest time.Time) error {
	if err := r.Check(); err != nil {
		return err
	}
	if r.End().After(latest) {
		return fmt.Errorf("%s is %s ahead of this machine's clock", r.End().UTC().Format(time.RFC3339),
			r.End().Sub(latest.Add(-future)).Round(time.Second))
	}
	return nil
}
