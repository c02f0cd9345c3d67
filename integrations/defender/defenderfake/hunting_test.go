package defenderfake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const huntingPath = "/v1.0/security/runHuntingQuery"

func (n *tenant) hunt(query, timespan string) []map[string]any {
	n.t.Helper()
	body := map[string]any{"Query": query}
	if timespan != "" {
		body["Timespan"] = timespan
	}
	a := n.call(http.MethodPost, huntingPath, body, http.StatusOK, "")
	rows, _ := a.body["results"].([]any)
	var out []map[string]any
	for _, r := range rows {
		row, _ := r.(map[string]any)
		out = append(out, row)
	}
	return out
}

func (n *tenant) refused(query string, status int, code, part string) {
	n.t.Helper()
	a := n.call(http.MethodPost, huntingPath, map[string]any{"Query": query}, status, code)
	if !strings.Contains(a.text, part) {
		n.t.Errorf("%s: answered %s, want %q", query, a.text, part)
	}
}

func TestConnections(t *testing.T) {
	n := open(t, defenderfake.Options{})
	got := n.hunt(`DeviceNetworkEvents
		| where DeviceId == "`+ws1+`" and Timestamp between (datetime(2026-11-30T08:00:00Z) .. datetime(2026-11-30T09:00:00Z))
		| where RemoteIP in ("198.51.100.7")
		| summarize conns = count(), first = min(Timestamp), ports = make_set(RemotePort, 20) by InitiatingProcessFileName, InitiatingProcessId, InitiatingProcessParentFileName, InitiatingProcessAccountName, Protocol
		| sort by Protocol asc`, "")
	want := []map[string]any{
		{
			"InitiatingProcessFileName": "powershell.exe", "InitiatingProcessId": 4242.0, "InitiatingProcessParentFileName": "explorer.exe",
			"InitiatingProcessAccountName": "ann", "Protocol": "Tcp", "conns": 1.0, "first": "2026-11-30T08:20:00.0000000Z", "ports": []any{443.0},
		},
		{
			"InitiatingProcessFileName": "powershell.exe", "InitiatingProcessId": 4242.0, "InitiatingProcessParentFileName": "explorer.exe",
			"InitiatingProcessAccountName": "ann", "Protocol": "Udp", "conns": 1.0, "first": "2026-11-30T08:30:00.0000000Z", "ports": []any{53.0},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the connections differ (-want +got):\n%s", diff)
	}
	got = n.hunt(`DeviceNetworkEvents | where DeviceName =~ "WS-1.corp.example" and ActionType == "InboundConnectionAccepted"
		| project LocalIP, LocalPort, RemoteIP, RemotePort, RemoteIPType`, "PT1H")
	want = []map[string]any{{"LocalIP": "10.0.0.9", "LocalPort": 3389.0, "RemoteIP": "10.0.0.2", "RemotePort": 40000.0, "RemoteIPType": "Private"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the inbound connections differ (-want +got):\n%s", diff)
	}
	// The product counts no bytes.
	n.refused(`DeviceNetworkEvents | where Timestamp > ago(1h) and DeviceId == "`+ws1+`" | summarize sum(BytesSent)`,
		http.StatusBadRequest, "BadRequest", "Failed to resolve scalar expression named 'BytesSent'. Fix semantic errors in your query.")
}

func TestProcessesAndScripts(t *testing.T) {
	n := open(t, defenderfake.Options{})
	got := n.hunt(`DeviceProcessEvents | where DeviceId == "`+ws1+`" | project FileName, FolderPath, ProcessId, ProcessCommandLine, AccountSid, SHA256, ProcessCreationTime, InitiatingProcessFileName`, "P1D")
	want := []map[string]any{{
		"FileName": "powershell.exe", "FolderPath": `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, "ProcessId": 4242.0,
		"ProcessCommandLine": "powershell -f up.ps1", "AccountSid": "S-1-5-21-1-2-3-1001", "SHA256": strings.Repeat("ab", 32),
		"ProcessCreationTime": "2026-11-30T08:10:00.0000000Z", "InitiatingProcessFileName": "explorer.exe",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the processes differ (-want +got):\n%s", diff)
	}
	const scripts = `DeviceEvents | where DeviceId == "` + ws1 + `" and ActionType in ("PowerShellCommand", "ScriptContent")
		| extend f = parse_json(AdditionalFields)
		| project Timestamp, ActionType, InitiatingProcessId, FileName, Text = coalesce(tostring(f.Command), tostring(f.ScriptContent), tostring(f.Content))
		| sort by Timestamp asc, ActionType asc`
	want = []map[string]any{
		{"Timestamp": "2026-11-30T08:11:00.0000000Z", "ActionType": "PowerShellCommand", "InitiatingProcessId": 4242.0, "FileName": "", "Text": "up.ps1"},
		{"Timestamp": "2026-11-30T08:11:00.0000000Z", "ActionType": "ScriptContent", "InitiatingProcessId": 4242.0, "FileName": "up.ps1", "Text": "Send-It 'all'"},
		{"Timestamp": "2026-11-30T08:12:00.0000000Z", "ActionType": "PowerShellCommand", "InitiatingProcessId": 4242.0, "FileName": "", "Text": "Get-Date"},
		{"Timestamp": "2026-11-30T08:12:00.0000000Z", "ActionType": "ScriptContent", "InitiatingProcessId": 4242.0, "FileName": "", "Text": "Get-Date"},
	}
	if diff := cmp.Diff(want, n.hunt(scripts, "P1D")); diff != "" {
		t.Errorf("the scripts differ (-want +got):\n%s", diff)
	}
	other := open(t, defenderfake.Options{DraftScriptKeys: true, FolderOnly: true, NoSHA256: true})
	if diff := cmp.Diff(want, other.hunt(scripts, "P1D")); diff != "" {
		t.Errorf("with the other key the scripts differ (-want +got):\n%s", diff)
	}
	got = other.hunt(`DeviceProcessEvents | where DeviceId == "`+ws1+`" | project FolderPath, SHA256`, "P1D")
	want = []map[string]any{{"FolderPath": `C:\Windows\System32\WindowsPowerShell\v1.0`, "SHA256": ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by the descriptions the columns differ (-want +got):\n%s", diff)
	}
}

func TestLogonsAndAddresses(t *testing.T) {
	n := open(t, defenderfake.Options{})
	got := n.hunt(`DeviceLogonEvents | where DeviceId == "`+ws1+`" | project ActionType, LogonType, AccountName, AccountDomain`, "P1D")
	if diff := cmp.Diff([]map[string]any{{"ActionType": "LogonSuccess", "LogonType": "Interactive", "AccountName": "ann", "AccountDomain": "CORP"}}, got); diff != "" {
		t.Errorf("the sessions differ (-want +got):\n%s", diff)
	}
	// Which device had an address is a question to all of them.
	got = n.hunt(`DeviceNetworkInfo | where IPAddresses has "10.0.0.1" and Timestamp between (datetime(2026-11-30T06:30:00Z) .. 1h)
		| mv-expand ip = parse_json(IPAddresses) | where tostring(ip.IPAddress) == "10.0.0.1" | distinct DeviceId`, "")
	if diff := cmp.Diff([]map[string]any{{"DeviceId": ws1}}, got); diff != "" {
		t.Errorf("the devices with the address differ (-want +got):\n%s", diff)
	}
}

func TestIsolationInDeviceInfo(t *testing.T) {
	const query = `DeviceInfo | where DeviceId == "` + ws1 + `" and Timestamp > ago(2h) | summarize arg_max(Timestamp, *) by DeviceId
		| project Timestamp, Isolated = tostring(parse_json(MitigationStatus).Isolated)`
	n := open(t, defenderfake.Options{HuntingLag: 10 * time.Minute})
	if diff := cmp.Diff([]map[string]any{{"Timestamp": "2026-11-30T08:50:00.0000000Z", "Isolated": ""}}, n.hunt(query, "")); diff != "" {
		t.Errorf("the state differs (-want +got):\n%s", diff)
	}
	n.isolate(ws1)
	n.world.Settle()
	n.advance(9 * time.Minute)
	if diff := cmp.Diff([]map[string]any{{"Timestamp": "2026-11-30T08:59:00.0000000Z", "Isolated": ""}}, n.hunt(query, "")); diff != "" {
		t.Errorf("before the report has arrived the state differs (-want +got):\n%s", diff)
	}
	n.advance(2 * time.Minute)
	if diff := cmp.Diff([]map[string]any{{"Timestamp": "2026-11-30T09:01:00.0000000Z", "Isolated": "true"}}, n.hunt(query, "")); diff != "" {
		t.Errorf("after the report the state differs (-want +got):\n%s", diff)
	}
}

func TestTimespans(t *testing.T) {
	n := open(t, defenderfake.Options{})
	const query = `DeviceNetworkEvents | where DeviceId == "` + ws1 + `" | count`
	for timespan, want := range map[string]float64{
		"2026-11-30T08:25:00Z/2026-11-30T08:35:00Z": 1,
		"PT10M/2026-11-30T08:35:00Z":                1,
		"2026-11-30T08:15:00Z/PT20M":                2,
		"PT35M":                                     2,
		"P30D":                                      3,
		"P90D":                                      3,
		"2026-11-30T08:35:00Z":                      1,
	} {
		if diff := cmp.Diff([]map[string]any{{"Count": want}}, n.hunt(query, timespan)); diff != "" {
			t.Errorf("%s: the count differs (-want +got):\n%s", timespan, diff)
		}
	}
	for _, bad := range []string{"1h", "yesterday", "P", "PT", "P1D/P1D", "2026-11-30T08:15:00Z/x"} {
		n.rude().call(http.MethodPost, huntingPath, map[string]any{"Query": query, "Timespan": bad}, http.StatusBadRequest, "BadRequest")
	}
	// What is older than 30 days is gone.
	n.advance(31 * 24 * time.Hour)
	n.login()
	if diff := cmp.Diff([]map[string]any{{"Count": 0.0}}, n.hunt(query, "P90D")); diff != "" {
		t.Errorf("after a month the count differs (-want +got):\n%s", diff)
	}
}

func TestHuntingRequests(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.call(http.MethodPost, huntingPath, map[string]any{"query": "DeviceInfo | where Timestamp > ago(1h) and DeviceId == '" + ws1 + "' | count", "timespan": nil}, http.StatusOK, "")
	for _, body := range []map[string]any{
		{},
		{"Query": ""},
		{"Query": 5},
		{"Query": "DeviceInfo", "query": "DeviceInfo"},
		{"KQL": "DeviceInfo"},
		{"Query": "DeviceInfo", "Timespan": 5},
	} {
		n.rude().call(http.MethodPost, huntingPath, body, http.StatusBadRequest, "BadRequest")
	}
	n.refused("DeviceInfo | were x", http.StatusBadRequest, "BadRequest", "Fix syntax errors in your query.")
	n.refused("DeviceThings | take 1", http.StatusBadRequest, "BadRequest", "Fix semantic errors in your query.")
	n.rude().call(http.MethodGet, huntingPath, nil, http.StatusBadRequest, "BadRequest")
	// Characters outside of ASCII are lost without a charset.
	r := n.request(http.MethodPost, huntingPath, map[string]any{"Query": "DeviceInfo | where DeviceId == '" + ws1 + "' | take 1 | project X = 'é'", "Timespan": "P1D"})
	if a := n.do(r); !strings.Contains(a.text, `"X":"?"`) {
		t.Errorf("without a charset the answer is %s", a.text)
	}
	r = n.request(http.MethodPost, huntingPath, map[string]any{"Query": "DeviceInfo | where DeviceId == '" + ws1 + "' | take 1 | project X = 'é'", "Timespan": "P1D"})
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if a := n.do(r); !strings.Contains(a.text, `"X":"é"`) {
		t.Errorf("with a charset the answer is %s", a.text)
	}
}

func TestSchemaOfResults(t *testing.T) {
	const query = "DeviceNetworkEvents | where Timestamp > ago(1h) and DeviceId == '" + ws1 + "' | project Timestamp, RemoteIP, RemotePort, InitiatingProcessId, S = pack_array(1), B = true, R = 1.5, D = 90s"
	for upper, keys := range map[bool][2]string{false: {"name", "type"}, true: {"Name", "Type"}} {
		n := open(t, defenderfake.Options{UpperSchema: upper})
		a := n.call(http.MethodPost, huntingPath, map[string]any{"Query": query}, http.StatusOK, "")
		var want []any
		for _, c := range [][2]string{
			{"Timestamp", "DateTime"},
			{"RemoteIP", "String"},
			{"RemotePort", "Int32"},
			{"InitiatingProcessId", "Int64"},
			{"S", "Object"},
			{"B", "Boolean"},
			{"R", "Double"},
			{"D", "TimeSpan"},
		} {
			want = append(want, map[string]any{keys[0]: c[0], keys[1]: c[1]})
		}
		if diff := cmp.Diff(want, a.body["schema"]); diff != "" {
			t.Errorf("the schema differs (-want +got):\n%s", diff)
		}
	}
}

func TestHuntingQuotas(t *testing.T) {
	n := open(t, defenderfake.Options{MaxRows: 2})
	const query = "DeviceNetworkEvents | where Timestamp > ago(1d) and DeviceId == '" + ws1 + "'"
	if rows := n.hunt(query, ""); len(rows) != 2 {
		t.Errorf("%d rows are answered, want the first 2", len(rows))
	}
	for range 44 {
		n.hunt(query, "")
	}
	a := n.call(http.MethodPost, huntingPath, map[string]any{"Query": query}, http.StatusTooManyRequests, "TooManyRequests")
	if got := a.header.Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After is %q, want 60", got)
	}
	n.advance(4 * time.Minute)
	n.SpendHunting()
	a = n.call(http.MethodPost, huntingPath, map[string]any{"Query": query}, http.StatusTooManyRequests, "TooManyRequests")
	if got := a.header.Get("Retry-After"); got != "660" {
		t.Errorf("Retry-After is %q, want the rest of the quarter: 660", got)
	}
	n.advance(11 * time.Minute)
	n.FailHunting(http.StatusGatewayTimeout)
	n.refused(query, http.StatusGatewayTimeout, "UnknownError", "request-id")
	n.hunt(query, "")
	without := open(t, defenderfake.Options{GraphRoles: []string{"SecurityAlert.Read.All"}})
	without.refused(query, http.StatusForbidden, "Forbidden", "valid permissions")
	business := open(t, defenderfake.Options{Plan: defenderfake.Business})
	business.refused(query, http.StatusForbidden, "Forbidden", "valid permissions")
}

// recorder is a test that notes its errors.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, _ ...any) { r.errors = append(r.errors, format) }

// A query that reads every device or all times gets all rows, and fails the test.
func TestUnboundedQueries(t *testing.T) {
	r := &recorder{TB: t}
	n := open(t, defenderfake.Options{})
	n.Double = defenderfake.New(r, n.world, defenderfake.Options{})
	n.serve()
	for _, tt := range []struct {
		query, timespan string
		want            []string
	}{
		{"DeviceNetworkEvents | where DeviceId == '" + ws1 + "'", "", []string{"hunting: a query reads %s without a bound of time"}},
		{"DeviceNetworkEvents | where Timestamp > ago(1d)", "", []string{"hunting: a query reads %s of every device"}},
		{"DeviceNetworkEvents | where RemoteIP == '198.51.100.7'", "P1D", []string{"hunting: a query reads %s of every device"}},
		{"DeviceNetworkEvents | take 0", "", nil},
		{"print 1", "", nil},
		{"DeviceNetworkEvents | where DeviceId in ('" + ws1 + "')", "P1D", nil},
		{"DeviceNetworkEvents | where DeviceName == 'ws-1' or DeviceName startswith 'ws-1.'", "P1D", nil},
		{"DeviceNetworkEvents | where DeviceName == 'ws-1' or RemotePort == 53", "P1D", []string{"hunting: a query reads %s of every device"}},
		{"DeviceInfo | where DeviceId in (DeviceNetworkInfo | where IPAddresses has_any ('10.0.0.1') | distinct DeviceId)", "P1D", nil},
		{"DeviceNetworkEvents | where DeviceId contains 'a'", "P1D", []string{"hunting: a query reads %s of every device"}},
	} {
		r.errors = nil
		n.hunt(tt.query, tt.timespan)
		if diff := cmp.Diff(tt.want, r.errors); diff != "" {
			t.Errorf("%s: the errors differ (-want +got):\n%s", tt.query, diff)
		}
	}
	rows := n.hunt("DeviceNetworkEvents | distinct DeviceId | sort by DeviceId asc", "")
	if diff := cmp.Diff([]map[string]any{{"DeviceId": ws1}, {"DeviceId": ws2}}, rows); diff != "" {
		t.Errorf("the devices differ (-want +got):\n%s", diff)
	}
}

// A token that is sent to the storage fails the test.
func TestTokenReachesStorage(t *testing.T) {
	r := &recorder{TB: t}
	n := open(t, defenderfake.Options{})
	n.Double = defenderfake.New(r, n.world, defenderfake.Options{})
	n.serve()
	n.upload("File", "qos.ps1", "text", nil)
	n.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{} })
	id := n.respond(ws1, http.StatusCreated, "", run("qos.ps1", "")).text1("id")
	n.world.Settle()
	storage := httptest.NewServer(n.Storage())
	defer storage.Close()
	n.SetStorageURL(storage.URL)
	link := n.call(http.MethodGet, "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=0)", nil, http.StatusOK, "").text1("value")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+n.token[defender])
	if a := n.do(req); a.status != http.StatusBadRequest || len(r.errors) != 1 {
		t.Errorf("the token was answered with %d %s and the errors %v", a.status, a.text, r.errors)
	}
}
