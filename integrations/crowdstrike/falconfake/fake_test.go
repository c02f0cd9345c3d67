package falconfake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	srv1 = "11111111111111111111111111111111"
	srv2 = "22222222222222222222222222222222"
	dc   = "33333333333333333333333333333333"
	gone = "99999999999999999999999999999999"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// recorder keeps what is reported on a test instead of failing it.
type recorder struct {
	testing.TB
	mu   sync.Mutex
	errs []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, fmt.Sprintf(format, args...))
}

func (r *recorder) said(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.errs, "\n"), part)
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// spec is the description of the API, which takes long to load.
var (
	loadOnce sync.Once
	spec     *apispec.Spec
)

// tenant is a double with a client.
type tenant struct {
	t     *testing.T
	w     *edrtest.World
	d     *falconfake.Double
	clock *clock
	// url answers what a third hand's description of the product allows, and fails the
	// test otherwise; plain answers everything.
	url, plain string
	token      string
	http       *http.Client
}

// rude is the same tenant for requests that no client may send, and for answers that
// are as wrong as was told.
func (n *tenant) rude() *tenant {
	c := *n
	c.url = n.plain
	return &c
}

func start(t *testing.T, o falconfake.Options) *tenant { return startOn(t, t, o) }

func startOn(t *testing.T, tb testing.TB, o falconfake.Options) *tenant {
	t.Helper()
	c := &clock{now: noon}
	w := edrtest.New(t, c.Now)
	w.Add(hostOne())
	w.Add(edrtest.Host{
		ID: srv2, Name: "SRV-01-OLD", Domain: "example.org", OS: "Windows Server 2019", Role: "server", Offline: true,
		Addresses: []edrtest.Address{{IP: "10.0.0.6", From: noon.AddDate(0, 0, -9)}}, LastSeen: noon.AddDate(0, 0, -2),
	})
	w.Add(edrtest.Host{ID: dc, Name: "DC-01", Domain: "example.org", Role: "domain_controller", LastSeen: noon, Tags: []string{"FalconGroupingTags/t0"}})
	d := falconfake.New(tb, w, o)
	loadOnce.Do(func() { spec = apispec.Load(t, "crowdstrike") })
	if spec == nil {
		t.Fatal("the description of the API was not loaded")
	}
	server, judged := httptest.NewServer(d.Handler()), httptest.NewServer(spec.Handler(t, d.Handler()))
	t.Cleanup(server.Close)
	t.Cleanup(judged.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	n := &tenant{t: t, w: w, d: d, clock: c, url: judged.URL, plain: server.URL, http: client}
	n.login("client", "secret")
	return n
}

// hostOne is a device with a process that sends, and what that did before.
func hostOne() edrtest.Host {
	service := &edrtest.Process{PID: 700, Path: `C:\Windows\System32\services.exe`, User: `NT AUTHORITY\SYSTEM`, Start: noon.AddDate(0, 0, -3)}
	sender := &edrtest.Process{
		PID: 4242, Path: `C:\Windows\System32\powershell.exe`, CommandLine: `powershell -File "C:\it's.ps1"`, User: `EXAMPLE\ann`,
		SHA256: strings.Repeat("ab", 32), Parent: service, Start: noon.Add(-50 * time.Minute), Session: 2,
		Scripts: []edrtest.Script{
			{At: noon.Add(-49 * time.Minute), Path: `C:\it's.ps1`, Text: "while ($true) { flood }"},
			{At: noon.Add(-48 * time.Minute), Text: "flood -To 203.0.113.9"},
		},
	}
	over := &edrtest.Process{PID: 4242, Path: `C:\old.exe`, Start: noon.Add(-90 * time.Minute), End: noon.Add(-80 * time.Minute), Parent: service}
	h := edrtest.Host{
		ID: srv1, Name: "SRV-01", Domain: "example.org", OS: "Windows Server 2022", Role: "server", LastSeen: noon,
		Addresses: []edrtest.Address{
			{IP: "10.0.0.5", From: noon.Add(-time.Hour)},
			{IP: "10.0.0.99", From: noon.Add(-24 * time.Hour), To: noon.Add(-time.Hour)},
		},
		Sessions:  []edrtest.Session{{User: "ann", Domain: "EXAMPLE", SID: "S-1-5-21-1", Since: noon.Add(-2 * time.Hour)}, {User: "bob", Since: noon.Add(-72 * time.Hour)}},
		Processes: []*edrtest.Process{service, sender, over},
	}
	for i := range 3 {
		h.Connections = append(h.Connections, edrtest.Connection{
			At:    noon.Add(-time.Duration(30+i) * time.Minute),
			Tuple: incident.Tuple{SrcIP: "10.0.0.5", SrcPort: 50000 + i, DstIP: "203.0.113.9", DstPort: 53, Transport: "udp"}, Process: sender, BytesOut: 1e9,
		})
	}
	h.Connections = append(h.Connections, edrtest.Connection{
		At: noon.Add(-20 * time.Minute), Inbound: true,
		Tuple: incident.Tuple{SrcIP: "2001:db8::7", SrcPort: 40000, DstIP: "10.0.0.5", DstPort: 3389, Transport: "tcp"}, Process: service,
	})
	return h
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	body   struct {
		Meta struct {
			Pagination struct {
				Offset any
				Total  int
				Next   string
			}
		}
		Resources []any
		Errors    []struct {
			Code    int
			ID      string
			Message string
		}
		AccessToken string `json:"access_token"`
		Done        bool
		Cancelled   bool
		ID          string
		Events      []map[string]any
		MetaData    struct {
			EventCount, ProcessedEvents, PollAfter int
			IsAggregate                            bool
			Warnings                               []string
			ExtraData                              map[string]string
		}
		Warnings []map[string]string
	}
}

// first is the first resource.
func (a answer) first(t *testing.T) map[string]any {
	t.Helper()
	if len(a.body.Resources) == 0 {
		t.Fatalf("no resources in %d: %s", a.status, a.text)
	}
	return a.body.Resources[0].(map[string]any)
}

func (n *tenant) login(id, secret string) answer {
	n.t.Helper()
	a := n.send("POST", "/oauth2/token", "application/x-www-form-urlencoded", url.Values{"client_id": {id}, "client_secret": {secret}}.Encode())
	n.token = a.body.AccessToken
	return a
}

func (n *tenant) get(path string, query ...string) answer {
	n.t.Helper()
	return n.send("GET", path+params(query), "", "")
}

func (n *tenant) post(path string, body any) answer {
	n.t.Helper()
	return n.json("POST", path, body)
}

func (n *tenant) json(method, path string, body any) answer {
	n.t.Helper()
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			n.t.Fatal(err)
		}
		text = string(b)
	}
	return n.send(method, path, "application/json", text)
}

// params makes a query of names and values.
func params(pairs []string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

func (n *tenant) send(method, path, kind, body string) answer {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if n.token != "" && !strings.HasPrefix(path, "/oauth2/") {
		r.Header.Set("Authorization", "Bearer "+n.token)
	}
	resp, err := n.http.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			n.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return a
}

// want checks the status and, for a refusal, the error's code and words.
func (a answer) want(t *testing.T, status, code int, words string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	if code != 0 && (len(a.body.Errors) == 0 || a.body.Errors[0].Code != code || !strings.Contains(a.body.Errors[0].Message, words)) {
		t.Fatalf("errors are %v, want code %d and %q", a.body.Errors, code, words)
	}
	return a
}
