package elastic

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
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
	lose   atomic.Bool
	// prompt has the devices carry out what is open when an action is looked at.
	prompt atomic.Bool
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
	x.server = faulty.New(t, x.losing(d.apis.Handler(t, x.double.Handler())))
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

// losing carries writes out and loses their answers, while that is asked for.
func (x *deployment) losing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x.prompt.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/api/endpoint/action/") {
			x.world.Settle()
		}
		if !x.lose.Load() || r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/api/endpoint/action/") {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

func (x *deployment) fail(f contract.Fault) {
	x.lose.Store(f == contract.LoseAnswer)
	if f == contract.LoseAnswer {
		f = contract.Works
	}
	x.server.Break(f)
}

// add adds a device.
func (x *deployment) add(h edrtest.Host) {
	since := time.Now().Add(-24 * time.Hour)
	for i := range h.Addresses {
		h.Addresses[i].From = since
	}
	h.OS, h.LastSeen = "Windows 10 Pro", time.Now()
	x.world.Add(h)
}

func (x *deployment) target(t testing.TB, id string) incident.Target {
	t.Helper()
	target, err := incident.DeviceTarget(agentOf(id), id)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

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
						id, _ := e.ID.Get()
						name, _ := e.Name.Get()
						ips, _ := e.IP.Get()
						h := edrtest.Host{ID: id, Name: name}
						for _, ip := range ips {
							h.Addresses = append(h.Addresses, edrtest.Address{IP: ip})
						}
						x.add(h)
					}
					return x
				},
				Break: func(e integrations.Endpoints, f contract.Fault) { e.(*deployment).fail(f) },
			})
		})
	}
}

func connected(device incident.Target, connections []incident.Connection) edrtest.Host {
	h := edrtest.Host{ID: device.ID(), Name: device.Name()}
	for _, c := range connections {
		path, _ := c.Process.Path.Get()
		pid, _ := c.Process.PID.Get()
		p := &edrtest.Process{PID: pid, Path: path, Start: c.At.Add(-time.Hour), User: `CORP\anna`, Session: 2}
		h.Processes = append(h.Processes, p)
		h.Connections = append(h.Connections, edrtest.Connection{At: c.At, Tuple: c.Tuple, Process: p})
	}
	return h
}

func TestDefendConnections(t *testing.T) {
	d := judged(t)
	contract.Connections(t, contract.ConnectionsHarness{
		Knobs: defendKnobs(), At: time.Now(),
		Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
			x := d.open(t, defendfake.Options{})
			x.add(connected(device, connections))
			return x
		},
		Break: func(e integrations.Connections, f contract.Fault) { e.(*deployment).fail(f) },
	})
}

// ran is the process of an execution of the suite.
func ran(e incident.Execution) *edrtest.Process {
	long := e.At.Add(-24 * time.Hour)
	path, _ := e.Process.Path.Get()
	pid, _ := e.Process.PID.Get()
	line, _ := e.Process.CommandLine.Get()
	user, _ := e.Process.User.Get()
	p := &edrtest.Process{PID: pid, Path: path, CommandLine: line, User: user, Start: e.At, Parent: &edrtest.Process{
		PID: 900, Path: `C:\Windows\explorer.exe`, Start: long, Parent: &edrtest.Process{PID: 800, Path: `C:\Windows\System32\userinit.exe`, Start: long},
	}}
	if text, ok := e.Process.ScriptText.Get(); ok {
		file, _ := e.Process.Script.Get()
		p.Scripts = []edrtest.Script{{At: e.At, Path: file, Text: text}}
	}
	return p
}

func TestDefendExecutions(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defendfake.Options{"plain": {}, "scripts in parts": {ScriptBlock: 7}} {
		t.Run(name, func(t *testing.T) {
			contract.Executions(t, contract.ExecutionsHarness{
				Knobs: defendKnobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
					x := d.open(t, o)
					h := edrtest.Host{ID: device.ID(), Name: device.Name(), Domain: "corp.example"}
					for _, e := range executions {
						h.Processes = append(h.Processes, ran(e))
					}
					x.add(h)
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*deployment).fail(f) },
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
				x.add(edrtest.Host{ID: agentOf("ws-042"), Name: "ws-042"})
				x.add(edrtest.Host{ID: agentOf("ws-0421"), Name: "ws-0421"})
				return contract.EnforcerWorld{
					Enforcer: x, Actions: []incident.Action{incident.Isolate}, Target: x.target(t, "ws-042"), Other: x.target(t, "ws-0421"), Unordered: true,
					Effects: func() int { return x.world.Effects("") }, Settle: x.world.Settle,
					Impose: func(o incident.Order) { x.world.Impose(o.Target.ID()) },
					Break:  x.fail,
				}
			}})
		})
	}
}

func TestDefendSchedules(t *testing.T) {
	d := judged(t)
	contract.Schedules(t, contract.ScheduleHarness{Knobs: defendKnobs(), Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
		x := d.open(t, defendfake.Options{RepeatedIsolates: 2})
		x.add(edrtest.Host{ID: agentOf("ws-042"), Name: "ws-042"})
		return x, x.world, x.target(t, "ws-042")
	}})
}

// sender is a device on which a process sends.
func sender() edrtest.Host {
	p := &edrtest.Process{PID: 4001, Path: `C:\Program Files\Tools\sender.exe`, Start: time.Now().Add(-10 * time.Minute), User: `CORP\anna`}
	return edrtest.Host{
		ID: agentOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{p},
		Connections: []edrtest.Connection{{At: time.Now().Add(-time.Minute), Process: p, Tuple: incident.Tuple{
			SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
		}}},
	}
}

func TestDefendCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: defendKnobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, defendfake.Options{})
		x.add(sender())
		return contract.CollectorWorld{Collector: x, Target: x.target(t, "ws-042"), Break: x.fail}
	}})
}

func TestDefendRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: defendKnobs(), NoApproval: "nobody approves scripts at Elastic",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, defendfake.Options{})
			x.add(edrtest.Host{ID: agentOf("ws-042"), Name: "ws-042"})
			x.add(edrtest.Host{ID: agentOf("ws-0421"), Name: "ws-0421"})
			x.world.OnScript(func(h edrtest.Host, command, _ string) edrtest.Result {
				args, ours := strings.CutPrefix(command, `powershell.exe -NoProfile -NonInteractive -File C:\ProgramData\Stanch\print.ps1`)
				if !ours {
					return edrtest.Result{Exit: 1, Stderr: "not found: " + command}
				}
				return contract.Printer(h, "", args)
			})
			return contract.RunnerWorld{
				Runner: x, Target: x.target(t, "ws-042"), Other: x.target(t, "ws-0421"), Script: "print.ps1", Settle: x.world.Settle,
				Runs: func() int {
					return len(slices.DeleteFunc(x.world.Actions(""), func(a edrtest.Action) bool { return a.Kind != edrtest.RunScript }))
				},
				Break: x.fail,
			}
		},
	})
}

func TestDefendKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: defendKnobs(), Open: func(t testing.TB) contract.KillerWorld {
		x := d.open(t, defendfake.Options{})
		h := sender()
		x.add(h)
		x.prompt.Store(true)
		return contract.KillerWorld{
			Killer: x, Target: x.target(t, "ws-042"), PID: 4001, Path: h.Processes[0].Path,
			Runs: func() bool {
				now, _ := x.world.Host(h.ID)
				return now.Processes[0].End.IsZero()
			},
			Kills: func() int {
				return len(slices.DeleteFunc(x.world.Actions(""), func(a edrtest.Action) bool { return a.Kind != edrtest.Kill || a.State != edrtest.Done || a.PID == 0 }))
			},
			Break: x.fail,
		}
	}})
}
