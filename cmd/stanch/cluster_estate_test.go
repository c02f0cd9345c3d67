package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// remoteConfig says where the estate of all processes is.
type remoteConfig struct {
	URL string `yaml:"url,required" doc:"Address of the estate."`
}

// remote is an estate in another process: that of the test, which sees what all of
// the cluster's processes do to it.
type remote struct{ url string }

func remoteSpec() integrations.Spec {
	spec := memory.Spec()
	spec.Kind, spec.Implements, spec.MakesFile, spec.StandsFor = "remote", (*remote)(nil), false, nil
	spec.Actions = []incident.Action{incident.Isolate, incident.Notify}
	spec.Facts = []string{incident.EndpointFact, incident.TrafficFact, incident.AssetFact}
	spec.Example = "estate: { kind: remote, url: 'http://127.0.0.1:1' }"
	spec.NewConfig = func() any { return &remoteConfig{} }
	spec.Open = integrations.OpenWith(func(_ context.Context, c *remoteConfig) (any, error) { return &remote{c.URL}, nil })
	return spec
}

func ask[Out any](ctx context.Context, r *remote, op string, in any) (out Out, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, integrations.Errorf(integrations.Invalid, op, "encode: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/"+op, bytes.NewReader(body))
	if err != nil {
		return out, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return out, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	if res.StatusCode != http.StatusOK {
		return out, integrations.Errorf(integrations.Unavailable, op, "%s", data)
	}
	return out, json.Unmarshal(data, &out)
}

func (r *remote) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	return ask[[]incident.Endpoint](ctx, r, "endpoints", q)
}

func (r *remote) Asset(ctx context.Context, q integrations.EndpointQuery) (incident.Asset, error) {
	return ask[incident.Asset](ctx, r, "asset", q)
}

func (r *remote) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	return ask[incident.Traffic](ctx, r, "traffic", q)
}

func (r *remote) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return ask[incident.Baseline](ctx, r, "baseline", q)
}

func (r *remote) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return ask[[]incident.Point](ctx, r, "series", q)
}

func (r *remote) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	return ask[incident.Reading](ctx, r, "read", o)
}

func (r *remote) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	return ask[incident.Receipt](ctx, r, "apply", o)
}

func (r *remote) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	return ask[incident.Receipt](ctx, r, "undo", o)
}

func (r *remote) Post(ctx context.Context, m integrations.Message) (incident.Receipt, error) {
	return ask[incident.Receipt](ctx, r, "post", m)
}

// clusterHost is the id of a host, and its address.
func clusterHost(i int) (id, ip string) {
	return fmt.Sprintf("ws-%04d", i), fmt.Sprintf("10.9.%d.%d", i/250, 1+i%250)
}

// product is an estate that notes by which keys its hosts are isolated.
type product struct {
	*memory.Estate
	mu   sync.Mutex
	keys map[string][]string
	// held is closed when answers are given again, and nil while they are; waiting counts
	// those that are withheld.
	held    chan struct{}
	waiting int
}

// withhold makes the product carry orders out and not answer, until answer is called.
func (p *product) withhold() (answer func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = make(chan struct{})
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.held)
		p.held, p.waiting = nil, 0
	})
}

// withheld is how many orders were carried out and not answered.
func (p *product) withheld() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// Apply carries out an order.
func (p *product) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	r, err := p.Estate.Apply(ctx, o)
	p.mu.Lock()
	if id := o.Target.ID(); !slices.Contains(p.keys[id], o.Key) {
		p.keys[id] = append(p.keys[id], o.Key)
	}
	held := p.held
	if held != nil {
		p.waiting++
	}
	p.mu.Unlock()
	if held != nil {
		<-held
	}
	return r, err
}

// ordered returns the keys by which a host was to be isolated.
func (p *product) ordered(host string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.keys[host])
}

// serveEstate serves an estate with so many hosts that flood to other processes.
func serveEstate(tb testing.TB, hosts int) (*product, string) {
	tb.Helper()
	world, err := memory.New(memory.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	e := &product{Estate: world, keys: map[string][]string{}}
	for i := range hosts {
		id, ip := clusterHost(i)
		err := e.AddHost(memory.Host{
			ID: id, Name: id, IPs: []string{ip}, OS: "windows", Role: "workstation",
			Asset: incident.Asset{Role: incident.Known("workstation", incident.FromInventory)},
			Processes: []memory.Process{{Path: `C:\flood.exe`, Name: "flood.exe", PID: 7, Streams: []memory.Stream{{
				Destinations: []string{"203.0.113.7"}, DstPort: 53, Transport: "udp", BitsOut: 40_000_000, From: -time.Minute,
			}}}},
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	answer(mux, "endpoints", e.Endpoints)
	answer(mux, "asset", e.Asset)
	answer(mux, "traffic", e.Traffic)
	answer(mux, "baseline", e.Baseline)
	answer(mux, "series", e.Series)
	answer(mux, "read", e.Read)
	answer(mux, "apply", e.Apply)
	answer(mux, "undo", e.Undo)
	answer(mux, "post", e.Post)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return e, server.URL
}

// answer answers an operation. What a caller that was killed has asked for is done
// all the same, as a product does it.
func answer[In, Out any](mux *http.ServeMux, op string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST /"+op, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(context.WithoutCancel(r.Context()), in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		if err := json.NewEncoder(w).Encode(out); err != nil && !strings.Contains(err.Error(), "broken pipe") {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}
