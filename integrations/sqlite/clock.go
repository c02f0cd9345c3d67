package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// span returns what the store holds that counts at a moment.
func (s *Store) span(ctx context.Context, dbs *pools, to time.Time) (flowmath.Span, error) {
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return flowmath.Span{}, err
	}
	m := flowmath.Moment{Now: s.now(), To: to}
	if span.Records == 0 || !span.Newest.After(m.Until()) {
		return span, nil
	}
	if err := dbs.reach(ctx, &span, m); err != nil {
		return flowmath.Span{}, failed("read the newest record", err)
	}
	return span, nil
}

// reach finds the newest record that counts, where the newest of all does not.
func (p *pools) reach(ctx context.Context, span *flowmath.Span, m flowmath.Moment) error {
	steady := map[uint64]bool{}
	if span.Newest.After(m.Future()) {
		names, err := p.sensorNames(ctx)
		if err != nil {
			return err
		}
		if err := p.fast(ctx, span, m, names, steady); err != nil {
			return err
		}
	}
	span.Newest = time.Time{}
	until := m.Until().UnixNano()
	if len(steady) == 0 {
		// Usually a few blocks suffice, which are found by the index: those that begin
		// last have flows of the moment at their beginning.
		for bucket := range someBuckets {
			if err := p.reachIn(ctx, span, m, `bucket = ? AND `+overlapping+` ORDER BY first DESC LIMIT 1`, []any{bucket, m.To.UnixNano(), until}, steady); err != nil || !span.Newest.Before(m.To) {
				return err
			}
		}
		var last sql.NullInt64
		if err := p.read.QueryRowContext(ctx, `SELECT max(last) FROM block WHERE last <= ?`, until).Scan(&last); err != nil {
			return err
		}
		if at := time.Unix(0, last.Int64).UTC(); last.Valid && at.After(span.Newest) {
			span.Newest = at
		}
		return p.reachIn(ctx, span, m, overlapping, []any{until + 1, until}, steady)
	}
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 0} {
		from := int64(-1 << 63)
		if back > 0 {
			from = until - int64(back)
		}
		if err := p.reachIn(ctx, span, m, overlapping, []any{from, until}, steady); err != nil || !span.Newest.IsZero() {
			return err
		}
	}
	return nil
}

// someBuckets is so many that nearly any moment has a flow in one of them.
const someBuckets = 8

// overlapping are the blocks that end after a time and begin before another.
const overlapping = `last >= ? AND first <= ?`

// reachIn looks for newer records among some blocks. It stops once the moment is
// reached.
func (p *pools) reachIn(ctx context.Context, span *flowmath.Span, m flowmath.Moment, where string, args []any, but map[uint64]bool) error {
	if !span.Newest.Before(m.To) {
		return nil
	}
	err := p.eachFlow(ctx, where, args, func(r *flowmath.Record, sensor uint64) error {
		at, ok := m.Reach(r.Start, r.End())
		if !ok || but[sensor] || !at.After(span.Newest) {
			return nil
		}
		span.Newest = at.UTC()
		if !at.Before(m.To) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// fast puts into the span which sensors' clocks are ahead, and notes those of which
// every record is.
func (p *pools) fast(ctx context.Context, span *flowmath.Span, m flowmath.Moment, names map[uint64]string, steady map[uint64]bool) error {
	clocks := flowmath.Clocks{Moment: m}
	numbers := map[string]uint64{}
	err := p.eachFlow(ctx, `last > ?`, []any{m.Future().UnixNano()}, func(r *flowmath.Record, sensor uint64) error {
		if r.End().After(m.Future()) {
			clocks.Record(names[sensor], r.Start, r.End())
			numbers[names[sensor]] = sensor
		}
		return nil
	})
	span.Fast = clocks.Span().Fast
	for _, c := range span.Fast {
		if c.Steady {
			steady[numbers[c.Sensor]] = true
		}
	}
	return err
}

// eachFlow visits the flows of some blocks.
func (p *pools) eachFlow(ctx context.Context, where string, args []any, visit func(r *flowmath.Record, sensor uint64) error) error {
	// The index is searched, not the blocks.
	rows, err := p.read.QueryContext(ctx, `SELECT flows FROM block WHERE id IN (SELECT id FROM block WHERE `+where+`)`, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var r flowmath.Record
	for rows.Next() {
		var flows []byte
		if err := rows.Scan(&flows); err != nil {
			return err
		}
		for len(flows) > 0 {
			f, rest, err := nextFlow(flows)
			if err != nil {
				return err
			}
			sensor, err := f.record(&r)
			if err == nil {
				err = visit(&r, sensor)
			}
			if err != nil {
				return err
			}
			flows = rest
		}
	}
	return rows.Err()
}
