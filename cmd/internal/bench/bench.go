// Package bench measures the capacity of a deployment: cases from the alert to
// the isolation, storms of alerts, memory and start. Machines differ and are noisy, so
// figures about speed are compared in turns, in the same run, with a bare workflow
// of four activities, on the same engine and on a stock one, and with the same calls
// without any engine.
package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Options are the sizes of the measurement.
type Options struct {
	// Cases is how many distinct subjects are contained.
	Cases int
	// InFlight is how many cases, and how many bare workflows, run at a time.
	InFlight int
	// Alone is how many single cases are timed at rest.
	Alone int
	// StormAlerts and StormSubjects make the storm.
	StormAlerts   int
	StormSubjects int
	// StormSenders is how many of the storm's requests are in flight at a time.
	StormSenders int
	// Sender is the command that sends the storm from a process of its own; none
	// sends it from this one.
	Sender []string
	// Stock is the command that runs the stock engine in a process of its own; none
	// runs it in this one.
	Stock []string
	// SyncDelay is added to every sync of the disk, in both engines.
	SyncDelay time.Duration
	// Dir is where the engine keeps its data; it is left there.
	Dir string
	// Progress is called with the name of each measurement.
	Progress func(what string, done, total int)
}

// Result is the measured figures.
type Result struct {
	// SyncTime is how long the disk of the data takes to sync a page, the median, and
	// SyncDelay what was added to each sync of the engines to play another disk.
	SyncTime  time.Duration `json:"sync_time"`
	SyncDelay time.Duration `json:"sync_delay"`
	ColdStart time.Duration `json:"cold_start"`
	// BarePerSecond and CasesPerSecond are workflows a second with the same
	// number in flight.
	BarePerSecond  float64 `json:"bare_per_second"`
	CasesPerSecond float64 `json:"cases_per_second"`
	// CaseRatio is cases to bare workflows.
	CaseRatio float64       `json:"case_ratio"`
	BareP50   time.Duration `json:"bare_p50"`
	// CaseP50 and CaseP99 are from the alert's request to the isolation's
	// acceptance, one case at a time.
	CaseP50 time.Duration `json:"case_p50"`
	CaseP99 time.Duration `json:"case_p99"`
	// CaseSyncs is how often the engine waited for the disk, a case, with InFlight
	// under way, and CaseSyncsAtRest with one at a time. CaseProcessor is the processor time
	// of a case with InFlight under way: the whole process, its senders and the estate included.
	CaseSyncs       float64       `json:"case_syncs"`
	CaseSyncsAtRest float64       `json:"case_syncs_at_rest"`
	CaseProcessor   time.Duration `json:"case_processor"`
	// The stock engine is the server as Temporal ships it, on its own SQLite store: bare
	// workflows a second with the same number in flight, one at a time, and what they take.
	StockPerSecond   float64       `json:"stock_per_second"`
	StockP50         time.Duration `json:"stock_p50"`
	StockSyncs       float64       `json:"stock_syncs"`
	StockSyncsAtRest float64       `json:"stock_syncs_at_rest"`
	StockProcessor   time.Duration `json:"stock_processor"`
	// StockRatio is cases to bare workflows on the stock engine.
	StockRatio float64 `json:"stock_ratio"`
	// FloorPerSecond is the calls of a case without any engine, a second, in memory.
	FloorPerSecond float64 `json:"floor_per_second"`
	// CaseCost is what a contained case took of the engine, by workflow: the case,
	// the claim to its device, its lease, and its part of the budget.
	CaseCost map[string]engine.Cost `json:"case_cost"`
	// StormPerSecond is alerts accepted a second, StormWaiting how many requests
	// waited for that at a time, StormAgain how many were answered that they are to
	// be sent again, and were. StormContained is how many hosts were isolated when the
	// last alert was accepted.
	StormPerSecond float64 `json:"storm_per_second"`
	StormWaiting   int     `json:"storm_waiting"`
	StormAgain     int64   `json:"storm_again"`
	StormContained int     `json:"storm_contained"`
	StormCases     int     `json:"storm_cases"`
	StormRecorded  int     `json:"storm_recorded"`
	// Decide is one decision of the shipped playbook with its trace; Load is
	// loading and linting it.
	Decide time.Duration `json:"decide"`
	Load   time.Duration `json:"load"`
	// PeakMemory is the most resident memory of the process, bytes.
	PeakMemory int64 `json:"peak_memory"`
}

// playbook is what the measured cases run: every fact, a guardrail, one
// isolation.
const playbook = `apiVersion: stanch/v1
kind: Playbook
name: bench
owner: bench
mode: enforce
description: Isolates at once. What is measured is the engine, not the policy.
trigger: { match: alert.category == 'high_egress', subject: alert.host.id }
enrich:
  endpoint: { use: estate, timeout: 20s, required: true }
  process: { use: estate, timeout: 20s }
  traffic: { use: estate, timeout: 20s, with: { window: 15m, top: 20 } }
  asset: { use: estate, timeout: 20s }
guardrails:
  - { name: infrastructure, deny: asset.role == 'domain_controller', because: Isolating it takes others down. }
unsure: nobody
decide:
  - { rule: workstation, when: asset.role == 'workstation', severity: high, because: It is one., do: [cut-off] }
  - { rule: otherwise, severity: low, because: It is none., do: [] }
steps:
  cut-off: { action: isolate, use: estate, ttl: 24h, verify: { egress_below: 64kbit, within: 5m } }
approvals:
  nobody: { ask: { estate: '#bench' }, approvers: { people: [nobody] }, expire_after: 1h }
`

const secret = "bench-only-source-secret"

// bench is a running measurement.
type bench struct {
	Options
	service *service.Service
	estate  *memory.Estate
	token   string
	to      sender
	stock   *stock
	result  Result
}

// Run measures everything, one after the other.
func Run(ctx context.Context, o Options) (Result, error) {
	b := &bench{Options: o}
	if err := b.start(ctx, nil); err != nil {
		return Result{}, err
	}
	err := b.measure(ctx)
	return b.result, errors.Join(err, b.service.Stop())
}

func (b *bench) measure(ctx context.Context) error {
	bare, err := newBare(b.service.Client())
	if err != nil {
		return err
	}
	defer bare.stop()
	if err := b.compare(ctx, bare); err != nil {
		return err
	}
	return b.each(ctx, bare, b.storm)
}

// compare measures what is compared with the stock engine, which runs meanwhile.
func (b *bench) compare(ctx context.Context, bare *yardstick) (err error) {
	if b.stock, err = b.startStock(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stock.stop()) }()
	return b.each(ctx, bare, b.policy, b.floor, b.atRest, b.cost, b.throughput)
}

// each does the parts, and looks at the memory after each.
func (b *bench) each(ctx context.Context, bare *yardstick, parts ...func(context.Context, *yardstick) error) error {
	for _, part := range parts {
		if err := part(ctx, bare); err != nil {
			return err
		}
		peak, err := PeakMemory()
		if err != nil {
			return err
		}
		b.result.PeakMemory = peak
	}
	return nil
}

// start starts the service over an estate with a host for every subject, and with a source of
// another kind than ours, unless it is nil.
func (b *bench) start(ctx context.Context, other *alerts.Spec) error {
	dir := filepath.Join(b.Dir, "playbooks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for the measurement: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.yaml"), []byte(playbook), 0o600); err != nil {
		return fmt.Errorf("write the playbook: %w", err)
	}
	var err error
	if b.estate, err = b.hosts(); err != nil {
		return err
	}
	b.token = rand.Text()
	text := fmt.Sprintf(`listen: 127.0.0.1:0
data: %q
playbooks: [%q]
integrations: { estate: { kind: memory } }
people: [{ id: bench, token_sha256: %s }]
sources:
  bench: { kind: stanch, auth: { bearer: %s }, rate: 1000000/s }
`, filepath.Join(b.Dir, "data"), dir, incident.DigestOf([]byte(b.token))[len("sha256:"):], secret)
	vendors := []integrations.Vendor{{Integrations: []integrations.Spec{b.estate.Spec()}}, stanch.Vendor()}
	if other != nil {
		more, err := b.source(*other)
		if err != nil {
			return err
		}
		text += more
		if other.Kind != stanch.Alerts().Kind {
			vendors = append(vendors, integrations.Vendor{Sources: []alerts.Spec{*other}})
		}
	}
	c, err := config.Parse("the measurement's configuration", []byte(text), integrations.NewCatalog(vendors...))
	if err != nil {
		return err
	}
	if b.result.SyncTime, err = embedded.SyncTime(b.Dir, 200); err != nil {
		return err
	}
	b.result.SyncDelay = b.SyncDelay
	began := time.Now()
	b.service, err = service.Start(ctx, service.Options{Config: c, Log: quiet(), SyncDelay: b.SyncDelay})
	if err != nil {
		return err
	}
	b.to = sender{address: b.service.Address(), http: newClient(b.InFlight)}
	if _, err := b.to.call(ctx, http.MethodGet, "/readyz", b.token, nil); err != nil {
		return errors.Join(err, b.service.Stop())
	}
	b.result.ColdStart = time.Since(began)
	return nil
}

// quiet drops what a measured part has to say.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// hosts makes an estate in which every subject is a workstation that floods.
func (b *bench) hosts() (*memory.Estate, error) {
	e, err := memory.New(memory.Options{})
	if err != nil {
		return nil, err
	}
	workstation := incident.Asset{Role: incident.Known("workstation", incident.FromInventory)}
	for i := range b.Cases + b.Alone + b.StormSubjects {
		err := e.AddHost(memory.Host{
			ID: hostID(i), Name: hostID(i), IPs: []string{hostIP(i)}, OS: "windows", Role: "workstation", Asset: workstation,
			Processes: []memory.Process{{
				Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Name: "powershell.exe", PID: 4242,
				Streams: []memory.Stream{{
					Destinations: []string{"203.0.113.7"}, DstPort: 53, Transport: "udp", BitsOut: 40_000_000, From: -time.Minute,
				}},
			}},
		})
		if err != nil {
			return nil, fmt.Errorf("lay host %s: %w", hostID(i), err)
		}
	}
	return e, nil
}

func hostID(i int) string { return fmt.Sprintf("host-%05d", i) }

func hostIP(i int) string { return fmt.Sprintf("10.%d.%d.%d", 1+i/62500, i/250%250, 1+i%250) }

// isolated waits until n isolations were accepted in the estate.
func (b *bench) isolated(ctx context.Context, n int) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		done := b.estate.Count("apply", incident.Isolate)
		if done >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for isolation %d of %d: %w", done, n, ctx.Err())
		case <-ticker.C:
		}
	}
}

// many calls do for 0..n-1 with the given number in parallel.
func many(ctx context.Context, n, at int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// quantile returns the q-th of sorted durations.
func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}
