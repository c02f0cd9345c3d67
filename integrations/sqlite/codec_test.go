package sqlite

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

func TestFlowsAreKeptWhole(t *testing.T) {
	base := flowmath.Record{
		Start: time.Unix(1693975909, 942982123).UTC(), Duration: 55616 * time.Microsecond,
		Src: netip.MustParseAddr("192.168.56.30"), SrcPort: 53100, Dst: netip.MustParseAddr("192.168.56.1"), DstPort: 53,
		Transport: "udp", Orig: flowmath.Side{Bytes: 40, IPBytes: 68, Packets: 1},
		Resp: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: 0, Packets: flowmath.NotSeen}, Sampling: 1,
	}
	vary := func(change func(*flowmath.Record)) flowmath.Record { r := base; change(&r); return r }
	records := []flowmath.Record{
		base,
		vary(func(r *flowmath.Record) { r.OneWay = true; r.Transport = "tcp" }),
		vary(func(r *flowmath.Record) { r.Single = true; r.Sampling = flowmath.MaxSampling; r.Transport = "icmp" }),
		vary(func(r *flowmath.Record) {
			r.Src, r.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("ff02::fb")
		}),
		vary(func(r *flowmath.Record) { r.Src = netip.MustParseAddr("2001:db8::1") }),
		vary(func(r *flowmath.Record) {
			r.Transport = "a-protocol-with-quite-a-long-one"
			r.Duration = flowmath.MaxDuration
			r.Orig = flowmath.Side{Bytes: flowmath.MaxBytes, IPBytes: flowmath.MaxBytes, Packets: flowmath.MaxPackets}
		}),
	}
	var block []byte
	for i := range records {
		if err := records[i].Check(); err != nil {
			t.Fatal(err)
		}
		block = appendFlow(block, &records[i], uint64(i*1000))
	}
	for i, want := range records {
		f, rest, err := nextFlow(block)
		if err != nil {
			t.Fatal(err)
		}
		block = rest
		var got flowmath.Record
		sensor, err := f.record(&got)
		if err != nil || sensor != uint64(i*1000) {
			t.Fatalf("sensor is %d (%v), want %d", sensor, err, i*1000)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Error(diff)
		}
	}
}

// FuzzBlock reads damaged blocks: an error or some flows, never a panic.
func FuzzBlock(f *testing.F) {
	r := sent(begin(), time.Hour, 5000, "a")
	flows := appendFlow(appendFlow(nil, &r, 1), &r, 2)
	f.Add(flows, []byte{})
	views, err := viewsIn(nil, flows, always(), func([]byte) bool { return true })
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, appendMinutes(nil, views, minuteOf(r.Start.UnixNano())))
	f.Fuzz(func(t *testing.T, flows, minutes []byte) {
		everything := func([]byte) bool { return true }
		if views, err := viewsIn(nil, flows, always(), everything); err == nil {
			for _, v := range flowmath.Distinct(views) {
				v.Share(v.Sent, begin().UnixNano(), later().UnixNano())
				v.Tuple()
			}
		}
		sums, err := flowmath.SeriesWindows("fuzz", integrations.TrafficQuery{From: begin(), To: begin().Add(10 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		_ = eachMinute(minutes, 0, everything, func(m minuteSum) { // damage is allowed here
			sums.Spread(&flowmath.View{Start: m.from, End: m.to, Sent: m.bytes}, m.measured, m.oneWay)
		})
	})
}
