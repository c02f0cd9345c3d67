package contract

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// checkTrafficLagsInside has the host receive traffic and send none, until the store
// stops in the middle of the window.
func checkTrafficLagsInside(t testing.TB, h FlowsHarness) {
	asked := h.flow(-12*time.Minute, flowsPeer, flowsHost, 500)
	asked.BytesIn = 0
	last := h.flow(-8*time.Minute, flowsElse, flowsPeer, 1000)
	got := h.traffic(t, h.window(), asked, last)
	volumeUnknown(t, got)
	is(t, "freshness", got.Freshness, last.Start.Add(last.Duration))
	got = h.traffic(t, h.window(), asked, last, h.flow(time.Minute, flowsElse, flowsPeer, 1))
	if sent, ok := got.BytesOut.Get(); ok && sent != 0 {
		t.Errorf("bytes_out is %d, though the host only received", sent)
	}
}

// checkBaselineLags has the store stop ten hours before the baseline's end: unknown
// hours are not quiet.
func checkBaselineLags(t testing.TB, h FlowsHarness) {
	records := h.hourly(40, func(ago int) int64 {
		if ago > 10 {
			return 5000
		}
		return 0
	})
	records[len(records)-1] = h.flow(-10*time.Hour+time.Minute, flowsElse, flowsPeer, 1)
	got := h.baseline(t, h.hours(14), records)
	is(t, "buckets", got.Buckets, 30)
	is(t, "median", got.Median, 5000)
}

// checkSeriesLags has the store stop in the middle of a minute.
func checkSeriesLags(t testing.TB, h FlowsHarness) {
	last := h.flow(-5*time.Minute+30*time.Second, flowsElse, flowsPeer, 77)
	got, err := h.open(t, []incident.Flow{h.flow(-10*time.Minute, flowsHost, flowsPeer, 1000), last}).Series(t.Context(), h.window())
	h.fine(t, "series", err)
	if n := int((flowsWindow - 5*time.Minute) / time.Minute); len(got) != n {
		t.Fatalf("series has %d points, want %d: a minute of which the end is not known is not quiet", len(got), n)
	}
	if end := got[len(got)-1].At; !end.Equal(h.at().Add(-6 * time.Minute)) {
		t.Errorf("the last point is of %s, want %s", end, h.at().Add(-6*time.Minute))
	}
}
