package clickhouse

import (
	"context"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows]. A host that was not seen in the day
// before begins with its first record.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

// windowReader asks the table for one question.
type windowReader struct {
	store *Store
	op    string
	t     *table
}

func (s *Store) reader(ctx context.Context, op string, _, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	t, span, err := s.ask(ctx, to)
	return &windowReader{s, op, t}, span, err
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	older, err := s.store.before(ctx, s.t, h, at)
	if err != nil {
		return false, failed(ctx, s.op, err)
	}
	return older, nil
}

// part is what a host sent in one window.
type part struct {
	window           int64
	sent             float64
	measured, oneWay int64
	several          uint8
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, windows *flowmath.Windows) error {
	parts, err := s.parts(ctx, h, windows, false)
	if err == nil && slices.ContainsFunc(parts, func(p part) bool { return p.several > 0 }) {
		parts, err = s.parts(ctx, h, windows, true)
	}
	if err != nil {
		return failed(ctx, s.op, err)
	}
	for _, p := range parts {
		windows.Sum(int(p.window), flowmath.Whole(p.sent), uint64(p.measured), uint64(p.oneWay))
	}
	return nil
}

func (s *windowReader) parts(ctx context.Context, h flowmath.Host, windows *flowmath.Windows, once bool) ([]part, error) {
	st := &statement{t: s.t, from: windows.From(), to: windows.To()}
	st.sender(h.Addrs)
	n := int(windows.To().Sub(windows.From()) / windows.Length())
	query := st.windows(windows.Length(), n, once)
	a, err := s.store.query(ctx, s.t, query, st.args...)
	if err != nil {
		return nil, err
	}
	var parts []part
	err = each(a, func() error {
		var p part
		err := a.Scan(&p.window, &p.sent, &p.measured, &p.oneWay, &p.several)
		parts = append(parts, p)
		return err
	})
	return parts, err
}
