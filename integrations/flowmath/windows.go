package flowmath

import (
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// MaxWindows bounds the windows of one baseline, peers included, and the points
// of one series.
const MaxWindows = 1 << 20

// maxDays is how far back a baseline may reach: a century.
const maxDays = 36525

// window is what a host sent in one of several windows of equal length.
type window struct {
	bytes            int64
	measured, oneWay uint64
	// lacking reports whether a sensor has no records of some of it.
	lacking bool
}

func (w window) known() bool { return w.measured > 0 || w.oneWay == 0 && !w.lacking }

// Windows sums what one host sent in windows of equal length, side by side.
type Windows struct {
	from, length int64
	windows      []window
}

// BaselineWindows returns the empty windows of a baseline. They end at To, or at
// the minute of To. The error is an invalid one.
func BaselineWindows(op string, q integrations.BaselineQuery) (*Windows, error) {
	if q.Window < time.Minute || q.Window%time.Minute != 0 || q.Days < 1 || q.Days > maxDays || q.To.IsZero() {
		return nil, integrations.Errorf(integrations.Invalid, op,
			"%d days in windows of %s: write whole minutes, and days from 1 to 36525", q.Days, q.Window)
	}
	const day = 24 * time.Hour
	n := q.Days * int(day/time.Minute) / int(q.Window/time.Minute)
	if n < 1 || n > MaxWindows/(1+len(q.Peers)) {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d days in windows of %s are %d windows of %d hosts",
			q.Days, q.Window, n, 1+len(q.Peers))
	}
	from := q.To.Truncate(time.Minute).Add(-time.Duration(n) * q.Window)
	return &Windows{from.UnixNano(), int64(q.Window), make([]window, n)}, nil
}

// BaselineHosts reads a query for a baseline: the host, then its peers, and the
// empty windows of each. The error is an invalid one.
func BaselineHosts(op string, q integrations.BaselineQuery) ([]Host, *Windows, error) {
	empty, err := BaselineWindows(op, q)
	if err != nil {
		return nil, nil, err
	}
	hosts := make([]Host, 0, 1+len(q.Peers))
	for _, ips := range append([][]string{q.IPs}, q.Peers...) {
		h, err := HostOf(op, ips)
		if err != nil {
			return nil, nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, empty, nil
}

// SeriesWindows returns the empty minutes of a series. The error is an invalid
// one.
func SeriesWindows(op string, q integrations.TrafficQuery) (*Windows, error) {
	if err := CheckWindow(op, q.From, q.To); err != nil {
		return nil, err
	}
	from := q.From.Truncate(time.Minute)
	n := (q.To.Sub(from) + time.Minute - 1) / time.Minute
	if n > MaxWindows {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d minutes are too many", n)
	}
	return &Windows{from.UnixNano(), int64(time.Minute), make([]window, n)}, nil
}

// From is where the first window begins.
func (w *Windows) From() time.Time { return time.Unix(0, w.from).UTC() }

// To is where the last window ends.
func (w *Windows) To() time.Time {
	return time.Unix(0, w.from+w.length*int64(len(w.windows))).UTC()
}

// Length is that of each window.
func (w *Windows) Length() time.Duration { return time.Duration(w.length) }

// Empty returns the same windows without what was added.
func (w *Windows) Empty() *Windows {
	return &Windows{w.from, w.length, make([]window, len(w.windows))}
}

// Sum adds what was sent in the i-th window, and its numbers of flows of known and
// of unknown volume. Values outside of all windows are not counted.
func (w *Windows) Sum(i int, sent int64, measured, oneWay uint64) {
	if i < 0 || i >= len(w.windows) {
		return
	}
	at := &w.windows[i]
	at.bytes = Add(at.bytes, sent)
	at.measured += measured
	at.oneWay += oneWay
}

// View divides a flow over the windows.
func (w *Windows) View(v *View) {
	switch {
	case v.Measured:
		w.Spread(v, 1, 0)
	case v.OneWay:
		w.Spread(v, 0, 1)
	}
}

// Spread divides what was sent in several flows of the same times.
func (w *Windows) Spread(v *View, measured, oneWay uint64) {
	if v.Start < w.from && v.End < w.from {
		return
	}
	for i := max(0, (v.Start-w.from)/w.length); i < int64(len(w.windows)); i++ {
		begin := w.from + i*w.length
		if begin > v.End || begin == v.End && v.End > v.Start {
			return
		}
		w.Sum(int(i), v.Share(v.Sent, begin, begin+w.length), measured, oneWay)
	}
}

// Usable returns the bytes of the windows that count for a baseline: from the
// host's first record on, as far as the store reaches. Older reports whether there
// is a record of the host from before the first window. A window with one-way
// flows only is not counted: its volume is unknown.
func (w *Windows) Usable(older bool, span Span) []int64 {
	var bytes []int64
	begun := older
	for i, at := range w.windows {
		begun = begun || at.measured > 0 || at.oneWay > 0
		reached := span.reaches(w.from + int64(i+1)*w.length)
		if begun && at.known() && (at.measured > 0 || reached) {
			bytes = append(bytes, at.bytes)
		}
	}
	return bytes
}

// Points returns the windows as a series. Unknown ones are left out: quiet ones
// that end after the store's newest record, and those with one-way flows only.
func (w *Windows) Points(span Span) []incident.Point {
	var points []incident.Point
	for i, at := range w.windows {
		begin := w.from + int64(i)*w.length
		seen := at.measured > 0 || span.reaches(begin+w.length)
		if span.Records > 0 && seen && at.known() {
			points = append(points, incident.Point{At: time.Unix(0, begin).UTC(), BytesOut: at.bytes})
		}
	}
	return points
}

// Statistics returns the percentiles, by nearest rank, and the deviation of the
// bytes of windows. It sorts them.
func Statistics(bytes []int64) incident.Baseline {
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
