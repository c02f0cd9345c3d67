package servertest

import (
	"testing"
	"time"
)

// Compare runs an adapter and the bare queries in turns, and reports the adapter's
// time as a multiple of theirs. Each has run once before it measures, so that all
// of them find the data in memory.
func Compare(b *testing.B, ask func() error, same, simple func() time.Duration) {
	b.Helper()
	var adapter, hand, simplest time.Duration
	if err := ask(); err != nil {
		b.Fatal(err)
	}
	same()
	simple()
	for b.Loop() {
		begun := time.Now()
		if err := ask(); err != nil {
			b.Fatal(err)
		}
		adapter += time.Since(begun)
		hand += same()
		simplest += simple()
	}
	n := float64(b.N)
	b.ReportMetric(adapter.Seconds()*1e3/n, "adapter-ms")
	b.ReportMetric(hand.Seconds()*1e3/n, "bare-ms")
	b.ReportMetric(simplest.Seconds()*1e3/n, "simplest-ms")
	b.ReportMetric(adapter.Seconds()/hand.Seconds(), "x-bare")
	b.ReportMetric(0, "ns/op")
}
