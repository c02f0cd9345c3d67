package defender

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const guid = "00000000-0000-4000-8000-000000000001"

func TestOnlyTheIdOfOneDeviceIsATarget(t *testing.T) {
	for _, id := range []string{"all", "*", device[:39], device + "0", device + "," + device, device[:39] + "g", "' or '1' eq '1", "desktop-1", strings.Repeat("/", 40)} {
		target, err := incident.DeviceTarget(id, "ws-042")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := targeted("isolate", target); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("target %q: error %v, want an invalid one", id, err)
		}
	}
	target, _ := incident.DeviceTarget(strings.ToUpper(device), "ws-042")
	if id, err := targeted("isolate", target); err != nil || id != device {
		t.Errorf("the device is %q, %v, want %s", id, err, device)
	}
}

func TestNamesAreFoundExactly(t *testing.T) {
	for name, want := range map[string][]string{
		"Accounting-2":               {"computerDnsName eq 'accounting-2'", "startswith(computerDnsName,'accounting-2.')"},
		"accounting-2.corp.example.": {"computerDnsName eq 'accounting-2.corp.example'", "computerDnsName eq 'accounting-2'"},
		"":                           nil, "*": nil, "a' or '1' eq '1": nil, "a b": nil, "a/b": nil, "192.0.2.1": nil, ".corp": nil, "a..b": nil, "%61": nil,
	} {
		if got := nameFilters(name); !slices.Equal(got, want) {
			t.Errorf("name %q is looked for with %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"ws", "WS.corp.example", true},
		{"ws.corp.example", "ws", true},
		{"ws.corp.example", "WS.Corp.Example.", true},
		{"ws.corp.example", "ws.other.example", false},
		{"ws", "ws2", false},
		{"ws", "ws2.corp.example", false},
		{"", "", false},
	} {
		if got := sameName(c.a, c.b); got != c.want {
			t.Errorf("%q and %q are one name: %t, want %t", c.a, c.b, got, c.want)
		}
	}
}

// A token goes nowhere but to where the list was asked for.
func TestTheNextPageIsOfTheSameListAtTheSamePlace(t *testing.T) {
	path := query("/api/machines", "$filter", "computerDnsName eq 'a'")
	if path != "/api/machines?$filter=computerDnsName%20eq%20%27a%27" {
		t.Errorf("the path is %s", path)
	}
	for link, want := range map[string]string{
		"": "",
		"https://api.securitycenter.microsoft.com/api/machines?$skip=10": "/api/machines?$skip=10",
		"https://evil.example/api/machines?$skiptoken=a%20b":             "/api/machines?$skiptoken=a%20b",
	} {
		if got, err := sameList(path, link); err != nil || got != want {
			t.Errorf("after %q comes %q, %v, want %q", link, got, err, want)
		}
	}
	for _, link := range []string{"https://x.example/api/machineactions?$skip=10", "https://x.example/api/machines", "://"} {
		if got, err := sameList(path, link); err == nil {
			t.Errorf("after %q comes %q, want an error", link, got)
		}
	}
}

func TestThePathOfAnImage(t *testing.T) {
	for _, c := range []struct{ folder, name, want string }{
		{`c:\windows\system32\wuauclt.exe`, "wuauclt.exe", `c:\windows\system32\wuauclt.exe`},
		{`C:\Windows\System32`, "svchost.exe", `C:\Windows\System32\svchost.exe`},
		{`C:\Windows\System32\`, "svchost.exe", `C:\Windows\System32\svchost.exe`},
		{`C:\Tools\Sender.EXE`, "sender.exe", `C:\Tools\Sender.EXE`},
		{`C:\Tools\mysender.exe`, "sender.exe", `C:\Tools\mysender.exe\sender.exe`},
		{"/usr/bin", "curl", "/usr/bin/curl"},
		{"", "a.exe", ""},
		{`C:\a`, "", `C:\a`},
	} {
		if got := imagePath(c.folder, c.name); got != c.want {
			t.Errorf("the image %s in %s is %s, want %s", c.name, c.folder, got, c.want)
		}
	}
}

// An answer of hunting as Microsoft's page of it shows, with what else was seen: other case,
// numbers as text, null, seven digits.
func TestEventsAreReadLeniently(t *testing.T) {
	var out struct {
		Results []row `json:"results"`
	}
	body := `{"Schema": [{"Name": "Timestamp", "Type": "DateTime"}], "Results": [
		{"Timestamp": "2026-11-30T09:39:50.7688641Z", "LocalIP": "::ffff:192.0.2.2", "LocalPort": "50001", "remoteip": "198.51.100.1", "RemotePort": 53, "Protocol": "Udp",
		 "InitiatingProcessFileName": "sender.exe", "InitiatingProcessFolderPath": "C:\\Tools\\sender.exe", "InitiatingProcessId": "4001", "InitiatingProcessSHA256": "",
		 "InitiatingProcessCreationTime": "2026-11-30T09:00:00.0000001", "InitiatingProcessAccountDomain": "corp", "InitiatingProcessAccountName": "anna",
		 "InitiatingProcessSessionId": 2, "InitiatingProcessParentFileName": null, "More": [1]},
		{"Timestamp": "2026-11-30T09:39:50Z", "RemoteIP": "", "Protocol": null}]}`
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Results) != 2 {
		t.Fatalf("%d rows, %v", len(out.Results), err)
	}
	c, ok := connectionOf(out.Results[0])
	want := incident.Tuple{SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"}
	if !ok || c.Tuple != want || !c.At.Equal(time.Date(2026, 11, 30, 9, 39, 50, 768864100, time.UTC)) {
		t.Errorf("the connection is %+v at %s", c.Tuple, c.At)
	}
	p := c.Process
	for name, got := range map[string][2]string{
		"path": {p.Path.String(), `C:\Tools\sender.exe`}, "pid": {p.PID.String(), "4001"}, "user": {p.User.String(), `corp\anna`}, "session": {p.Session.String(), "2"},
		"parent": {p.Parent.String(), "unknown (Defender does not say)"}, "digest": {p.SHA256.String(), "unknown (Defender fills this in seldom)"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %s, want %s", name, got[0], got[1])
		}
	}
	if started, ok := p.Started.Get(); !ok || started.Nanosecond() != 100 {
		t.Errorf("it was started at %v", p.Started)
	}
	if _, ok := connectionOf(out.Results[1]); ok {
		t.Error("an event without an address is a connection")
	}
}

func TestQueriesHaveNoTextOfOthers(t *testing.T) {
	from := time.Date(2026, 11, 30, 9, 0, 0, 123456789, time.UTC)
	wanted, err := wantedOf("ask", []incident.Tuple{{SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp"}})
	if err != nil {
		t.Fatal(err)
	}
	got := network(device, from, from.Add(time.Minute), wanted).newest(10, []string{"Timestamp"})
	want := `DeviceNetworkEvents
| where DeviceId == "` + device + `"
| where Timestamp >= datetime(2026-11-30T09:00:00.1234567Z) and Timestamp < datetime(2026-11-30T09:01:00.1234567Z)
| where ActionType != "ListeningConnectionCreated"
| where isnotempty(RemoteIP)
| where RemoteIP in ("192.0.2.2", "198.51.100.1", "::ffff:192.0.2.2", "::ffff:198.51.100.1")
| where RemotePort in (53, 50001)
| where LocalPort in (53, 50001)
| top 10 by Timestamp desc
| project Timestamp`
	if got != want {
		t.Errorf("the query is\n%s\nwant\n%s", got, want)
	}
	for _, ip := range []string{"", `192.0.2.2") or true or RemoteIP in ("`, "192.0.2.0/24", "localhost"} {
		if _, err := wantedOf("ask", []incident.Tuple{{SrcIP: ip, DstIP: "198.51.100.1", Transport: "udp"}}); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("the address %q: error %v, want an invalid one", ip, err)
		}
	}
	if got := spelt(netip.MustParseAddr("2001:db8::1")); len(got) != 1 {
		t.Errorf("an IPv6 address is written %q", got)
	}
}

func TestScriptsHaveTheirText(t *testing.T) {
	for fields, want := range map[string]string{
		`{"Command": "Get-ChildItem"}`: "Get-ChildItem", `{"ScriptContent": "$u.Send()", "Other": 1}`: "$u.Send()", `{"Command": ""}`: "", `[]`: "", ``: "", `{"Command": 7}`: "",
	} {
		encoded, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		// The column is text that holds JSON; some answers have the JSON itself.
		for _, raw := range []string{string(encoded), fields} {
			if !json.Valid([]byte(raw)) {
				continue
			}
			_, text := scriptOf(row{"additionalfields": json.RawMessage(raw)})
			if got, _ := text.Get(); got != want {
				t.Errorf("the text in %s is %q, want %q", raw, got, want)
			}
		}
	}
	file, _ := scriptOf(row{"filename": json.RawMessage(`"flood.ps1"`), "folderpath": json.RawMessage(`"C:\\Users\\anna"`)})
	if got, _ := file.Get(); got != `C:\Users\anna\flood.ps1` {
		t.Errorf("the script is %v", file)
	}
	if file, _ := scriptOf(row{"filename": json.RawMessage(`"powershell.exe"`)}); file.IsKnown() {
		t.Errorf("a program is a script: %v", file)
	}
}

func TestOutputIsFetchedFromStorageOnly(t *testing.T) {
	c := &Client{config: Config{Downloads: []string{"127.0.0.1:8080", "store.example"}}}
	for link, want := range map[string]bool{
		"https://account.blob.core.windows.net/a?sig=b": true, "https://ACCOUNT.BLOB.core.windows.net/a": true, "https://store.example/a": true,
		"http://127.0.0.1:8080/a": true, "http://127.0.0.1:8081/a": false, "http://store.example/a": false, "http://account.blob.core.windows.net/a": false,
		"https://account.blob.core.windows.net:444/a": false, "https://account.blob.core.windows.net@evil.example/": false,
		"https://evilblob.core.windows.net/a": false, "https://account.blob.core.windows.net.evil.example/": false, "https://169.254.169.254/": false, "": false, "://": false,
	} {
		if got := c.mayFetch(link); got != want {
			t.Errorf("%s may be fetched: %t, want %t", link, got, want)
		}
	}
}

func TestTheEndOfLongOutputIsKept(t *testing.T) {
	text, cut := bounded(strings.Repeat("ä", maxOutput) + "{\"result\":\"ended\"}\x00\x00")
	if !cut || len(text) > maxOutput || !strings.HasSuffix(text, `{"result":"ended"}`) {
		t.Errorf("%d bytes, cut: %t, end with %q", len(text), cut, text[len(text)-20:])
	}
}

func TestConfiguration(t *testing.T) {
	good := Config{Tenant: guid, ClientID: guid, ClientSecret: "secret", Cloud: Global, Access: httpx.Access{Timeout: time.Second}}
	for cloud, want := range map[Cloud]endpoints{
		Global:  {"https://login.microsoftonline.com/" + guid + "/oauth2/v2.0/token", "https://api.security.microsoft.com", "https://api.securitycenter.microsoft.com/.default", "https://graph.microsoft.com", "https://graph.microsoft.com/.default"},
		EU:      {"https://login.microsoftonline.com/" + guid + "/oauth2/v2.0/token", "https://eu.api.security.microsoft.com", "https://api.securitycenter.microsoft.com/.default", "https://graph.microsoft.com", "https://graph.microsoft.com/.default"},
		GCCHigh: {"https://login.microsoftonline.us/" + guid + "/oauth2/v2.0/token", "https://api-gov.securitycenter.microsoft.us", "https://api-gov.securitycenter.microsoft.us/.default", "https://graph.microsoft.us", "https://graph.microsoft.us/.default"},
	} {
		c := good
		c.Cloud = cloud
		if got, err := c.endpoints(); err != nil || got != want {
			t.Errorf("cloud %s: %+v, %v, want %+v", cloud, got, err, want)
		}
	}
	for name, change := range map[string]func(*Config){
		"a tenant's name":         func(c *Config) { c.Tenant = "contoso.onmicrosoft.com" },
		"no client":               func(c *Config) { c.ClientID = "" },
		"no credential":           func(c *Config) { c.ClientSecret = "" },
		"two credentials":         func(c *Config) { c.ClientCertificate, c.ClientKey = "a.pem", "b.pem" },
		"a certificate alone":     func(c *Config) { c.ClientSecret, c.ClientCertificate = "", "a.pem" },
		"an unknown cloud":        func(c *Config) { c.Cloud = "mars" },
		"http elsewhere":          func(c *Config) { c.URL = "http://api.example" },
		"a password in the url":   func(c *Config) { c.GraphURL = "https://a:b@graph.example" },
		"no timeout":              func(c *Config) { c.Timeout = 0 },
		"a path among the hosts":  func(c *Config) { c.Downloads = []string{"https://a.example/"} },
		"a login with parameters": func(c *Config) { c.LoginURL = "https://login.example?a=b" },
	} {
		c := good
		change(&c)
		if _, err := Open(c); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("%s: error %v, want an invalid one", name, err)
		}
	}
}
