//go:build !no_embedded

package embedded

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
)

func measure(b *testing.B, c client.Client, id string) time.Duration {
	began := time.Now()
	r, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue, EnableEagerStart: true}, four)
	if err == nil {
		err = r.Get(b.Context(), nil)
	}
	if err != nil {
		b.Error(err)
	}
	return time.Since(began)
}

// BenchmarkStart is the time from nothing to the first workflow done, on disk.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		_, c := serve(b, Options{DataDir: b.TempDir()})
		measure(b, c, "first")
	}
}

// BenchmarkAtRest runs four activities in a row, one workflow at a time.
func BenchmarkAtRest(b *testing.B) {
	_, c := serve(b, Options{DataDir: b.TempDir()})
	measure(b, c, "warm")
	var all []time.Duration
	for b.Loop() {
		all = append(all, measure(b, c, fmt.Sprintf("rest-%d", len(all))))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(all[len(all)*95/100].Milliseconds()), "p95-ms")
}

// BenchmarkLoad runs such workflows with 200 in flight.
func BenchmarkLoad(b *testing.B) {
	_, c := serve(b, Options{DataDir: b.TempDir()})
	measure(b, c, "warm")
	ids := make(chan int)
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			for i := range ids {
				measure(b, c, fmt.Sprintf("load-%d", i))
			}
		})
	}
	// Not b.Loop: it would stop the clock before the last ones are done.
	b.ResetTimer()
	for i := range b.N {
		ids <- i
	}
	close(ids)
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "workflows/s")
}
