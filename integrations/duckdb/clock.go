//go:build duckdb

package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// lookAt is look for a query whose time ends at to: the span is of the records
// that count for it.
func (s *Store) lookAt(ctx context.Context, from, to time.Time) (*seen, error) {
	v, err := s.look(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if v.skipped, err = v.gaps(ctx, window{from, to}); err != nil {
		return nil, err
	}
	m := flowmath.Moment{Now: s.now(), To: to}
	span := &v.bounds.span
	if span.Records == 0 || !span.Newest.After(m.Until()) {
		return v, nil
	}
	s.mu.Lock()
	known := s.reached
	s.mu.Unlock()
	if known.of == v.bounds.of && known.to.Equal(to) {
		span.Newest = known.newest
		return v, nil
	}
	future := span.Newest.After(m.Future())
	var steady []string
	if future {
		if steady, err = s.fast(ctx, v, m); err != nil {
			return nil, err
		}
	}
	span.Newest = time.Time{}
	// A store that was in use has a record within minutes.
	for _, back := range []time.Duration{3 * time.Minute, time.Hour, 24 * time.Hour, 0} {
		since := time.Time{}
		if back > 0 {
			since = m.Until().Add(-back)
		}
		if back == 0 && len(steady) > 0 {
			break
		}
		parts := v.parts
		if since.Before(from) || s.config.Format == AWSVPC {
			// Older files may be needed as well, or far fewer.
			if parts, err = s.parts(ctx, v.db, until(after(v.files, since), to)); err != nil {
				return nil, err
			}
		}
		if err := v.reach(ctx, parts, m, since, steady); err != nil {
			return nil, err
		}
		if !span.Newest.IsZero() {
			break
		}
	}
	if !future && m.To.Before(m.Now) {
		s.mu.Lock()
		s.reached = reached{v.bounds.of, to, span.Newest}
		s.mu.Unlock()
	}
	return v, nil
}

// reached is the newest record that counted for a time of the past, in files as
// they were then.
type reached struct {
	of         string
	to, newest time.Time
}

// reach puts the newest record that counts into the span, of those since a time.
func (v *seen) reach(ctx context.Context, parts []part, m flowmath.Moment, since time.Time, but []string) error {
	until := m.Until().UnixNano()
	for _, p := range parts {
		var newest sql.NullInt64
		query := fmt.Sprintf("SELECT max(least(stop, %d)) FROM (%s) WHERE start <= %d AND stop <= %d", until,
			p.flows(p.counts()+" AND "+p.bound(p.columns.Start, ">=", since)+" AND "+p.bound(p.columns.Start, "<=", m.Until())), until, m.Future().UnixNano())
		if len(but) > 0 {
			names := make([]string, len(but))
			for i, name := range but {
				names[i] = text(name)
			}
			query += " AND sensor NOT IN (" + strings.Join(names, ", ") + ")"
		}
		if err := v.db.QueryRowContext(ctx, query).Scan(&newest); err != nil {
			return err
		}
		if at := time.Unix(0, newest.Int64).UTC(); newest.Valid && at.After(v.bounds.span.Newest) {
			v.bounds.span.Newest = at
		}
	}
	return nil
}

// after is the files that may hold records since a time.
func after(files []file, at time.Time) []file {
	if at.IsZero() {
		return files
	}
	return since(files, at)
}

// fast puts into the span which sensors' clocks are ahead, and returns the names
// of those of which every record is. It reads the files of the last day.
func (s *Store) fast(ctx context.Context, v *seen, m flowmath.Moment) ([]string, error) {
	parts, err := s.parts(ctx, v.db, since(v.files, m.Now.Add(-24*time.Hour)))
	if err != nil {
		return nil, err
	}
	clocks := flowmath.Clocks{Moment: m}
	for _, p := range parts {
		rows, err := v.db.QueryContext(ctx, fmt.Sprintf("SELECT sensor, min(stop), max(stop) FROM (%s) WHERE stop > %d GROUP BY sensor",
			p.flows(p.counts()+" AND "+p.bound(p.columns.Start, ">=", m.Now.Add(-24*time.Hour))), m.Future().UnixNano()))
		if err != nil {
			return nil, err
		}
		if err := note(rows, &clocks); err != nil {
			return nil, err
		}
	}
	v.bounds.span.Fast = clocks.Span().Fast
	var steady []string
	for _, c := range v.bounds.span.Fast {
		if c.Steady {
			steady = append(steady, c.Sensor)
		}
	}
	return steady, nil
}

func note(rows *sql.Rows, clocks *flowmath.Clocks) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		var first, last int64
		if err := rows.Scan(&name, &first, &last); err != nil {
			return err
		}
		for _, end := range []int64{first, last} {
			clocks.Record(name, time.Unix(0, end), time.Unix(0, end))
		}
	}
	return rows.Err()
}

// cure is what to do where the times of all files are ahead.
func (s *Store) cure(v *seen) string {
	for _, p := range v.parts {
		if kind := p.types[p.columns.Start]; kind == "VARCHAR" || strings.HasPrefix(kind, "TIMESTAMP") && kind != "TIMESTAMP WITH TIME ZONE" {
			return "where local time is written without a zone, set time_zone to it, such as Europe/Berlin"
		}
	}
	return ""
}
