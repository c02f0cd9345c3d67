package loganalytics

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	someID = "00000000-0000-0000-0000-000000000001"
	secret = "very-secret-value"
)

// answering is a service that gives one answer to every query, and what was asked last.
type answering struct {
	*httptest.Server
	status int
	body   string
	asked  atomic.Pointer[http.Request]
	query  atomic.Pointer[body]
	// release ends queries that are held up, where hold is set.
	hold, release chan struct{}
}

func answers(t *testing.T, status int, text string) *answering {
	t.Helper()
	a := &answering{status: status, body: text}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			_, _ = w.Write([]byte(`{"token_type":"Bearer","expires_in":3599,"access_token":"t"}`))
			return
		}
		var in body
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("the body of a query: %v", err)
		}
		a.asked.Store(r)
		a.query.Store(&in)
		if a.hold != nil {
			a.hold <- struct{}{}
			<-a.release
			return
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *answering) open(t *testing.T, set ...func(*Config)) *Store {
	t.Helper()
	c := defaults()
	c.Tenant, c.ClientID, c.Workspace, c.ClientSecret, c.Layout = someID, someID, someID, secret, CommonSecurityLog
	c.URL, c.LoginURL = a.URL, a.URL
	for _, f := range set {
		f(c)
	}
	s, err := Open(*c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func quarter() integrations.TrafficQuery {
	return integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: at().Add(-15 * time.Minute), To: at(), Top: 5}
}

const result = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"Sensor","type":"string"},{"name":"First","type":"datetime"},{"name":"Last","type":"datetime"},{"name":"Newest","type":"datetime"},{"name":"Records","type":"long"}],"rows":[]}]`

// TestAnswersInPart has the service answer in each of the documented ways that are not the
// whole answer.
func TestAnswersInPart(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   integrations.Kind
		says   string
	}{
		"a part":      {200, result + `,"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"Something went wrong processing your query on the server."}]}}`, integrations.Unavailable, `a part only: "PartialError": "EngineError"`},
		"cut":         {200, result + `,"error":{"code":"PartialError","message":"m","details":[{"code":"EngineError","innererror":{"code":"-2133196797","message":"Query result set has exceeded the internal record count limit 500000 (E_QUERY_RESULT_SET_TOO_LARGE)."}}]}}`, integrations.Invalid, "ask for a shorter time"},
		"refused":     {400, `{"error":{"message":"The request had some invalid properties","code":"BadArgumentError","innererror":{"code":"SemanticError","message":"A semantic error occurred.","innererror":{"code":"SEM0100","message":"'where' operator: Failed to resolve table or column expression named 'CommonSecurityLog'"}}}}`, integrations.Invalid, "SEM0100"},
		"no rights":   {403, `{"error":{"message":"The provided credentials have insufficient access to perform the requested operation","code":"InsufficientAccessError"}}`, integrations.Denied, "InsufficientAccessError"},
		"no path":     {404, `{"error":{"message":"The requested path does not exist","code":"PathNotFoundError"}}`, integrations.Unavailable, "check workspace and url"},
		"too often":   {429, `{"error":{"message":"Too many requests","code":"ThrottledError"}}`, integrations.Throttled, "ThrottledError"},
		"out of time": {504, `{"error":{"message":"m","code":"GatewayTimeout"}}`, integrations.Unavailable, "GatewayTimeout"},
		"empty":       {200, "", integrations.Unavailable, ""},
		"another":     {200, `{"value":[]}`, integrations.Unavailable, ""},
		"no table":    {200, `{"tables":[]}`, integrations.Unavailable, "has no table PrimaryResult"},
		"a short row": {200, strings.Replace(result, `"rows":[]`, `"rows":[["north"]]`, 1) + "}", integrations.Unavailable, "a row has 1 values"},
		"no time":     {200, strings.Replace(result, `"rows":[]`, `"rows":[["north","yesterday","2026-11-28T23:45:00Z","2026-11-28T23:45:00Z",1]]`, 1) + "}", integrations.Unavailable, "column First of a row is no time"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := answers(t, c.status, c.body).open(t).Traffic(t.Context(), quarter())
			if integrations.KindOf(err) != c.want || err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
				t.Errorf("traffic is %v: %v, want a %s error with %q", got.BytesOut, err, c.want, c.says)
			}
		})
	}
}

// TestAWorkspaceWithoutData has nothing, which is no zero.
func TestAWorkspaceWithoutData(t *testing.T) {
	got, err := answers(t, http.StatusNoContent, "").open(t).Traffic(t.Context(), quarter())
	if err != nil || got.BytesOut.IsKnown() || got.Flows.IsKnown() {
		t.Errorf("bytes_out is %v of %v flows: %v, want both unknown", got.BytesOut, got.Flows, err)
	}
}

// TestQueriesAreBounded checks what accompanies a query: bounds of its own and as its
// timespan, a time to work, and that no cache answers.
func TestQueriesAreBounded(t *testing.T) {
	a := answers(t, http.StatusOK, result+"}")
	if _, err := a.open(t).Survey(t.Context(), at().Add(-time.Hour), at()); err != nil {
		t.Fatal(err)
	}
	r, in := a.asked.Load(), a.query.Load()
	if r.URL.Path != "/v1/workspaces/"+someID+"/query" || r.Header.Get("Authorization") != "Bearer t" {
		t.Errorf("asked %s", r.URL.Path)
	}
	if r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Prefer") != "wait=60" {
		t.Errorf("cache control is %q and prefer %q", r.Header.Get("Cache-Control"), r.Header.Get("Prefer"))
	}
	from, to, _ := strings.Cut(in.Timespan, "/")
	for _, bound := range []string{from, to} {
		if at, err := time.Parse(time.RFC3339Nano, bound); err != nil || !strings.Contains(in.Query, datetime(at)) {
			t.Errorf("the timespan is %q: %v, want the bounds of %s", in.Timespan, err, in.Query)
		}
	}
	if !strings.Contains(in.Query, "| where TimeGenerated >= "+"datetime("+from+") and TimeGenerated < datetime("+to+")") {
		t.Errorf("the query has no bounds of its own: %s", in.Query)
	}
}

func TestACancelledQuery(t *testing.T) {
	a := answers(t, http.StatusOK, "")
	a.hold, a.release = make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(a.release) })
	s := a.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := s.Traffic(ctx, quarter()); done <- err }()
	<-a.hold
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("traffic: %v, want cancelled", err)
	}
}

// TestOnlyAddresses: no text of an alert is ever in a query.
func TestOnlyAddresses(t *testing.T) {
	s := answers(t, http.StatusOK, result+"}").open(t)
	for _, ip := range []string{`") | take 5 //`, "10.0.0.0/8", "ws-042", ""} {
		q := quarter()
		q.IPs = []string{ip}
		if _, err := s.Traffic(t.Context(), q); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("traffic of %q: %v, want invalid", ip, err)
		}
	}
}

// TestTextIsOneValue quotes what tries to end a text.
func TestTextIsOneValue(t *testing.T) {
	for in, want := range map[string]string{
		"plain-1.example":    `"plain-1.example"`,
		`a" or true or "`:    `"a\" or true or \""`,
		`a\`:                 `"a\\"`,
		`a\" | take 1 //`:    `"a\\\" | take 1 //"`,
		"a\n| take 1":        `"a\u000a| take 1"`,
		"a\r\x00\u2028b":     `"a\u000d\u0000\u2028b"`,
		"ü\U0001f600":        `"\u00fc\U0001f600"`,
		"'); drop":           `"'); drop"`,
		"\xff":               `"\ufffd"`,
		"``` h@\"verbatim\"": "\"``` h@\\\"verbatim\\\"\"",
	} {
		if got := text(in); got != want {
			t.Errorf("text(%q) is %s, want %s", in, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, set := range map[string]func(*Config){
		"invalid tenant":                 func(c *Config) { c.Tenant = "contoso" },
		"invalid client_id":              func(c *Config) { c.ClientID = "" },
		"invalid workspace \"soc-logs\"": func(c *Config) { c.Workspace = "soc-logs" },
		"invalid layout \"\": must be":   func(c *Config) { c.Layout = "" },
		"no bytes":                       func(c *Config) { c.Layout = "devicenetworkevents" },
		"write a client_secret":          func(c *Config) { c.ClientSecret = "" },
		"need each other":                func(c *Config) { c.ClientSecret, c.ClientCertificate = "", "cert.pem" },
		"invalid cloud":                  func(c *Config) { c.Cloud = "mars" },
		"timeout is":                     func(c *Config) { c.Timeout = time.Hour },
		"longest is":                     func(c *Config) { c.Longest = time.Second },
		"of sensor_column":               func(c *Config) { c.SensorColumn = "Computer | take 1" },
		"invalid column name \"a.b\"": func(c *Config) {
			column, err := integrations.ColumnOf("a.b")
			if err != nil {
				t.Fatal(err)
			}
			c.Only = []integrations.Match{{Column: column, Is: []integrations.Literal{integrations.LiteralOf("x")}}}
		},
	} {
		c := defaults()
		c.Tenant, c.ClientID, c.Workspace, c.ClientSecret, c.Layout = someID, someID, someID, secret, CommonSecurityLog
		set(c)
		_, err := Open(*c)
		if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("open: %v, want an invalid error with %q", err, want)
		}
	}
}
