package contract

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func clockChecks() []check[FlowsHarness] {
	return []check[FlowsHarness]{
		{"a record of the future makes no store fresh", checkClockFuture},
		{"a sensor that is ahead in all that it records proves nothing", checkClockSteady},
		{"a record of the future does not blind a live sensor", checkClockSingle},
		{"a quiet host of a live sensor is a known zero", checkClockQuiet},
	}
}

// checkClockFuture has one sensor stop two hours ago, and another write a record of
// the future.
func checkClockFuture(t testing.TB, h FlowsHarness) {
	stopped := Seen{h.flow(-2*time.Hour, flowsElse, flowsPeer, 1000), "north", 1}
	ahead := Seen{h.flow(8*time.Hour, "192.0.2.77", flowsPeer, 1400), "south", 1}
	f := h.OpenSeen(t, []Seen{stopped, ahead})
	got, err := f.Traffic(t.Context(), h.window())
	h.fine(t, "traffic", err)
	volumeUnknown(t, got)
	notKnown(t, "flows", got.Flows)
	newest := stopped.Start.Add(stopped.Duration)
	is(t, "freshness", got.Freshness, newest)
	points, err := f.Series(t.Context(), h.window())
	h.fine(t, "series", err)
	if len(points) != 0 {
		t.Errorf("the series has %d points of an unknown time", len(points))
	}
	if surveyor, ok := f.(integrations.Surveyor); ok {
		s, err := surveyor.Survey(t.Context(), h.at().Add(-flowsWindow), h.at())
		h.fine(t, "survey", err)
		if !s.Newest.Equal(newest) {
			t.Errorf("the newest record of the survey is of %s, want %s", s.Newest, newest)
		}
	}
}

// minutely is a sensor's records of other hosts, every minute from one time to
// another.
func (h FlowsHarness) minutely(sensor string, from, to time.Time) []Seen {
	var records []Seen
	for at := from; !at.After(to); at = at.Add(time.Minute) {
		records = append(records, Seen{h.flow(at.Sub(h.at()), flowsElse, flowsPeer, 1000), sensor, 1})
	}
	return records
}

// now queries what the host sent until now.
func (h FlowsHarness) now(t testing.TB, now time.Time, records []Seen) (incident.Traffic, incident.Survey) {
	t.Helper()
	f := h.OpenSeen(t, records)
	got, err := f.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{flowsHost}, From: now.Add(-flowsWindow), To: now, Top: 10})
	h.fine(t, "traffic", err)
	s, err := surveyor(t, f).Survey(t.Context(), now.Add(-flowsWindow), now)
	h.fine(t, "survey", err)
	return got, s
}

// ahead fails unless the clock of the sensor, and of no other, is reported as ahead.
func (h FlowsHarness) ahead(t testing.TB, clocks []incident.FastClock, sensor string, steady bool) {
	t.Helper()
	if len(clocks) != 1 || clocks[0].Sensor != h.named(sensor) || clocks[0].Steady != steady || clocks[0].Ahead < 50*time.Minute {
		t.Errorf("the clocks that are ahead are %+v, want that of %s, steadily: %v", clocks, h.named(sensor), steady)
	}
}

// checkClockSteady gives the live sensor a clock that is an hour ahead: its records
// of the window were written an hour ago.
func checkClockSteady(t testing.TB, h FlowsHarness) {
	now := time.Now().UTC().Truncate(time.Second)
	got, s := h.now(t, now, append(h.minutely("north", now.Add(-150*time.Minute), now.Add(-2*time.Hour)),
		h.minutely("south", now.Add(-30*time.Minute), now.Add(time.Hour))...))
	volumeUnknown(t, got)
	h.ahead(t, got.FastClocks, "south", true)
	h.ahead(t, s.FastClocks, "south", true)
	if newest := now.Add(-2*time.Hour + time.Second); !s.Newest.Equal(newest) {
		t.Errorf("the newest record is of %s, want that of the sensor whose clock is right, %s", s.Newest, newest)
	}
}

// checkClockSingle has one of a live sensor's records of the future.
func checkClockSingle(t testing.TB, h FlowsHarness) {
	now := time.Now().UTC().Truncate(time.Second)
	records := h.minutely("north", now.Add(-30*time.Minute), now.Add(-2*time.Minute))
	last := records[len(records)-1]
	got, s := h.now(t, now, append(records, h.minutely("north", now.Add(8*time.Hour), now.Add(8*time.Hour))...))
	is(t, "bytes_out", got.BytesOut, 0)
	is(t, "freshness", got.Freshness, last.Start.Add(last.Duration))
	h.ahead(t, got.FastClocks, "north", false)
	h.ahead(t, s.FastClocks, "north", false)
}

// checkClockQuiet queries a host without flows: the newest record of a live sensor
// is always a little older than the moment.
func checkClockQuiet(t testing.TB, h FlowsHarness) {
	for _, ago := range []time.Duration{time.Second, 54 * time.Second, incident.LagTolerance} {
		got := h.traffic(t, h.window(), h.flow(-ago-time.Second, flowsElse, flowsPeer, 1000))
		is(t, "bytes_out, newest record "+ago.String()+" old", got.BytesOut, 0)
		is(t, "rate", got.Rate, 0)
		is(t, "flows", got.Flows, 0)
	}
	got := h.traffic(t, h.window(), h.flow(-incident.LagTolerance-3*time.Second, flowsElse, flowsPeer, 1000))
	volumeUnknown(t, got)
	if why := got.BytesOut.Why(); why != "flows: newest record is 5m2s old" {
		t.Errorf("bytes_out is unknown because of %q", why)
	}
}

func counterChecks() []check[FlowsHarness] {
	return []check[FlowsHarness]{
		{"a flow without packets was not seen", checkNoPackets},
		{"a counter that was left out is not a zero", checkLeftOut},
		{"a sampling rate of 0 is not said", checkNoRate},
	}
}

// blank is a flow for which the exporter has no counts.
func (h FlowsHarness) blank(start time.Duration) incident.Flow {
	f := h.flow(start, flowsHost, flowsPeer, 0)
	f.BytesIn, f.PacketsOut = 0, 0
	return f
}

func checkNoPackets(t testing.TB, h FlowsHarness) {
	got := h.trafficSeen(t, Seen{h.blank(-3 * time.Minute), "north", 1}, Seen{h.blank(-time.Minute), "north", 1})
	volumeUnknown(t, got)
	notKnown(t, "bytes_in", got.BytesIn)
	notKnown(t, "packets_out", got.PacketsOut)
	is(t, "coverage", got.Coverage, string(incident.OneWay))
	if n, _ := got.Flows.Get(); n == 0 {
		t.Errorf("flows is %v, want those that were recorded", got.Flows)
	}
	got = h.trafficSeen(t, Seen{h.blank(-3 * time.Minute), "north", 1}, Seen{h.counted(-time.Minute), "north", 1})
	is(t, "bytes_out of a flow that was counted, and of one that was not", got.BytesOut, 1000)
	is(t, "coverage", got.Coverage, string(incident.OneWay))
	h.blind(t, Seen{h.blank(-time.Minute), "north", 1})
}

// counted is a flow of another service than the blank one's.
func (h FlowsHarness) counted(start time.Duration) incident.Flow {
	f := h.flow(start, flowsHost, flowsPeer, 1000)
	f.SrcPort, f.DstPort = 50001, 443
	return f
}

// blind fails unless the survey reports that the sensor has no volumes, and no
// window of the baseline counts as quiet.
func (h FlowsHarness) blind(t testing.TB, records ...Seen) {
	t.Helper()
	s := h.survey(t, records...)
	if len(s.Sensors) != 1 || !s.Sensors[0].OneWay || s.Coverage != incident.OneWay {
		t.Errorf("the survey is %+v, want one sensor without volumes", s)
	}
	b, err := h.OpenSeen(t, records).Baseline(t.Context(), h.hours(1))
	h.fine(t, "baseline", err)
	is(t, "buckets", b.Buckets, 0)
}

func checkLeftOut(t testing.TB, h FlowsHarness) {
	f := h.counted(-time.Minute)
	f.PacketsOut = 0
	got := h.trafficSeen(t, Seen{f, "north", 1})
	is(t, "bytes_out without packets", got.BytesOut, 1000)
	notKnown(t, "packets_out", got.PacketsOut)
	f = h.counted(-time.Minute)
	f.BytesOut = 0
	volumeUnknown(t, h.trafficSeen(t, Seen{f, "north", 1}))
}

func checkNoRate(t testing.TB, h FlowsHarness) {
	got := h.trafficSeen(t, Seen{h.counted(-2 * time.Minute), "north", 0})
	volumeUnknown(t, got)
	if why := got.BytesOut.Why(); why != "flows: sampling not known: the sensor does not say its rate" {
		t.Errorf("bytes_out is unknown because of %q", why)
	}
	is(t, "coverage", got.Coverage, string(incident.OneWay))
	said := h.flow(-time.Minute, flowsHost, "198.51.100.2", 50)
	got = h.trafficSeen(t, Seen{h.counted(-2 * time.Minute), "north", 0}, Seen{said, "north", 1000})
	is(t, "bytes_out of what was said", got.BytesOut, 50_000)
	is(t, "coverage", got.Coverage, string(incident.OneWay))
	h.blind(t, Seen{h.counted(-time.Minute), "north", 0})
}
