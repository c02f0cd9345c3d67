package wazuhfake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// bench is a Wazuh with a clock and its world.
type bench struct {
	t              *testing.T
	world          *edrtest.World
	double         *wazuhfake.Double
	api, index     string
	token          string
	mu             sync.Mutex
	now            time.Time
	contentType    string
	indexPasswords string
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

const powershell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`

// start starts a Wazuh over three devices, of which 002 is away.
func start(t *testing.T, tb testing.TB, o wazuhfake.Options) *bench {
	b := &bench{t: t, now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), contentType: "application/json", indexPasswords: "secret"}
	b.world = edrtest.New(t, b.clock)
	noon := b.now
	shell := &edrtest.Process{
		PID: 4100, Path: powershell, CommandLine: `powershell -File C:\x\send.ps1`, User: `CORP\kim`, SHA256: strings.Repeat("ab", 32),
		Start: noon.Add(-time.Hour), Parent: &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`},
		Scripts: []edrtest.Script{{At: noon.Add(-50 * time.Minute), Path: `C:\x\send.ps1`, Text: "while(1){send}"}},
	}
	b.world.Add(edrtest.Host{
		ID: "001", Name: "WS-0001", Domain: "corp.example", OS: "Windows 11", Groups: []string{"wards"},
		Addresses: []edrtest.Address{{IP: "10.1.0.1", From: noon.Add(-time.Hour)}, {IP: "10.1.0.9", From: noon.Add(-9 * time.Hour), To: noon.Add(-time.Hour)}},
		Sessions:  []edrtest.Session{{User: "kim", SID: "S-1-5-21-1-2-3-1001", Since: noon.Add(-4 * time.Hour)}},
		Processes: []*edrtest.Process{shell, {PID: 5, Path: `C:\gone.exe`, Start: noon.Add(-2 * time.Hour), End: noon.Add(-90 * time.Minute)}},
		Connections: []edrtest.Connection{
			{At: noon.Add(-time.Minute), Process: shell, Tuple: tuple(50123, "198.51.100.7", 53, "udp")},
			{At: noon.Add(-time.Minute), Process: shell, Tuple: tuple(50124, "198.51.100.8", 123, "tcp")},
			{At: noon.Add(-time.Hour), Process: shell, Tuple: tuple(50125, "198.51.100.9", 443, "tcp")},
		},
	})
	b.world.Add(edrtest.Host{ID: "002", Name: "WS-0002", OS: "Windows 11", Offline: true, LastSeen: noon.Add(-48 * time.Hour)})
	b.world.Add(edrtest.Host{ID: "003", Name: "SRV-1", OS: "Windows Server 2022", Addresses: []edrtest.Address{{IP: "10.1.0.3"}}})
	if o.Pace == nil {
		o.Pace = b.clock
	}
	b.double = wazuhfake.New(tb, b.world, o)
	b.serve(b.double.Handler(), b.double.Indexer())
	b.login()
	return b
}

func (b *bench) serve(api, index http.Handler) {
	for at, h := range map[*string]http.Handler{&b.api: api, &b.index: index} {
		server := httptest.NewServer(h)
		b.t.Cleanup(server.Close)
		*at = server.URL
	}
}

func tuple(port int, to string, toPort int, transport string) incident.Tuple {
	return incident.Tuple{SrcIP: "10.1.0.1", SrcPort: port, DstIP: to, DstPort: toPort, Transport: transport}
}

// answer is what came back.
type answer struct {
	status int
	text   string
}

// at returns the value at a path of members in the answer; numbers are positions.
func (a answer) at(path ...any) any {
	var v any
	if json.Unmarshal([]byte(a.text), &v) != nil {
		return nil
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// items are a member of all that an answer of the API lists.
func (a answer) items(name string) []any {
	list, _ := a.at("data", "affected_items").([]any)
	out := []any{}
	for i := range list {
		out = append(out, a.at("data", "affected_items", i, name))
	}
	return out
}

func (b *bench) send(method, url, body string, prepare func(*http.Request)) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, bytes.NewBufferString(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", b.contentType)
	}
	prepare(req)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, string(text)}
}

func (b *bench) do(method, path, body string) answer {
	b.t.Helper()
	return b.send(method, b.api+path, body, func(r *http.Request) {
		if b.token != "" {
			r.Header.Set("Authorization", "Bearer "+b.token)
		}
	})
}

func (b *bench) get(path string) answer { b.t.Helper(); return b.do(http.MethodGet, path, "") }

func (b *bench) authenticate(query, password string) answer {
	b.t.Helper()
	return b.send(http.MethodPost, b.api+"/security/user/authenticate"+query, "", func(r *http.Request) { r.SetBasicAuth("stanch", password) })
}

func (b *bench) login() {
	b.t.Helper()
	b.token, _ = b.authenticate("", "secret").at("data", "token").(string)
}

// same checks a value of an answer.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		t.Errorf("%s is %s, want %s", what, g, w)
	}
}

// recorder is a testing.TB that keeps what is reported on it.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	reported []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reported = append(r.reported, format)
}

func TestTokens(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	if a := b.get("/"); a.status != http.StatusOK || a.at("data", "api_version") != "4.14.7" {
		t.Errorf("the version: %d %s", a.status, a.text)
	}
	raw := b.authenticate("?raw=true", "secret")
	if raw.status != http.StatusOK || strings.Contains(raw.text, "{") || strings.Count(raw.text, ".") != 2 {
		t.Errorf("a raw token: %d %s", raw.status, raw.text)
	}
	b.pass(15 * time.Minute)
	same(t, "with a token that ended", []any{b.get("/").status, b.get("/").at("detail")}, []any{401, "Invalid token"})
	b.login()
	if a := b.get("/"); a.status != http.StatusOK {
		t.Errorf("with a new one: %d", a.status)
	}
	b.do(http.MethodDelete, "/security/user/authenticate", "")
	if a := b.get("/"); a.status != http.StatusUnauthorized {
		t.Errorf("after the logout: %d, want 401", a.status)
	}
	b.token = ""
	same(t, "without one", []any{b.get("/").status, b.get("/").at("detail")}, []any{401, "No authorization token provided"})
}

func TestTooManyLogins(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	for range 50 {
		if a := b.authenticate("", "guess"); a.status != http.StatusUnauthorized {
			t.Fatalf("a wrong password: %d %s", a.status, a.text)
		}
	}
	a := b.authenticate("", "secret")
	same(t, "the right password after 50 wrong ones", []any{a.status, a.at("error")}, []any{403, 6000})
	b.pass(5 * time.Minute)
	if a := b.authenticate("", "secret"); a.status != http.StatusOK {
		t.Errorf("five minutes later: %d %s", a.status, a.text)
	}
}

func TestTooManyRequests(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	for i := range 300 {
		if a := b.get("/"); a.status != http.StatusOK {
			t.Fatalf("request %d: %d %s", i, a.status, a.text)
		}
	}
	a := b.get("/")
	same(t, "the 301st request of a minute", []any{a.status, a.at("error")}, []any{429, 6001})
	b.double.Change(func(o *wazuhfake.Options) { o.Older = true })
	same(t, "its code in the other spelling", b.get("/").at("code"), 6001)
	b.pass(time.Minute)
	if a := b.get("/"); a.status != http.StatusOK {
		t.Errorf("a minute later: %d", a.status)
	}
}

func TestVersionFive(t *testing.T) {
	seen := 0
	b := start(t, t, wazuhfake.Options{Version: "v5.1.0", Before: func(*http.Request) { seen++ }})
	same(t, "the version", b.get("/").at("data", "api_version"), "v5.1.0")
	if a := b.do(http.MethodPut, "/active-response?agents_list=001", `{"command":"!x"}`); a.status != http.StatusNotFound {
		t.Errorf("an active response: %d, want 404", a.status)
	}
	if a := b.get("/syscollector/001/processes"); a.status != http.StatusNotFound || seen != 4 {
		t.Errorf("the inventory: %d, want 404; %d requests", a.status, seen)
	}
}

func TestPathsAndParameters(t *testing.T) {
	b := start(t, t, wazuhfake.Options{})
	for path, want := range map[string]int{
		"/nothing": 404, "/active-response": 405, "/agents?name=WS-0001&colour=red": 400, "/agents?Name=x": 400, "/agents?limit=0": 400,
		"/agents?limit=100001": 400, "/agents?limit=": 400, "/agents?limit=x": 400, "/agents?offset=-1": 400, "/agents?status=alive": 400,
		"/agents?agents_list=1": 400, "/agents?agents_list=": 400, "/agents?agents_list=all": 400, "/agents?older_than=soon": 400,
		"/agents?select=colour": 400, "/agents?sort=-colour": 400, "/agents?q=colour=red": 400, "/agents?q=name": 400, "/agents?q=name=": 400,
		"/agents?q=(name=x": 400, "/agents?q=name=x)": 400, "/syscollector/1/os": 400, "/agents?distinct=true": 400,
		"/agents?wait_for_complete=true&pretty=true": 200,
	} {
		if a := b.get(path); a.status != want {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.text, want)
		}
	}
}
