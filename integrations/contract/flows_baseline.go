package contract

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (h FlowsHarness) baseline(t testing.TB, q integrations.BaselineQuery, records []incident.Flow) incident.Baseline {
	t.Helper()
	got, err := h.open(t, records).Baseline(t.Context(), q)
	h.fine(t, "baseline", err)
	return got
}

// hourly lays one record into the middle of each of the last n hours, except
// where bytes says zero.
func (h FlowsHarness) hourly(n int, bytes func(hoursAgo int) int64) []incident.Flow {
	var records []incident.Flow
	for i := n; i >= 1; i-- {
		if b := bytes(i); b > 0 {
			records = append(records, h.flow(-time.Duration(i)*time.Hour+30*time.Minute, flowsHost, flowsPeer, b))
		}
	}
	return append(records, h.flow(time.Minute, flowsElse, flowsPeer, 1))
}

func checkBaselineFew(t testing.TB, h FlowsHarness) {
	few := incident.MinBaselineBuckets - 1
	got := h.baseline(t, h.hours(14), h.hourly(few, func(int) int64 { return 1000 }))
	is(t, "buckets", got.Buckets, int64(few))
	for name, v := range map[string]incident.Field{
		"median": got.Median, "mad": got.MAD, "p95": got.P95, "p99": got.P99, "max": got.Max,
	} {
		notKnown(t, name, v)
	}
	got = h.baseline(t, h.hours(14), nil)
	notKnown(t, "p99 of an empty store", got.P99)
	if n, ok := got.Buckets.Get(); ok && n != 0 {
		t.Errorf("an empty store has %d buckets", n)
	}
}

func checkBaselineQuiet(t testing.TB, h FlowsHarness) {
	got := h.baseline(t, h.hours(14), h.hourly(40, func(ago int) int64 {
		if ago == 40 || ago <= 5 {
			return 7000
		}
		return 0
	}))
	is(t, "buckets", got.Buckets, 40)
	is(t, "median", got.Median, 0)
	is(t, "max", got.Max, 7000)
}

// checkBaselineStatistics uses windows for which every usual definition of a
// percentile gives the same answer. It queries fewer days than there are records:
// older ones do not count.
func checkBaselineStatistics(t testing.TB, h FlowsHarness) {
	got := h.baseline(t, h.hours(10), h.hourly(300, func(ago int) int64 {
		switch {
		case ago > 240:
			return 1_000_000
		case ago == 7:
			return 9000
		default:
			return 1000
		}
	}))
	is(t, "buckets", got.Buckets, 240)
	is(t, "median", got.Median, 1000)
	is(t, "mad", got.MAD, 0)
	is(t, "p95", got.P95, 1000)
	is(t, "p99", got.P99, 1000)
	is(t, "max", got.Max, 9000)
}

// checkBaselinePeers queries a host that is too young for a baseline of its own: its
// windows count together with those of hosts of the same role.
func checkBaselinePeers(t testing.TB, h FlowsHarness) {
	records := h.hourly(10, func(int) int64 { return 9000 })
	for i, peer := range []string{"192.0.2.21", "192.0.2.22"} {
		for ago := 20; ago >= 1; ago-- {
			records = append(records, h.flow(-time.Duration(ago)*time.Hour+30*time.Minute, peer, flowsPeer, int64(1000*(i+1))))
		}
	}
	q := h.hours(14)
	q.Peers = [][]string{{"192.0.2.21", "192.0.2.31"}, {"192.0.2.22"}, {"192.0.2.23"}}
	got := h.baseline(t, q, records)
	is(t, "buckets", got.Buckets, 50)
	is(t, "median", got.Median, 2000)
	is(t, "max", got.Max, 9000)
}
