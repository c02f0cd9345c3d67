package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows].
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

// windowReader asks the table for one question.
type windowReader struct {
	store *Store
	op    string
	base  *statement
}

func (s *Store) reader(ctx context.Context, op string, from, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	base, span, err := s.ask(ctx, from, to)
	return &windowReader{s, op, base}, span, err
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	st := s.base.again()
	st.from = at
	st.host(h.Addrs)
	st.sent = s.base.t.single
	query := st.before(0)
	var older bool
	if err := s.store.pool.QueryRow(ctx, query, st.args...).Scan(&older); err != nil {
		return false, failed(ctx, s.op, err)
	}
	return older, nil
}

// part is what a host sent in one window.
type part struct {
	window           int
	sent             float64
	measured, oneWay int64
	several          bool
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, windows *flowmath.Windows) error {
	parts, err := s.parts(ctx, h, windows, false)
	if err == nil && slices.ContainsFunc(parts, func(p part) bool { return p.several }) {
		parts, err = s.parts(ctx, h, windows, true)
	}
	if err != nil {
		return failed(ctx, s.op, err)
	}
	for _, p := range parts {
		windows.Sum(p.window, flowmath.Whole(p.sent), uint64(p.measured), uint64(p.oneWay))
	}
	return nil
}

func (s *windowReader) parts(ctx context.Context, h flowmath.Host, windows *flowmath.Windows, once bool) ([]part, error) {
	st := s.base.again()
	st.host(h.Addrs)
	st.sent = true
	n := int(windows.To().Sub(windows.From()) / windows.Length())
	query := st.windows(windows.Length(), n, once)
	rows, err := s.store.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (part, error) {
		var p part
		err := row.Scan(&p.window, &p.sent, &p.measured, &p.oneWay, &p.several)
		return p, err
	})
}
