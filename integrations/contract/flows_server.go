package contract

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Second is a sensor's record of a flow of one second that began so long before the
// end of [Quarter], from the host that it queries.
func Second(ago time.Duration, out, in int64) Seen {
	f := FlowsHarness{}.flow(-ago, flowsHost, flowsPeer, out)
	f.DstPort, f.Transport, f.BytesIn, f.PacketsOut = 443, "tcp", in, 1
	return Seen{Flow: f, Sensor: "north", Sampling: 1}
}

// Quarter is a query for a quarter of an hour.
func Quarter() integrations.TrafficQuery {
	q := FlowsHarness{}.window()
	q.Top = 5
	return q
}

// QuietAfterContainment checks a store of records of one direction: a host that sent
// nothing in the window, but did before, sent a measured zero.
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

// SumsBeyondRows checks a store that is configured to read a hundred rows one by
// one: its sums must be of all.
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

// SumsAgree checks that a store that sums in its server returns the same whether it
// reads the flows one by one or has the server sum them: few opens it for the
// former, many for the latter.
func SumsAgree(t *testing.T, few, many func(t testing.TB, records []Seen) integrations.Flows) {
	t.Helper()
	records := mixed()
	var got [2]incident.Traffic
	for i, open := range []func(t testing.TB, records []Seen) integrations.Flows{few, many} {
		var err error
		if got[i], err = open(t, records).Traffic(t.Context(), Quarter()); err != nil {
			t.Fatal(err)
		}
	}
	a, b := got[0], got[1]
	if a.Flows != b.Flows || a.Destinations != b.Destinations || a.Coverage != b.Coverage || a.Role != b.Role {
		t.Errorf("one by one there are %v flows to %v, %v, of a %v; in sums %v to %v, %v, of a %v",
			a.Flows, a.Destinations, a.Coverage, a.Role, b.Flows, b.Destinations, b.Coverage, b.Role)
	}
	// A share is rounded for each flow, or once for their sum.
	near := func(x, y int64) bool { return max(x-y, y-x) <= int64(len(records)) }
	for name, v := range map[string][2]incident.Value[int64]{
		"bytes_out": {a.BytesOut, b.BytesOut}, "bytes_in": {a.BytesIn, b.BytesIn}, "packets_out": {a.PacketsOut, b.PacketsOut},
	} {
		x, known := v[0].Get()
		y, also := v[1].Get()
		if known != also || !near(x, y) {
			t.Errorf("%s is %v one by one, and %v in sums", name, v[0], v[1])
		}
	}
	one, _ := a.Top.Get()
	other, _ := b.Top.Get()
	if !slices.EqualFunc(one, other, func(x, y incident.TopFlow) bool {
		return x.IP == y.IP && x.Port == y.Port && x.Transport == y.Transport && x.Flows == y.Flows && near(x.Bytes, y.Bytes) && near(x.Packets, y.Packets)
	}) {
		t.Errorf("the largest are %v one by one, and %v in sums", one, other)
	}
}

// mixed are flows of all kinds: of both directions, seen by one sensor or two
// that disagree, in part, or across the window's ends, and some after it.
func mixed() []Seen {
	chance := rand.New(rand.NewPCG(1, 2))
	records := []Seen{Second(-time.Hour, 1, 1)}
	for i := range 400 {
		f := Second(time.Duration(chance.IntN(1000))*time.Second, 1000*int64(chance.IntN(1000)), 10*int64(chance.IntN(1000)))
		f.Duration = time.Duration(chance.IntN(60)) * time.Second
		f.PacketsOut = 1 + f.BytesOut/1000
		f.SrcPort, f.DstPort = 50000+i%300, []int{53, 443, 8443}[chance.IntN(3)]
		f.DstIP = fmt.Sprintf("198.51.100.%d", 1+chance.IntN(20))
		if chance.IntN(4) == 0 {
			f.SrcIP, f.DstIP, f.SrcPort, f.DstPort = f.DstIP, f.SrcIP, f.DstPort, f.SrcPort
		}
		if chance.IntN(10) == 0 {
			f.BytesOut = -1
		}
		records = append(records, f)
		if chance.IntN(3) == 0 {
			f.Sensor, f.Start = "south", f.Start.Add(2*time.Second)
			f.BytesIn *= 2
			records = append(records, f)
		}
	}
	return records
}
