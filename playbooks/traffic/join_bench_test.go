package traffic

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// BenchmarkJoin joins 100,000 connections with a million flows. In addition to time
// and allocations it reports the heap that the inputs take, and the system's memory
// that the process has after it joined, both in MB.
func BenchmarkJoin(b *testing.B) {
	b.Run("storm", func(b *testing.B) { benchmarkJoin(b, storm) })
	b.Run("one resolver", func(b *testing.B) { benchmarkJoin(b, oneResolver) })
	b.Run("one tuple", func(b *testing.B) { benchmarkJoin(b, oneTuple) })
}

// oneResolver is the same with one destination: every tuple is used all day.
func oneResolver() ([]incident.Flow, []incident.Connection) {
	flows, conns := storm()
	for i := range flows {
		flows[i].SrcIP, flows[i].DstIP, flows[i].DstPort, flows[i].Transport = "10.0.1.4", "10.0.1.1", 53, "udp"
	}
	for i := range conns {
		c := &conns[i]
		c.SrcIP, c.DstIP, c.DstPort, c.Transport = "10.0.1.4", "10.0.1.1", 53, "udp"
	}
	return flows, conns
}

// oneTuple is a day of one fixed port, of which many records overlap.
func oneTuple() ([]incident.Flow, []incident.Connection) {
	flows, conns := make([]incident.Flow, 1_000_000), make([]incident.Connection, 100_000)
	for i := range flows {
		flows[i] = flow(123, time.Duration(i)*86*time.Millisecond, 100)
		flows[i].Duration = time.Duration(i%2) * time.Hour
		if i%100_000 < 20_000 {
			flows[i].Start, flows[i].Duration = flows[i].Start.Add(-48*time.Hour), 0
		}
	}
	for i := range conns {
		conns[i] = conn(123, time.Duration(i)*860*time.Millisecond-time.Duration(i%2)*48*time.Hour, "a.exe", int64(i%3))
	}
	return flows, conns
}

func benchmarkJoin(b *testing.B, capture func() ([]incident.Flow, []incident.Connection)) {
	flows, conns := capture()
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		if got := Join(flows, conns); got.Matched == 0 {
			b.Fatalf("nothing joined: %+v", got)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(before.HeapAlloc)/1e6, "input-MB")
	b.ReportMetric(float64(after.Sys-after.HeapReleased)/1e6, "held-MB")
	runtime.KeepAlive(flows)
	runtime.KeepAlive(conns)
}
