package elastic

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// enriching returns a client of a double behind a door, and the estate: one device that
// sends.
func enriching(t testing.TB, door func(http.Handler) http.Handler) (*Defend, *edrtest.World) {
	t.Helper()
	w := edrtest.New(t, time.Now)
	w.Add(contract.ScriptSender(agentOf("ws-042")))
	server := httptest.NewServer(door(defendfake.New(t, w, defendfake.Options{}).Handler()))
	t.Cleanup(server.Close)
	config, ok := DefendSpec().NewConfig().(*DefendConfig)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	config.URL, config.Elasticsearch, config.APIKey = server.URL, server.URL, integrations.Secret(defendfake.Administrator().Key)
	config.Access = httpx.Access{Timeout: 10 * time.Second}
	c, err := OpenDefend(*config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, w
}

// overload orders more on another device than a page of actions has.
func overload(t testing.TB, d *Defend, w *edrtest.World) {
	t.Helper()
	id := agentID(agentOf("other"))
	w.Add(edrtest.Host{ID: string(id), Name: "other", LastSeen: time.Now()})
	for range fullPage + 1 {
		if _, err := d.order(t.Context(), "isolate", id, cmdIsolate, bodyOf(id, "by hand", nil)); err != nil {
			t.Fatal(err)
		}
	}
}

// Which device it is, who sends and what it ran are known after three waves of calls.
// Another is for what cannot be known before: whose the id in an event is, what was ordered
// on a device where on all of them that is much, and the starts of processes that run longer
// than what is asked for at once.
func TestWavesOfEnrichment(t *testing.T) {
	id, name, ips := agentOf("ws-042"), "ws-042", []string{"192.0.2.2"}
	earlier := time.Now().Add(-20 * time.Minute)
	machine := "00000000-0000-4000-8000-000000000000" // Kibana has no agent with this id.
	sleepless := func(_ *Defend, w *edrtest.World) {
		w.Change(id, func(h *edrtest.Host) { h.Processes[1].Start = time.Now().Add(-20 * 24 * time.Hour) })
	}
	renamed := func(_ *Defend, w *edrtest.World) { w.Change(id, func(h *edrtest.Host) { h.Name = "Ws-042" }) }
	moved := func(_ *Defend, w *edrtest.World) {
		w.Change(id, func(h *edrtest.Host) {
			h.Processes[0].Start = earlier
			h.Addresses = []edrtest.Address{{IP: "192.0.2.3", From: earlier.Add(time.Minute)}, {IP: ips[0], From: earlier.Add(-time.Hour), To: earlier.Add(time.Minute)}}
		})
	}
	busy := func(d *Defend, w *edrtest.World) { overload(t, d, w) }
	for what, c := range map[string]struct {
		q      integrations.EndpointQuery
		change func(*Defend, *edrtest.World)
		waves  []int
	}{
		"by all":                    {integrations.EndpointQuery{ID: id, Name: name, IPs: ips}, nil, []int{7, 3, 4}},
		"by id":                     {integrations.EndpointQuery{ID: id}, nil, []int{2, 3, 4}},
		"by name":                   {integrations.EndpointQuery{Name: name}, nil, []int{3, 3, 4}},
		"by address":                {integrations.EndpointQuery{IPs: ips}, nil, []int{3, 3, 4}},
		"by the id of the machine":  {integrations.EndpointQuery{ID: machine, Name: name, IPs: ips}, nil, []int{7, 3, 4}},
		"by a name in another case": {integrations.EndpointQuery{Name: name}, renamed, []int{3, 2, 3, 4}},
		"by an address of earlier":  {integrations.EndpointQuery{IPs: ips, At: earlier}, moved, []int{2, 2, 3, 4}},
		"while much is ordered":     {integrations.EndpointQuery{Name: name}, busy, []int{3, 1, 3, 4}},
		"of who never logs off":     {integrations.EndpointQuery{Name: name}, sleepless, []int{3, 3, 1, 4, 1}},
	} {
		t.Run(what, func(t *testing.T) {
			var waves *edrtest.Waves
			edr, w := enriching(t, func(h http.Handler) http.Handler { waves = edrtest.NewWaves(t, h); return waves })
			if c.change != nil {
				c.change(edr, w)
			}
			waves.Expect(func() { contract.Enrichment{EDR: edr, Query: c.q}.Ask(t) }, c.waves...)
		})
	}
}

// Whether a device is isolated is told of one that is found by its name as of one that is
// found by its id, however much is ordered on others.
func TestIsolationByName(t *testing.T) {
	for _, busy := range []bool{false, true} {
		d, w := enriching(t, func(h http.Handler) http.Handler { return h })
		if busy {
			overload(t, d, w)
		}
		says := func(want string) {
			t.Helper()
			for _, q := range []integrations.EndpointQuery{{Name: "ws-042"}, {IPs: []string{"192.0.2.2"}}, {ID: agentOf("ws-042")}} {
				if found, err := d.Endpoints(t.Context(), q); err != nil || len(found) != 1 || found[0].Isolation.String() != want {
					t.Errorf("%+v while much is ordered %t: %v, %v; want %s", q, busy, found, err, want)
				}
			}
		}
		target, err := incident.DeviceTarget(agentOf("ws-042"), "ws-042")
		if err != nil {
			t.Fatal(err)
		}
		o := incident.Order{Key: "k", Action: incident.Isolate, Target: target, Reason: "test"}
		says("none")
		for _, step := range []struct {
			order         func(context.Context, incident.Order) (incident.Receipt, error)
			before, after string
		}{{d.Apply, "isolating", "isolated"}, {d.Undo, "releasing", "none"}} {
			if _, err := step.order(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			says(step.before)
			w.Settle()
			says(step.after)
		}
	}
}

// An order counts though the list of actions does not show it yet: it is not given again, nor
// is its device said to be free.
func TestAnOrderThatTheListLacks(t *testing.T) {
	d, w := enriching(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != actionsPath {
				h.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"data":[],"page":1,"pageSize":100,"total":0}`)
		})
	})
	target, err := incident.DeviceTarget(agentOf("ws-042"), "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	o := incident.Order{Key: "k", Action: incident.Isolate, Target: target, Reason: "test"}
	for _, want := range []string{"accepted by Elastic", "accepted before"} {
		if r, err := d.Apply(t.Context(), o); err != nil || !strings.HasPrefix(r.Detail, want) {
			t.Errorf("apply: %+v, %v; want %s", r, err, want)
		}
	}
	if n := w.Effects(""); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
	for _, q := range []integrations.EndpointQuery{{Name: "ws-042"}, {ID: agentOf("ws-042")}} {
		if found, err := d.Endpoints(t.Context(), q); err != nil || len(found) != 1 || found[0].Isolation.String() != "isolating" {
			t.Errorf("%+v: %v, %v; want it isolating", q, found, err)
		}
	}
}

// A script is of the last process with its pid that was started before it, however long ago
// that was.
func TestTheScriptOfAnOldProcess(t *testing.T) {
	d, w := enriching(t, func(h http.Handler) http.Handler { return h })
	now := time.Now()
	old := &edrtest.Process{
		PID: 4001, Path: `C:\old.exe`, Start: now.Add(-20 * 24 * time.Hour), End: now.Add(-25 * time.Minute),
		Scripts: []edrtest.Script{{At: now.Add(-30 * time.Minute), Path: `C:\old.ps1`, Text: "old"}},
	}
	w.Change(agentOf("ws-042"), func(h *edrtest.Host) { h.Processes = append(h.Processes, old) })
	target, err := incident.DeviceTarget(agentOf("ws-042"), "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	ran, err := d.Executions(t.Context(), integrations.ExecutionQuery{Target: target, From: now.Add(-time.Hour), To: now, Limit: 10, PIDs: []int64{4001}})
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for _, e := range ran {
		if script, ok := e.Process.Script.Get(); ok {
			of[script] = e.Process.Path.String()
		}
	}
	if of[`C:\old.ps1`] != old.Path || !strings.HasSuffix(of[`C:\flood.ps1`], "powershell.exe") {
		t.Errorf("the scripts are of %v", of)
	}
}

// What was ordered lately says nothing of a device that has not written since what is older
// may have been carried out, nor where it is not all.
func TestWhatWasOrderedLately(t *testing.T) {
	now := time.Now()
	id := agentID(agentOf("ws-042"))
	for name, c := range map[string]struct {
		wrote time.Duration
		whole bool
		told  bool
	}{
		"wrote now":      {0, true, true},
		"not all":        {0, false, false},
		"two weeks ago":  {actionsLately - actionsOver, true, true},
		"longer ago":     {actionsLately - actionsOver + time.Second, true, false},
		"never, as told": {now.Sub(time.Time{}), true, false},
	} {
		var of device
		isolated := false
		of.Metadata.Endpoint.State.Isolation, of.Metadata.Written.Time = &isolated, now.Add(-c.wrote)
		s := &search{
			d: &Defend{now: func() time.Time { return now }}, all: map[agentID]*found{id: {device: of}},
			more: map[agentID]incident.Value[string]{}, since: now.Add(-actionsLately), whole: c.whole,
		}
		if told := s.told(id); told != c.told || told != (s.more[id].String() == "none") {
			t.Errorf("%s: told %t, %s", name, told, s.more[id])
		}
	}
}

func BenchmarkEnrichment(b *testing.B) {
	slowly := func(h http.Handler) http.Handler { return edrtest.Slow(contract.Latency, h) }
	contract.BenchEnrichment(b, agentOf("ws-042"), func() contract.Enriching { d, _ := enriching(b, slowly); return d })
}
