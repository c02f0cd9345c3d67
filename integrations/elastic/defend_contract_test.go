package elastic

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// agentOf is Elastic's form of a device id of the suites.
func agentOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	x := hex.EncodeToString(sum[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

func defendKnobs() contract.Knobs {
	return contract.Knobs{Kind: "elasticdefend", ID: agentOf, Secrets: []string{defendfake.Administrator().Key}, ReadsFirst: true}
}

// deployment is a double of Elastic behind a server that fails on command, and a client of
// it.
type deployment struct {
	*Defend
	world  *edrtest.World
	double *defendfake.Double
	server *faulty.Server
}

// opener opens deployments whose traffic is judged by a description of Elastic's APIs,
// which is loaded once.
type opener struct{ apis *apispec.Spec }

func judged(t testing.TB) opener {
	t.Helper()
	return opener{apispec.Load(t, "kibana", "elasticsearch")}
}

func (d opener) open(t testing.TB, o defendfake.Options) *deployment {
	t.Helper()
	x := &deployment{world: edrtest.New(t, time.Now)}
	x.double = defendfake.New(t, x.world, o)
	x.server = faulty.New(t, d.apis.Handler(t, x.double.Handler()))
	x.server.LoseOnly(func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/api/endpoint/action/")
	})
	config, ok := DefendSpec().NewConfig().(*DefendConfig)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	config.URL, config.Elasticsearch, config.Space = x.server.URL(), x.server.URL(), o.Space
	config.APIKey, config.Access = integrations.Secret(defendfake.Administrator().Key), httpx.Access{Timeout: 10 * time.Second}
	if o.Credentials != nil {
		config.APIKey = integrations.Secret(o.Credentials[0].Key)
	}
	c, err := OpenDefend(*config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	x.Defend = c
	return x
}

// edr is for the suites.
func (x *deployment) edr() contract.EDR {
	return contract.EDR{Knobs: defendKnobs(), World: x.world, OS: "Windows 10 Pro", Break: x.server.Break}
}

// add adds a device.
func (x *deployment) add(h edrtest.Host) { x.world.Add(edrtest.Seen(h, "Windows 10 Pro")) }

func (x *deployment) target(t testing.TB, id string) incident.Target {
	t.Helper()
	return defendKnobs().Target(t, id)
}

func sender() edrtest.Host { return edrtest.Sender(agentOf("ws-042"), "ws-042") }

func TestDefendEndpoints(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defendfake.Options{
		"plain": {}, "small pages": {MaxPage: 1, ExtraFields: true, Space: "soc"}, "as published": {Published: true, MaxPage: 1},
	} {
		t.Run(name, func(t *testing.T) {
			contract.Endpoints(t, contract.EndpointsHarness{
				Knobs: defendKnobs(),
				Open: func(t testing.TB, devices []incident.Endpoint) integrations.Endpoints {
					x := d.open(t, o)
					for _, e := range devices {
						x.add(edrtest.Device(e))
					}
					return x
				},
				Break: func(e integrations.Endpoints, f contract.Fault) { e.(*deployment).server.Break(f) },
			})
		})
	}
}

func TestDefendConnections(t *testing.T) {
	d := judged(t)
	contract.Connections(t, contract.ConnectionsHarness{
		Knobs: defendKnobs(), At: time.Now(),
		Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
			x := d.open(t, defendfake.Options{})
			x.add(edrtest.Connected(device, connections))
			return x
		},
		Break: func(e integrations.Connections, f contract.Fault) { e.(*deployment).server.Break(f) },
	})
}

func TestDefendExecutions(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defendfake.Options{"plain": {}, "scripts in parts": {ScriptBlock: 7}} {
		t.Run(name, func(t *testing.T) {
			contract.Executions(t, contract.ExecutionsHarness{
				Knobs: defendKnobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
					x := d.open(t, o)
					h := edrtest.Ran(device, executions)
					h.Domain = "corp.example"
					x.add(h)
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*deployment).server.Break(f) },
			})
		})
	}
}

func TestDefendEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defendfake.Options{
		"plain": {}, "as published": {Published: true, MaxPage: 1, RepeatedIsolates: 2}, "unknown words": {UnknownWords: true, ExtraFields: true, RepeatedIsolates: 2},
	} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: defendKnobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				w := x.edr().Enforcer(t, x)
				w.Permit = func(addresses ...string) {
					for _, a := range addresses {
						x.double.Except("", a)
					}
				}
				w.Excepted = func(incident.Target) []string { return x.double.Excepted() }
				return w
			}})
		})
	}
}

func TestDefendSchedules(t *testing.T) {
	d := judged(t)
	contract.Schedules(t, contract.ScheduleHarness{Knobs: defendKnobs(), Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
		x := d.open(t, defendfake.Options{RepeatedIsolates: 2})
		return x, x.world, x.edr().Device(t)
	}})
}

func TestDefendCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: defendKnobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, defendfake.Options{})
		return x.edr().Collector(t, x)
	}})
}

func TestDefendRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: defendKnobs(), NoApproval: "nobody approves scripts at Elastic",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, defendfake.Options{})
			x.world.OnScript(func(h edrtest.Host, command, _ string) edrtest.Result {
				args, ours := strings.CutPrefix(command, `powershell.exe -NoProfile -NonInteractive -File C:\ProgramData\Stanch\print.ps1`)
				if !ours {
					return edrtest.Result{Exit: 1, Stderr: "not found: " + command}
				}
				return contract.Printer(h, "", args)
			})
			return x.edr().Runner(t, x, "print.ps1")
		},
	})
}

func TestDefendKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: defendKnobs(), Open: func(t testing.TB) contract.KillerWorld {
		x := d.open(t, defendfake.Options{})
		return x.edr().Killer(t, x)
	}})
}

// When an agent was heard is Fleet's time of its check-in, whatever our clock says. What
// Endpoint wrote of itself is not.
func TestFleetTellsWhenTheAgentWasHeard(t *testing.T) {
	x := judged(t).open(t, defendfake.Options{})
	heard := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
	x.add(edrtest.Host{ID: agentOf("ws-042"), Name: "ws-042"})
	x.world.Change(agentOf("ws-042"), func(h *edrtest.Host) { h.LastSeen, h.Offline = heard, true })
	x.now = func() time.Time { return time.Now().Add(time.Hour) }
	o := incident.Order{Key: "key-1", Action: incident.Isolate, Target: x.target(t, "ws-042")}
	if r, err := x.Read(t.Context(), o); err != nil || !r.Heard.Equal(heard) {
		t.Errorf("it was heard at %s, %v; want %s", r.Heard, err, heard)
	}
	var d device
	d.Metadata.Written.Time = heard
	if r := isolationOf(true, heard, time.Time{}, nil).reading(d); !r.Heard.IsZero() {
		t.Errorf("without a check-in it was heard at %s", r.Heard)
	}
}
