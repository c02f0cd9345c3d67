package sentinelonefake_test

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
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// bench is a console with a clock and its world.
type bench struct {
	t      *testing.T
	world  *edrtest.World
	double *sentinelonefake.Double
	url    string

	mu  sync.Mutex
	now time.Time
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

const (
	ws1 = "657613730168120001"
	ws2 = "657613730168120002"
	dc1 = "657613730168120003"
)

// start starts a console over three devices, one of them a domain controller.
func start(t *testing.T, tb testing.TB, o sentinelonefake.Options) *bench {
	b := &bench{t: t, now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	b.world = edrtest.New(t, b.clock)
	noon := b.now
	shell := &edrtest.Process{
		PID: 4100, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, CommandLine: `powershell -File C:\x\send.ps1`,
		User: `CORP\kim`, SHA256: strings.Repeat("ab", 32), Start: noon.Add(-time.Hour), Signer: "MICROSOFT WINDOWS",
		Parent:  &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: noon.Add(-5 * time.Hour)},
		Scripts: []edrtest.Script{{At: noon.Add(-50 * time.Minute), Path: `C:\x\send.ps1`, Text: "while(1){send}"}},
	}
	b.world.Add(edrtest.Host{
		ID: ws1, Name: "WS-0001", Domain: "corp.example", OS: "Windows 11", Role: "workstation",
		Addresses: []edrtest.Address{{IP: "10.1.0.1", From: noon.Add(-time.Hour)}, {IP: "10.1.0.9", From: noon.Add(-9 * time.Hour), To: noon.Add(-time.Hour)}},
		Sessions:  []edrtest.Session{{User: "kim", Domain: "CORP", SID: "S-1-5-21-1-2-3-1001", Since: noon.Add(-4 * time.Hour)}},
		Processes: []*edrtest.Process{shell},
		Connections: []edrtest.Connection{{
			At: noon.Add(-10 * time.Minute), Process: shell,
			Tuple: incident.Tuple{SrcIP: "10.1.0.1", SrcPort: 50123, DstIP: "198.51.100.7", DstPort: 53, Transport: "udp"},
		}},
	})
	b.world.Add(edrtest.Host{
		ID: ws2, Name: "WS-00012", Domain: "corp.example", OS: "Windows 11", Role: "workstation",
		Addresses: []edrtest.Address{{IP: "10.1.0.10", From: noon.Add(-9 * time.Hour)}}, Offline: true, LastSeen: noon.Add(-48 * time.Hour),
	})
	b.world.Add(edrtest.Host{
		ID: dc1, Name: "DC-01", Domain: "corp.example", OS: "Windows Server 2022", Role: "domain_controller",
		Addresses: []edrtest.Address{{IP: "10.1.0.3", From: noon.Add(-9 * time.Hour)}},
	})
	if o.Pace == nil {
		o.Pace = b.clock
	}
	b.double = sentinelonefake.New(tb, b.world, o)
	server := httptest.NewServer(b.double.Handler())
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// answer is what the console said.
type answer struct {
	status int
	header http.Header
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

// column is one member of all objects of the list data.
func (a answer) column(name string) []any {
	rows, _ := a.at("data").([]any)
	out := []any{}
	for i := range rows {
		out = append(out, a.at("data", i, name))
	}
	return out
}

func (b *bench) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, bytes.NewBufferString(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "ApiToken s1-token")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/sdl/") {
		req.Header.Set("Authorization", "Bearer s1-token")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (b *bench) get(path string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, "/web/api/v2.1"+path, "")
}

func (b *bench) post(path, body string) answer {
	b.t.Helper()
	return b.do(http.MethodPost, "/web/api/v2.1"+path, body)
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

func TestToken(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	for _, auth := range []string{"", "ApiToken wrong", "Bearer s1-token", "Token s1-token"} {
		a := b.do(http.MethodGet, "/web/api/v2.1/system/info", "", "Authorization", auth)
		if a.status != http.StatusUnauthorized || a.at("errors", 0, "code") != 4010010.0 {
			t.Errorf("with %q: %d %s, want 401 with 4010010", auth, a.status, a.text)
		}
	}
	if a := b.get("/system/info"); a.status != http.StatusOK || a.at("data", "build") == nil {
		t.Errorf("system info: %d %s", a.status, a.text)
	}
	same(t, "the token's end", b.get("/user").at("data", "apiToken", "expiresAt"), "2026-12-01T00:00:00.000000Z")
	a := b.do(http.MethodPost, "/web/api/v2.1/users/api-token-details", `{"data":{"apiToken":"s1-token"}}`, "Authorization", "")
	same(t, "the end of a token that is asked for", a.at("data", "expiresAt"), "2026-12-01T00:00:00.000000Z")
	b.pass(24 * time.Hour)
	if a := b.get("/system/info"); a.status != http.StatusUnauthorized {
		t.Errorf("with an expired token: %d, want 401", a.status)
	}
}

// Each operation takes the permission that its description names.
func TestPermissions(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Permissions: []string{"Endpoints.view"}})
	if a := b.get("/agents"); a.status != http.StatusOK {
		t.Fatalf("with the permission: %d %s", a.status, a.text)
	}
	for _, path := range []string{"/agents/actions/disconnect", "/agents/actions/connect", "/agents/actions/manage-tags", "/remote-scripts/execute"} {
		a := b.post(path, `{"filter":{"ids":["`+ws1+`"]},"data":{}}`)
		if a.status != http.StatusForbidden || a.at("errors", 0, "code") != 4030010.0 {
			t.Errorf("%s without its permission: %d %s, want 403 with 4030010", path, a.status, a.text)
		}
	}
	if n := b.world.Effects(""); n != 0 {
		t.Errorf("%d commands were carried out without a permission", n)
	}
	b.double.Change(func(o *sentinelonefake.Options) { o.Permissions = nil })
	role := b.get("/rbac/role/" + b.get("/user").at("data", "scopeRoles", 0, "roleId").(string))
	if role.status != http.StatusOK || role.at("data", "pages", 0, "permissions", 0, "value") != true {
		t.Errorf("role: %d %s", role.status, role.text)
	}
}

func TestConsoleThrottles(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{PerSecond: 2})
	got := []int{b.get("/agents").status, b.get("/agents").status, b.get("/agents").status}
	b.pass(time.Second)
	same(t, "the answers to three requests in a second and one later", append(got, b.get("/agents").status), []int{200, 200, 429, 200})
}

func TestUnknownPath(t *testing.T) {
	seen := 0
	b := start(t, t, sentinelonefake.Options{Before: func(*http.Request) { seen++ }})
	if a := b.get("/agents/actions/no-such"); a.status != http.StatusNotFound || seen != 1 {
		t.Errorf("an unknown path: %d %s, seen %d times", a.status, a.text, seen)
	}
}
