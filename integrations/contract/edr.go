package contract

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// EDR is an EDR behind a double, from which the worlds of the suites are made. Each adds
// the devices that its suite needs.
type EDR struct {
	Knobs
	World *edrtest.World
	// OS is Windows in the product's words.
	OS    string
	Break func(Fault)
}

// Target is a device with an id of the suites, which is its name too.
func (k Knobs) Target(t testing.TB, id string) incident.Target {
	t.Helper()
	target, err := incident.DeviceTarget(k.id(id), id)
	k.fine(t, "make a target", err)
	return target
}

// Device adds the device ws-042.
func (e EDR) Device(t testing.TB) incident.Target { t.Helper(); return e.named(t, "ws-042") }

// Sender adds the device ws-042, on which a process sends.
func (e EDR) Sender(t testing.TB) (incident.Target, *edrtest.Process) {
	t.Helper()
	target := e.Target(t, "ws-042")
	h := edrtest.Sender(target.ID(), target.Name())
	e.World.Add(edrtest.Seen(h, e.OS))
	return target, h.Processes[0]
}

func (e EDR) named(t testing.TB, id string) incident.Target {
	t.Helper()
	target := e.Target(t, id)
	e.World.Add(edrtest.Seen(edrtest.Host{ID: target.ID(), Name: target.Name()}, e.OS))
	return target
}

// Enforcer is for [Enforcer]. The name of a device is the beginning of another's.
func (e EDR) Enforcer(t testing.TB, c integrations.Enforcer) EnforcerWorld {
	t.Helper()
	return EnforcerWorld{
		Enforcer: c, Actions: []incident.Action{incident.Isolate}, Target: e.Device(t), Other: e.named(t, "ws-0421"), Unordered: true,
		Effects: func() int { return e.World.Effects("") }, Settle: e.World.Settle,
		Impose: func(o incident.Order) { e.World.Impose(o.Target.ID()) }, Break: e.Break,
	}
}

// Runner is for [Runner].
func (e EDR) Runner(t testing.TB, c integrations.Runner, script string) RunnerWorld {
	t.Helper()
	return RunnerWorld{
		Runner: c, Target: e.Device(t), Other: e.named(t, "ws-0421"), Script: script, Settle: e.World.Settle,
		Runs: func() int { return e.World.Count(edrtest.RunScript) }, Break: e.Break,
	}
}

// Collector is for [Collector].
func (e EDR) Collector(t testing.TB, c integrations.Collector) CollectorWorld {
	t.Helper()
	target, _ := e.Sender(t)
	return CollectorWorld{Collector: c, Target: target, Break: e.Break}
}

// Killer is for [Killer]. The device ends what it is told to at once.
func (e EDR) Killer(t testing.TB, c integrations.Killer) KillerWorld {
	t.Helper()
	e.World.Prompt()
	target, p := e.Sender(t)
	return KillerWorld{
		Killer: c, Target: target, PID: p.PID, Path: p.Path, Started: p.Start,
		Runs: func() bool { return e.World.Runs(target.ID(), p.PID) }, Kills: e.World.Kills, Break: e.Break,
	}
}
