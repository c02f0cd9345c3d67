package crowdstrike

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	door   *door
}

// door lets reads and marks pass while a write is called whose answer is to be lost: they
// come before it.
type door struct {
	whole, faulty http.Handler
	mu            sync.Mutex
	writes        int
	broken        contract.Fault
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	writing, broken := d.writes > 0, d.broken
	d.mu.Unlock()
	ordered := r.URL.Path == actionsPath || r.Method == http.MethodPost && slices.Contains([]string{active.path(), admin.path()}, r.URL.Path)
	if writing && !ordered && broken == contract.LoseAnswer {
		d.whole.ServeHTTP(w, r)
		return
	}
	d.faulty.ServeHTTP(w, r)
}

// write makes a call of which the order is to fail.
func (d *door) write(do func()) {
	d.mu.Lock()
	d.writes++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.writes--
	}()
	do()
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
	double := falconfake.New(t, w, o)
	whole := spec(t).Handler(t, double.Handler())
	server := faulty.New(t, whole)
	to, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	d := &door{whole: whole, faulty: passOn(to)}
	front := httptest.NewServer(d)
	t.Cleanup(front.Close)
	f, err := open(Config{
		ClientID: "client", ClientSecret: "secret", Cloud: "us-1", Repository: defaultRepository, URL: front.URL,
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
	return &tenant{f, w, double, server, d}
}

// passOn hands requests to the server behind the faults, and breaks off where it does.
func passOn(to *url.URL) http.Handler {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, to.String()+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			return
		}
		out.Header = r.Header.Clone()
		res, err := client.Do(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})
}

// fault makes the tenant fail.
func (n *tenant) fault(f contract.Fault) {
	n.door.mu.Lock()
	n.door.broken = f
	n.door.mu.Unlock()
	n.server.Break(f)
}

// falconID is an id of the suites in Falcon's form.
func falconID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

func knobs() contract.Knobs {
	return contract.Knobs{Kind: "crowdstrike", ID: falconID, Secrets: []string{"secret"}, Patience: 300 * time.Millisecond}
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
				id, _ := e.ID.Get()
				name, _ := e.Name.Get()
				ips, _ := e.IP.Get()
				h := edrtest.Host{ID: id, Name: name, OS: "Windows 11", LastSeen: time.Now()}
				for _, ip := range ips {
					h.Addresses = append(h.Addresses, edrtest.Address{IP: ip})
				}
				hosts = append(hosts, h)
			}
			opened = tenantOf(t, falconfake.Options{MaxPage: 1}, time.Now, hosts...)
			return opened
		},
		Break: func(_ integrations.Endpoints, f contract.Fault) { opened.fault(f) },
	})
}

// laid is a device with processes.
func laid(device incident.Target) edrtest.Host {
	return edrtest.Host{
		ID: device.ID(), Name: device.Name(), OS: "Windows 11", LastSeen: time.Now(),
		Addresses: []edrtest.Address{{IP: "192.0.2.2"}},
	}
}

func TestConnectionsContract(t *testing.T) {
	var opened *tenant
	contract.Connections(t, contract.ConnectionsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections {
			h := laid(device)
			for _, c := range connections {
				path, _ := c.Process.Path.Get()
				pid, _ := c.Process.PID.Get()
				p := &edrtest.Process{PID: pid, Path: path, Start: c.At.Add(-time.Hour)}
				h.Processes = append(h.Processes, p)
				h.Connections = append(h.Connections, edrtest.Connection{At: c.At, Tuple: c.Tuple, Process: p})
			}
			opened = tenantOf(t, falconfake.Options{}, at(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), h)
			return opened
		},
		Break: func(_ integrations.Connections, f contract.Fault) { opened.fault(f) },
	})
}

func TestExecutionsContract(t *testing.T) {
	var opened *tenant
	contract.Executions(t, contract.ExecutionsHarness{
		Knobs: knobs(),
		Open: func(t testing.TB, device incident.Target, executions []incident.Execution) integrations.Executions {
			h := laid(device)
			early := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			init := &edrtest.Process{PID: 900, Path: `C:\Windows\System32\userinit.exe`, Start: early}
			explorer := &edrtest.Process{PID: 901, Path: `C:\Windows\explorer.exe`, Start: early, Parent: init}
			h.Processes = append(h.Processes, init, explorer)
			for _, e := range executions {
				h.Processes = append(h.Processes, process(e, explorer))
			}
			opened = tenantOf(t, falconfake.Options{}, at(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)), h)
			return opened
		},
		Break: func(_ integrations.Executions, f contract.Fault) { opened.fault(f) },
	})
}

func process(e incident.Execution, parent *edrtest.Process) *edrtest.Process {
	p := &edrtest.Process{Start: e.At, Parent: parent}
	p.Path, _ = e.Process.Path.Get()
	p.PID, _ = e.Process.PID.Get()
	p.CommandLine, _ = e.Process.CommandLine.Get()
	p.User, _ = e.Process.User.Get()
	if text, ok := e.Process.ScriptText.Get(); ok {
		path, _ := e.Process.Script.Get()
		p.Scripts = []edrtest.Script{{At: e.At, Path: path, Text: text}}
	}
	return p
}

// orders are a tenant's orders, of which a fault hits the write.
type orders struct{ *tenant }

func (o orders) Apply(ctx context.Context, order incident.Order) (r incident.Receipt, err error) {
	o.door.write(func() { r, err = o.tenant.Apply(ctx, order) })
	return r, err
}

func (o orders) Undo(ctx context.Context, order incident.Order) (r incident.Receipt, err error) {
	o.door.write(func() { r, err = o.tenant.Undo(ctx, order) })
	return r, err
}

func (o orders) Kill(ctx context.Context, order integrations.KillOrder) (r incident.Receipt, err error) {
	o.door.write(func() { r, err = o.tenant.Kill(ctx, order) })
	return r, err
}

func (o orders) Run(ctx context.Context, order integrations.ScriptOrder) (r incident.Receipt, err error) {
	o.door.write(func() { r, err = o.tenant.Run(ctx, order) })
	return r, err
}

// readingFirst are the knobs of suites with writes.
func readingFirst() contract.Knobs {
	k := knobs()
	k.ReadsFirst = true
	return k
}

func pair(t testing.TB) (a, b incident.Target, hosts []edrtest.Host) {
	t.Helper()
	var both []incident.Target
	for _, id := range []string{"ws-1", "ws-2"} {
		target, err := incident.DeviceTarget(falconID(id), id)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, target)
		hosts = append(hosts, edrtest.Host{ID: falconID(id), Name: id, OS: "Windows 11", LastSeen: time.Now()})
	}
	return both[0], both[1], hosts
}

func TestEnforcerContract(t *testing.T) {
	for name, o := range map[string]falconfake.Options{"": {}, "null": {Nulls: true}, "repeats": {AcceptRepeats: true}} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{
				Knobs: readingFirst(),
				Open: func(t testing.TB) contract.EnforcerWorld {
					a, b, hosts := pair(t)
					n := tenantOf(t, o, time.Now, hosts...)
					return contract.EnforcerWorld{
						Enforcer: orders{n}, Actions: []incident.Action{incident.Isolate}, Target: a, Other: b, Unordered: true,
						Effects: func() int { return n.world.Effects("") }, Settle: n.world.Settle,
						Impose: func(o incident.Order) { n.world.Impose(o.Target.ID()) }, Break: n.fault,
					}
				},
			})
		})
	}
}

func TestSchedules(t *testing.T) {
	contract.Schedules(t, contract.ScheduleHarness{
		Knobs: knobs(),
		Open: func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
			a, _, hosts := pair(t)
			n := tenantOf(t, falconfake.Options{}, time.Now, hosts[0])
			return n, n.world, a
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
		n.door.whole.ServeHTTP(w, r)
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
		Knobs:      readingFirst(),
		NoExit:     "Falcon does not tell how a script exited",
		NoApproval: "Falcon asks nobody before it runs a script",
		Open: func(t testing.TB) contract.RunnerWorld {
			a, b, hosts := pair(t)
			n := tenantOf(t, falconfake.Options{Polls: -1}, time.Now, hosts...)
			n.world.OnScript(contract.Printer)
			n.upload(t, "print")
			return contract.RunnerWorld{
				Runner: orders{n}, Target: a, Other: b, Script: "print", Settle: n.world.Settle, Break: n.fault,
				Runs: func() int {
					return len(slices.DeleteFunc(n.world.Actions(""), func(a edrtest.Action) bool { return a.Kind != edrtest.RunScript }))
				},
			}
		},
	})
}

func TestCollectorContract(t *testing.T) {
	contract.Collector(t, contract.CollectorHarness{
		Knobs: knobs(),
		Open: func(t testing.TB) contract.CollectorWorld {
			a, _, hosts := pair(t)
			p := &edrtest.Process{PID: 4242, Path: `C:\Tools\a.exe`, Start: time.Now().Add(-time.Hour)}
			hosts[0].Processes = []*edrtest.Process{p}
			hosts[0].Connections = []edrtest.Connection{{At: time.Now(), Process: p, Tuple: incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 5, DstIP: "192.0.2.9", DstPort: 53, Transport: "udp"}}}
			n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
			return contract.CollectorWorld{Collector: n, Target: a, Break: n.fault}
		},
	})
}

func TestKillerContract(t *testing.T) {
	contract.Killer(t, contract.KillerHarness{
		Knobs: readingFirst(),
		Open: func(t testing.TB) contract.KillerWorld {
			a, _, hosts := pair(t)
			hosts[0].Processes = []*edrtest.Process{{PID: 4242, Path: `C:\Tools\a.exe`, Start: time.Now().Add(-time.Hour)}}
			n := tenantOf(t, falconfake.Options{}, time.Now, hosts...)
			n.carryOut(t)
			return contract.KillerWorld{
				Killer: orders{n}, Target: a, PID: 4242, Path: `C:\Tools\a.exe`, Started: hosts[0].Processes[0].Start, Break: n.fault,
				Runs: func() bool {
					h, _ := n.world.Host(a.ID())
					return h.Processes[0].End.IsZero()
				},
				Kills: func() int { return len(n.world.Actions(a.ID())) },
			}
		},
	})
}
