package contract

import (
	"fmt"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Second is what a sensor saw of a flow of a second that began so long before
// the end of [Quarter], from the host that it asks for.
func Second(ago time.Duration, out, in int64) Seen {
	f := FlowsHarness{}.flow(-ago, flowsHost, flowsPeer, out)
	f.DstPort, f.Transport, f.BytesIn, f.PacketsOut = 443, "tcp", in, 1
	return Seen{Flow: f, Sensor: "north", Sampling: 1}
}

// Quarter asks for a quarter of an hour.
func Quarter() integrations.TrafficQuery {
	q := FlowsHarness{}.window()
	q.Top = 5
	return q
}

// QuietAfterContainment checks a store of records of one direction: a host that
// answered nothing in the window, but sent before, sent a measured zero.
func QuietAfterContainment(t *testing.T, open func(t testing.TB, records []Seen) integrations.Flows) {
	t.Helper()
	got, err := open(t, []Seen{Second(time.Hour, 90_000, 100), Second(time.Minute, -1, 700), Second(-time.Hour, 10, 10)}).
		Traffic(t.Context(), Quarter())
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got.BytesOut.Get(); !ok || n != 0 {
		t.Errorf("bytes_out is %v, want a known zero: the sensor saw the host send an hour ago", got.BytesOut)
	}
}

// SumsBeyondRows checks a store that was told to read a hundred rows one by one:
// its sums are of all.
func SumsBeyondRows(t *testing.T, open func(t testing.TB, records []Seen) integrations.Flows) {
	t.Helper()
	records := []Seen{Second(-time.Hour, 1, 1)}
	var sum int64
	for i := range 300 {
		f := Second(time.Minute, int64(1000+i), -1)
		f.DstIP = fmt.Sprintf("198.51.100.%d", i%250)
		f.DstPort = 1000 + i
		sum += f.BytesOut
		records = append(records, f)
	}
	got, err := open(t, records).Traffic(t.Context(), Quarter())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct {
		value incident.Value[int64]
		want  int64
	}{"bytes_out": {got.BytesOut, sum}, "flows": {got.Flows, 300}, "destinations": {got.Destinations, 250}} {
		if n, ok := v.value.Get(); !ok || n != v.want {
			t.Errorf("%s is %v, want %d", name, v.value, v.want)
		}
	}
	if top, _ := got.Top.Get(); len(top) != 5 || top[0].Bytes != 1299 {
		t.Errorf("top is %v, want the 5 largest", got.Top)
	}
}
