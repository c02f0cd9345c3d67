package sentinelone

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// recorded reads a recorded answer.
func recorded(t *testing.T, part string, into any) {
	t.Helper()
	data, err := os.ReadFile("../apispec/testdata/sentinelone-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(parts[part], into); err != nil {
		t.Fatal(err)
	}
}

// The agent that was recorded is decommissioned and connecting for ever.
func TestARecordedAgent(t *testing.T) {
	var a agent
	recorded(t, "agent", &a)
	e := a.endpoint()
	e.IP = sought{isNow: true}.addresses(a, time.Now())
	for what, got := range map[string][2]string{
		"id": {e.ID.String(), "657613730168123595"}, "name": {e.Name.String(), "SRV-EXAMPLE-1"}, "os": {e.OS.String(), "windows"},
		"role": {e.Role.String(), "server"}, "online": {e.Online.String(), "false"}, "isolation": {e.Isolation.String(), "none"},
		"users": {e.Users.String(), "unknown (SentinelOne names no user of the device)"},
		"route": {e.Route.String(), "unknown (SentinelOne does not tell how the agent reaches the console)"},
		"seen":  {e.LastSeen.String(), "2020-02-20 00:26:33.95583 +0000 UTC"},
		"ip":    {e.IP.String(), "unknown (the device is offline since 2020-02-20T00:26:33Z: its last address may be another's by now)"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %s, want %s", what, got[0], got[1])
		}
	}
	if ips := a.addresses(); !slices.Equal(ips, []string{"172.31.43.13"}) {
		t.Errorf("the addresses are %v", ips)
	}
	if _, ok := parseUUID(a.UUID); !ok {
		t.Errorf("the uuid %q is not taken for one", a.UUID)
	}
}

// The advice that a result was limited is noticed.
func TestARecordedResultSaysThatItIsLimited(t *testing.T) {
	var r struct{ Data table }
	recorded(t, "power_query", &r)
	rows, partial, err := lrq{Data: &r.Data}.rows("read")
	if err != nil || len(rows) != 1 || !strings.Contains(partial, "limited to 1000 rows") {
		t.Errorf("%v, %q, %v", rows, partial, err)
	}
	if at := when(rows[0]["eventTime"]); !at.Equal(time.UnixMilli(1724151854609)) {
		t.Errorf("the event is at %s", at)
	}
}

func TestARecordedTask(t *testing.T) {
	var task struct{ Status, DetailedStatus string }
	recorded(t, "remote_script_task", &task)
	if got := stateOf(task.Status, task.DetailedStatus); got != integrations.ScriptDone {
		t.Errorf("it is %s", got)
	}
	for status, want := range map[[2]string]integrations.ScriptState{
		{"completed", "The execution terminated in failure"}: integrations.ScriptFailed, {"completed", "The execution terminated in another way"}: integrations.ScriptFailed, {"completed", ""}: integrations.ScriptDone,
		{"pending_user_action", ""}: integrations.ScriptQueued, {"in_progress", ""}: integrations.ScriptRunning, {"something", "new"}: integrations.ScriptRunning,
		{"canceled", ""}: integrations.ScriptFailed, {"expired", ""}: integrations.ScriptFailed, {"partially_completed", ""}: integrations.ScriptFailed,
	} {
		if got := stateOf(status[0], status[1]); got != want {
			t.Errorf("%q is %s, want %s", status, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2026, 3, 2, 10, 0, 0, int(123*time.Millisecond), time.UTC)
	for _, text := range []string{`1772445600123`, `"1772445600123"`, `1.772445600123E12`, `1772445600123000000`, `"2026-03-02T10:00:00.123Z"`, `"2026-03-02T11:00:00.123+01:00"`} {
		if got := when(textOf([]byte(text))); !got.Equal(want) {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{`null`, `""`, `0`, `-1`, `"soon"`, `true`} {
		if got := when(textOf([]byte(text))); !got.IsZero() {
			t.Errorf("%s is %s", text, got)
		}
	}
}

func TestSignatures(t *testing.T) {
	for in, want := range map[[3]string][2]string{
		{"signed", "verified", "Example Ltd"}: {"true", "Example Ltd"}, {"unsigned", "", ""}: {"false", ""}, {"", "", ""}: {"", ""},
		{"signed", "unverified", "Example Ltd"}: {"", ""}, {"signed", "", "Example Ltd"}: {"", ""}, {"SIGNED", "Verified", ""}: {"true", ""}, {"revoked", "verified", "x"}: {"", ""},
	} {
		signed, signer := signature(in[0], in[1], in[2])
		got := [2]string{}
		if signed.IsKnown() {
			got[0] = signed.String()
		}
		if signer.IsKnown() {
			got[1] = signer.String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestEventsOfConnections(t *testing.T) {
	r := row{
		"src.ip.address": "::ffff:192.0.2.2", "src.port.number": "50001", "dst.ip.address": "2001:DB8::1", "dst.port.number": "53",
		"event.network.protocolName": "UDP",
	}
	if got, ok := r.tuple(); !ok || got != (incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "2001:db8::1", DstPort: 53, Transport: "udp"}) {
		t.Errorf("%+v, %t", got, ok)
	}
	r["event.network.protocolName"] = "dns"
	if got, _ := r.tuple(); got.Transport != "" {
		t.Errorf("the name of an application is the transport %q", got.Transport)
	}
	for field, bad := range map[string]text{"src.ip.address": "", "dst.port.number": "70000"} {
		broken := row{}
		for k, v := range r {
			broken[k] = v
		}
		broken[field] = bad
		if got, ok := broken.tuple(); ok {
			t.Errorf("%s %q makes %+v", field, bad, got)
		}
	}
}

func TestScriptsOfNoFile(t *testing.T) {
	p := withScript(incident.Process{}, row{source + ".activeContent.path": `\Unknown device\Unknown file`, "cmdScript.content": text(strings.Repeat("ä", 40<<10))})
	if content, _ := p.ScriptText.Get(); p.Script.IsKnown() || len(content) != 64<<10 {
		t.Errorf("the path is %s, and the text has %d bytes", p.Script, len(content))
	}
}

// Queries have nothing in them but what was checked.
func TestWhatAQueryAsks(t *testing.T) {
	at := time.UnixMilli(1772445600123)
	q := integrations.ConnectionQuery{From: at, To: at.Add(time.Minute), Limit: 5, Tuples: []incident.Tuple{{SrcIP: "192.0.2.2", SrcPort: 2, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"}}}
	asked, err := connectionsAsked("ask", q)
	if err != nil {
		t.Fatal(err)
	}
	asked.agent = uuid{"f431b0a1a8744d2a8a92fc88fa3c13bc"}
	asked.fields = nil
	want := "dataSource.name = 'SentinelOne' and event.type = 'IP Connect' and agent.uuid = 'f431b0a1a8744d2a8a92fc88fa3c13bc' and " +
		"event.time >= 1772445600123 and event.time < 1772445660123 and src.port.number in (2, 53) and dst.port.number in (2, 53) and " +
		"src.ip.address in ('192.0.2.2', '198.51.100.1') and dst.ip.address in ('192.0.2.2', '198.51.100.1') | sort -event.time | limit 7 | columns event.id, agent.uuid, event.time"
	if got := asked.powerQuery(asked.to, false, 7); got != want {
		t.Errorf("it asks\n%s\nwant\n%s", got, want)
	}
	for _, bad := range []incident.Tuple{{SrcIP: "' or 1=1", DstIP: "192.0.2.1"}, {SrcIP: "192.0.2.1", DstIP: "fe80::1%' or '", DstPort: 1}, {SrcIP: "192.0.2.1", DstIP: "192.0.2.2", DstPort: -1}} {
		q.Tuples = []incident.Tuple{bad}
		if _, err := connectionsAsked("ask", q); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// A name is the device's with and without its domain, and one in another domain is another.
func TestNamesAndTimes(t *testing.T) {
	yes := true
	now := time.Now()
	agents := map[string]agent{
		"600001": {ID: "600001", Name: "WS-1", Domain: "corp.example", Status: connected, Active: &yes, LastActive: now.Format(time.RFC3339)},
		"600002": {ID: "600002", Name: "WS-1", Domain: "other.example", Status: connected, Active: &yes},
		"600003": {ID: "600003", Name: "ws-1.third.example", Status: connected, Active: &yes},
		"600004": {ID: "600004", Name: "WS-1", Decommissioned: true, Status: connected},
		"600005": {ID: "600005", Name: "WS-10", Status: connected, Active: &yes},
	}
	for name, want := range map[string][]string{
		"ws-1": {"600001", "600002", "600003"}, "WS-1.CORP.example": {"600001"}, "ws-1.third.example": {"600003"}, "ws-1.fourth.example": {"600001", "600002"}, "ws": nil,
	} {
		var got []string
		for _, e := range (sought{name: name, isNow: true}).endpoints(agents, now) {
			id, _ := e.ID.Get()
			got = append(got, id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", name, got, want)
		}
	}
	here := agents["600001"]
	if err := json.Unmarshal([]byte(`{"networkInterfaces":[{"inet":["192.0.2.2"],"inet6":["fe80::1","2001:DB8::2"]},{"inet":null}]}`), &here); err != nil {
		t.Fatal(err)
	}
	agents = map[string]agent{"600001": here}
	if got := (sought{name: "ws-1", isNow: true}).endpoints(agents, now); got[0].IP.String() != "[192.0.2.2 2001:db8::2]" {
		t.Errorf("the addresses are %s", got[0].IP)
	}
	if got := (sought{name: "ws-1"}).endpoints(agents, now); len(got) != 1 || got[0].IP.IsKnown() {
		t.Errorf("at another time than now: %+v", got)
	}
	if got := (sought{ips: []string{"192.0.2.2"}}).endpoints(agents, now); len(got) != 0 {
		t.Errorf("by an address of another time than now: %+v", got)
	}
}

func TestRoutes(t *testing.T) {
	yes, no := true, false
	for want, console := range map[string]*bool{
		"proxy": &yes, "unknown (not through a proxy; whether through a VPN SentinelOne does not tell)": &no,
		"unknown (SentinelOne does not tell how the agent reaches the console)": nil,
	} {
		var a agent
		a.Proxy.Console = console
		if got := a.route().String(); got != want {
			t.Errorf("the route is %s, want %s", got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	good := Config{URL: "https://example.sentinelone.net/", Token: "token", Identifier: Refuse, Access: httpx.Access{Timeout: 30 * time.Second}}
	for says, change := range map[string]func(*Config){
		"": func(*Config) {}, "write a token": func(c *Config) { c.Token = "" }, "line end": func(c *Config) { c.Token = "token\n" },
		"invalid identifier": func(c *Config) { c.Identifier = "overwrite" }, "timeout is": func(c *Config) { c.Timeout = time.Millisecond },
		"invalid account id": func(c *Config) { c.Accounts = []string{"all"} }, "invalid host": func(c *Config) { c.Downloads = []string{"https://x/"} },
		"is not an address": func(c *Config) { c.URL = "example.sentinelone.net" }, "has a user, a path": func(c *Config) { c.URL = "https://x.sentinelone.net/web/api" },
		"in the clear": func(c *Config) { c.URL = "http://x.sentinelone.net" },
	} {
		c := good
		change(&c)
		address, err := c.check()
		if says == "" && (err != nil || address != "https://example.sentinelone.net") || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q, %v; want an error that says %q", address, err, says)
		}
	}
}

func TestDownloads(t *testing.T) {
	c := &Client{config: Config{Downloads: []string{"127.0.0.1:8080", "results.example"}}}
	for link, want := range map[string]bool{
		"https://bucket.s3.us-east-1.amazonaws.com/a?X-Amz-Signature=1": true, "https://storage.googleapis.com/a": true, "https://results.example/a": true, "http://127.0.0.1:8080/a": true,
		"http://bucket.s3.amazonaws.com/a": false, "https://amazonaws.com.evil.example/a": false, "https://evilamazonaws.com/a": false, "https://user@bucket.s3.amazonaws.com/a": false,
		"http://results.example/a": false, "https://169.254.169.254/latest": false, "file:///etc/passwd": false, "": false, "https://bucket.s3.amazonaws.com:444/a": false,
	} {
		if got := c.mayFetch(link); got != want {
			t.Errorf("%s: %t, want %t", link, got, want)
		}
	}
}

// Events of another device are no answer.
func TestEventsOfAnotherDevice(t *testing.T) {
	at := time.UnixMilli(1772445600123)
	q := question{op: "ask", agent: uuid{"f431b0a1a8744d2a8a92fc88fa3c13bc"}, from: at, to: at.Add(time.Second)}
	for id, ok := range map[string]bool{"f431b0a1a8744d2a8a92fc88fa3c13bc": true, "F431B0A1-A874-4D2A-8A92-FC88FA3C13BC": true, "": true, "ffffffffa8744d2a8a92fc88fa3c13bc": false} {
		_, err := q.fresh([]row{{"agent.uuid": text(id), eventTime: text(millis(at))}}, map[string]bool{})
		if (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := q.fresh([]row{{eventTime: "soon"}}, map[string]bool{}); err == nil {
		t.Error("an event without a time is one")
	}
}
