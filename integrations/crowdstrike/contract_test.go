package crowdstrike

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// tenant is a customer of the double of Falcon. Every request and answer is judged by the
// description of the API.
type tenant struct {
	*Falcon
	world  *edrtest.World
	double *falconfake.Double
	server *faulty.Server
	// judged is the double, of which each request and answer is judged.
	judged http.Handler
}

// The description of the API takes long to load.
var (
	loadOnce sync.Once
	loaded   *apispec.Spec
)

func spec(t testing.TB) *apispec.Spec {
	t.Helper()
	loadOnce.Do(func() { loaded = apispec.Load(t, "crowdstrike") })
	if loaded == nil {
		t.Fatal("the description of the API was not loaded")
	}
	return loaded
}

// open returns a customer with devices, at a time.
func tenantOf(t testing.TB, o falconfake.Options, now func() time.Time, hosts ...edrtest.Host) *tenant {
	t.Helper()
	w := edrtest.New(t, now)
	for _, h := range hosts {
		w.Add(h)
	}
	if o.Credentials == nil {
		o.Credentials = credentials()
	}
	double := falconfake.New(t, w, o)
	judged := spec(t).Handler(t, double.Handler())
	server := faulty.New(t, judged)
	server.AskToWait("X-RateLimit-RetryAfter", true)
	server.LoseOnly(func(r *http.Request) bool {
		return r.Method == http.MethodPost && slices.Contains([]string{actionsPath, active.path(), admin.path()}, r.URL.Path)
	})
	f, err := open(Config{
		ClientID: "client", ClientSecret: "the-secret", Cloud: "us-1", Repository: defaultRepository, URL: server.URL(),
		Access: httpx.Access{Timeout: 20 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.now = now
	t.Cleanup(func() { _ = f.Close() })
	// What is broken afterwards is the call, not the token for it.
	if _, err := f.tokens.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &tenant{f, w, double, server, judged}
}

// edr is for the suites.
func (n *tenant) edr() contract.EDR {
	return contract.EDR{Knobs: knobs(), World: n.world, OS: "Windows 11", Break: n.server.Break}
}

// falconID is an id of the suites in Falcon's form.
func falconID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

func knobs() contract.Knobs {
	return contract.Knobs{Kind: "crowdstrike", ID: falconID, Secrets: []string{"the-secret"}, ReadsFirst: true}
}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func TestEndpointsContract(t *testing.T) {
	var opened *tenant
	k := knobs()
	k.Skip = map[string]string{"all that match are returned, sorted, each once": "Falcon finds a device by one address, that of its first interface"}
	contract.Endpoints(t, contract.EndpointsHarness{
		Knobs: k,
		Open: func(t testing.TB, devices []incident.Endpoint) integrations.Endpoints {
			var hosts []edrtest.Host
			for _, e := range devices {
				hosts = append(hosts, edrtest.Seen(edrtest.Device(e), "Windows 11"))
			}
			opened = tenantOf(t, falconfake.Options{MaxPage: 1}, time.Now, hosts...)
			return opened
		},
		Break: func(_ integrations.Endpoints, f contract.Fault) { opened.server.Break(f) },
	})
}

func TestConnectionsContract(t *testing.T) {
	var opened *tenant
	contract.Connections(t, contract.ConnectionsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
			h := edrtest.Seen(edrtest.Connected(device, connections), "Windows 11")
			opened = tenantOf(t, falconfake.Options{}, at(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), h)
			return opened
		},
		Break: func(_ integrations.Connections, f contract.Fault) { opened.server.Break(f) },
	})
}

func TestExecutionsContract(t *testing.T) {
	var opened *tenant
	contract.Executions(t, contract.ExecutionsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
			h := edrtest.Seen(edrtest.Ran(device, executions), "Windows 11")
			opened = tenantOf(t, falconfake.Options{}, at(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), h)
			return opened
		},
		Break: func(_ integrations.Executions, f contract.Fault) { opened.server.Break(f) },
	})
}

// pair are two devices.
func pair(t testing.TB) (a, b incident.Target, hosts []edrtest.Host) {
	t.Helper()
	a, b = knobs().Target(t, "ws-1"), knobs().Target(t, "ws-2")
	for _, d := range []incident.Target{a, b} {
		hosts = append(hosts, edrtest.Seen(edrtest.Host{ID: d.ID(), Name: d.Name()}, "Windows 11"))
	}
	return a, b, hosts
}

func TestEnforcerContract(t *testing.T) {
	for name, o := range map[string]falconfake.Options{"": {}, "null": {Nulls: true}, "repeats": {AcceptRepeats: true}} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				n := tenantOf(t, o, time.Now)
				w := n.edr().Enforcer(t, n)
				w.ExceptBy = Spec().ExceptBy
				return w
			}})
		})
	}
}

func TestSchedules(t *testing.T) {
	contract.Schedules(t, contract.ScheduleHarness{
		Knobs: knobs(),
		Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
			n := tenantOf(t, falconfake.Options{}, time.Now)
			return n, n.world, n.edr().Device(t)
		},
	})
}

// upload puts a script into the double's library.
func (n *tenant) upload(t testing.TB, name string) {
	t.Helper()
	var token struct {
		Token string `json:"access_token"`
	}
	send := func(path, kind, authorization, body string) []byte {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		if authorization != "" {
			r.Header.Set("Authorization", "Bearer "+authorization)
		}
		w := httptest.NewRecorder()
		n.judged.ServeHTTP(w, r)
		if w.Code >= 300 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	if err := json.Unmarshal(send(tokenPath, "application/x-www-form-urlencoded", "", "client_id=client&client_secret=secret"), &token); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for field, value := range map[string]string{"name": name, "description": "a test's", "permission_type": "group", "platform": "windows", "content": "'x'"} {
		if err := form.WriteField(field, value); err != nil {
			t.Fatal(err)
		}
	}
	_ = form.Close()
	send("/real-time-response/entities/scripts/v2", form.FormDataContentType(), token.Token, body.String())
}

func TestRunnerContract(t *testing.T) {
	contract.Runner(t, contract.RunnerHarness{
		Knobs:      knobs(),
		NoExit:     "Falcon does not tell how a script exited",
		NoApproval: "Falcon asks nobody before it runs a script",
		Open: func(t testing.TB) contract.RunnerWorld {
			n := tenantOf(t, falconfake.Options{Polls: -1}, time.Now)
			n.world.OnScript(contract.Printer)
			n.upload(t, "print")
			return n.edr().Runner(t, n, "print")
		},
	})
}

func TestCollectorContract(t *testing.T) {
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		n := tenantOf(t, falconfake.Options{}, time.Now)
		return n.edr().Collector(t, n)
	}})
}

func TestKillerContract(t *testing.T) {
	contract.Killer(t, contract.KillerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.KillerWorld {
		n := tenantOf(t, falconfake.Options{}, time.Now)
		w := n.edr().Killer(t, n)
		w.Kills = func() int { return len(n.world.Actions("")) }
		return w
	}})
}
