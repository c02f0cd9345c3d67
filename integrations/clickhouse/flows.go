package clickhouse

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ask returns the table, and what it holds that counts for a time that ends at to.
func (s *Store) ask(ctx context.Context, to time.Time) (*table, flowmath.Span, error) {
	t, err := s.open(ctx)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	span, err := s.span(ctx, t, to)
	return t, span, err
}

// sums returns how the table is queried for [from, to), and what it holds.
func (s *Store) sums(ctx context.Context, op string, from, to time.Time) (*flowmath.Sums, flowmath.Span, error) {
	t, span, err := s.ask(ctx, to)
	if err != nil {
		return nil, span, err
	}
	return &flowmath.Sums{
		Asker: asker{s, t}, From: from, To: to, Few: s.few, MostServices: s.config.MaxRows, Single: t.single, Slot: slot(from, to),
		Failed: func(err error) error { return failed(ctx, op, err) },
	}, span, nil
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
	sums, span, err := s.sums(ctx, op, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	return sums.Traffic(ctx, h, q, span)
}

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows]. A host that was not seen in the day
// before begins with its first record.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

func (s *Store) reader(ctx context.Context, op string, from, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	return s.sums(ctx, op, from, to)
}
