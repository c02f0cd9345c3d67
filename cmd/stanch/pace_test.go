package main_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// paceWithin is how long the devices may take to be isolated, for each of them.
const paceWithin = 6 * time.Second

var paceOf = flag.String("pace", "", "whole: the storms on limited products as long and as large as they are meant, instead of a twentieth")

const pacePlaybook = `apiVersion: stanch/v1
kind: Playbook
name: cluster
owner: secops
mode: enforce
description: Isolates at once, by an EDR that may not be asked often.
trigger: { match: alert.category == 'high_egress', subject: alert.host.id }
enrich:
  endpoint: { use: edr, timeout: 2m, required: true }
  process: { use: edr, timeout: 2m }
  traffic: { use: estate, timeout: 20s, with: { window: 15m, top: 20 } }
  asset: { use: estate, timeout: 20s }
unsure: nobody
decide:
  - { rule: workstation, when: asset.role == 'workstation', severity: high, because: It is one., do: [cut-off] }
  - { rule: otherwise, severity: low, because: It is none., do: [] }
steps:
  cut-off: { action: isolate, use: edr, ttl: 24h, verify: { egress_below: 64kbit, within: 5m } }
approvals:
  nobody: { ask: { estate: '#cluster' }, approvers: { people: [alice] }, expire_after: 1h }
`

// counted counts the calls that a product is asked, and those that it refuses.
type counted struct {
	next http.Handler

	mu      sync.Mutex
	calls   map[string][]time.Time
	refused map[string]int
}

// status notes the status of an answer.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) { s.code = code; s.ResponseWriter.WriteHeader(code) }

// ServeHTTP implements [http.Handler].
func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, at, s := kindOf(r), time.Now(), &status{w, http.StatusOK}
	c.next.ServeHTTP(s, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[kind] = append(c.calls[kind], at)
	if s.code == http.StatusTooManyRequests {
		c.refused[kind]++
	}
}

// of is how many calls there were of the kinds that count, and how many of all were refused.
func (c *counted) of(counts func(kind string) bool) (n, refused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, of := range c.calls {
		if counts(kind) {
			n += len(of)
		}
	}
	for _, of := range c.refused {
		refused += of
	}
	return n, refused
}

// show logs how often each kind of call was asked for, and how many came most in a time.
func (c *counted) show(t *testing.T, within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(c.calls)) {
		t.Logf("%6d %s, at most %d in %s, refused %d", len(c.calls[kind]), kind, most(c.calls[kind], within), within, c.refused[kind])
	}
}

// most is how many of the times are at most in a window.
func most(times []time.Time, within time.Duration) int {
	times = slices.SortedFunc(slices.Values(times), time.Time.Compare)
	n, from := 0, 0
	for i, at := range times {
		for at.Sub(times[from]) >= within {
			from++
		}
		n = max(n, i-from+1)
	}
	return n
}

// paced is a cluster of four workers, and a product that refuses what is more than it allows.
type paced struct {
	*fleet
	product limited
	world   *edrtest.World
	count   *counted
	hosts   int
}

// newPaced starts a receiver and four workers, and a product with so many devices that
// allows as much as a pace says.
func newPaced(t *testing.T, product limited, p pace, hosts int) *paced {
	t.Helper()
	w := edrtest.New(t, time.Now)
	for i := range hosts {
		id, ip := clusterHost(i)
		w.Add(edrtest.Host{
			ID: product.id(i), Name: id, Domain: "corp.example", OS: "Windows 11", Role: "workstation", LastSeen: time.Now().UTC(),
			Addresses: []edrtest.Address{{IP: ip, From: time.Now().Add(-24 * time.Hour)}},
		})
	}
	handler, config := product.serve(t, w, p)
	x := &paced{product: product, world: w, hosts: hosts, count: &counted{next: handler, calls: map[string][]time.Time{}, refused: map[string]int{}}}
	server := httptest.NewServer(x.count)
	t.Cleanup(server.Close)
	t.Setenv(pacedBy, p.String())
	f := newFarm(t, shipped(t).With("NUM_HISTORY_SHARDS", "4"), hosts)
	f.more = ", edr: { " + fmt.Sprintf(config, server.URL) + " }"
	if err := os.WriteFile(filepath.Join(f.dir, "playbooks", "cluster.yaml"), []byte(pacePlaybook), 0o600); err != nil {
		t.Fatal(err)
	}
	x.fleet = f.fleet(clusterNode, append([]string{service.RoleReceiver}, slices.Repeat([]string{service.RoleWorker}, 4)...)...)
	return x
}

// underWay is how many devices are isolated at a time at most: of more, an engine on a small
// machine fails some as timed out, which is not what is measured.
const underWay = 48

// storm sends an alert about each device, until end is called. Devices carry out what is
// ordered at once, or, where they are late, when so many orders were given.
func (x *paced) storm(ctx context.Context, late int) (end func()) {
	var work sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	work.Go(func() {
		for look := time.Tick(100 * time.Millisecond); ctx.Err() == nil; <-look {
			if x.world.Effects("") >= late {
				x.world.Settle()
			}
		}
	})
	var next atomic.Int64
	for range 32 {
		work.Go(func() {
			look := time.NewTicker(10 * time.Millisecond)
			defer look.Stop()
			for i := int(next.Add(1)) - 1; i < x.hosts && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				for ctx.Err() == nil && i-x.world.Effects("") >= underWay {
					<-look.C
				}
				if _, err := x.send(ctx, fmt.Sprintf("a-%d", i), i); err != nil && ctx.Err() == nil {
					x.tb.Error(err)
				}
			}
		})
	}
	return func() { stop(); work.Wait() }
}

func (x *paced) isolated() int {
	n := 0
	for i := range x.hosts {
		if x.world.Isolated(x.product.id(i)) {
			n++
		}
	}
	return n
}

// check wants that no call was refused, and no device isolated more than once.
func (x *paced) check(t *testing.T, took time.Duration, p pace) {
	t.Helper()
	for i := range x.hosts {
		if n := x.world.Effects(x.product.id(i)); n > 1 {
			t.Errorf("device %d was isolated and given back %d times, want once", i, n)
		}
	}
	minute := time.Minute / time.Duration(p.quick)
	n, refused := x.count.of(x.product.counts)
	share := float64(n) / float64(x.product.perMinute*p.times) / (float64(took) / float64(minute))
	t.Logf("%d of %d devices isolated in %s; %d counted calls, %.0f %% of what is allowed on average", x.isolated(), x.hosts, took.Round(time.Millisecond), n, 100*share)
	x.count.show(t, minute)
	if refused > 0 {
		t.Errorf("%d calls were refused with 429", refused)
	}
}

// Four workers isolate many devices as fast as the product lets them, and it never has to
// refuse a call: with limits that are a hundred times the vendor's, and with the vendor's
// own for two minutes; in short, with a minute that lasts three seconds.
func TestFourWorkersKeepTheLimitsOfAProduct(t *testing.T) {
	products := limitedProducts()
	if *paceOf != "whole" {
		isolateAll(t, products["defender"], pace{1, 20}, 20)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(products)) {
		t.Run(name+" a hundred times", func(t *testing.T) { isolateAll(t, products[name], pace{100, 1}, 1000) })
		t.Run(name+" for two minutes", func(t *testing.T) {
			p := pace{1, 1}
			x := newPaced(t, products[name], p, 600)
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			began, end := time.Now(), x.storm(ctx, 0)
			<-ctx.Done()
			took := time.Since(began)
			end()
			x.check(t, took, p)
		})
	}
}

// isolateAll has all devices of a product isolated, of which the first carry that out when as
// many orders were given as can be under way: until then they are looked at again and again.
func isolateAll(t *testing.T, product limited, p pace, hosts int) {
	x := newPaced(t, product, p, hosts)
	within := time.Duration(hosts) * paceWithin
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	began := time.Now()
	end := x.storm(ctx, min(hosts, underWay))
	refused := 0
	for look := time.Tick(10 * time.Millisecond); ctx.Err() == nil && refused == 0 && x.isolated() < hosts; <-look {
		_, refused = x.count.of(x.product.counts)
	}
	took := time.Since(began)
	end()
	x.check(t, took, p)
	if n := x.isolated(); n < hosts && refused == 0 {
		t.Errorf("%d of %d devices were isolated within %s", n, hosts, within)
		x.explain(t)
	}
}

// explain shows a case whose device is not isolated, and what the processes said.
func (x *paced) explain(t *testing.T) {
	for i := range x.hosts {
		id, _ := clusterHost(i)
		if x.world.Isolated(x.product.id(i)) {
			continue
		}
		var c incident.Case
		if err := x.ask(t.Context(), http.MethodGet, x.receiver(0)+"/v1/cases/cluster/"+id, tokenOf(alice), "", &c); err != nil {
			t.Error(err)
		}
		for _, e := range c.Timeline {
			t.Logf("%s: %s %s %s %s", id, e.At.Format("15:04:05.000"), e.Kind, e.Step, e.Text)
		}
		break
	}
	for _, n := range x.nodes {
		t.Logf("%s said:\n%.3000s", n.role, x.log(n))
	}
}
