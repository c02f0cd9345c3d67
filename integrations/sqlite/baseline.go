package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxWindows bounds the windows of one baseline and the points of one series.
const maxWindows = 1 << 20

// window is what a host sent in one of several windows of equal length.
type window struct {
	bytes            int64
	measured, oneWay uint64
}

func (w window) known() bool { return w.measured > 0 || w.oneWay == 0 }

// Series implements [integrations.Flows]. Minutes of which nothing is known are
// left out: those after the store's newest record, and those with one-way flows
// only.
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	const op = "read the series"
	h, err := hostOf(op, q.IPs)
	if err != nil {
		return nil, err
	}
	if err := checkTimes(op, q.From, q.To); err != nil {
		return nil, err
	}
	from := q.From.Truncate(time.Minute)
	n := int((q.To.Sub(from) + time.Minute - 1) / time.Minute)
	if n > maxWindows {
		return nil, invalid(op, "%d minutes are too many", n)
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return nil, err
	}
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return nil, err
	}
	windows, err := dbs.windows(ctx, h, from, time.Minute, n)
	if err != nil {
		return nil, failed(op, err)
	}
	var points []incident.Point
	for i, w := range windows {
		at := from.Add(time.Duration(i) * time.Minute)
		seen := w.measured > 0 || !at.After(span.Newest)
		if span.Records > 0 && seen && w.known() {
			points = append(points, incident.Point{At: at.UTC(), BytesOut: w.bytes})
		}
	}
	return points, nil
}

// Baseline implements [integrations.Flows]. Windows end at To, or at the minute
// that To lies in. A window of which nothing is known is not counted: one after
// the store's newest record, or one with one-way flows only.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	const op = "read the baseline"
	h, err := hostOf(op, q.IPs)
	if err != nil {
		return incident.Baseline{}, err
	}
	if q.Window < time.Minute || q.Window%time.Minute != 0 || q.Days < 1 || q.To.IsZero() {
		return incident.Baseline{}, invalid(op, "%d days in windows of %s: write whole minutes and at least one day", q.Days, q.Window)
	}
	to := q.To.Truncate(time.Minute)
	n := int(time.Duration(q.Days) * 24 * time.Hour / q.Window)
	if n < 1 || n > maxWindows {
		return incident.Baseline{}, invalid(op, "%d days in windows of %s are %d windows", q.Days, q.Window, n)
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return incident.Baseline{}, err
	}
	from := to.Add(-time.Duration(n) * q.Window)
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return incident.Baseline{}, err
	}
	windows, err := dbs.windows(ctx, h, from, q.Window, n)
	if err != nil {
		return incident.Baseline{}, failed(op, err)
	}
	older, err := dbs.seenBefore(ctx, h, from)
	if err != nil {
		return incident.Baseline{}, failed(op, err)
	}
	return statistics(usable(windows, older, func(i int) bool {
		return !from.Add(time.Duration(i+1) * q.Window).After(span.Newest)
	})), nil
}

// usable returns the bytes of the windows that count: from the host's first
// record on, as far as the store reaches.
func usable(windows []window, older bool, reached func(i int) bool) []int64 {
	var bytes []int64
	begun := older
	for i, w := range windows {
		begun = begun || w.measured > 0 || w.oneWay > 0
		if begun && w.known() && (w.measured > 0 || reached(i)) {
			bytes = append(bytes, w.bytes)
		}
	}
	return bytes
}

// statistics of the windows, by nearest rank.
func statistics(bytes []int64) incident.Baseline {
	b := incident.Baseline{Buckets: incident.Known(int64(len(bytes)), incident.FromFlows)}
	if len(bytes) < incident.MinBaselineBuckets {
		incident.Explain(&b, fmt.Sprintf("flows: %d windows are too few for a baseline, it takes %d", len(bytes), incident.MinBaselineBuckets))
		return b
	}
	known := func(n int64) incident.Value[int64] { return incident.Known(n, incident.Computed) }
	slices.Sort(bytes)
	median := rank(bytes, 50)
	b.Median, b.P95, b.P99 = known(median), known(rank(bytes, 95)), known(rank(bytes, 99))
	b.Max = known(bytes[len(bytes)-1])
	deviations := make([]int64, len(bytes))
	for i, n := range bytes {
		deviations[i] = max(n-median, median-n)
	}
	slices.Sort(deviations)
	b.MAD = known(rank(deviations, 50))
	return b
}

// rank returns the smallest value that percent of a hundred do not exceed.
func rank(sorted []int64, percent int) int64 {
	return sorted[(len(sorted)*percent+99)/100-1]
}

// windows sums what the host sent in n windows. Where one sensor alone saw it,
// the sums that were made when it was written are enough. Where several did,
// they may have seen the same flows, and those are read themselves.
func (p *pools) windows(ctx context.Context, h host, from time.Time, length time.Duration, n int) ([]window, error) {
	sums := summing{from: from.UnixNano(), length: int64(length), windows: make([]window, n)}
	to := sums.from + sums.length*int64(n)
	sensors := map[uint64]struct{}{}
	for _, bucket := range h.buckets() {
		err := p.eachBlock(ctx, "minutes", bucket, sums.from, to, func(first int64, data []byte) error {
			return eachMinute(data, minuteOf(first), h.has, func(m minuteSum) {
				if m.to < sums.from || m.from >= to {
					return
				}
				sensors[m.sensor] = struct{}{}
				v := view{start: m.from, end: m.to, sent: m.bytes}
				if !m.long {
					v.end = m.from // a minute lies in one window, whole
				}
				sums.spread(&v, m.measured, m.oneWay)
			})
		})
		if err != nil {
			return nil, err
		}
	}
	if len(sensors) < 2 && len(h.addrs) == 1 {
		return sums.windows, nil
	}
	clear(sums.windows)
	views, err := p.views(ctx, h, sums.from, to)
	if err != nil {
		return nil, err
	}
	for i := range views {
		v := &views[i]
		switch {
		case v.measured:
			sums.spread(v, 1, 0)
		case v.oneWay:
			sums.spread(v, 0, 1)
		}
	}
	return sums.windows, nil
}

// summing adds up flows by window.
type summing struct {
	from, length int64
	windows      []window
}

func (s *summing) spread(v *view, measured, oneWay uint64) {
	first := max(0, (v.start-s.from)/s.length)
	if v.start < s.from && v.end < s.from {
		return
	}
	for i := first; i < int64(len(s.windows)); i++ {
		begin := s.from + i*s.length
		if begin > v.end || begin == v.end && v.end > v.start {
			return
		}
		w := &s.windows[i]
		w.bytes = add(w.bytes, v.share(v.sent, begin, begin+s.length))
		w.measured += measured
		w.oneWay += oneWay
	}
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
