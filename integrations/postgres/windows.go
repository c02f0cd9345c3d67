package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

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
	base, span, err := s.ask(ctx, minutes.From(), minutes.To())
	if err != nil {
		return nil, err
	}
	if err := s.fill(ctx, base, h, minutes); err != nil {
		return nil, failed(ctx, op, err)
	}
	return minutes.Points(span), nil
}

// Baseline implements [integrations.Flows]. Windows end at To, or at the minute
// that To lies in. A window of which nothing is known is not counted: one after
// the store's newest record, or one with one-way flows only.
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
	base, span, err := s.ask(ctx, empty.From(), empty.To())
	if err != nil {
		return incident.Baseline{}, err
	}
	var bytes []int64
	for _, h := range hosts {
		windows := empty.Empty()
		if err := s.fill(ctx, base, h, windows); err != nil {
			return incident.Baseline{}, failed(ctx, op, err)
		}
		st := base.again()
		st.host(h.Addrs)
		st.sent = base.t.single
		query := st.before(0)
		var older bool
		if err := s.pool.QueryRow(ctx, query, st.args...).Scan(&older); err != nil {
			return incident.Baseline{}, failed(ctx, op, err)
		}
		bytes = append(bytes, windows.Usable(older, span.Newest)...)
	}
	return flowmath.Statistics(bytes), nil
}

// part is what a host sent in one window.
type part struct {
	window           int
	sent             float64
	measured, oneWay int64
	several          bool
}

// fill adds what the host sent.
func (s *Store) fill(ctx context.Context, base *statement, h flowmath.Host, windows *flowmath.Windows) error {
	parts, err := s.parts(ctx, base, h, windows, false)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.several {
			if parts, err = s.parts(ctx, base, h, windows, true); err != nil {
				return err
			}
			break
		}
	}
	for _, p := range parts {
		windows.Sum(p.window, whole(&p.sent), uint64(p.measured), uint64(p.oneWay))
	}
	return nil
}

func (s *Store) parts(ctx context.Context, base *statement, h flowmath.Host, windows *flowmath.Windows, once bool) ([]part, error) {
	st := base.again()
	st.host(h.Addrs)
	st.sent = true
	n := int(windows.To().Sub(windows.From()) / windows.Length())
	query := st.windows(windows.Length(), n, once)
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (part, error) {
		var p part
		err := row.Scan(&p.window, &p.sent, &p.measured, &p.oneWay, &p.several)
		return p, err
	})
}
