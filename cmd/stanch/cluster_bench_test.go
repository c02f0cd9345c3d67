package main_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/embedded/clustertest"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	clusterSettings = flag.String("cluster", "workers=1 workers=2 workers=3", "what the benchmark of the cluster compares with the first, each NAME=VALUE,…: "+
		"workers, a variable of Temporal's environment, a value of its dynamic configuration or a parameter of PostgreSQL")
	clusterRounds = flag.Int("cluster-rounds", 1, "how often each is measured, in turns")
)

// measured is what a cluster does: the time from an alert to the isolation at rest, and how
// many cases a second with 32 under way.
type measured struct{ atRest, rate float64 }

// BenchmarkCluster measures cases on a cluster of this machine, with the settings of
// docker-compose.yml and one receiver. It compares settings in turns, so that what else the
// machine does falls on all of them. Run it with -benchtime 1x.
func BenchmarkCluster(b *testing.B) {
	all := strings.Fields(*clusterSettings)
	runs := map[string][]measured{}
	for range *clusterRounds {
		for _, settings := range all {
			b.Run(settings, func(b *testing.B) {
				m := measureCluster(b, settings)
				runs[settings] = append(runs[settings], m)
				b.ReportMetric(m.atRest, "ms-at-rest")
				b.ReportMetric(m.rate, "cases/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
	if slices.ContainsFunc(all, func(s string) bool { return len(runs[s]) == 0 }) {
		return // It was skipped, or not asked for.
	}
	median := func(settings string, of func(measured) float64) float64 {
		var values []float64
		for _, m := range runs[settings] {
			values = append(values, of(m))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	atRest, rate := func(m measured) float64 { return m.atRest }, func(m measured) float64 { return m.rate }
	for _, s := range all {
		b.Logf("%s: %.1f cases/s (%.2f of the first), %.1f ms at rest (%.2f)", s,
			median(s, rate), median(s, rate)/median(all[0], rate), median(s, atRest), median(s, atRest)/median(all[0], atRest))
	}
}

// measureCluster starts a cluster with settings, and measures it.
func measureCluster(b *testing.B, settings string) measured {
	const alone, many, inFlight = 20, 192, 32
	d, workers := deploymentWith(b, settings)
	f := newFarm(b, d, inFlight+alone+many)
	all := f.fleet(clusterNode, append([]string{service.RoleReceiver}, slices.Repeat([]string{service.RoleWorker}, workers)...)...)
	// The first ones open connections and fill caches.
	all.contain(0, inFlight, inFlight)
	var rest []time.Duration
	for i := range alone {
		began := time.Now()
		all.contain(inFlight+i, 1, 1)
		rest = append(rest, time.Since(began))
	}
	slices.Sort(rest)
	began := time.Now()
	all.contain(inFlight+alone, many, inFlight)
	return measured{atRest: rest[alone/2].Seconds() * 1e3, rate: many / time.Since(began).Seconds()}
}

// deploymentWith returns the shipped deployment with settings, and the number of workers.
func deploymentWith(b *testing.B, settings string) (d clustertest.Deployment, workers int) {
	b.Helper()
	d, workers = shipped(b), 1
	for setting := range strings.SplitSeq(settings, ",") {
		name, value, ok := strings.Cut(setting, "=")
		n, err := strconv.Atoi(value)
		switch {
		case !ok:
			b.Fatalf("%q is not NAME=VALUE", setting)
		case name != "workers":
			d = d.With(name, value)
		case err != nil || n < 1:
			b.Fatalf("%q workers", value)
		default:
			workers = n
		}
	}
	return d, workers
}

// contain sends alerts of n hosts, from the one that is given, so many at a time, and
// returns when all that were sent are isolated.
func (f *fleet) contain(from, n, atOnce int) {
	f.tb.Helper()
	ctx, cancel := context.WithTimeout(f.tb.Context(), 5*time.Minute)
	defer cancel()
	isolated := func() int { return f.estate.Count("apply", incident.Isolate) }
	var next atomic.Int64
	var senders sync.WaitGroup
	for range atOnce {
		senders.Go(func() {
			look := time.NewTicker(time.Millisecond)
			defer look.Stop()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				for ctx.Err() == nil && from+i-isolated() >= atOnce {
					<-look.C
				}
				if _, err := f.send(ctx, fmt.Sprintf("a-%d", from+i), from+i); err != nil {
					f.tb.Error(err)
				}
			}
		})
	}
	senders.Wait()
	f.until(ctx, "the hosts to be isolated", func() bool { return isolated() >= from+n })
}
