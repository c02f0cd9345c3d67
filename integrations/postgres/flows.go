package postgres

import (
	"context"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ask returns a statement for a window, and what the store holds.
func (s *Store) ask(ctx context.Context, from, to time.Time) (*statement, flowmath.Span, error) {
	t, err := s.open(ctx)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	span, err := s.span(ctx, t, to)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	newest := span.Newest
	if newest.IsZero() {
		newest = time.Unix(0, 0)
	}
	return &statement{t: t, from: from, to: to, newest: newest}, span, nil
}

// again returns a statement with the same window and no parameters.
func (q *statement) again() *statement {
	return &statement{t: q.t, from: q.from, to: q.to, newest: q.newest}
}

// sums returns how the table is queried for [from, to), and what it holds.
func (s *Store) sums(ctx context.Context, op string, from, to time.Time) (*flowmath.Sums, *statement, flowmath.Span, error) {
	base, span, err := s.ask(ctx, from, to)
	if err != nil {
		return nil, nil, span, err
	}
	return &flowmath.Sums{
		Asker: asker{s, base, map[netip.Addr][]string{}}, From: from, To: to, Few: s.few, MostServices: s.config.MaxRows, Single: base.t.single, Slot: time.Minute,
		Failed: func(err error) error { return failed(ctx, op, err) },
	}, base, span, nil
}

// Traffic implements [integrations.Flows]. A flow counts with its share of the
// window, by time. Of several sensors' counts of one 5-tuple in the window the
// largest is used.
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	sums, base, span, err := s.sums(ctx, op, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	t, err := sums.Traffic(ctx, h, q, span)
	if err != nil || len(t.Sample) > 0 {
		return t, err
	}
	hidden, err := s.hidden(ctx, base, h)
	switch {
	case err != nil:
		return incident.Traffic{}, failed(ctx, op, err)
	case hidden != "":
		return unfound(t, hidden), nil
	}
	return t, nil
}

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows].
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

func (s *Store) reader(ctx context.Context, op string, from, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	sums, _, span, err := s.sums(ctx, op, from, to)
	return sums, span, err
}
