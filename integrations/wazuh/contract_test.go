package wazuh

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func knobs() contract.Knobs {
	return contract.Knobs{Kind: "wazuh", ID: idOf, Secrets: []string{"the-secret", "the-other-secret"}, ReadsFirst: true}
}

func TestEndpoints(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]wazuhfake.Options{
		"plain": {}, "older, in small pages": {MaxPage: 1, Older: true},
	} {
		t.Run(name, func(t *testing.T) {
			k := knobs()
			k.Skip = map[string]string{"all that match are returned, sorted, each once": "Wazuh finds an agent by one address, that from which it reports"}
			contract.Endpoints(t, contract.EndpointsHarness{
				Knobs: k,
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
				Break: func(e integrations.Endpoints, f contract.Fault) { e.(*site).fail(t, f) },
			})
		})
	}
}

func TestConnections(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]wazuhfake.Options{"plain": {}, "as they are": {SingleBackslashes: true}} {
		t.Run(name, func(t *testing.T) {
			contract.Connections(t, contract.ConnectionsHarness{
				Knobs: knobs(), At: time.Now(),
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
				Break: func(e integrations.Connections, f contract.Fault) { e.(*site).fail(t, f) },
			})
		})
	}
}

func TestExecutions(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]wazuhfake.Options{"plain": {}, "as they are, in blocks": {SingleBackslashes: true, BlockSize: 20}} {
		t.Run(name, func(t *testing.T) {
			contract.Executions(t, contract.ExecutionsHarness{
				Knobs: knobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
					x := d.open(t, o)
					h := edrtest.Host{ID: device.ID(), Name: device.Name()}
					for _, e := range executions {
						h.Processes = append(h.Processes, ran(e))
					}
					x.add(h)
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*site).fail(t, f) },
			})
		})
	}
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

// impose has somebody order the isolating script by hand: with the same script, and a key
// that is none of ours.
func (x *site) impose(id string) {
	text, _ := json.Marshal(map[string]any{"parameters": map[string]any{"alert": map[string]any{"data": map[string]any{
		"stanch": order{Verb: verbIsolate, Agent: id, Number: "1"},
	}}}})
	x.world.CarryOut(x.world.Order(edrtest.Action{
		Kind: edrtest.Isolate, Host: id, By: "somebody", Script: isolateCommand[1:], Input: string(text),
	}).ID)
}

func TestEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]wazuhfake.Options{"plain": {}, "older": {Older: true, MaxPage: 1}} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
				x.add(edrtest.Host{ID: idOf("ws-0421"), Name: "ws-0421"})
				return contract.EnforcerWorld{
					Enforcer: x, Actions: []incident.Action{incident.Isolate}, Target: target(t, "ws-042"), Other: target(t, "ws-0421"), Unordered: true,
					Effects: func() int { return x.world.Effects("") }, Settle: x.world.Settle,
					Impose: func(o incident.Order) { x.impose(o.Target.ID()) },
					Break:  func(f contract.Fault) { x.fail(t, f) },
				}
			}})
		})
	}
}

// patient leaves a write to an agent that is offline for later, as the engine does: Wazuh
// keeps no orders.
type patient struct{ *site }

func (p patient) later(err error) error {
	if integrations.KindOf(err) == integrations.Unavailable && err != nil && strings.Contains(err.Error(), "the device is offline") {
		return nil
	}
	return err
}

func (p patient) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	r, err := p.site.Apply(ctx, o)
	return r, p.later(err)
}

func (p patient) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	r, err := p.site.Undo(ctx, o)
	return r, p.later(err)
}

func TestSchedules(t *testing.T) {
	d := judged(t)
	contract.Schedules(t, contract.ScheduleHarness{Knobs: knobs(), Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
		x := d.open(t, wazuhfake.Options{})
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		return patient{x}, x.world, target(t, "ws-042")
	}})
}

func TestCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, wazuhfake.Options{})
		x.add(sending())
		return contract.CollectorWorld{Collector: x, Target: target(t, "ws-042"), Break: func(f contract.Fault) { x.fail(t, f) }}
	}})
}

// sending is a device on which a process sends.
func sending() edrtest.Host {
	p := &edrtest.Process{PID: 4001, Path: `C:\Program Files\Tools\sender.exe`, Start: time.Now().Add(-10 * time.Minute).Truncate(time.Millisecond), User: `CORP\anna`}
	return edrtest.Host{
		ID: idOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{p},
		Connections: []edrtest.Connection{{At: time.Now().Add(-time.Minute), Process: p, Tuple: incident.Tuple{
			SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
		}}},
	}
}

func TestRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: knobs(), NoApproval: "nobody approves scripts at Wazuh",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, wazuhfake.Options{})
			x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
			x.add(edrtest.Host{ID: idOf("ws-0421"), Name: "ws-0421"})
			return contract.RunnerWorld{
				Runner: x, Target: target(t, "ws-042"), Other: target(t, "ws-0421"), Script: "print", Settle: x.world.Settle,
				Runs: func() int {
					return len(slices.DeleteFunc(x.world.Actions(""), func(a edrtest.Action) bool { return a.Kind != edrtest.RunScript }))
				},
				Break: func(f contract.Fault) { x.fail(t, f) },
			}
		},
	})
}

func TestKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		var carryOut atomic.Pointer[func()]
		x := d.open(t, wazuhfake.Options{Before: func(r *http.Request) {
			if do := carryOut.Load(); do != nil && strings.HasSuffix(r.URL.Path, "/_search") {
				(*do)()
			}
		}})
		h := sending()
		x.add(h)
		do := func() { x.world.Settle(); x.machines.end(x.world, h.ID) }
		carryOut.Store(&do)
		return contract.KillerWorld{
			Killer: x, Target: target(t, "ws-042"), PID: 4001, Path: h.Processes[0].Path,
			Runs: func() bool {
				now, _ := x.world.Host(h.ID)
				return now.Processes[0].End.IsZero()
			},
			Kills: x.machines.kills, Break: func(f contract.Fault) { x.fail(t, f) },
		}
	}})
}
