package contract

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// FlowsHarness opens flow stores.
type FlowsHarness struct {
	Knobs
	// OpenSeen returns a flow store with exactly the records of the sensors.
	OpenSeen func(t testing.TB, records []Seen) integrations.Flows
	// Open returns a flow store with exactly the records; without it they are those
	// of a sensor named test.
	Open func(t testing.TB, records []incident.Flow) integrations.Flows
	// Halves reports whether each direction of a flow is a record of its own.
	Halves bool
	// Moments reports whether a record has only the end of the flow.
	Moments bool
	// Uncounted reports whether records have no counts of packets.
	Uncounted bool
	// AtOnce reports whether the store has at once what is sent, and not only when a flow
	// ends or is cut.
	AtOnce bool
	// Named are the store's own names of the sensors of records, where they
	// differ.
	Named map[string]string
	// Break makes a store fail.
	Break func(integrations.Flows, Fault)
	// At is the hour around which the records are laid, for stores that keep
	// recent ones only. The zero time means a fixed one.
	At time.Time
}

// Flows checks an [integrations.Flows].
func Flows(t *testing.T, h FlowsHarness) { t.Helper(); run(t, "Flows", h, flowsChecks()) }

const (
	flowsHost    = "192.0.2.10"
	flowsHost2   = "192.0.2.11" // the same host's second address
	flowsElse    = "192.0.2.99" // another host
	flowsPeer    = "198.51.100.1"
	flowsWindow  = 15 * time.Minute
	flowsSeconds = int64(flowsWindow / time.Second)
)

func flowsChecks() []check[FlowsHarness] {
	return slices.Concat([]check[FlowsHarness]{
		{"traffic sums what left the host in the window", checkTrafficSums},
		{"traffic of several addresses is one host's", checkTrafficAddresses},
		{"top is bounded, the largest first", checkTrafficTop},
		{"the sample shows the flows with their ports", checkTrafficSample},
		{"the sample names the host's end first", checkTrafficSampleAnswer},
		{"top is bounded, the sums are not", checkTrafficBounds},
		{"a flow counts for its share of the window", checkTrafficShare},
		{"an empty store knows nothing", checkTrafficEmpty},
		{"a store that lags knows nothing", checkTrafficLags},
		{"a store that lags knows no zero", checkTrafficLagsInside},
		{"a quiet host is a known zero", checkTrafficQuiet},
		{"one-way volume is unknown", checkTrafficOneWay},
		{"a peer outside whose volume was not seen is a peer outside", checkTrafficUnseenPeer},
		{"the role depends on the limits of the query", checkTrafficLimits},
		{"a baseline of few windows is unknown", checkBaselineFew},
		{"a baseline counts quiet windows from the first record on", checkBaselineQuiet},
		{"a baseline has the percentiles and the deviation", checkBaselineStatistics},
		{"a baseline counts the windows of peers", checkBaselinePeers},
		{"a baseline counts no window that the store does not reach", checkBaselineLags},
		{"a series has every minute", checkSeries},
		{"a series ends with what the store knows", checkSeriesLags},
		{"a query without address or time is invalid", checkFlowsInvalid},
	}, reportChecks(), sensorChecks(), clockChecks(), counterChecks(), faultChecks(func(t testing.TB, h FlowsHarness) (func(Fault), []call) {
		f := h.open(t, []incident.Flow{h.flow(-time.Minute, flowsHost, flowsPeer, 1000)})
		var breakIt func(Fault)
		if h.Break != nil {
			breakIt = func(fault Fault) { h.Break(f, fault) }
		}
		return breakIt, []call{
			{"traffic", false, func(ctx context.Context) error { _, err := f.Traffic(ctx, h.window()); return err }},
			{"baseline", false, func(ctx context.Context) error { _, err := f.Baseline(ctx, h.hours(2)); return err }},
			{"series", false, func(ctx context.Context) error { _, err := f.Series(ctx, h.window()); return err }},
		}
	}))
}

func (h FlowsHarness) open(t testing.TB, records []incident.Flow) integrations.Flows {
	t.Helper()
	if h.Open != nil {
		return h.Open(t, records)
	}
	seen := make([]Seen, len(records))
	for i, f := range records {
		seen[i] = Seen{Flow: f, Sensor: "test", Sampling: 1}
	}
	return h.OpenSeen(t, seen)
}

// at is the end of the window of every check.
func (h FlowsHarness) at() time.Time {
	if h.At.IsZero() {
		return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	}
	return h.At.UTC().Truncate(time.Hour)
}

func (h FlowsHarness) window() integrations.TrafficQuery {
	return integrations.TrafficQuery{IPs: []string{flowsHost}, From: h.at().Add(-flowsWindow), To: h.at(), Top: 10}
}

// hours is a query for a baseline of hourly windows.
func (h FlowsHarness) hours(days int) integrations.BaselineQuery {
	return integrations.BaselineQuery{IPs: []string{flowsHost}, To: h.at(), Days: days, Window: time.Hour}
}

// flow is a record of one second that starts so long before or after the
// window's end.
func (h FlowsHarness) flow(start time.Duration, src, dst string, bytes int64) incident.Flow {
	return incident.Flow{
		Start: h.at().Add(start), Duration: time.Second,
		Tuple:    incident.Tuple{SrcIP: src, SrcPort: 50000, DstIP: dst, DstPort: 53, Transport: "udp"},
		BytesOut: bytes, BytesIn: bytes / 10, PacketsOut: 4,
	}
}

func (h FlowsHarness) traffic(t testing.TB, q integrations.TrafficQuery, records ...incident.Flow) incident.Traffic {
	t.Helper()
	got, err := h.open(t, records).Traffic(t.Context(), q)
	h.fine(t, "traffic", err)
	return got
}

// is fails unless the value is known and as wanted.
func is[T comparable](t testing.TB, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

// notKnown fails unless the value is unknown, with a reason.
func notKnown(t testing.TB, what string, v incident.Field) {
	t.Helper()
	switch value, from, why := v.Any(); {
	case from != incident.Unknown:
		t.Errorf("%s is %v, want unknown", what, value)
	case why == "":
		t.Errorf("%s is unknown without a reason", what)
	}
}

func checkTrafficSums(t testing.TB, h FlowsHarness) {
	got := h.traffic(t, h.window(),
		h.flow(-flowsWindow-time.Minute, flowsHost, flowsPeer, 111), // before
		h.flow(-flowsWindow, flowsHost, flowsPeer, 1000),            // the window's first moment
		h.flow(-5*time.Minute, flowsHost, flowsPeer, 2000),
		h.flow(-time.Minute, flowsHost, "198.51.100.2", 6000),
		h.flow(0, flowsHost, flowsPeer, 222), // the moment after
		h.flow(-time.Minute, flowsElse, flowsPeer, 333),
	)
	is(t, "bytes_out", got.BytesOut, 9000)
	is(t, "bytes_in", got.BytesIn, 900)
	h.packets(t, got, 12)
	is(t, "flows", got.Flows, 3)
	is(t, "destinations", got.Destinations, 2)
	is(t, "rate", got.Rate, 9000*8/flowsSeconds)
	is(t, "window", got.Window, flowsWindow)
	if fresh, ok := got.Freshness.Get(); !ok || fresh.Before(h.at()) || fresh.After(h.at().Add(time.Second)) {
		t.Errorf("freshness is %v, want the newest record's time, %s", got.Freshness, h.at())
	}
	if from := got.BytesOut.From(); from != incident.FromFlows {
		t.Errorf("bytes_out comes from %q, want %q", from, incident.FromFlows)
	}
}

func checkTrafficAddresses(t testing.TB, h FlowsHarness) {
	q := h.window()
	q.IPs = []string{flowsHost, flowsHost2}
	got := h.traffic(t, q,
		h.flow(-2*time.Minute, flowsHost, flowsPeer, 1000),
		h.flow(-time.Minute, flowsHost2, flowsPeer, 2000),
		h.flow(time.Minute, flowsElse, flowsPeer, 1),
	)
	is(t, "bytes_out", got.BytesOut, 3000)
	is(t, "destinations", got.Destinations, 1)
}

func checkTrafficTop(t testing.TB, h FlowsHarness) {
	q := h.window()
	q.Top = 2
	got := h.traffic(t, q,
		h.flow(-4*time.Minute, flowsHost, "198.51.100.3", 500),
		h.flow(-3*time.Minute, flowsHost, "198.51.100.2", 3000),
		h.flow(-2*time.Minute, flowsHost, "198.51.100.1", 2000),
		h.flow(-time.Minute, flowsHost, "198.51.100.1", 2000),
		h.flow(time.Minute, flowsElse, flowsPeer, 1),
	)
	want := []incident.TopFlow{
		{IP: "198.51.100.1", Port: 53, Transport: "udp", Bytes: 4000, Packets: h.counts(8), Flows: 2},
		{IP: "198.51.100.2", Port: 53, Transport: "udp", Bytes: 3000, Packets: h.counts(4), Flows: 1},
	}
	if top, ok := got.Top.Get(); !ok || !slices.Equal(top, want) {
		t.Errorf("top is %v, want %v", got.Top, want)
	}
	is(t, "destinations", got.Destinations, 3)
}

func checkTrafficSample(t testing.TB, h FlowsHarness) {
	want := h.flow(-2*time.Minute, flowsHost, flowsPeer, 2000)
	got := h.traffic(t, h.window(), want, h.flow(time.Minute, flowsElse, flowsPeer, 1))
	if h.Moments {
		want.Start = want.Start.Add(want.Duration)
	}
	if len(got.Sample) != 1 || got.Sample[0].Tuple != want.Tuple || !got.Sample[0].Start.Equal(want.Start) {
		t.Errorf("sample is %+v, want the flow %+v", got.Sample, want)
	}
}

// checkTrafficSampleAnswer lays a flow that the peer opened: the host sent from the
// port that was asked.
func checkTrafficSampleAnswer(t testing.TB, h FlowsHarness) {
	asked := h.flow(-2*time.Minute, flowsPeer, flowsHost, 100)
	asked.BytesIn = 4000
	got := h.traffic(t, h.window(), asked, h.flow(time.Minute, flowsElse, flowsPeer, 1))
	is(t, "bytes_out", got.BytesOut, 4000)
	is(t, "bytes_in", got.BytesIn, 100)
	own := incident.Tuple{SrcIP: flowsHost, SrcPort: asked.DstPort, DstIP: flowsPeer, DstPort: asked.SrcPort, Transport: "udp"}
	if len(got.Sample) != 1 || got.Sample[0].Tuple != own || got.Sample[0].BytesOut != 4000 {
		t.Errorf("sample is %+v, want 4000 bytes of %+v", got.Sample, own)
	}
}

func checkTrafficBounds(t testing.TB, h FlowsHarness) {
	const peers = 200
	var records []incident.Flow
	for i := range peers {
		records = append(records, h.flow(-time.Minute, flowsHost, fmt.Sprintf("198.51.100.%d", i+1), int64(1000+i)))
	}
	q := h.window()
	q.Top = 3
	got := h.traffic(t, q, append(records, h.flow(time.Minute, flowsElse, flowsPeer, 1))...)
	if top, _ := got.Top.Get(); len(top) != q.Top || top[0].Bytes != 1000+peers-1 {
		t.Errorf("top is %v, want the %d largest", got.Top, q.Top)
	}
	is(t, "destinations", got.Destinations, peers)
	is(t, "bytes_out", got.BytesOut, peers*1000+peers*(peers-1)/2)
}

// checkTrafficShare lays flows over the window's edges. The one that goes on after
// the window is what a host is doing at this moment.
func checkTrafficShare(t testing.TB, h FlowsHarness) {
	for _, tt := range []struct {
		name             string
		start, length    time.Duration
		bytes, low, high int64
	}{
		{"that began before", -flowsWindow - 30*time.Second, time.Minute, 6000, 2900, 3100},
		{"that goes on", -30 * time.Second, time.Minute, 6000, 2900, 3100},
		{"longer than the window", -time.Hour, 90 * time.Minute, 5_400_000, 890_000, 910_000},
	} {
		long := h.flow(tt.start, flowsHost, flowsPeer, tt.bytes)
		long.Duration = tt.length
		records := []incident.Flow{long, h.flow(time.Hour, flowsElse, flowsPeer, 1)}
		got := h.traffic(t, h.window(), records...)
		if n, ok := got.BytesOut.Get(); !ok || n < tt.low || n > tt.high {
			t.Errorf("bytes_out of a flow %s is %v, want %d to %d of its %d", tt.name, got.BytesOut, tt.low, tt.high, tt.bytes)
		}
		points, err := h.open(t, records).Series(t.Context(), h.window())
		h.fine(t, "series", err)
		var sum int64
		for _, p := range points {
			sum += p.BytesOut
		}
		if sum < tt.low || sum > tt.high {
			t.Errorf("the series of a flow %s adds up to %d, want %d to %d", tt.name, sum, tt.low, tt.high)
		}
	}
}

func checkTrafficEmpty(t testing.TB, h FlowsHarness) {
	got := h.traffic(t, h.window())
	volumeUnknown(t, got)
	notKnown(t, "flows", got.Flows)
	notKnown(t, "freshness", got.Freshness)
	points, err := h.open(t, nil).Series(t.Context(), h.window())
	h.fine(t, "series", err)
	if len(points) != 0 {
		t.Errorf("series has %d points, though the store is empty", len(points))
	}
}

func checkTrafficLags(t testing.TB, h FlowsHarness) {
	got := h.traffic(t, h.window(), h.flow(-2*time.Hour, flowsElse, flowsPeer, 1000))
	volumeUnknown(t, got)
	notKnown(t, "flows", got.Flows)
	is(t, "freshness", got.Freshness, h.at().Add(-2*time.Hour+time.Second))
}

func checkTrafficQuiet(t testing.TB, h FlowsHarness) {
	got := h.traffic(t, h.window(), h.flow(time.Minute, flowsElse, flowsPeer, 1000))
	is(t, "bytes_out", got.BytesOut, 0)
	is(t, "rate", got.Rate, 0)
	is(t, "flows", got.Flows, 0)
}

// checkTrafficUnseenPeer applies to stores of one record a direction too: there the
// ports decide who opened a flow of which only the answer was seen.
func checkTrafficUnseenPeer(t testing.TB, h FlowsHarness) {
	unseen := h.flow(-2*time.Minute, flowsHost, flowsPeer, -1)
	unseen.Transport, unseen.DstPort, unseen.BytesIn, unseen.PacketsOut = "tcp", 443, 100_000, -1
	broadcast := h.flow(-time.Minute, flowsHost, "255.255.255.255", 400)
	broadcast.DstPort, broadcast.BytesIn = 137, 0
	got := h.traffic(t, h.window(), unseen, broadcast, h.flow(time.Minute, flowsElse, flowsPeer, 1))
	is(t, "role", got.Role, string(incident.UnknownRole))
	top, _ := got.Top.Get()
	for i, f := range top {
		if broadcast := i == 0; f.Unseen == broadcast || broadcast != (f.Bytes == 400) {
			t.Errorf("place %d at the top is %+v, want the broadcast's 400 bytes first, and nothing else of known volume", i+1, f)
		}
	}
	if len(top) == 0 {
		t.Error("the broadcast is not at the top")
	}
}

func checkTrafficOneWay(t testing.TB, h FlowsHarness) {
	f := h.flow(-time.Minute, flowsHost, flowsPeer, -1)
	f.BytesIn, f.PacketsOut = 5000, -1
	got := h.traffic(t, h.window(), f, h.flow(time.Minute, flowsElse, flowsPeer, 1))
	volumeUnknown(t, got)
	is(t, "flows", got.Flows, 1)
	is(t, "coverage", got.Coverage, string(incident.OneWay))
}

func checkTrafficLimits(t testing.TB, h FlowsHarness) {
	sent := h.flow(-10*time.Minute, flowsHost, flowsPeer, 4<<20)
	is(t, "role by the default limits", h.traffic(t, h.window(), sent).Role, string(incident.Transfer))
	higher := traffic.DefaultRoleLimits()
	higher.TransferBytes = 1 << 30
	q := h.window()
	q.Limits = &higher
	is(t, "role of less than the query's limit", h.traffic(t, q, sent).Role, string(incident.UnknownRole))
}

func checkSeries(t testing.TB, h FlowsHarness) {
	q := h.window()
	got, err := h.open(t, []incident.Flow{
		h.flow(-10*time.Minute, flowsHost, flowsPeer, 1000),
		h.flow(-10*time.Minute+20*time.Second, flowsHost, flowsPeer, 500),
		h.flow(-time.Minute, flowsHost, flowsPeer, 3000),
		h.flow(-time.Minute, flowsElse, flowsPeer, 77),
		h.flow(0, flowsHost, flowsPeer, 222),
	}).Series(t.Context(), q)
	h.fine(t, "series", err)
	want := map[time.Duration]int64{-10 * time.Minute: 1500, -time.Minute: 3000}
	if n := int(flowsWindow / time.Minute); len(got) != n {
		t.Fatalf("series has %d points, want %d", len(got), n)
	}
	for i, p := range got {
		ago := -flowsWindow + time.Duration(i)*time.Minute
		if !p.At.Equal(h.at().Add(ago)) || p.BytesOut != want[ago] {
			t.Errorf("point %d is %d bytes at %s, want %d at %s", i, p.BytesOut, p.At, want[ago], h.at().Add(ago))
		}
	}
}

func checkFlowsInvalid(t testing.TB, h FlowsHarness) {
	f := h.open(t, []incident.Flow{h.flow(-time.Minute, flowsHost, flowsPeer, 1000)})
	nobody, never := h.window(), h.window()
	nobody.IPs = nil
	never.From = never.To
	for name, q := range map[string]integrations.TrafficQuery{"no address": nobody, "no time": never} {
		_, err := f.Traffic(t.Context(), q)
		h.want(t, "traffic of "+name, err, integrations.Invalid)
		_, err = f.Series(t.Context(), q)
		h.want(t, "series of "+name, err, integrations.Invalid)
	}
	_, err := f.Baseline(t.Context(), integrations.BaselineQuery{To: h.at(), Days: 14, Window: time.Hour})
	h.want(t, "baseline of no address", err, integrations.Invalid)
	_, err = f.Baseline(t.Context(), integrations.BaselineQuery{IPs: []string{flowsHost}, To: h.at(), Days: 14})
	h.want(t, "baseline of no window", err, integrations.Invalid)
	_, err = f.Baseline(t.Context(), integrations.BaselineQuery{
		IPs: []string{flowsHost}, Peers: [][]string{{}}, To: h.at(), Days: 14, Window: time.Hour,
	})
	h.want(t, "baseline with a peer of no address", err, integrations.Invalid)
	_, err = f.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.10' OR '1'='1"}, From: h.at().Add(-flowsWindow), To: h.at()})
	h.want(t, "traffic of an invalid address", err, integrations.Invalid)
}
