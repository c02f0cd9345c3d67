package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// latest is how many of the flows that began last are read for the one
	// that ended last.
	latest = 100
	// someFuture is how many records of the future are read, of those
	// nearest to the present and of those farthest from it.
	someFuture = 5000
	// steadyDay is how far back the newest record is looked for where sensors are
	// passed over.
	steadyDay = 24 * time.Hour
)

// span finds the newest record that counts at a moment.
func (s *Store) span(ctx context.Context, t *table, to time.Time) (flowmath.Span, error) {
	const op = "read the newest flow"
	m := flowmath.Moment{Now: time.Now(), To: to}
	var span flowmath.Span
	var reach *int64
	var any, future bool
	q := &statement{t: t}
	query := q.span(m)
	if err := s.pool.QueryRow(ctx, query, q.args...).Scan(&reach, &any, &future); err != nil {
		return span, failed(ctx, op, err)
	}
	if !any && !future {
		// Perhaps all records are later.
		some := &statement{t: t}
		query = fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s)", some.table())
		if err := s.pool.QueryRow(ctx, query, some.args...).Scan(&any); err != nil {
			return span, failed(ctx, op, err)
		}
		if !any {
			return span, nil
		}
	}
	span.Records = 1
	span.Limit = s.config.Longest
	span.Longer = s.longer.Find(m.Now, func() (time.Duration, error) { return s.lasting(ctx, t, m) })
	if future {
		fast, steady, err := s.fast(ctx, t, m)
		if err != nil {
			return span, failed(ctx, op, err)
		}
		if span.Fast = fast; len(steady) > 0 {
			q = &statement{t: t}
			query = q.reachOfOthers(m, steady)
			if err := s.pool.QueryRow(ctx, query, q.args...).Scan(&reach); err != nil {
				return span, failed(ctx, op, err)
			}
		}
	}
	if reach != nil {
		span.Newest = time.Unix(0, *reach).UTC()
	}
	return span, nil
}

// fast returns the sensors whose clocks are ahead, and the names of those of which
// every record is.
func (s *Store) fast(ctx context.Context, t *table, m flowmath.Moment) (fast []incident.FastClock, steady []string, err error) {
	q := &statement{t: t}
	query := q.future(m)
	rows, err := s.pool.Query(ctx, query, q.args...)
	if err != nil {
		return nil, nil, err
	}
	var name string
	var first, last int64
	_, err = pgx.ForEachRow(rows, []any{&name, &first, &last}, func() error {
		c := m.Fast(name, time.Unix(0, first), time.Unix(0, last))
		if fast = append(fast, c); c.Steady {
			steady = append(steady, name)
		}
		return nil
	})
	return flowmath.SortFast(fast), steady, err
}

// ended is the end of a flow when the newest is looked for: a flow that goes on
// counts as ended at its start.
func (q *statement) ended() string {
	if q.t.columns["end"] == "" {
		return q.t.columns["start"]
	}
	return fmt.Sprintf("GREATEST(%s, %s)", q.t.columns["start"], q.t.columns["end"])
}

// reach selects the last end among the flows that began last up to a moment, how
// many these were, and whether one is of the future; where adds a condition. A
// flow that ended after the moment was under way then.
func (q *statement) reach(m flowmath.Moment, where string) string {
	until, future := q.time(m.Until()), q.time(m.Future())
	return fmt.Sprintf("SELECT %s AS reach, count(*) AS n, COALESCE(bool_or(e > %s), false) AS late FROM (SELECT %s AS e FROM %s WHERE %s%s ORDER BY %s LIMIT %d) l",
		q.nanos(fmt.Sprintf("max(LEAST(e, %s)) FILTER (WHERE e <= %s)", until, future)), future, q.ended(), q.table(),
		q.began(time.Time{}, m.Until()), where, q.newestFirst(), latest)
}

// span selects the newest record that counts, whether there is a record of any
// time up to the moment, and whether one is of the future.
func (q *statement) span(m flowmath.Moment) string {
	return fmt.Sprintf("SELECT reach, n > 0, late OR EXISTS (SELECT 1 FROM %s WHERE %s) FROM (%s) r",
		q.table(), q.began(m.Future(), time.Time{}), q.reach(m, ""))
}

// reachOfOthers selects the newest record of the sensors that are not named.
func (q *statement) reachOfOthers(m flowmath.Moment, names []string) string {
	where := fmt.Sprintf(" AND %s AND NOT %s = ANY(%s::text[])", q.began(m.Until().Add(-steadyDay), time.Time{}),
		q.t.sensor(q.t.columns["sensor"]), q.arg(names))
	return fmt.Sprintf("SELECT reach FROM (%s) r", q.reach(m, where))
}

// future selects the sensors that have records of the future, and the first and
// the last end of these.
func (q *statement) future(m flowmath.Moment) string {
	sensor := q.t.sensor(q.t.columns["sensor"])
	some := func(where, order string, most int) string {
		return fmt.Sprintf("(SELECT %s AS sensor, %s AS e FROM %s WHERE %s ORDER BY %s LIMIT %d)", sensor, q.ended(), q.table(), where, order, most)
	}
	after := q.began(m.Future(), time.Time{})
	rows := strings.Join([]string{
		some(after, strings.TrimSuffix(q.newestFirst(), " DESC"), someFuture), some(after, q.newestFirst(), someFuture),
		some(q.began(time.Time{}, m.Future()), q.newestFirst(), latest),
	}, " UNION ALL ")
	return fmt.Sprintf("SELECT sensor, %s, %s FROM (%s) r WHERE e > %s GROUP BY sensor", q.nanos("min(e)"), q.nanos("max(e)"), rows, q.time(m.Future()))
}

// cure is what to do where the times of the whole table are ahead.
func (s *Store) cure(t *table) string {
	if !t.local {
		return ""
	}
	return fmt.Sprintf("where the collector writes local time into the column %s, which is without a zone, set time_zone to it, such as Europe/Berlin (it is %s)",
		s.config.Columns.Start, s.config.TimeZone)
}

// lasting returns the longest duration among the flows that began last and could
// have lasted longer than the configured maximum.
func (s *Store) lasting(ctx context.Context, t *table, m flowmath.Moment) (time.Duration, error) {
	const most = 100_000
	if t.columns["end"] == "" {
		return 0, nil
	}
	q := &statement{t: t}
	start := t.columns["start"]
	query := fmt.Sprintf("SELECT max(%s) FROM (SELECT %s AS b, %s AS e FROM %s WHERE %s ORDER BY %s LIMIT %d) l",
		q.seconds("e", "b"), start, q.ended(), t.name, q.began(time.Time{}, m.Until().Add(-t.longest)), q.newestFirst(), most)
	var units *float64
	if err := s.pool.QueryRow(ctx, query, q.args...).Scan(&units); err != nil || units == nil {
		return 0, err
	}
	return time.Duration(*units / max(t.perSecond, 1) * float64(time.Second)), nil
}
