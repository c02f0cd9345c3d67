package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/enginetest"
	"github.com/stanch-soar/stanch/cmd/internal/fetch"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// shared is one engine in memory. A worker runs only while the cases are looked at: what the
// engine holds is what counts, and each case then hears all of its alerts at once.
var shared struct {
	client client.Client
	estate *memory.Estate
	set    *integrations.Set
}

func TestMain(m *testing.M) {
	code, err := runWith(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWith(m *testing.M) (code int, err error) {
	if !embedded.BuiltIn {
		return m.Run(), nil
	}
	if shared.estate, err = memory.New(memory.Options{}); err != nil {
		return 0, err
	}
	shared.set = integrations.NewSet()
	for _, name := range []string{"edr", "gateway", "slack", "flows", "inventory"} {
		shared.set.Add(name, shared.estate.Spec(), shared.estate)
	}
	ctx := context.Background()
	client, stop, err := enginetest.Start(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	shared.client = client
	return m.Run(), nil
}

// door hands messages to a receiver on the engine, and may be shut: as if the engine were
// down, before or after it has the message.
type door struct {
	receiver *httpapi.Receiver
	source   string
	shut     atomic.Bool
	// tear has the answer to every so many-th message lost: the engine has it, and that
	// is not known.
	tear  int64
	calls atomic.Int64
}

func (d *door) take(ctx context.Context, bodies [][]byte) (int, error) {
	if d.shut.Load() {
		return 0, errors.New("the engine is down")
	}
	taken, err := d.receiver.Take(ctx, d.source, bodies)
	for i := range taken {
		if n := d.calls.Add(1); d.tear > 0 && n%d.tear == 0 {
			return i, errors.New("the answer is lost")
		}
	}
	return taken, err
}

// newDoor is a source of its own, with its hosts.
func newDoor(t *testing.T, source string) *door {
	t.Helper()
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	for n := range hosts {
		name := hostOf(source, n)
		ip := fmt.Sprintf("10.%d.0.%d", len(source), n+1)
		if err := shared.estate.AddHost(memory.Host{ID: name, Name: name, IPs: []string{ip}, OS: "windows", Role: "workstation"}); err != nil {
			t.Fatal(err)
		}
	}
	playbook, err := playbooks.Load("ask.yaml", []byte(playbookText))
	if err != nil {
		t.Fatal(err)
	}
	r := httpapi.New(httpapi.Options{
		Engine: engine.New(shared.client, engine.Options{}), Playbooks: func() []*playbooks.Playbook { return []*playbooks.Playbook{playbook} },
		Sources: map[string]httpapi.Source{source: {Source: alerts.Source{Spec: stanch.Vendor().Sources[0], Name: source, Category: "high_egress"}}},
		Ready:   func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return &door{receiver: r, source: source}
}

// process is a process of Stanch that fetches.
type process struct {
	stop    func()
	metrics *metrics.Registry
}

func (d *door) start(t *testing.T, p alerts.Puller) *process {
	t.Helper()
	is := &process{metrics: metrics.New()}
	f := &fetch.Fetcher{
		Source: d.source, Puller: p, Take: d.take, Metrics: is.metrics, Log: slog.New(slog.DiscardHandler),
		Pauses: fetch.Pauses{Least: 10 * time.Millisecond, Most: 100 * time.Millisecond, Watch: 50 * time.Millisecond, Within: 5 * time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	is.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(is.stop)
	return is
}

// hosts are those of each source, whose alerts come in turn: they are occurrences of one case a
// host, which waits for people and stays open.
const hosts = 50

// playbookText asks people, who never answer.
const playbookText = `apiVersion: stanch/v1
kind: Playbook
name: ask
owner: secops
mode: enforce
description: A playbook of the tests.
trigger: { match: alert.category == 'high_egress', subject: alert.host.id }
enrich:
  endpoint: { use: edr, timeout: 5s, required: true }
unsure: on-call
decide:
  - rule: always
    severity: high
    because: The tests say so.
    do: [approve: on-call, throttle]
steps:
  throttle: { action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 1h, verify: { egress_below: 3Mbit, within: 2m } }
approvals:
  on-call:
    ask: { slack: '#oncall' }
    approvers: { people: [alice] }
    expire_after: 4h
`

func hostOf(source string, n int) string { return fmt.Sprintf("%s-%03d", source, n%hosts) }

func bodiesOf(source string, from, n int) []string {
	bodies := make([]string, 0, n)
	for i := range n {
		host := hostOf(source, from+i)
		bodies = append(bodies, fmt.Sprintf(`{"id":"%s-%05d","time":"2026-03-01T04:00:00Z","host":{"id":%q,"name":%q,"os":"windows"}}`, source, from+i, host, host))
	}
	return bodies
}

// work carries the cases out, until the test ends.
func work(t *testing.T) {
	t.Helper()
	acts := &activities.Activities{Set: shared.set, Workflows: engine.New(shared.client, engine.Options{}), EvidenceDir: t.TempDir()}
	stop, err := enginetest.Work(shared.client, acts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// exactly waits until the engine has all n alerts of a source, and checks that it has none
// of them twice.
func (d *door) exactly(t *testing.T, n int) {
	t.Helper()
	e := engine.New(shared.client, engine.Options{})
	deadline := time.Now().Add(3 * time.Minute)
	for host := range hosts {
		id, want := "ask/"+hostOf(d.source, host), n/hosts
		var c incident.Case
		var err error
		for {
			if c, err = e.Case(t.Context(), id, ""); err == nil && c.AlertCount >= want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("case %s has %d of %d alerts, %v", id, c.AlertCount, want, err)
			}
			pause(t, 10*time.Millisecond)
		}
		keys := slices.Clone(c.AlertKeys)
		slices.Sort(keys)
		if c.AlertCount != want || len(slices.Compact(keys)) != want || c.Status == incident.Closed {
			t.Errorf("case %s is %s and has %d alerts with %d keys, want %d", id, c.Status, c.AlertCount, len(slices.Compact(keys)), want)
		}
	}
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
