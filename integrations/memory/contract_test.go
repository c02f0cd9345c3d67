package memory_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// clock is a clock that stops until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func open(t testing.TB, o memory.Options) *memory.Estate {
	t.Helper()
	e, err := memory.New(o)
	if err != nil {
		t.Fatalf("open an estate: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close the estate: %v", err)
		}
	})
	return e
}

func addHost(t testing.TB, e *memory.Estate, h memory.Host) {
	t.Helper()
	if err := e.AddHost(h); err != nil {
		t.Fatal(err)
	}
}

func target(t testing.TB, id string) incident.Target {
	t.Helper()
	device, err := incident.DeviceTarget(id, id)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// breaker causes the contract's faults for the operations.
func breaker(e *memory.Estate, ops ...string) func(contract.Fault) {
	return func(f contract.Fault) {
		e.Mend()
		for _, op := range ops {
			switch f {
			case contract.Works:
			case contract.Throttle:
				e.Fail(op, integrations.Error{Kind: integrations.Throttled, After: contract.ThrottledFor}, -1)
			case contract.Down:
				e.Fail(op, integrations.Error{Kind: integrations.Unavailable}, -1)
			case contract.Deny:
				e.Fail(op, integrations.Error{Kind: integrations.Denied}, -1)
			case contract.Hang:
				e.Delay(op, time.Hour)
			case contract.LoseAnswer:
				e.FailAfter(op, integrations.Error{Kind: integrations.Ambiguous}, -1)
			}
		}
	}
}

// knobs are what all harnesses have.
func knobs() contract.Knobs { return contract.Knobs{Kind: "memory"} }

func TestEnforcer(t *testing.T) {
	for name, behaviour := range map[string]memory.Behaviour{
		"at once":      {},
		"asynchronous": {Pending: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				return enforcerWorld(t, behaviour)
			}})
		})
	}
}

func enforcerWorld(t testing.TB, behaviour memory.Behaviour) contract.EnforcerWorld {
	c := newClock()
	e := open(t, memory.Options{Now: c.now, Path: t.TempDir() + "/estate.jsonl"})
	for _, id := range []string{"ws-042", "ws-0421"} {
		addHost(t, e, memory.Host{ID: id, Name: id, IPs: []string{"192.0.2.1"}})
		for _, a := range []incident.Action{incident.RateLimit, incident.Block, incident.Isolate} {
			if err := e.Behave(id, a, behaviour); err != nil {
				t.Fatal(err)
			}
		}
	}
	return contract.EnforcerWorld{
		Excepted: func(on incident.Target) []string { return e.Excepted(on.ID()) },
		Enforcer: e, Target: target(t, "ws-042"), Other: target(t, "ws-0421"),
		Actions: []incident.Action{incident.RateLimit, incident.Block, incident.Isolate},
		Effects: func() int { return len(e.Effects()) },
		Impose: func(o incident.Order) {
			if err := e.Impose(o); err != nil {
				t.Fatal(err)
			}
			c.move(behaviour.Pending)
		},
		Settle: func() { c.move(behaviour.Pending) },
		Break:  breaker(e, "read", "apply", "undo"),
	}
}

func flowsHarness() contract.FlowsHarness {
	return contract.FlowsHarness{
		Knobs: knobs(), AtOnce: true,
		Open: func(t testing.TB, records []incident.Flow) integrations.Flows {
			e := open(t, memory.Options{})
			e.AddFlows(records...)
			return e
		},
		OpenSeen: func(t testing.TB, records []contract.Seen) integrations.Flows {
			e := open(t, memory.Options{})
			for _, r := range records {
				e.AddSeen(r.Sensor, r.Sampling, r.Flow)
			}
			return e
		},
		Break: func(f integrations.Flows, fault contract.Fault) {
			breaker(f.(*memory.Estate), "traffic", "baseline", "series", "hosts", "survey", "census")(fault)
		},
	}
}

func TestFlows(t *testing.T)    { contract.Flows(t, flowsHarness()) }
func TestHunter(t *testing.T)   { contract.Hunter(t, flowsHarness()) }
func TestCensus(t *testing.T)   { contract.Census(t, flowsHarness()) }
func TestSurveyor(t *testing.T) { contract.Surveyor(t, flowsHarness()) }

func TestEndpoints(t *testing.T) {
	contract.Endpoints(t, contract.EndpointsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, devices []incident.Endpoint) integrations.Endpoints {
			e := open(t, memory.Options{})
			for _, d := range devices {
				h := memory.Host{}
				h.ID, _ = d.ID.Get()
				h.Name, _ = d.Name.Get()
				h.IPs, _ = d.IP.Get()
				h.OS, _ = d.OS.Get()
				addHost(t, e, h)
			}
			return e
		},
		Break: func(f integrations.Endpoints, fault contract.Fault) { breaker(f.(*memory.Estate), "endpoints")(fault) },
	})
}

func TestInventory(t *testing.T) {
	contract.Inventory(t, contract.InventoryHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, entries []contract.InventoryEntry) integrations.Inventory {
			e := open(t, memory.Options{})
			for _, i := range entries {
				addHost(t, e, memory.Host{ID: i.ID, Name: i.Name, IPs: i.IPs, Asset: i.Asset})
			}
			return e
		},
		Break: func(f integrations.Inventory, fault contract.Fault) { breaker(f.(*memory.Estate), "asset")(fault) },
	})
}

func TestConnections(t *testing.T) {
	contract.Connections(t, contract.ConnectionsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
			e := open(t, memory.Options{})
			addHost(t, e, memory.Host{ID: device.ID()})
			if err := e.AddConnections(device.ID(), connections...); err != nil {
				t.Fatal(err)
			}
			return e
		},
		Break: func(f integrations.Connections, fault contract.Fault) {
			breaker(f.(*memory.Estate), "connections")(fault)
		},
	})
}

func TestExecutions(t *testing.T) {
	contract.Executions(t, contract.ExecutionsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
			e := open(t, memory.Options{})
			addHost(t, e, memory.Host{ID: device.ID()})
			if err := e.AddExecutions(device.ID(), executions...); err != nil {
				t.Fatal(err)
			}
			return e
		},
		Break: func(f integrations.Executions, fault contract.Fault) {
			breaker(f.(*memory.Estate), "executions")(fault)
		},
	})
}

// sender is a host on which one process floods one destination.
func sender(id string) memory.Host {
	return memory.Host{
		ID: id, Name: id, IPs: []string{"10.0.0.42"}, OS: "windows", Role: "workstation",
		Processes: []memory.Process{{
			Path: `C:\Tools\sender.exe`, Name: "sender.exe", PID: 77,
			Streams: []memory.Stream{{
				Destinations: []string{"198.51.100.1"}, DstPort: 53, Transport: "udp",
				BitsOut: 8_000_000, PacketBytes: 500, From: -time.Hour,
			}},
		}},
	}
}

func TestCollector(t *testing.T) {
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		e := open(t, memory.Options{Now: newClock().now})
		addHost(t, e, sender("ws-042"))
		return contract.CollectorWorld{Collector: e, Target: target(t, "ws-042"), Break: breaker(e, "collect")}
	}})
}

func TestKiller(t *testing.T) {
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		e := open(t, memory.Options{Now: newClock().now})
		addHost(t, e, sender("ws-042"))
		return contract.KillerWorld{
			Killer: e, Target: target(t, "ws-042"), PID: 77, Path: `C:\Tools\sender.exe`,
			Runs:  func() bool { return e.Runs("ws-042", 77, `C:\Tools\sender.exe`) },
			Kills: func() int { return len(e.Effects()) },
			Break: breaker(e, "kill"),
		}
	}})
}

func TestMessenger(t *testing.T) {
	contract.Messenger(t, contract.MessengerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.MessengerWorld {
		e := open(t, memory.Options{})
		return contract.MessengerWorld{
			Messenger: e, Channel: "#sec", Sent: func() int { return len(e.Messages()) }, Break: breaker(e, "post"),
		}
	}})
}

func TestUpdater(t *testing.T) {
	contract.Updater(t, contract.UpdaterHarness{Knobs: knobs(), Open: func(t testing.TB) contract.UpdaterWorld {
		e := open(t, memory.Options{})
		return contract.UpdaterWorld{
			Messenger: e, Updater: e, Channel: "#sec", Unknown: incident.Receipt{Ref: "message-99"},
			Seen: func() []string {
				var seen []string
				for _, sent := range e.Messages() {
					seen = append(seen, sent.Message.Title)
				}
				return seen
			},
			Break: breaker(e, "update"),
		}
	}})
}
