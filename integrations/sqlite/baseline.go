package sqlite

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Series implements [integrations.Flows]. Minutes of which nothing is known are
// left out: those after the store's newest record, and those with one-way flows
// only.
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	const op = "read the series"
	h, err := hostOf(op, q.IPs)
	if err != nil {
		return nil, err
	}
	minutes, err := flowmath.SeriesWindows(op, q)
	if err != nil {
		return nil, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return nil, err
	}
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return nil, err
	}
	if minutes, err = dbs.windows(ctx, h, minutes); err != nil {
		return nil, failed(op, err)
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
	var hosts []host
	for _, ips := range append([][]string{q.IPs}, q.Peers...) {
		h, err := hostOf(op, ips)
		if err != nil {
			return incident.Baseline{}, err
		}
		hosts = append(hosts, h)
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return incident.Baseline{}, err
	}
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return incident.Baseline{}, err
	}
	var bytes []int64
	for _, h := range hosts {
		windows, err := dbs.windows(ctx, h, empty.Empty())
		if err != nil {
			return incident.Baseline{}, failed(op, err)
		}
		older, err := dbs.seenBefore(ctx, h, windows.From())
		if err != nil {
			return incident.Baseline{}, failed(op, err)
		}
		bytes = append(bytes, windows.Usable(older, span.Newest)...)
	}
	return flowmath.Statistics(bytes), nil
}

// windows fills the windows with what the host sent. Where one sensor alone saw
// it, the sums that were made when it was written are enough. Where several
// did, they may have seen the same flows, and those are read themselves.
func (p *pools) windows(ctx context.Context, h host, windows *flowmath.Windows) (*flowmath.Windows, error) {
	from, to := windows.From().UnixNano(), windows.To().UnixNano()
	sensors := map[uint64]struct{}{}
	for _, bucket := range h.buckets() {
		err := p.eachBlock(ctx, "minutes", bucket, from, to, func(first int64, data []byte) error {
			return eachMinute(data, minuteOf(first), h.has, func(m minuteSum) {
				if m.to < from || m.from >= to {
					return
				}
				sensors[m.sensor] = struct{}{}
				v := flowmath.View{Start: m.from, End: m.to, Sent: m.bytes}
				if !m.long {
					v.End = m.from // a minute lies in one window, whole
				}
				windows.Spread(&v, m.measured, m.oneWay)
			})
		})
		if err != nil {
			return nil, err
		}
	}
	if len(sensors) < 2 && len(h.addrs) == 1 {
		return windows, nil
	}
	windows = windows.Empty()
	views, err := p.views(ctx, h, from, to)
	if err != nil {
		return nil, err
	}
	for i := range views {
		windows.View(&views[i])
	}
	return windows, nil
}

// seenBefore tells whether the store holds a record of the host from before a
// time.
func (p *pools) seenBefore(ctx context.Context, h host, at time.Time) (bool, error) {
	found := false
	for _, bucket := range h.buckets() {
		err := p.eachBlock(ctx, "minutes", bucket, -1<<63, at.UnixNano(), func(first int64, data []byte) error {
			err := eachMinute(data, minuteOf(first), h.has, func(m minuteSum) {
				found = found || m.from < at.UnixNano()
			})
			if err == nil && found {
				return errFound
			}
			return err
		})
		if found {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
