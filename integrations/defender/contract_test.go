package defender

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// idOf is Defender's form of a device id of the suites.
func idOf(id string) string {
	sum := sha1.Sum([]byte(id))
	return hex.EncodeToString(sum[:])
}

func knobs() contract.Knobs {
	return contract.Knobs{Kind: "defender", ID: idOf, Secrets: []string{"the-secret"}, ReadsFirst: true}
}

// tenant is a double of Defender behind a server that fails on command, and a client of it.
type tenant struct {
	*Client
	world  *edrtest.World
	double *defenderfake.Double
	server *faulty.Server
}

// opener opens tenants whose traffic is judged by the descriptions of Microsoft's APIs,
// which are loaded once.
type opener struct{ apis, storage *apispec.Spec }

func judged(t testing.TB) opener {
	t.Helper()
	return opener{apispec.Load(t, "defender", "graph", "microsoft-login"), apispec.Load(t, "azure-blob")}
}

func (d opener) open(t testing.TB, o defenderfake.Options, change ...func(*Config)) *tenant {
	t.Helper()
	x := &tenant{world: edrtest.New(t, time.Now)}
	o.ClientSecret = "the-secret"
	x.double = defenderfake.New(t, x.world, o)
	handler := x.double.Handler()
	if !strange(o) {
		handler = d.apis.Handler(t, handler)
	}
	x.server = faulty.New(t, handler)
	x.server.LoseOnly(func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/api/machines/")
	})
	storage := httptest.NewServer(d.storage.Handler(t, x.double.Storage()))
	t.Cleanup(storage.Close)
	x.double.SetStorageURL(storage.URL)
	config := Config{
		Tenant: x.double.Tenant, ClientID: x.double.ClientID, ClientSecret: "the-secret", Downloads: []string{strings.TrimPrefix(storage.URL, "http://")},
		URL: x.server.URL(), GraphURL: x.server.URL(), LoginURL: x.server.URL(), Access: httpx.Access{Timeout: 10 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	x.Client = c
	return x
}

// strange reports whether a tenant answers otherwise than its description allows, as
// products do.
func strange(o defenderfake.Options) bool { return o.NullLists || o.Extra != nil || o.Respell != nil }

// fail makes the product fail. What fails has tokens already: fetching one is tried in
// package httpx.
func (x *tenant) fail(t testing.TB, f contract.Fault) {
	t.Helper()
	for _, d := range []door{x.api, x.graph} {
		if _, err := d.tokens.Get(context.WithoutCancel(t.Context())); err != nil && f != contract.Works {
			t.Fatal(err)
		}
	}
	x.server.Break(f)
}

// edr is for the suites.
func (x *tenant) edr(t testing.TB) contract.EDR {
	t.Helper()
	return contract.EDR{Knobs: knobs(), World: x.world, OS: "Windows 10", Break: func(f contract.Fault) { x.fail(t, f) }}
}

// add adds a device.
func (x *tenant) add(h edrtest.Host) { x.world.Add(edrtest.Seen(h, "Windows 10")) }

func (x *tenant) target(t testing.TB, id string) incident.Target {
	t.Helper()
	return knobs().Target(t, id)
}

func TestEndpoints(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defenderfake.Options{
		"plain":  {},
		"small":  {MaxPage: 1, NullLists: true, LinkBase: "https://api.securitycenter.microsoft.com", Extra: map[string]any{"newInThisVersion": []any{1, "x"}}},
		"hidden": {EmptyIsNotFound: true, Respell: map[string]string{"Active": "Hibernating"}},
	} {
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
				Break: func(e integrations.Endpoints, f contract.Fault) { e.(*tenant).fail(t, f) },
			})
		})
	}
}

func TestConnections(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defenderfake.Options{
		"plain": {}, "respelt": {UpperSchema: true, FolderOnly: true, NoSHA256: true, NullLists: true},
	} {
		t.Run(name, func(t *testing.T) {
			contract.Connections(t, contract.ConnectionsHarness{
				Knobs: knobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
					x := d.open(t, o)
					x.add(edrtest.Connected(device, connections))
					return x
				},
				Break: func(e integrations.Connections, f contract.Fault) { e.(*tenant).fail(t, f) },
			})
		})
	}
}

func TestExecutions(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defenderfake.Options{"plain": {}, "respelt": {UpperSchema: true, FolderOnly: true, DraftScriptKeys: true}} {
		t.Run(name, func(t *testing.T) {
			contract.Executions(t, contract.ExecutionsHarness{
				Knobs: knobs(), At: time.Now(),
				Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
					x := d.open(t, o)
					x.add(edrtest.Ran(device, executions))
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*tenant).fail(t, f) },
			})
		})
	}
}

func TestEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defenderfake.Options{
		"plain": {Repeated: defenderfake.Refuse}, "answers with what is open": {Repeated: defenderfake.AnswerPending, MaxPage: 1},
		"queues more": {Repeated: defenderfake.StayPending, NullLists: true, Respell: map[string]string{"InProgress": "Submitted"}},
	} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				w := x.edr(t).Enforcer(t, x)
				w.ExceptBy = Spec().ExceptBy
				return w
			}})
		})
	}
}

func TestSchedules(t *testing.T) {
	d := judged(t)
	for name, repeated := range map[string]defenderfake.Repeat{"refuses": defenderfake.Refuse, "queues more": defenderfake.StayPending} {
		t.Run(name, func(t *testing.T) {
			contract.Schedules(t, contract.ScheduleHarness{Knobs: knobs(), Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
				x := d.open(t, defenderfake.Options{Repeated: repeated, Unlimited: true})
				return x, x.world, x.edr(t).Device(t)
			}})
		})
	}
}

func TestCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, defenderfake.Options{})
		return x.edr(t).Collector(t, x)
	}})
}

func TestRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: knobs(), NoApproval: "nobody approves scripts at Defender",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, defenderfake.Options{})
			x.world.OnScript(contract.Printer)
			x.upload(t, "print.ps1")
			return x.edr(t).Runner(t, x, "print.ps1")
		},
	})
}

func TestKiller(t *testing.T) {
	d := judged(t)
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		x := d.open(t, defenderfake.Options{})
		x.upload(t, killScript)
		x.world.OnScript(edrtest.Killing(killScript))
		return x.edr(t).Killer(t, x)
	}})
}

// upload puts a script into the library, as people do by hand.
func (x *tenant) upload(t testing.TB, name string) {
	t.Helper()
	token, err := x.api.tokens.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n# script\r\n--b\r\n" +
		"Content-Disposition: form-data; name=\"Description\"\r\n\r\nfor tests\r\n--b--\r\n"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/libraryfiles", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	w := httptest.NewRecorder()
	x.double.Handler().ServeHTTP(w, r)
	if w.Code/100 != 2 {
		t.Fatal(fmt.Errorf("upload %s: %d: %s", name, w.Code, w.Body))
	}
}
