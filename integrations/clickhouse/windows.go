package clickhouse

import (
	"context"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Series implements [integrations.Flows]. Minutes of which nothing is known are
// left out: those after the store's newest record, and those with one-way flows
// only.
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	const op = "read the series"
	h, err := flowmath.HostOf(op, q.IPs)
	if err != nil {
		return nil, err
	}
	minutes, err := flowmath.SeriesWindows(op, q)
	if err != nil {
		return nil, err
	}
	t, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	span, err := s.span(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := s.fill(ctx, t, h, minutes); err != nil {
		return nil, failed(ctx, op, err)
	}
	return minutes.Points(span), nil
}

// Baseline implements [integrations.Flows]. Windows end at To, or at the minute
// that To lies in. A window of which nothing is known is not counted: one after
// the store's newest record, or one with one-way flows only. A host that was
// not seen in the day before begins with its first record.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	const op = "read the baseline"
	empty, err := flowmath.BaselineWindows(op, q)
	if err != nil {
		return incident.Baseline{}, err
	}
	var hosts []flowmath.Host
	for _, ips := range append([][]string{q.IPs}, q.Peers...) {
		h, err := flowmath.HostOf(op, ips)
		if err != nil {
			return incident.Baseline{}, err
		}
		hosts = append(hosts, h)
	}
	t, err := s.open(ctx)
	if err != nil {
		return incident.Baseline{}, err
	}
	span, err := s.span(ctx, t)
	if err != nil {
		return incident.Baseline{}, err
	}
	var bytes []int64
	for _, h := range hosts {
		windows := empty.Empty()
		if err := s.fill(ctx, t, h, windows); err != nil {
			return incident.Baseline{}, failed(ctx, op, err)
		}
		older, err := s.before(ctx, t, h, windows.From())
		if err != nil {
			return incident.Baseline{}, failed(ctx, op, err)
		}
		bytes = append(bytes, windows.Usable(older, span.Newest)...)
	}
	return flowmath.Statistics(bytes), nil
}

// part is what a host sent in one window.
type part struct {
	window           int64
	sent             float64
	measured, oneWay int64
	several          uint8
}

// fill adds what the host sent.
func (s *Store) fill(ctx context.Context, t *table, h flowmath.Host, windows *flowmath.Windows) error {
	parts, err := s.parts(ctx, t, h, windows, false)
	if err == nil && slices.ContainsFunc(parts, func(p part) bool { return p.several > 0 }) {
		parts, err = s.parts(ctx, t, h, windows, true)
	}
	for _, p := range parts {
		windows.Sum(int(p.window), whole(p.sent), uint64(p.measured), uint64(p.oneWay))
	}
	return err
}

func (s *Store) parts(ctx context.Context, t *table, h flowmath.Host, windows *flowmath.Windows, once bool) ([]part, error) {
	st := &statement{t: t, from: windows.From(), to: windows.To()}
	st.sender(h.Addrs)
	n := int(windows.To().Sub(windows.From()) / windows.Length())
	query := st.windows(windows.Length(), n, once)
	a, err := s.query(ctx, t, query, st.args...)
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
