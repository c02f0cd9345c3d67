package sentinelone

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// idOf is the console's form of a device id of the suites.
func idOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("6%017d", binary.BigEndian.Uint64(sum[:8])%1e17)
}

const secret = "s1-token-of-a-test"

func knobs() contract.Knobs {
	return contract.Knobs{Kind: "sentinelone", ID: idOf, Secrets: []string{secret}, ReadsFirst: true}
}

// console is a double of SentinelOne behind a server that fails on command, and a client
// of it.
type console struct {
	*Client
	world  *edrtest.World
	double *sentinelonefake.Double
	server *faulty.Server
	lose   atomic.Bool
}

// opener opens consoles whose traffic is judged by the description of the API, which is
// loaded once.
type opener struct{ api *apispec.Spec }

func judged(t testing.TB) opener {
	t.Helper()
	return opener{apispec.Load(t, "sentinelone")}
}

func (d opener) open(t testing.TB, o sentinelonefake.Options, change ...func(*Config)) *console {
	t.Helper()
	x := &console{world: edrtest.New(t, time.Now)}
	o.Token, o.Unlimited = secret, true
	x.double = sentinelonefake.New(t, x.world, o)
	handler := x.double.Handler()
	if !o.Nulls && !o.Extra && o.NetworkStatus == nil {
		handler = d.api.Handler(t, handler)
	}
	x.server = faulty.New(t, x.losing(handler))
	config := Config{
		URL: x.server.URL(), Token: secret, Identifier: Refuse, Downloads: []string{"127.0.0.1"}, Access: httpx.Access{Timeout: 10 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := open(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	x.Client = c
	return x
}

// ordering reports whether a request orders something on a device, other than its mark.
func ordering(r *http.Request) bool {
	return slices.ContainsFunc([]string{"/disconnect", "/connect", "/execute"}, func(end string) bool { return strings.HasSuffix(r.URL.Path, end) })
}

// losing carries writes out and loses their answers, while that is asked for.
func (x *console) losing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !x.lose.Load() || !ordering(r) {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// fail makes the product fail.
func (x *console) fail(f contract.Fault) {
	x.lose.Store(f == contract.LoseAnswer)
	if f == contract.LoseAnswer {
		f = contract.Works
	}
	x.server.Break(f)
}

// add adds a device with the id of a suite.
func (x *console) add(h edrtest.Host) {
	since := time.Now().Add(-24 * time.Hour)
	for i := range h.Addresses {
		h.Addresses[i].From = since
	}
	h.OS, h.LastSeen = "Windows 11", time.Now()
	x.world.Add(h)
}

func (x *console) target(t testing.TB, id string) incident.Target {
	t.Helper()
	target, err := incident.DeviceTarget(idOf(id), id)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// variants are consoles that answer in their own ways.
func variants() map[string]sentinelonefake.Options {
	return map[string]sentinelonefake.Options{
		"plain": {}, "older": {Older: true, MaxPage: 1}, "strange": {Nulls: true, Extra: true, Steps: -1, OnlyChanged: true},
	}
}

func TestEndpoints(t *testing.T) {
	d := judged(t)
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			contract.Endpoints(t, contract.EndpointsHarness{
				Knobs: knobs(),
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
				Break: func(e integrations.Endpoints, f contract.Fault) { e.(*console).fail(f) },
			})
		})
	}
}

func TestConnections(t *testing.T) {
	d := judged(t)
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			contract.Connections(t, contract.ConnectionsHarness{
				Knobs: knobs(),
				Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
					x := d.open(t, o)
					h := edrtest.Host{ID: device.ID(), Name: device.Name()}
					for _, c := range connections {
						path, _ := c.Process.Path.Get()
						pid, _ := c.Process.PID.Get()
						p := &edrtest.Process{PID: pid, Path: path, Start: c.At.Add(-time.Hour), User: `CORP\anna`, Session: 2}
						h.Processes = append(h.Processes, p)
						h.Connections = append(h.Connections, edrtest.Connection{At: c.At, Tuple: c.Tuple, Process: p})
					}
					x.add(h)
					return x
				},
				Break: func(e integrations.Connections, f contract.Fault) { e.(*console).fail(f) },
			})
		})
	}
}

func TestExecutions(t *testing.T) {
	d := judged(t)
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			contract.Executions(t, contract.ExecutionsHarness{
				Knobs: knobs(),
				Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
					x := d.open(t, o)
					h := edrtest.Host{ID: device.ID(), Name: device.Name()}
					for _, e := range executions {
						h.Processes = append(h.Processes, ran(e))
					}
					x.add(h)
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*console).fail(f) },
			})
		})
	}
}

// ran is the process of an execution of the suite.
func ran(e incident.Execution) *edrtest.Process {
	long := e.At.Add(-24 * time.Hour)
	p := &edrtest.Process{Start: e.At, Parent: &edrtest.Process{
		PID: 900, Path: `C:\Windows\explorer.exe`, Start: long, Parent: &edrtest.Process{PID: 800, Path: `C:\Windows\System32\userinit.exe`, Start: long},
	}}
	p.Path, _ = e.Process.Path.Get()
	p.PID, _ = e.Process.PID.Get()
	p.CommandLine, _ = e.Process.CommandLine.Get()
	p.User, _ = e.Process.User.Get()
	if text, ok := e.Process.ScriptText.Get(); ok {
		file, _ := e.Process.Script.Get()
		p.Scripts = []edrtest.Script{{At: e.At, Path: file, Text: text}}
	}
	return p
}

func TestEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
				x.add(edrtest.Host{ID: idOf("ws-0421"), Name: "ws-0421"})
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

func TestSchedules(t *testing.T) {
	d := judged(t)
	contract.Schedules(t, contract.ScheduleHarness{Knobs: knobs(), Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
		x := d.open(t, sentinelonefake.Options{})
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		return x, x.world, x.target(t, "ws-042")
	}})
}

// sender is a device on which a process sends.
func sender() edrtest.Host {
	p := &edrtest.Process{PID: 4001, Path: `C:\Program Files\Tools\sender.exe`, Start: time.Now().Add(-10 * time.Minute), User: `CORP\anna`}
	return edrtest.Host{
		ID: idOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{p}, Sessions: []edrtest.Session{{User: "anna", Domain: "CORP", Since: time.Now().Add(-time.Hour)}},
		Connections: []edrtest.Connection{{At: time.Now().Add(-time.Minute), Process: p, Tuple: incident.Tuple{
			SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
		}}},
	}
}

func TestCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, sentinelonefake.Options{})
		x.add(sender())
		return contract.CollectorWorld{Collector: x, Target: x.target(t, "ws-042"), Break: x.fail}
	}})
}

func TestRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: knobs(), NoExit: "SentinelOne does not tell how a script exited, and takes one that exits with 3 for failed",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, sentinelonefake.Options{Scripts: []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1"}, {ID: "5000002", Name: "print.ps1.old"}}})
			x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
			x.add(edrtest.Host{ID: idOf("ws-0421"), Name: "ws-0421"})
			x.world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
				r := contract.Printer(h, name, input)
				r.Exit = 0
				return r
			})
			return contract.RunnerWorld{
				Runner: x, Target: x.target(t, "ws-042"), Other: x.target(t, "ws-0421"), Script: "print.ps1", Settle: x.world.Settle,
				Runs: func() int {
					return len(slices.DeleteFunc(x.world.Actions(""), func(a edrtest.Action) bool { return a.Kind != edrtest.RunScript }))
				},
				HoldForApproval: func() {
					x.double.Change(func(o *sentinelonefake.Options) {
						o.Scripts = []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1", RequiresApproval: true}}
					})
				},
				Break: x.fail,
			}
		},
	})
}

func TestKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		var carryOut atomic.Pointer[func()]
		x := d.open(t, sentinelonefake.Options{
			Scripts: []sentinelonefake.Script{{ID: "5000003", Name: killScript}},
			Before: func(r *http.Request) {
				if do := carryOut.Load(); do != nil && strings.HasSuffix(r.URL.Path, "/remote-scripts/status") {
					(*do)()
				}
			},
		})
		h := sender()
		x.add(h)
		k := &killing{}
		x.world.OnScript(k.run)
		do := func() { x.world.Settle(); k.end(x.world, h.ID) }
		carryOut.Store(&do)
		return contract.KillerWorld{
			Killer: x, Target: x.target(t, "ws-042"), PID: 4001, Path: h.Processes[0].Path,
			Runs: func() bool {
				now, _ := x.world.Host(h.ID)
				return now.Processes[0].End.IsZero()
			},
			Kills: k.count, Break: x.fail,
		}
	}})
}
