package clickhouse

import (
	"context"
	"errors"
	"maps"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	resultset "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// errNoRow reports that a query that must return one row returned none.
var errNoRow = errors.New("the server answered without a row")

// with returns the context of one query. The driver turns a deadline into a
// setting, which a locked user may not set: for such a user the deadline only
// ends the call.
func (t *table) with(ctx context.Context) (context.Context, func()) {
	if !t.locked {
		return driver.Context(ctx, driver.WithSettings(maps.Clone(t.settings))), func() {}
	}
	free, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return free, func() {
		stop()
		cancel(nil)
	}
}

// answer is the rows of one query.
type answer struct {
	rows resultset.Rows
	done func()
}

func (s *Store) query(ctx context.Context, t *table, query string, args ...any) (*answer, error) {
	type result struct {
		rows resultset.Rows
		err  error
	}
	asked, done := t.with(ctx)
	got := make(chan result, 1)
	go func() {
		rows, err := s.conn.Query(asked, query, args...)
		got <- result{rows, err}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			done()
			return nil, r.err
		}
		return &answer{r.rows, done}, nil
	case <-ctx.Done():
		// The driver does not give up while it shakes hands; its own timeout
		// ends that.
		go func() {
			if r := <-got; r.err == nil {
				_ = r.rows.Close()
			}
			done()
		}()
		return nil, context.Cause(ctx)
	}
}

// Scan reads the current row.
func (a *answer) Scan(dest ...any) error { return a.rows.Scan(dest...) }

// each calls visit for every row, and closes the answer.
func each(a *answer, visit func() error) error {
	defer a.done()
	for a.rows.Next() {
		if err := visit(); err != nil {
			_ = a.rows.Close()
			return err
		}
	}
	if err := a.rows.Err(); err != nil {
		_ = a.rows.Close()
		return err
	}
	return a.rows.Close()
}

// one reads the first row of an answer.
func (s *Store) one(ctx context.Context, t *table, query string, args []any, dest ...any) error {
	a, err := s.query(ctx, t, query, args...)
	if err != nil {
		return err
	}
	found := false
	err = each(a, func() error {
		if found {
			return nil
		}
		found = true
		return a.Scan(dest...)
	})
	if err == nil && !found {
		return errNoRow
	}
	return err
}
