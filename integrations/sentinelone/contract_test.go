package sentinelone

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	x.server = faulty.New(t, handler)
	x.server.LoseOnly(ordering)
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

// edr is for the suites.
func (x *console) edr() contract.EDR {
	return contract.EDR{Knobs: knobs(), World: x.world, OS: "Windows 11", Break: x.server.Break}
}

// add adds a device.
func (x *console) add(h edrtest.Host) { x.world.Add(edrtest.Seen(h, "Windows 11")) }

func (x *console) target(t testing.TB, id string) incident.Target {
	t.Helper()
	return knobs().Target(t, id)
}

func sender() edrtest.Host { return edrtest.Sender(idOf("ws-042"), "ws-042") }

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
						x.add(edrtest.Device(e))
					}
					return x
				},
				Break: func(e integrations.Endpoints, f contract.Fault) { e.(*console).server.Break(f) },
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
					x.add(edrtest.Connected(device, connections))
					return x
				},
				Break: func(e integrations.Connections, f contract.Fault) { e.(*console).server.Break(f) },
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
					x.add(edrtest.Ran(device, executions))
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*console).server.Break(f) },
			})
		})
	}
}

func TestEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				w := x.edr().Enforcer(t, x)
				w.ExceptBy = Spec().ExceptBy
				return w
			}})
		})
	}
}

func TestSchedules(t *testing.T) {
	d := judged(t)
	contract.Schedules(t, contract.ScheduleHarness{Knobs: knobs(), Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
		x := d.open(t, sentinelonefake.Options{})
		return x, x.world, x.edr().Device(t)
	}})
}

func TestCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, sentinelonefake.Options{})
		return x.edr().Collector(t, x)
	}})
}

func TestRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: knobs(), NoExit: "SentinelOne does not tell how a script exited, and takes one that exits with 3 for failed",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, sentinelonefake.Options{Scripts: []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1"}, {ID: "5000002", Name: "print.ps1.old"}}})
			x.world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
				r := contract.Printer(h, name, input)
				r.Exit = 0
				return r
			})
			w := x.edr().Runner(t, x, "print.ps1")
			w.HoldForApproval = func() {
				x.double.Change(func(o *sentinelonefake.Options) {
					o.Scripts = []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1", RequiresApproval: true}}
				})
			}
			return w
		},
	})
}

func TestKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		x := d.open(t, sentinelonefake.Options{Scripts: []sentinelonefake.Script{{ID: "5000003", Name: killScript}}})
		x.world.OnScript(edrtest.Killing(killScript))
		return x.edr().Killer(t, x)
	}})
}
