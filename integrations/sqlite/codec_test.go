package sqlite

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stanch-soar/stanch/integrations/sqlite/flowlog"
)

func TestFlowsAreKeptWhole(t *testing.T) {
	base := flowlog.Record{
		Start: time.Unix(1693975909, 942982123).UTC(), Duration: 55616 * time.Microsecond,
		Src: netip.MustParseAddr("192.168.56.30"), SrcPort: 53100, Dst: netip.MustParseAddr("192.168.56.1"), DstPort: 53,
		Transport: "udp", Orig: flowlog.Side{Bytes: 40, IPBytes: 68, Packets: 1},
		Resp: flowlog.Side{Bytes: flowlog.NotSeen, IPBytes: 0, Packets: flowlog.NotSeen}, Sampling: 1,
	}
	vary := func(change func(*flowlog.Record)) flowlog.Record { r := base; change(&r); return r }
	records := []flowlog.Record{
		base,
		vary(func(r *flowlog.Record) { r.OneWay = true; r.Transport = "tcp" }),
		vary(func(r *flowlog.Record) { r.Single = true; r.Sampling = flowlog.MaxSampling; r.Transport = "icmp" }),
		vary(func(r *flowlog.Record) {
			r.Src, r.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("ff02::fb")
		}),
		vary(func(r *flowlog.Record) { r.Src = netip.MustParseAddr("2001:db8::1") }),
		vary(func(r *flowlog.Record) {
			r.Transport = "a-protocol-with-quite-a-long-one"
			r.Duration = flowlog.MaxDuration
			r.Orig = flowlog.Side{Bytes: flowlog.MaxBytes, IPBytes: flowlog.MaxBytes, Packets: flowlog.MaxPackets}
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
		var got flowlog.Record
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
			for _, v := range distinct(views) {
				v.share(v.sent, begin().UnixNano(), later().UnixNano())
				v.tuple()
			}
		}
		sums := summing{from: begin().UnixNano(), length: int64(time.Minute), windows: make([]window, 10)}
		_ = eachMinute(minutes, 0, everything, func(m minuteSum) { // damage is allowed here
			sums.spread(&view{start: m.from, end: m.to, sent: m.bytes}, m.measured, m.oneWay)
		})
	})
}
