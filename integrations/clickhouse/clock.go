package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// span finds the newest record that counts for a time that ends at to.
func (s *Store) span(ctx context.Context, t *table, to time.Time) (flowmath.Span, error) {
	m := flowmath.Moment{Now: time.Now(), To: to}
	span, err := s.newest(ctx, t, m)
	if err != nil {
		return flowmath.Span{}, failed(ctx, "read the newest flow", err)
	}
	if span.Records > 0 && t.columns["end"] != "" {
		span.Limit = s.config.Longest
		span.Longer = s.longer.Find(m.Now, func() (time.Duration, error) { return s.lasting(ctx, t, m) })
	}
	return span, nil
}

// newest looks for the newest record first among the latest ones: a table of flows
// may be too large to be read from end to end.
func (s *Store) newest(ctx context.Context, t *table, m flowmath.Moment) (flowmath.Span, error) {
	span, found, err := s.recent(ctx, t, m)
	if err != nil || found {
		return span, err
	}
	var steady []string
	future, err := s.late(ctx, t, m)
	if err == nil && future {
		span.Records = 1
		steady, err = s.fast(ctx, t, m, &span)
	}
	if err != nil {
		return span, err
	}
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 31 * 24 * time.Hour, 0} {
		if len(steady) > 0 && (back == 0 || back > 24*time.Hour) {
			break
		}
		since := time.Unix(0, 0)
		if back > 0 {
			since = m.Until().Add(-back)
		}
		q := &statement{t: t}
		query := q.reach(m, since, steady)
		var records, newest int64
		if err := s.one(ctx, t, query, q.args, &records, &newest); err != nil {
			return span, err
		}
		if records > 0 {
			span.Newest, span.Records = time.Unix(0, newest).UTC(), 1
			return span, nil
		}
	}
	if span.Records == 0 {
		q := &statement{t: t}
		query := fmt.Sprintf("SELECT toInt64(count()) FROM (SELECT 1 FROM %s WHERE %s LIMIT 1)", t.name, q.counts())
		err = s.one(ctx, t, query, q.args, &span.Records)
	}
	return span, err
}

// recent answers with one query where the time is the present and no record is of
// the future, which is the usual case.
func (s *Store) recent(ctx context.Context, t *table, m flowmath.Moment) (span flowmath.Span, found bool, err error) {
	if m.Now.Sub(m.To) > time.Hour {
		return span, false, nil
	}
	q := &statement{t: t}
	until, future := q.arg(m.Until().UnixNano()), q.arg(m.Future().UnixNano())
	query := fmt.Sprintf(`SELECT toInt64(countIf(counts)), toInt64(maxIf(least(e, toInt64(%[1]s)), counts)), toInt64(countIf(e > %[2]s))
		FROM (SELECT e, s <= %[1]s AND e <= %[2]s AS counts FROM (SELECT %[3]s AS s, %[4]s AS e FROM %[5]s WHERE %[6]s))`,
		until, future, q.nanos("start"), q.ended(), t.name, q.since(m.Until().Add(-time.Hour)))
	var records, newest, late int64
	err = s.one(ctx, t, query, q.args, &records, &newest, &late)
	if err != nil || records == 0 || late > 0 {
		return span, false, err
	}
	return flowmath.Span{Newest: time.Unix(0, newest).UTC(), Records: 1}, true, nil
}

// late reports whether a record of about now is of the future.
func (s *Store) late(ctx context.Context, t *table, m flowmath.Moment) (bool, error) {
	q := &statement{t: t}
	query := fmt.Sprintf("SELECT toInt64(count()) FROM (SELECT %s AS e FROM %s WHERE %s) WHERE e > %s",
		q.ended(), t.name, q.since(m.Now.Add(-time.Hour)), q.arg(m.Future().UnixNano()))
	var n int64
	err := s.one(ctx, t, query, q.args, &n)
	return n > 0, err
}

// fast puts into the span which sensors' clocks are ahead, and returns the names
// of those of which every record is.
func (s *Store) fast(ctx context.Context, t *table, m flowmath.Moment, span *flowmath.Span) ([]string, error) {
	q := &statement{t: t}
	query := fmt.Sprintf("SELECT sensor0, toInt64(min(e)), toInt64(max(e)) FROM (SELECT %s AS sensor0, %s AS e FROM %s WHERE %s) WHERE e > %s GROUP BY sensor0",
		q.name(), q.ended(), t.name, q.since(m.Now.Add(-24*time.Hour)), q.arg(m.Future().UnixNano()))
	a, err := s.query(ctx, t, query, q.args...)
	if err != nil {
		return nil, err
	}
	var steady []string
	err = each(a, func() error {
		var name string
		var first, last int64
		if err := a.Scan(&name, &first, &last); err != nil {
			return err
		}
		c := m.Fast(t.named(name), time.Unix(0, first), time.Unix(0, last))
		span.Fast = append(span.Fast, c)
		if c.Steady {
			steady = append(steady, name)
		}
		return nil
	})
	span.Fast = flowmath.SortFast(span.Fast)
	return steady, err
}

// name is the name of a row's sensor.
func (q *statement) name() string {
	if q.col("sensor") == "" {
		return "''"
	}
	return q.t.sensor(q.col("sensor"))
}

// ended is the end of a flow.
func (q *statement) ended() string {
	if q.col("end") == "" {
		return q.nanos("start")
	}
	return fmt.Sprintf("greatest(%s, %s)", q.nanos("start"), q.nanos("end"))
}

// since is the condition that a row counts and is of a time or later, by the column
// that the table may be ordered by.
func (q *statement) since(at time.Time) string {
	setting := q.t.ordered()
	return fmt.Sprintf("%s >= %s AND %s", q.col(setting), q.time(setting, at), q.counts())
}

// reach queries how many records since a time count, and the last end of these.
// Records of the given sensors do not count.
func (q *statement) reach(m flowmath.Moment, since time.Time, but []string) string {
	until := fmt.Sprintf("toInt64(%s)", q.arg(m.Until().UnixNano()))
	rows := q.between(q.t.ordered(), since, m.Until().Add(q.t.longest)) + " AND " + q.counts()
	for _, name := range but {
		rows += fmt.Sprintf(" AND %s != %s", q.name(), q.arg(name))
	}
	return fmt.Sprintf("SELECT toInt64(count()), toInt64(max(least(e, %s))) FROM (SELECT %s AS s, %s AS e FROM %s WHERE %s) WHERE s <= %s AND e <= %s",
		until, q.nanos("start"), q.ended(), q.t.name, rows, until, q.arg(m.Future().UnixNano()))
}

// lasting returns the longest duration among some millions of flows of the last
// days.
func (s *Store) lasting(ctx context.Context, t *table, m flowmath.Moment) (time.Duration, error) {
	const days, most = 8 * 24 * time.Hour, 5_000_000
	q := &statement{t: t}
	query := fmt.Sprintf("SELECT toInt64(max(e - s)) FROM (SELECT %s AS s, %s AS e FROM %s WHERE %s LIMIT %d)",
		q.nanos("start"), q.ended(), t.name, q.between(t.ordered(), m.Until().Add(-days), m.Until().Add(t.longest)), most)
	var nanos int64
	err := s.one(ctx, t, query, q.args, &nanos)
	return time.Duration(nanos), err
}
