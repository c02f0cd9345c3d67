package defendfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The agents of the hospital.
const (
	web  = "00000000-1111-4000-8000-000000000001"
	mail = "00000000-1111-4000-8000-000000000002"
	lab  = "00000000-1111-4000-8000-000000000003"
)

func noon() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// hospital is a world of three hosts. Of the first, powershell sends a flood over
// UDP and a stream over TCP, and its script is known.
func hospital(tb testing.TB) (*edrtest.World, *clock) {
	c := &clock{at: noon()}
	w := edrtest.New(tb, c.now)
	parent := &edrtest.Process{PID: 600, Path: `C:\Windows\explorer.exe`, CommandLine: "explorer.exe", User: `HOSPITAL\anna`, Signer: "Microsoft Windows", Start: noon().Add(-3 * time.Hour)}
	shell := &edrtest.Process{
		PID: 4242, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, CommandLine: `powershell.exe -File C:\t\up.ps1`, User: `HOSPITAL\anna`,
		SHA256: strings.Repeat("ab", 32), Signer: "Microsoft Windows", Parent: parent, Start: noon().Add(-30 * time.Minute),
		Scripts: []edrtest.Script{{At: noon().Add(-29 * time.Minute), Path: `C:\t\up.ps1`, Text: "while ($true) { Send-Data -To 198.51.100.7 }"}},
	}
	unsigned := &edrtest.Process{PID: 77, Path: `C:\t\x.exe`, CommandLine: "x.exe", User: `HOSPITAL\anna`, Start: noon().Add(-2 * time.Hour), End: noon().Add(-time.Hour)}
	tuple := func(port int, transport string) incident.Tuple {
		return incident.Tuple{SrcIP: "10.0.0.5", SrcPort: 50_000, DstIP: "198.51.100.7", DstPort: port, Transport: transport}
	}
	w.Add(edrtest.Host{
		ID: web, Name: "WEB1", Domain: "hospital.example", OS: "Windows Server 2022", Role: "server",
		Addresses: []edrtest.Address{{IP: "10.0.0.5", From: noon().Add(-24 * time.Hour)}, {IP: "10.0.9.9", From: noon().Add(-48 * time.Hour), To: noon().Add(-24 * time.Hour)}},
		Sessions:  []edrtest.Session{{User: "anna", Domain: "HOSPITAL", SID: "S-1-5-21-1-1001", Since: noon().Add(-4 * time.Hour)}},
		Processes: []*edrtest.Process{parent, shell, unsigned},
		Connections: []edrtest.Connection{
			{At: noon().Add(-20 * time.Minute), Tuple: tuple(443, "tcp"), Process: shell, BytesOut: 9_000_000, BytesIn: 1_000},
			{At: noon().Add(-10 * time.Minute), Tuple: tuple(53, "udp"), Process: shell, BytesOut: 70_000_000},
			{
				At: noon().Add(-5 * time.Minute), Inbound: true, Process: parent, BytesOut: 30, BytesIn: 20,
				Tuple: incident.Tuple{SrcIP: "10.0.0.77", SrcPort: 40_000, DstIP: "10.0.0.5", DstPort: 445, Transport: "tcp"},
			},
		},
	})
	w.Add(edrtest.Host{
		ID: mail, Name: "MAIL1", Addresses: []edrtest.Address{{IP: "10.0.0.6", From: noon().Add(-24 * time.Hour)}},
		Processes:   []*edrtest.Process{{PID: 4242, Path: `C:\mail.exe`, CommandLine: "mail.exe", User: `NT AUTHORITY\SYSTEM`, Start: noon().Add(-time.Hour)}},
		Connections: []edrtest.Connection{{At: noon().Add(-time.Minute), Tuple: incident.Tuple{SrcIP: "10.0.0.6", SrcPort: 1, DstIP: "192.0.2.1", DstPort: 25, Transport: "tcp"}}},
	})
	w.Add(edrtest.Host{ID: lab, Name: "LAB1", Offline: true, LastSeen: noon().Add(-time.Hour), Addresses: []edrtest.Address{{IP: "10.0.0.7", From: noon().Add(-24 * time.Hour)}}})
	return w, c
}

// client asks a double over HTTP, and knows nothing but that.
type client struct {
	tb     testing.TB
	url    string
	header http.Header
}

// serve starts a double of the hospital.
func serve(tb testing.TB, w *edrtest.World, o defendfake.Options) (*defendfake.Double, *client) {
	tb.Helper()
	d := defendfake.New(tb, w, o)
	server := httptest.NewServer(d.Handler())
	tb.Cleanup(server.Close)
	return d, &client{tb, server.URL, http.Header{
		"Authorization": {defendfake.Administrator().Authorization()}, "Kbn-Xsrf": {"true"},
		"Elastic-Api-Version": {"2023-10-31"}, "Content-Type": {"application/json"},
	}}
}

// hosts starts a double of the hospital with an installation's options.
func hosts(tb testing.TB, o defendfake.Options) (*edrtest.World, *defendfake.Double, *client) {
	tb.Helper()
	w, _ := hospital(tb)
	d, c := serve(tb, w, o)
	return w, d, c
}

type answer struct {
	status int
	header http.Header
	text   string
	body   any
}

// at is what an answer has below a path of keys and numbers.
func (a answer) at(path ...any) any {
	v := a.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

// list is a list that an answer has.
func (a answer) list(path ...any) []any {
	l, _ := a.at(path...).([]any)
	return l
}

func (c *client) do(method, path, body string) answer {
	c.tb.Helper()
	r, err := http.NewRequestWithContext(c.tb.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	r.Header = c.header.Clone()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &a.body); err != nil {
			c.tb.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return a
}

// with is the same client with another header; an empty value takes it away.
func (c *client) with(name, value string) *client {
	other := *c
	other.header = c.header.Clone()
	other.header.Set(name, value)
	if value == "" {
		other.header.Del(name)
	}
	return &other
}

func (c *client) get(path string) answer { c.tb.Helper(); return c.do(http.MethodGet, path, "") }
func (c *client) post(path, body string) answer {
	c.tb.Helper()
	return c.do(http.MethodPost, path, body)
}

// order orders an action, and returns its id.
func (c *client) order(command, body string) string {
	c.tb.Helper()
	a := c.post("/api/endpoint/action/"+command, body)
	id, _ := a.at("data", "id").(string)
	if a.status != http.StatusOK || id == "" {
		c.tb.Fatalf("%s %s: %d %s", command, body, a.status, a.text)
	}
	return id
}

func (c *client) isolate(agent string) string {
	c.tb.Helper()
	return c.order("isolate", `{"endpoint_ids":["`+agent+`"]}`)
}

// isolated is what Kibana says of a host.
func (c *client) isolated(agent string) bool {
	c.tb.Helper()
	is, _ := c.get("/api/endpoint/metadata/"+agent).at("metadata", "Endpoint", "state", "isolation").(bool)
	return is
}

// want checks the status and the words of an answer.
func want(tb testing.TB, a answer, status int, words string) {
	tb.Helper()
	if a.status != status || !strings.Contains(a.text, words) {
		tb.Errorf("the answer is %d %s, want %d with %q", a.status, a.text, status, words)
	}
}

func same(tb testing.TB, what string, got, want any) {
	tb.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		tb.Fatal(err)
	}
	if string(g) != string(w) {
		tb.Errorf("%s is %s, want %s", what, g, w)
	}
}
