package main_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// BenchmarkCluster measures cases on a cluster of this machine, from one receiver and 1 to 3 workers:
// the time from the alert to the isolation at rest, and how many a second with 32 under way. Run
// it with -benchtime 1x.
func BenchmarkCluster(b *testing.B) {
	const alone, many, inFlight = 20, 160, 32
	for workers := 1; workers <= 3; workers++ {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			f := newFarm(b, b.N*(1+alone+many))
			roles := append([]string{service.RoleReceiver}, slices.Repeat([]string{service.RoleWorker}, workers)...)
			all := f.fleet(clusterNode, roles...)
			var done int
			// contain contains the next n hosts, so many at a time.
			contain := func(n, at int) {
				ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
				defer cancel()
				from := done
				done += n
				var next atomic.Int64
				var senders sync.WaitGroup
				for range at {
					senders.Go(func() {
						look := time.NewTicker(time.Millisecond)
						defer look.Stop()
						for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
							for ctx.Err() == nil && from+i-f.estate.Count("apply", incident.Isolate) >= at {
								<-look.C
							}
							if _, err := all.send(ctx, fmt.Sprintf("a-%d", from+i), from+i); err != nil {
								b.Error(err)
							}
						}
					})
				}
				senders.Wait()
				f.until(ctx, "the hosts to be isolated", func() bool { return f.estate.Count("apply", incident.Isolate) >= done })
			}
			contain(1, 1)
			b.ResetTimer()
			var p50, rate []float64
			for range b.N {
				var rest []time.Duration
				for range alone {
					began := time.Now()
					contain(1, 1)
					rest = append(rest, time.Since(began))
				}
				slices.Sort(rest)
				began := time.Now()
				contain(many, inFlight)
				p50, rate = append(p50, rest[alone/2].Seconds()*1e3), append(rate, many/time.Since(began).Seconds())
			}
			slices.Sort(p50)
			slices.Sort(rate)
			b.ReportMetric(p50[len(p50)/2], "ms-at-rest")
			b.ReportMetric(rate[len(rate)/2], "cases/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
