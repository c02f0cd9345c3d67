package incident

import (
	"runtime"
	"testing"
)

// BenchmarkJoin joins 100,000 connections with a million flows. Beside time
// and allocations it reports the heap that the inputs take and the most that
// was taken while the join ran, in MB.
func BenchmarkJoin(b *testing.B) {
	flows, conns := storm()
	runtime.GC()
	var before, peak runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		if got := Join(flows, conns); got.Matched == 0 {
			b.Fatalf("nothing joined: %+v", got)
		}
	}
	runtime.ReadMemStats(&peak)
	b.ReportMetric(float64(before.HeapAlloc)/1e6, "input-MB")
	b.ReportMetric(float64(peak.HeapSys-peak.HeapReleased)/1e6, "heap-MB")
	runtime.KeepAlive(flows)
	runtime.KeepAlive(conns)
}
