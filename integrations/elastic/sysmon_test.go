package elastic

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// logs is a double of a cluster with Sysmon's events, and a client of it.
type logs struct {
	*Sysmon
	world  *edrtest.World
	server *faulty.Server
}

// shipped is who ships the events, and by what a device's are recognised.
type shipped struct {
	indices []string
	by      By
	domain  string
}

func shippers() map[string]shipped {
	return map[string]shipped{
		"Elastic Agent":        {by: ByName},
		"Elastic Agent, by id": {by: ByAgent},
		"Winlogbeat":           {[]string{"winlogbeat-*"}, ByName, "corp.example"},
	}
}

func (d opener) sysmon(t testing.TB, s shipped, o defendfake.Options) *logs {
	t.Helper()
	x := &logs{world: edrtest.New(t, time.Now)}
	x.server = faulty.New(t, d.apis.Handler(t, defendfake.New(t, x.world, o).Handler()))
	config, ok := SysmonSpec().NewConfig().(*SysmonConfig)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	config.URL, config.APIKey, config.By = x.server.URL(), integrations.Secret(defendfake.Administrator().Key), s.by
	config.Access = httpx.Access{Timeout: 10 * time.Second}
	if s.indices != nil {
		config.Indices, config.ScriptIndices = s.indices, s.indices
	}
	c, err := OpenSysmon(*config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	x.Sysmon = c
	return x
}

func sysmonKnobs() contract.Knobs {
	return contract.Knobs{Kind: "sysmon", ID: agentOf, Secrets: []string{defendfake.Administrator().Key}}
}

func TestSysmonConnections(t *testing.T) {
	d := judged(t)
	for name, s := range shippers() {
		t.Run(name, func(t *testing.T) {
			contract.Connections(t, contract.ConnectionsHarness{
				Knobs: sysmonKnobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
					x := d.sysmon(t, s, defendfake.Options{})
					h := edrtest.Connected(device, connections)
					h.Domain = s.domain
					x.world.Add(h)
					return x
				},
				Break: func(e integrations.Connections, f contract.Fault) { e.(*logs).server.Break(f) },
			})
		})
	}
}

func TestSysmonExecutions(t *testing.T) {
	d := judged(t)
	for name, s := range shippers() {
		t.Run(name, func(t *testing.T) {
			contract.Executions(t, contract.ExecutionsHarness{
				Knobs: sysmonKnobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
					x := d.sysmon(t, s, defendfake.Options{ScriptBlock: 11})
					h := edrtest.Ran(device, executions)
					h.Domain = s.domain
					x.world.Add(h)
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*logs).server.Break(f) },
			})
		})
	}
}

// A name that is the beginning of another is another device's, with a domain and without.
func TestSysmonTakesOneDevice(t *testing.T) {
	x := judged(t).sysmon(t, shipped{[]string{"winlogbeat-*"}, ByName, ""}, defendfake.Options{})
	at := time.Now().Add(-time.Minute)
	for i, h := range []edrtest.Host{{Name: "WS-4"}, {Name: "ws-42", Domain: "corp.example"}, {Name: "ws-4x"}} {
		h.ID = agentOf(h.Name)
		h.Processes = []*edrtest.Process{{PID: int64(10 + i), Path: `C:\a.exe`, Start: at}}
		x.world.Add(h)
	}
	for name, want := range map[string][]int64{"ws-4": {10}, "WS-42": {11}, "ws-42.corp.example": {11}} {
		target, err := incident.DeviceTarget("any", name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Executions(t.Context(), integrations.ExecutionQuery{Target: target, From: at.Add(-time.Hour), To: time.Now(), Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var pids []int64
		for _, e := range got {
			pid, _ := e.Process.PID.Get()
			pids = append(pids, pid)
		}
		if !slices.Equal(pids, want) {
			t.Errorf("%s ran %v, want %v", name, pids, want)
		}
	}
	for _, name := range []string{"*", "a b", `x" or "y`, "192.0.2.1", "."} {
		target, err := incident.DeviceTarget("any", name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Connections(t.Context(), integrations.ConnectionQuery{Target: target, From: at, To: time.Now(), Limit: 1})
		if integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("the name %q: %v, want it invalid", name, err)
		}
	}
}

func TestSysmonProbe(t *testing.T) {
	world := edrtest.New(t, time.Now)
	server := httptest.NewServer(defendfake.New(t, world, defendfake.Options{}).Handler())
	t.Cleanup(server.Close)
	config, ok := SysmonSpec().NewConfig().(*SysmonConfig)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	config.URL, config.APIKey = server.URL, integrations.Secret(defendfake.Administrator().Key)
	x, err := OpenSysmon(*config)
	if err != nil {
		t.Fatal(err)
	}
	said := func() string {
		var all []string
		for _, f := range x.Probe(t.Context()) {
			if !f.OK {
				t.Errorf("%+v", f)
			}
			all = append(all, f.What)
		}
		return strings.Join(all, "\n")
	}
	world.Add(edrtest.Host{ID: agentOf("a"), Name: "a", Processes: []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: time.Now().Add(-time.Minute)}}})
	if got := said(); !strings.Contains(got, "no connection was logged") || !strings.Contains(got, "have events") {
		t.Errorf("the probe says %s", got)
	}
	world.Add(sender())
	if got := said(); strings.Contains(got, "no connection was logged") {
		t.Errorf("the probe says %s", got)
	}
}
