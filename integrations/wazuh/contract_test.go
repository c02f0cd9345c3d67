package wazuh

import (
	"context"
	"strings"
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
						x.add(edrtest.Device(e))
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
					x.add(edrtest.Connected(device, connections))
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
					x.add(edrtest.Ran(device, executions))
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*site).fail(t, f) },
			})
		})
	}
}

func TestEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]wazuhfake.Options{"plain": {}, "older": {Older: true, MaxPage: 1}} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				w := x.edr(t).Enforcer(t, x)
				w.Excepted = func(on incident.Target) []string { return x.machines.Excepted(on.ID()) }
				// With the same script, and a key that is none of ours.
				w.Impose = func(o incident.Order) {
					x.byHand(o.Target.ID(), isolateCommand, edrtest.Isolate, order{Verb: verbIsolate, Number: "1"})
				}
				return w
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
		return x.edr(t).Collector(t, x)
	}})
}

func TestRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: knobs(), NoApproval: "nobody approves scripts at Wazuh",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, wazuhfake.Options{})
			return x.edr(t).Runner(t, x, "print")
		},
	})
}

func TestKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		x := d.open(t, wazuhfake.Options{})
		return x.edr(t).Killer(t, x)
	}})
}

// When an agent was heard is the manager's time of it, whatever our clock says.
func TestTheManagerTellsWhenTheAgentWasHeard(t *testing.T) {
	for _, offline := range []bool{false, true} {
		x := judged(t).open(t, wazuhfake.Options{})
		heard := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
		x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
		x.world.Change(idOf("ws-042"), func(h *edrtest.Host) { h.LastSeen, h.Offline = heard, offline })
		x.now = func() time.Time { return time.Now().Add(time.Hour) }
		r, err := x.Read(t.Context(), incident.Order{Key: "key-1", Action: incident.Isolate, Target: target(t, "ws-042")})
		if err != nil || !r.Heard.Equal(heard) {
			t.Errorf("offline %t: it was heard at %s, %v; want %s", offline, r.Heard, err, heard)
		}
	}
}
