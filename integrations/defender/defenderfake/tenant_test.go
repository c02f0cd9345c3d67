package defenderfake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var start = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

const (
	ws1 = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"
	ws2 = "7b1f4967d9728e5aa3c06a9e617a22a4a5a17378"
	srv = "f46b9bb259ed4a7fb9981b73510e3cc7aa81ec1f"

	defender = "https://api.securitycenter.microsoft.com/.default"
	graph    = "https://graph.microsoft.com/.default"
)

// tenant is a double that is served, with a token for each of its resources.
type tenant struct {
	*defenderfake.Double
	t     *testing.T
	world *edrtest.World
	url   string
	raw   string
	token map[string]string
	time  *clock
}

// rude is the tenant without the judge of what clients send.
func (n *tenant) rude() *tenant {
	r := *n
	r.url = n.raw
	return &r
}

// clock is a time that passes only when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (n *tenant) clock() time.Time {
	n.time.mu.Lock()
	defer n.time.mu.Unlock()
	return n.time.now
}

func (n *tenant) advance(d time.Duration) {
	n.time.mu.Lock()
	defer n.time.mu.Unlock()
	n.time.now = n.time.now.Add(d)
}

// estate has two workstations, of which the second got the first one's address an
// hour ago, and a server that is offline.
func estate(w *edrtest.World) {
	shell := &edrtest.Process{
		PID: 4242, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, CommandLine: "powershell -f up.ps1",
		User: `CORP\ann`, Session: 2, SHA256: strings.Repeat("ab", 32), Signer: "Microsoft Windows", Start: start.Add(-50 * time.Minute),
		Parent:  &edrtest.Process{PID: 100, Path: `C:\Windows\explorer.exe`, Signer: "Microsoft Windows", Start: start.Add(-5 * time.Hour)},
		Scripts: []edrtest.Script{{At: start.Add(-49 * time.Minute), Path: `C:\Temp\up.ps1`, Text: "Send-It 'all'"}, {At: start.Add(-48 * time.Minute), Text: "Get-Date"}},
	}
	w.Add(edrtest.Host{
		ID: ws1, Name: "WS-1", Domain: "corp.example", OS: "Windows 11 Enterprise", Role: "workstation", LastSeen: start,
		Addresses: []edrtest.Address{{IP: "10.0.0.9", From: start.Add(-time.Hour)}, {IP: "10.0.0.1", From: start.Add(-48 * time.Hour), To: start.Add(-time.Hour)}},
		Sessions:  []edrtest.Session{{User: "ann", Domain: "CORP", SID: "S-1-5-21-1-2-3-1001", Since: start.Add(-6 * time.Hour)}},
		Tags:      []string{"lab", "floor 2"}, Groups: []string{"Wards"}, Processes: []*edrtest.Process{shell},
		Connections: []edrtest.Connection{
			{At: start.Add(-40 * time.Minute), Process: shell, BytesOut: 9e9, Tuple: incident.Tuple{SrcIP: "10.0.0.9", SrcPort: 50000, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"}},
			{At: start.Add(-30 * time.Minute), Process: shell, Tuple: incident.Tuple{SrcIP: "10.0.0.9", SrcPort: 50001, DstIP: "198.51.100.7", DstPort: 53, Transport: "udp"}},
			{At: start.Add(-20 * time.Minute), Inbound: true, Tuple: incident.Tuple{SrcIP: "10.0.0.2", SrcPort: 40000, DstIP: "10.0.0.9", DstPort: 3389, Transport: "tcp"}},
		},
	})
	w.Add(edrtest.Host{
		ID: ws2, Name: "ws-2", Domain: "corp.example", OS: "Windows 10 Pro", LastSeen: start.Add(-8 * 24 * time.Hour),
		Addresses:   []edrtest.Address{{IP: "10.0.0.1", From: start.Add(-time.Hour)}},
		Connections: []edrtest.Connection{{At: start.Add(-10 * time.Minute), Tuple: incident.Tuple{SrcIP: "10.0.0.1", SrcPort: 1, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"}}},
	})
	w.Add(edrtest.Host{
		ID: srv, Name: "srv", Domain: "corp.example", OS: "Windows Server 2016 Standard", Role: "server", Offline: true, LastSeen: start.Add(-2 * time.Hour),
		Addresses: []edrtest.Address{{IP: "10.0.0.5", From: start.Add(-100 * 24 * time.Hour)}},
	})
}

func open(t *testing.T, o defenderfake.Options) *tenant {
	t.Helper()
	n := &tenant{t: t, time: &clock{now: start}, token: map[string]string{}}
	n.world = edrtest.New(t, n.clock)
	estate(n.world)
	n.Double = defenderfake.New(t, n.world, o)
	n.serve()
	return n
}

// serve serves the double, and gets tokens of it.
func (n *tenant) serve() {
	n.t.Helper()
	n.url, n.raw = judged(n.t, n.Double)
	n.login()
}

// login gets a token for each resource.
func (n *tenant) login() {
	n.t.Helper()
	for _, scope := range []string{defender, graph} {
		a := n.form(n.Tenant, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {n.ClientID}, "client_secret": {n.ClientSecret}, "scope": {scope},
		})
		n.want(a, http.StatusOK, "")
		n.token[scope], _ = a.body["access_token"].(string)
	}
}

// answer is what the tenant answered.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func (n *tenant) do(r *http.Request) answer {
	n.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(b)}
	_ = json.Unmarshal(b, &a.body)
	return a
}

func (n *tenant) request(method, path string, body any) *http.Request {
	n.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			n.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, in)
	if err != nil {
		n.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	scope := defender
	if strings.HasPrefix(path, "/v1.0/") {
		scope = graph
	}
	r.Header.Set("Authorization", "Bearer "+n.token[scope])
	return r
}

// call asks the API and wants a status and, of a refusal, its code.
func (n *tenant) call(method, path string, body any, status int, code string) answer {
	n.t.Helper()
	a := n.do(n.request(method, path, body))
	n.want(a, status, code)
	return a
}

func (n *tenant) want(a answer, status int, code string) {
	n.t.Helper()
	e, _ := a.body["error"].(map[string]any)
	got, _ := e["code"].(string)
	if a.status != status || got != code {
		n.t.Fatalf("answered %d %q, want %d %q: %s", a.status, got, status, code, a.text)
	}
}

func (n *tenant) form(tenant string, form url.Values) answer {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, n.url+"/"+tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return n.do(r)
}

// ids are those of a list, in its order.
func (a answer) ids() []string {
	var ids []string
	for _, v := range a.list() {
		id, _ := v["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func (a answer) list() []map[string]any {
	items, _ := a.body["value"].([]any)
	var out []map[string]any
	for _, v := range items {
		e, _ := v.(map[string]any)
		out = append(out, e)
	}
	return out
}

func (a answer) text1(key string) string {
	s, _ := a.body[key].(string)
	return s
}

func (n *tenant) isolate(id string) answer {
	n.t.Helper()
	return n.call(http.MethodPost, "/api/machines/"+id+"/isolate", map[string]any{"Comment": "case 1", "IsolationType": "Full"}, http.StatusCreated, "")
}

func (n *tenant) unisolate(id string) answer {
	n.t.Helper()
	return n.call(http.MethodPost, "/api/machines/"+id+"/unisolate", map[string]any{"Comment": "case 1"}, http.StatusCreated, "")
}

func (n *tenant) action(id string) answer {
	n.t.Helper()
	return n.call(http.MethodGet, "/api/machineactions/"+id, nil, http.StatusOK, "")
}

func (n *tenant) machines(filter string) []string {
	n.t.Helper()
	return n.call(http.MethodGet, "/api/machines?$filter="+url.QueryEscape(filter), nil, http.StatusOK, "").ids()
}
