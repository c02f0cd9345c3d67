package loganalyticsfake_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/loganalytics/loganalyticsfake"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// workspace is a double behind the description of its API, and a client that knows nothing.
type workspace struct {
	*loganalyticsfake.Double
	t     *testing.T
	url   string
	token string
	now   time.Time
}

func open(t *testing.T, o loganalyticsfake.Options) *workspace {
	t.Helper()
	w := &workspace{t: t, now: noon}
	o.Now = func() time.Time { return w.now }
	w.Double = loganalyticsfake.New(o)
	server := httptest.NewServer(apispec.Load(t, "loganalytics", "microsoft-login").Handler(t, w.Handler()))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *workspace) login() {
	w.t.Helper()
	w.token = ""
	status, body := w.send(http.MethodPost, "/"+w.Tenant+"/oauth2/v2.0/token", "application/x-www-form-urlencoded", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {w.ClientID}, "client_secret": {w.ClientSecret},
		"scope": {"https://api.loganalytics.io/.default"},
	}.Encode())
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &said); err != nil || status != http.StatusOK {
		w.t.Fatalf("login: %d %s", status, body)
	}
	w.token = said.Token
}

func (w *workspace) send(method, path, typ, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", typ)
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	r.Header.Set("Prefer", "wait=600, include-statistics=true")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return a.StatusCode, err.Error()
	}
	return a.StatusCode, string(text)
}

// ask runs a query over the two hours before noon.
func (w *workspace) ask(query string) (status int, answer string) {
	w.t.Helper()
	if w.token == "" {
		w.login()
	}
	body, err := json.Marshal(map[string]string{"query": query, "timespan": "2026-11-30T10:00:00Z/2026-11-30T12:00:00Z"})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(http.MethodPost, "/v1/workspaces/"+w.Workspace+"/query", "application/json", string(body))
}

// rows are those of an answer, in one line.
func (w *workspace) rows(query string) string {
	w.t.Helper()
	status, text := w.ask(query)
	if status != http.StatusOK {
		return fmt.Sprintf("%d %s", status, text)
	}
	var a struct {
		Tables []struct {
			Name string
			Rows [][]any
		}
		Error *struct{ Code string }
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&a); err != nil || len(a.Tables) != 1 || a.Tables[0].Name != "PrimaryResult" {
		w.t.Fatalf("%s: %v", text, err)
	}
	var lines []string
	for _, row := range a.Tables[0].Rows {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintln(row...), "\n"))
	}
	if a.Error != nil {
		lines = append(lines, a.Error.Code)
	}
	return strings.Join(lines, "; ")
}

// flow is one that began so long before noon.
func flow(ago time.Duration, src, dst string, sent, received int64) loganalyticsfake.Entry {
	return loganalyticsfake.Entry{Record: flowmath.Record{
		Start: noon.Add(-ago), Duration: 30 * time.Second, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
		SrcPort: 50001, DstPort: 443, Transport: "tcp", Sampling: 1, Sensor: "fw-1",
		Orig: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: sent, Packets: 3},
		Resp: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: received, Packets: 2},
	}}
}

func (w *workspace) add(table string, entries ...loganalyticsfake.Entry) {
	w.t.Helper()
	if err := w.Add(table, entries...); err != nil {
		w.t.Fatal(err)
	}
}

// filled has a flow that left, one that came in and one that was denied, in each table.
func filled(t *testing.T, o loganalyticsfake.Options) *workspace {
	w := open(t, o)
	denied := flow(40*time.Minute, "10.0.0.5", "198.51.100.9", 60, 0)
	denied.Denied = true
	for _, table := range loganalyticsfake.Tables() {
		w.add(table, flow(time.Hour, "10.0.0.5", "198.51.100.7", 3_000_000_000_123, 5), flow(50*time.Minute, "203.0.113.4", "10.0.0.5", 7, 900), denied)
	}
	return w
}

func TestTables(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{})
	for _, tt := range []struct{ query, want string }{
		{"CommonSecurityLog | project TimeGenerated, SourceIP, DestinationIP, SentBytes, ReceivedBytes, DeviceAction, DeviceName, StartTime", "2026-11-30T11:00:30Z 10.0.0.5 198.51.100.7 3000000000123 5 allow fw-1 2026-11-30T11:00:00Z; " +
			"2026-11-30T11:10:30Z 203.0.113.4 10.0.0.5 7 900 allow fw-1 2026-11-30T11:10:00Z; 2026-11-30T11:20:30Z 10.0.0.5 198.51.100.9 60 0 deny fw-1 2026-11-30T11:20:00Z"},
		// Public addresses are in lists of their own, and what was denied has no counts.
		{"NTANetAnalytics | project TimeGenerated, SrcIp, DestIp, SrcPublicIps, DestPublicIps, BytesSrcToDest, BytesDestToSrc, FlowStatus, FlowDirection", "2026-11-30T11:10:00Z 10.0.0.5   198.51.100.7|1|0|3|2|3000000000123|5 3000000000123 5 Allowed Outbound; " +
			"2026-11-30T11:20:00Z  10.0.0.5 203.0.113.4|1|0|3|2|7|900  7 900 Allowed Inbound; 2026-11-30T11:30:00Z 10.0.0.5   198.51.100.9|1|0|0|0|0|0 <nil> <nil> Denied Outbound"},
		{"AzureNetworkAnalytics_CL | where FlowStatus_s == 'D' | project SrcIP_s, DestPort_d, DeniedOutFlows_d, OutboundBytes_d", "10.0.0.5 443 1 <nil>"},
		{"AzureNetworkAnalytics_CL | summarize sum(OutboundBytes_d), sum(InboundBytes_d)", "3000000000130 905"},
		// The agent says what its machine sent, whoever began.
		{"VMConnection | where TimeGenerated in (datetime(2026-11-30T11:00:00), datetime(2026-11-30T11:10:00), datetime(2026-11-30T11:20:00)) | project Direction, SourceIp, RemoteIp, BytesSent, BytesReceived, LinksFailed", "outbound 10.0.0.5 198.51.100.7 3000000000123 5 0; inbound 203.0.113.4 203.0.113.4 900 7 0; outbound 10.0.0.5 198.51.100.9 0 0 1"},
		{"DeviceNetworkEvents | project ActionType, LocalIP, RemoteIP, RemotePort, AdditionalFields", "ConnectionSuccess 10.0.0.5 198.51.100.7 443 <nil>; InboundConnectionAccepted 10.0.0.5 203.0.113.4 50001 <nil>; ConnectionFailed 10.0.0.5 198.51.100.9 443 <nil>"},
		{"print a = dynamic({\"x\":[1,\"b\"]}), b = 0.0 / 0.0, c = 1.0 / 0.0, d = long(null), e = 90m, f = datetime(2026-11-30T12:00:00.1234567)", `{"x":[1,"b"]} NaN Infinity <nil> 01:30:00 2026-11-30T12:00:00.1234567Z`},
	} {
		if diff := cmp.Diff(tt.want, w.rows(tt.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
	}
}

func TestLettersOfTrafficAnalytics(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{Letters: true})
	if got, want := w.rows("NTANetAnalytics | project FlowStatus, FlowDirection"), "A O; A I; D O"; got != want {
		t.Errorf("the rows are %s, want %s", got, want)
	}
}

// Columns and tables that are not documented are refused, by the codes that people report.
func TestRefusals(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{Tables: []string{"CommonSecurityLog", "NTANetAnalytics", "AzureNetworkAnalytics_CL", "VMConnection", "DeviceNetworkEvents"}})
	for query, want := range map[string]string{
		"CommonSecurityLog | whree 1 == 1":                           "SyntaxError SYN0002",
		"CommonSecurityLog | evaluate bag_unpack(Message)":           "SyntaxError SYN0002",
		"CommonSecurityLog | project BytesSent":                      "SemanticError SEM0100",
		"DeviceNetworkEvents | project SentBytes":                    "SemanticError SEM0100",
		"Nothing | take 1":                                           "SemanticError SEM0100",
		"union isfuzzy=true Nothing, None":                           "SemanticError SEM0100",
		"union isfuzzy=true CommonSecurityLog | project Nope":        "SemanticError SEM0100",
		"CommonSecurityLog | extend a = frob(1)":                     "SemanticError SEM0260",
		"CommonSecurityLog | where SentBytes == '5'":                 "SemanticError SEM0001",
		"union CommonSecurityLog, (Nothing | project TimeGenerated)": "SemanticError SEM0100",
	} {
		status, text := w.ask(query)
		var said struct {
			Error struct {
				Code  string
				Inner struct {
					Code  string
					Inner struct{ Code string } `json:"innererror"`
				} `json:"innererror"`
			}
		}
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			t.Fatalf("%s: %s", query, text)
		}
		if got := said.Error.Inner.Code + " " + said.Error.Inner.Inner.Code; status != http.StatusBadRequest || said.Error.Code != "BadArgumentError" || got != want {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
	if q := w.Queries(); len(q) != 10 || !strings.HasPrefix(q[0].Refused, "BadArgumentError: ") || q[0].Wait != 10*time.Minute {
		t.Errorf("it noted %v", q)
	}
}

func TestFuzzyUnion(t *testing.T) {
	const query = "union isfuzzy=true withsource=T CommonSecurityLog, (VMConnection | where BytesSent > 0) | summarize count() by T"
	w := open(t, loganalyticsfake.Options{Tables: []string{"CommonSecurityLog"}})
	w.add("CommonSecurityLog", flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1))
	if got := w.rows(query); got != "CommonSecurityLog 1" {
		t.Errorf("without one table: %s", got)
	}
	if err := w.Add("VMConnection", flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1)); err == nil {
		t.Error("a row was written to a table that is not there")
	}
	w = open(t, loganalyticsfake.Options{Tables: []string{"CommonSecurityLog"}, Warns: true})
	w.add("CommonSecurityLog", flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1))
	if got := w.rows(query); got != "CommonSecurityLog 1; PartialError" {
		t.Errorf("with a warning: %s", got)
	}
}

// What a query says of the time is known, and so is that it says nothing.
func TestBounds(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{})
	w.rows("CommonSecurityLog | where TimeGenerated between (datetime(2026-11-30T11:00:00Z) .. datetime(2026-11-30T11:15:00Z)) | count")
	body := `{"query":"CommonSecurityLog | where StartTime > datetime(2026-11-30) | count"}`
	w.send(http.MethodPost, "/v1/workspaces/"+w.Workspace+"/query", "application/json", body)
	want := []loganalyticsfake.Read{
		{Table: "CommonSecurityLog", From: noon.Add(-time.Hour), To: noon.Add(-45 * time.Minute), Rows: 2},
		{Table: "CommonSecurityLog", Rows: 3},
	}
	if diff := cmp.Diff(want, w.Reads()); diff != "" {
		t.Errorf("the reads differ (-want +got):\n%s", diff)
	}
	if n := w.Unbounded(); n != 1 {
		t.Errorf("%d reads of all time, want 1", n)
	}
	w.ask("CommonSecurityLog")
	if r := w.Reads()[2]; !r.From.Equal(noon.Add(-2*time.Hour)) || !r.To.Equal(noon) {
		t.Errorf("the time span bounds it to %v", r)
	}
}

func TestIngestion(t *testing.T) {
	w := open(t, loganalyticsfake.Options{})
	late := flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1)
	late.Ingested = noon.Add(5 * time.Minute)
	w.add("CommonSecurityLog", late, flow(time.Hour, "10.0.0.5", "198.51.100.8", 1, 1))
	const query = "CommonSecurityLog | project DestinationIP, lag = ingestion_time() - TimeGenerated"
	if got, want := w.rows(query), "198.51.100.8 00:00:00"; got != want {
		t.Errorf("before it came: %s, want %s", got, want)
	}
	w.now = noon.Add(5 * time.Minute)
	if got, want := w.rows(query), "198.51.100.7 01:04:30; 198.51.100.8 00:00:00"; got != want {
		t.Errorf("after it came: %s, want %s", got, want)
	}
	if got := w.rows("CommonSecurityLog | where ingestion_time() > datetime(2026-11-30T12:00:00Z) | distinct * | project DestinationIP"); got != "198.51.100.7" {
		t.Errorf("by ingestion: %s", got)
	}
	if _, text := w.ask("CommonSecurityLog | take 1"); strings.Contains(text, "$") {
		t.Errorf("a hidden column is shown: %s", text)
	}
}

func TestAccess(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{})
	path := "/v1/workspaces/" + w.Workspace + "/query?query=print+1"
	w.login()
	if status, text := w.send(http.MethodGet, path, "", ""); status != http.StatusOK {
		t.Errorf("GET: %d %s", status, text)
	}
	w.ForgetTokens()
	if status, text := w.send(http.MethodGet, path, "", ""); status != http.StatusForbidden || !strings.Contains(text, "InvalidAuthenticationToken") {
		t.Errorf("with a token of before: %d %s", status, text)
	}
	w.login()
	w.now = noon.Add(2 * time.Hour)
	if status, _ := w.send(http.MethodGet, path, "", ""); status != http.StatusForbidden {
		t.Errorf("with a token that expired: %d", status)
	}
	w.login()
	if status, text := w.send(http.MethodGet, "/v1/workspaces/00000000-0000-0000-0000-000000000001/query?query=print+1", "", ""); status != http.StatusForbidden || !strings.Contains(text, "InsufficientAccessError") {
		t.Errorf("of another workspace: %d %s", status, text)
	}
	if n := w.Tokens(); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
	w = open(t, loganalyticsfake.Options{Nobody: true})
	if status, _ := w.ask("print 1"); status != http.StatusForbidden {
		t.Errorf("without the role: %d", status)
	}
	w = open(t, loganalyticsfake.Options{})
	if status, text := w.ask("CommonSecurityLog | count"); status != http.StatusNoContent || text != "" {
		t.Errorf("of a workspace without data: %d %q", status, text)
	}
}

func TestLimits(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{MostRows: 2})
	if got := w.rows("VMConnection | project DestinationPort"); got != "443; 443; PartialError" {
		t.Errorf("of more rows than there may be: %s", got)
	}
	w = filled(t, loganalyticsfake.Options{MostBytes: 12})
	if _, text := w.ask("VMConnection | project DestinationPort"); !strings.Contains(text, "internal data size limit 12 (E_QUERY_RESULT_SET_TOO_LARGE") {
		t.Errorf("of more bytes than there may be: %s", text)
	}
	w = filled(t, loganalyticsfake.Options{Rate: 2})
	for i, want := range []int{200, 200, 429} {
		if status, text := w.ask("print 1"); status != want {
			t.Errorf("query %d: %d %s", i, status, text)
		}
	}
	w.now = noon.Add(30 * time.Second)
	if status, _ := w.ask("print 1"); status != http.StatusOK {
		t.Errorf("half a minute later: %d", status)
	}
	w = filled(t, loganalyticsfake.Options{Takes: func(string) time.Duration { return 601 * time.Second }})
	if status, text := w.ask("print 1"); status != http.StatusGatewayTimeout || !strings.Contains(text, "GatewayTimeout") {
		t.Errorf("of a query that takes too long: %d %s", status, text)
	}
}

func TestFaults(t *testing.T) {
	w := filled(t, loganalyticsfake.Options{})
	w.Fail(loganalyticsfake.Fault{Status: 429, After: 1500 * time.Millisecond}, loganalyticsfake.Fault{}, loganalyticsfake.Fault{Status: 502, Body: "<html>"},
		loganalyticsfake.Fault{Torn: true}, loganalyticsfake.Fault{Partial: true})
	for i, want := range []string{"429 {\"error\":{\"code\":\"ThrottledError\"", "0 ", "502 <html>", "200 unexpected EOF", "200 {\"error\":{\"code\":\"PartialError\""} {
		status, text := w.ask("CommonSecurityLog | project SentBytes")
		if got := fmt.Sprintf("%d %s", status, text); !strings.HasPrefix(got, want) {
			t.Errorf("fault %d: %s, want %s", i, got, want)
		}
	}
	w.Break(&loganalyticsfake.Fault{Status: 503})
	for range 2 {
		if status, _ := w.ask("print 1"); status != 503 {
			t.Errorf("while it is broken: %d", status)
		}
	}
	w.Break(nil)
	if got := w.rows("print 1"); got != "1" {
		t.Errorf("when it works again: %s", got)
	}
}

// A table has nothing but its columns, of their types.
func TestRowsAreStrict(t *testing.T) {
	w := open(t, loganalyticsfake.Options{})
	for _, row := range []map[string]any{
		{"TimeGenerated": noon, "SentBytes": int64(1), "BytesSent": int64(1)},
		{"TimeGenerated": noon, "SentBytes": 1.5},
		{"SentBytes": int64(1)},
	} {
		if err := w.AddRow("CommonSecurityLog", row, time.Time{}); err == nil {
			t.Errorf("the row %v was taken", row)
		}
	}
	udp := flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1)
	udp.Transport = "udp"
	if err := w.Add("VMConnection", udp); err == nil {
		t.Error("the agent of machines saw UDP")
	}
	long := flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1)
	long.Duration = 61 * time.Second
	if err := w.Add("VMConnection", long); err == nil {
		t.Error("a row of the agent of machines is longer than a minute")
	}
	unseen := flow(time.Hour, "10.0.0.5", "198.51.100.7", 1, 1)
	unseen.Orig = flowmath.Unseen()
	w.add("CommonSecurityLog", unseen)
	if got := w.rows("CommonSecurityLog | project SentBytes, ReceivedBytes"); got != "<nil> 1" {
		t.Errorf("of what nobody counted: %s", got)
	}
}
