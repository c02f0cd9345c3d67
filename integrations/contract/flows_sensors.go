package contract

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Seen is one sensor's record of a flow. Its counters are as the sensor
// wrote them: with a Sampling of n, of one packet in n.
type Seen struct {
	incident.Flow
	Sensor   string
	Sampling int64
}

func sensorChecks() []check[FlowsHarness] {
	return []check[FlowsHarness]{
		{"a flow that two sensors saw counts once", checkSensorsOnce},
		{"flows that different sensors saw add up", checkSensorsApart},
		{"sensors that disagree are marked", checkSensorsDisagree},
		{"sampling is applied", checkSampling},
	}
}

func (h FlowsHarness) seen(t testing.TB, records ...Seen) integrations.Flows {
	t.Helper()
	if h.OpenSeen == nil {
		t.Fatalf("the harness has no OpenSeen")
	}
	return h.OpenSeen(t, append(records, Seen{h.flow(time.Minute, flowsElse, flowsPeer, 1), "north", 1}))
}

func (h FlowsHarness) trafficSeen(t testing.TB, records ...Seen) incident.Traffic {
	t.Helper()
	got, err := h.seen(t, records...).Traffic(t.Context(), h.window())
	h.fine(t, "traffic", err)
	return got
}

// checkSensorsOnce gives the second sensor a clock that is two seconds off.
func checkSensorsOnce(t testing.TB, h FlowsHarness) {
	var records []Seen
	for ago := 30; ago >= 1; ago-- {
		f := h.flow(-time.Duration(ago)*time.Hour+55*time.Minute+10*time.Second, flowsHost, flowsPeer, 3000)
		records = append(records, Seen{f, "north", 1})
		f.Start = f.Start.Add(2 * time.Second)
		records = append(records, Seen{f, "south", 1})
	}
	got := h.trafficSeen(t, records...)
	is(t, "bytes_out", got.BytesOut, 3000)
	is(t, "bytes_in", got.BytesIn, 300)
	h.packets(t, got, 4)
	is(t, "flows", got.Flows, 1)
	is(t, "coverage", got.Coverage, string(incident.BothWays))
	if len(got.Sample) != 1 {
		t.Errorf("the sample has %d flows, want 1", len(got.Sample))
	}
	f := h.seen(t, records...)
	b, err := f.Baseline(t.Context(), h.hours(14))
	h.fine(t, "baseline", err)
	is(t, "max of the baseline", b.Max, 3000)
	points, err := f.Series(t.Context(), h.window())
	h.fine(t, "series", err)
	var sum int64
	for _, p := range points {
		sum += p.BytesOut
	}
	if sum != 3000 {
		t.Errorf("the series adds up to %d, want 3000", sum)
	}
}

func checkSensorsApart(t testing.TB, h FlowsHarness) {
	other := h.flow(-2*time.Minute, flowsHost, flowsPeer, 2000)
	other.SrcPort = 50001
	got := h.trafficSeen(t, Seen{h.flow(-2*time.Minute, flowsHost, flowsPeer, 1000), "north", 1}, Seen{other, "south", 1})
	is(t, "bytes_out", got.BytesOut, 3000)
	is(t, "flows", got.Flows, 2)
}

func checkSensorsDisagree(t testing.TB, h FlowsHarness) {
	got := h.trafficSeen(t,
		Seen{h.flow(-2*time.Minute, flowsHost, flowsPeer, 1000), "north", 1},
		Seen{h.flow(-2*time.Minute, flowsHost, flowsPeer, 5000), "south", 1},
	)
	is(t, "bytes_out", got.BytesOut, 5000)
	is(t, "coverage", got.Coverage, string(incident.Disagree))
}

func checkSampling(t testing.TB, h FlowsHarness) {
	f := h.flow(-2*time.Minute, flowsHost, flowsPeer, 1000)
	got := h.trafficSeen(t, Seen{f, "north", 100})
	is(t, "bytes_out", got.BytesOut, 100_000)
	is(t, "packets_out", got.PacketsOut, 400)
	is(t, "flows", got.Flows, 1)
	is(t, "coverage", got.Coverage, string(incident.Sampled))
	if top, _ := got.Top.Get(); len(top) != 1 || top[0].Bytes != 100_000 {
		t.Errorf("top is %v, want one destination of 100000 bytes", got.Top)
	}
	if len(got.Sample) != 1 || got.Sample[0].BytesOut != 100_000 {
		t.Errorf("sample is %+v, want one flow of 100000 bytes", got.Sample)
	}
	points, err := h.seen(t, Seen{f, "north", 100}).Series(t.Context(), h.window())
	h.fine(t, "series", err)
	var sum int64
	for _, p := range points {
		sum += p.BytesOut
	}
	if sum != 100_000 {
		t.Errorf("the series adds up to %d, want 100000", sum)
	}
}
