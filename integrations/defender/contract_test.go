package defender

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	lose   atomic.Bool
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
	x.server = faulty.New(t, x.losing(handler))
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

// losing carries writes out and loses their answers, while that is asked for.
func (x *tenant) losing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !x.lose.Load() || r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/api/machines/") {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// fail makes the product fail. What fails has tokens already: fetching one is tried in
// package httpx.
func (x *tenant) fail(t testing.TB, f contract.Fault) {
	t.Helper()
	for _, d := range []door{x.api, x.graph} {
		if _, err := d.tokens.Get(context.WithoutCancel(t.Context())); err != nil && f != contract.Works {
			t.Fatal(err)
		}
	}
	x.lose.Store(f == contract.LoseAnswer)
	if f == contract.LoseAnswer {
		f = contract.Works
	}
	x.server.Break(f)
}

// add adds a device with the id of a suite.
func (x *tenant) add(h edrtest.Host) {
	since := time.Now().Add(-24 * time.Hour)
	for i := range h.Addresses {
		h.Addresses[i].From = since
	}
	h.OS, h.LastSeen = "Windows 10", time.Now()
	x.world.Add(h)
}

func (x *tenant) target(t testing.TB, id string) incident.Target {
	t.Helper()
	target, err := incident.DeviceTarget(idOf(id), id)
	if err != nil {
		t.Fatal(err)
	}
	return target
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
					h := edrtest.Host{ID: device.ID(), Name: device.Name()}
					for _, e := range executions {
						h.Processes = append(h.Processes, ran(e))
					}
					x.add(h)
					return x
				},
				Break: func(e integrations.Executions, f contract.Fault) { e.(*tenant).fail(t, f) },
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

func TestEnforcer(t *testing.T) {
	d := judged(t)
	for name, o := range map[string]defenderfake.Options{
		"plain": {Repeated: defenderfake.Refuse}, "answers with what is open": {Repeated: defenderfake.AnswerPending, MaxPage: 1},
		"queues more": {Repeated: defenderfake.StayPending, NullLists: true, Respell: map[string]string{"InProgress": "Submitted"}},
	} {
		t.Run(name, func(t *testing.T) {
			contract.Enforcer(t, contract.EnforcerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.EnforcerWorld {
				x := d.open(t, o)
				x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
				x.add(edrtest.Host{ID: idOf("ws-0421"), Name: "ws-0421"})
				return contract.EnforcerWorld{
					Enforcer: x, Actions: []incident.Action{incident.Isolate}, Target: x.target(t, "ws-042"), Other: x.target(t, "ws-0421"), Unordered: true,
					Effects: func() int { return x.world.Effects("") }, Settle: x.world.Settle,
					Impose: func(o incident.Order) { x.world.Impose(o.Target.ID()) },
					Break:  func(f contract.Fault) { x.fail(t, f) },
				}
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
				x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
				return x, x.world, x.target(t, "ws-042")
			}})
		})
	}
}

func TestCollector(t *testing.T) {
	d := judged(t)
	contract.Collector(t, contract.CollectorHarness{Knobs: knobs(), Open: func(t testing.TB) contract.CollectorWorld {
		x := d.open(t, defenderfake.Options{})
		x.add(sender())
		return contract.CollectorWorld{Collector: x, Target: x.target(t, "ws-042"), Break: func(f contract.Fault) { x.fail(t, f) }}
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

func TestRunner(t *testing.T) {
	d := judged(t)
	contract.Runner(t, contract.RunnerHarness{
		Knobs: knobs(), NoApproval: "nobody approves scripts at Defender",
		Open: func(t testing.TB) contract.RunnerWorld {
			x := d.open(t, defenderfake.Options{})
			x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042"})
			x.add(edrtest.Host{ID: idOf("ws-0421"), Name: "ws-0421"})
			x.world.OnScript(contract.Printer)
			x.upload(t, "print.ps1")
			return contract.RunnerWorld{
				Runner: x, Target: x.target(t, "ws-042"), Other: x.target(t, "ws-0421"), Script: "print.ps1", Settle: x.world.Settle,
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
		x := d.open(t, defenderfake.Options{Before: func(r *http.Request) {
			if do := carryOut.Load(); do != nil && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/machineactions/") {
				(*do)()
			}
		}})
		h := sender()
		x.add(h)
		x.upload(t, killScript)
		k := &killing{}
		x.world.OnScript(k.run)
		do := func() { x.world.Settle(); k.end(x.world, h.ID) }
		carryOut.Store(&do)
		return contract.KillerWorld{
			Killer: x, Target: x.target(t, "ws-042"), PID: 4001, Path: h.Processes[0].Path, Started: h.Processes[0].Start,
			Runs: func() bool {
				now, _ := x.world.Host(h.ID)
				return now.Processes[0].End.IsZero()
			},
			Kills: k.count, Break: func(f contract.Fault) { x.fail(t, f) },
		}
	}})
}

// killing does on a device of the world what stanch-kill.ps1 does.
type killing struct {
	mu    sync.Mutex
	ended []int64
	done  int
}

func (k *killing) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ended)
}

func (k *killing) run(h edrtest.Host, name, input string) edrtest.Result {
	args := strings.Fields(input)
	if name != killScript || len(args) != 3 || !strings.HasPrefix(args[1], "p") {
		return edrtest.Result{Exit: 1, Stderr: "invalid arguments"}
	}
	pid, err1 := strconv.ParseInt(args[0], 10, 32)
	path, err2 := base64.RawURLEncoding.DecodeString(args[1][1:])
	since, err3 := strconv.ParseInt(args[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return edrtest.Result{Exit: 1, Stderr: "invalid arguments"}
	}
	say := func(result string) edrtest.Result {
		line, _ := json.Marshal(map[string]any{"result": result, "pid": pid, "detail": ""})
		return edrtest.Result{Stdout: "Transcript started\r\n" + string(line) + "\r\n"}
	}
	for _, p := range h.Processes {
		switch {
		case p.PID != pid || !p.End.IsZero():
		case !strings.EqualFold(p.Path, string(path)), since != 0 && since != p.Start.UnixMilli():
			return say("other")
		default:
			k.mu.Lock()
			defer k.mu.Unlock()
			k.ended = append(k.ended, pid)
			return say("ended")
		}
	}
	return say("gone")
}

// end ends in the world what scripts have ended.
func (k *killing) end(w *edrtest.World, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for ; k.done < len(k.ended); k.done++ {
		w.Change(id, func(h *edrtest.Host) {
			h.Processes = slices.Clone(h.Processes)
			for i, p := range h.Processes {
				if p.PID == k.ended[k.done] {
					over := *p
					over.End = time.Now()
					h.Processes[i] = &over
				}
			}
		})
	}
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

// What runs is told with its signature, where the device has checked it, and what led to it.
func TestASignatureIsTold(t *testing.T) {
	d := judged(t)
	x := d.open(t, defenderfake.Options{})
	start := time.Now().Add(-time.Hour)
	parent := &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: start}
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{
		{PID: 4001, Path: `C:\Tools\signed.exe`, Signer: "Example Ltd", Start: start.Add(time.Minute), Parent: parent, Session: 2},
		{PID: 4002, Path: `C:\Tools\other.exe`, Start: start, Parent: parent},
	}})
	got, err := x.Executions(t.Context(), integrations.ExecutionQuery{Target: x.target(t, "ws-042"), From: start, To: start.Add(time.Hour), Limit: 10})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d executions, %v", len(got), err)
	}
	signed, other := got[0].Process, got[1].Process
	for name, got := range map[string][2]string{
		"signed": {signed.Signed.String(), "true"}, "signer": {signed.Signer.String(), "Example Ltd"}, "session": {signed.Session.String(), "2"},
		"parent": {signed.Parent.String(), `C:\Windows\explorer.exe`}, "unchecked": {other.Signed.String(), "unknown (Defender has no check of the image's signature)"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", name, got[0], got[1])
		}
	}
}

func TestProbe(t *testing.T) {
	d := judged(t)
	x := d.open(t, defenderfake.Options{})
	for _, f := range x.Probe(t.Context()) {
		if !f.OK || !f.Warning && f.Fix != "" {
			t.Errorf("with all permissions: %+v", f)
		}
	}
	for name, c := range map[string]struct {
		o    defenderfake.Options
		want string
		ok   bool
	}{
		"no isolation":  {defenderfake.Options{Roles: []string{readMachines, readUsers, liveResponse}}, "lacks Machine.Isolate", false},
		"no users":      {defenderfake.Options{Roles: []string{readMachines, isolate, liveResponse}}, "lacks User.Read.All", true},
		"no hunting":    {defenderfake.Options{GraphRoles: []string{}}, "lacks ThreatHunting.Read.All", false},
		"no machines":   {defenderfake.Options{Roles: []string{isolate}}, "lacks Machine.Read.All", false},
		"no permission": {defenderfake.Options{Roles: []string{}}, "lacks Machine.Isolate", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, c.o)
			var said []string
			for _, f := range x.Probe(t.Context()) {
				said = append(said, fmt.Sprintf("%t %s", f.OK, f.What))
			}
			if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, fmt.Sprint(c.ok)) && strings.Contains(s, c.want) }) {
				t.Errorf("the findings %q lack %q, ok: %t", said, c.want, c.ok)
			}
			if n := x.world.Effects(""); n != 0 {
				t.Errorf("the probe had %d effects", n)
			}
		})
	}
	x.now = func() time.Time { return time.Now().Add(3 * time.Minute) }
	clock := func(ok bool) {
		t.Helper()
		if !slices.ContainsFunc(x.Probe(t.Context()), func(f integrations.Finding) bool {
			return strings.Contains(f.What, "the clock differs") && f.OK == ok
		}) {
			t.Errorf("a clock that is wrong is not found as ok: %t", ok)
		}
	}
	clock(true)
	x.now = func() time.Time { return time.Now().Add(-6 * time.Minute) }
	clock(false)
}

// What a device records after it was isolated shows that its agent reaches the cloud.
// Where nothing comes, that is not said.
func TestAnEventSinceIsASignOfLife(t *testing.T) {
	x := judged(t).open(t, defenderfake.Options{})
	before := time.Now().Add(-time.Minute)
	x.add(edrtest.Host{ID: idOf("ws-042"), Name: "ws-042", Processes: []*edrtest.Process{{PID: 1, Path: `C:\a.exe`, Start: before}}})
	x.world.Change(idOf("ws-042"), func(h *edrtest.Host) { h.LastSeen = before })
	o := incident.Order{Key: "key-1", Action: incident.Isolate, Target: x.target(t, "ws-042"), HeardWithin: 10 * time.Minute}
	if _, err := x.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.world.Settle()
	heard := func() time.Time {
		t.Helper()
		r, err := x.Read(t.Context(), o)
		if err != nil || !r.Stands {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Heard
	}
	if at := heard(); !at.IsZero() {
		t.Errorf("it was heard at %s, before it was isolated", at)
	}
	since := time.Now().UTC()
	x.world.Change(idOf("ws-042"), func(h *edrtest.Host) {
		h.Processes = append(slices.Clone(h.Processes), &edrtest.Process{PID: 2, Path: `C:\b.exe`, Start: since})
	})
	if at := heard(); at.Sub(since).Abs() > tick {
		t.Errorf("it was heard at %s, want %s", at, since)
	}
	o.HeardWithin = 0
	if at := heard(); !at.IsZero() {
		t.Errorf("nobody asked, and it was heard at %s", at)
	}
	o.HeardWithin = time.Minute
	x.double.FailHunting(http.StatusInternalServerError)
	if at := heard(); !at.IsZero() {
		t.Errorf("hunting failed, and it was heard at %s", at)
	}
}

// Microsoft's own service for the language finds nothing wrong with a query of ours.
func TestQueriesAreWell(t *testing.T) {
	now := time.Now()
	wanted, err := wantedOf("ask", []incident.Tuple{{SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "2001:db8::1", DstPort: 53, Transport: "udp"}})
	if err != nil {
		t.Fatal(err)
	}
	asked := integrations.ExecutionQuery{From: now.Add(-time.Hour), To: now, Limit: 10, PIDs: []int64{7, 8}}
	apispec.CheckKQL(t,
		network(device, now.Add(-time.Hour), now, nil).newest(10, networkColumns()),
		network(device, now.Add(-time.Hour), now, wanted).newest(10, networkColumns()),
		startsQuery(device, asked), scriptsQuery(device, asked),
		sightings("DeviceProcessEvents", created(), device, 7, now), sightings("DeviceNetworkEvents", initiating(), device, 7, now),
		events("DeviceInfo", device, now.Add(-time.Minute), now).newest(1, []string{"Timestamp"}),
	)
}

// A certificate proves who the application is, instead of a secret.
func TestACertificateIsACredential(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(until time.Time) (*x509.Certificate, string, string) {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: until}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		for name, block := range map[string]*pem.Block{
			"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		} {
			if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return certificate, filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	}
	d := judged(t)
	for name, c := range map[string]struct {
		until time.Time
		says  string
		warns bool
	}{
		"good": {time.Now().Add(90 * 24 * time.Hour), "the certificate is good until", false}, "ends soon": {time.Now().Add(10 * 24 * time.Hour), "the certificate is good until", true},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, file, keyFile := signed(c.until)
			x := d.open(t, defenderfake.Options{Certificates: []*x509.Certificate{certificate}}, func(c *Config) {
				c.ClientSecret, c.ClientCertificate, c.ClientKey = "", file, keyFile
			})
			if !slices.ContainsFunc(x.Probe(t.Context()), func(f integrations.Finding) bool {
				return strings.Contains(f.What, c.says) && f.OK && f.Warning == c.warns
			}) {
				t.Errorf("the findings are %+v", x.Probe(t.Context()))
			}
			for _, f := range x.Probe(t.Context()) {
				if !f.OK {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
