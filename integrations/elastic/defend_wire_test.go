package elastic

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wire is a Kibana, and a cluster, that answers what a test says, and keeps what was sent.
type wire struct {
	*Defend
	mu      sync.Mutex
	sent    []string // the writes: path and body
	queries []string
}

// wired returns a client of a server that answers a request by its method and path.
func wired(t *testing.T, answer func(method, path, query string) (int, string)) *wire {
	t.Helper()
	x := &wire{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("Kbn-Xsrf") == "" && strings.HasPrefix(r.URL.Path, "/api/") {
			t.Errorf("%s %s has no kbn-xsrf", r.Method, r.URL.Path)
		}
		x.mu.Lock()
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/api/") {
			x.sent = append(x.sent, r.URL.Path+" "+string(body))
		}
		x.queries = append(x.queries, r.URL.RawQuery)
		x.mu.Unlock()
		status, text := answer(r.Method, r.URL.Path, r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // Whoever has gone wants no answer.
	}))
	t.Cleanup(server.Close)
	config, ok := DefendSpec().NewConfig().(*DefendConfig)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	config.URL, config.Elasticsearch, config.APIKey, config.Access = server.URL, server.URL, "a-key", httpx.Access{Timeout: 10 * time.Second}
	c, err := OpenDefend(*config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	x.Defend = c
	return x
}

func deviceBody(isolated string) string {
	return `{"host_status":"healthy","last_checkin":"2026-11-30T09:00:00.000Z","metadata":{"@timestamp":"2026-11-30T09:00:00Z",` +
		`"agent":{"id":"` + string(deviceID) + `"},"Endpoint":{"state":{"isolation":` + isolated + `}},"host":{"hostname":"ws-042","ip":"192.0.2.2"}}}`
}

// calm answers with a device that nothing was ordered on, and to a write with the text.
func calm(write string) func(string, string, string) (int, string) {
	return func(method, path, _ string) (int, string) {
		switch {
		case strings.HasSuffix(path, "/_search"):
			return http.StatusOK, `{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]}}`
		case method == http.MethodPost:
			return http.StatusOK, write
		case strings.HasPrefix(path, metadataPath):
			return http.StatusOK, deviceBody("false")
		}
		return http.StatusOK, `{"page":1,"pageSize":100,"total":0,"data":[]}`
	}
}

func theOrder(t *testing.T, id string) incident.Order {
	t.Helper()
	target, err := incident.DeviceTarget(id, "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	return incident.Order{Key: "lease/isolate/x", Action: incident.Isolate, Target: target, Reason: "case 7"}
}

// Nothing but one id ever reaches the wire.
func TestATargetIsOneDevice(t *testing.T) {
	x := wired(t, calm(`{}`))
	two := string(deviceID) + "," + string(deviceID)
	for _, id := range []string{"all", "*", two, string(deviceID)[1:], string(deviceID) + "0", "ws-042", `"`, "../action", "00000000-0000-4000-8000-00000000000g"} {
		o := theOrder(t, id)
		for what, call := range map[string]func() error{
			"read":  func() error { _, err := x.Read(t.Context(), o); return err },
			"apply": func() error { _, err := x.Apply(t.Context(), o); return err },
			"undo":  func() error { _, err := x.Undo(t.Context(), o); return err },
			"kill": func() error {
				_, err := x.Kill(t.Context(), integrations.KillOrder{Key: "k", Target: o.Target, PID: 4, Path: "x"})
				return err
			},
			"run": func() error {
				_, err := x.Run(t.Context(), integrations.ScriptOrder{Key: "k", Target: o.Target, Script: "a.ps1"})
				return err
			},
			"collect": func() error {
				_, err := x.Collect(t.Context(), integrations.CollectOrder{Key: "k", Target: o.Target, What: []string{"processes"}})
				return err
			},
			"connections": func() error {
				_, err := x.Connections(t.Context(), integrations.ConnectionQuery{Target: o.Target, Limit: 1})
				return err
			},
		} {
			if err := call(); integrations.KindOf(err) != integrations.Invalid || err == nil {
				t.Errorf("%s of %q: %v, want it invalid", what, id, err)
			}
		}
	}
	if len(x.queries) != 0 {
		t.Errorf("%d requests were sent", len(x.queries))
	}
}

func TestTheBodyNamesOneDevice(t *testing.T) {
	x := wired(t, calm(`{"action":"00000000-0000-4000-8000-000000000009","data":{"id":"00000000-0000-4000-8000-000000000009","agents":["`+string(deviceID)+`"],"command":"suspend-process"}}`))
	r, err := x.Apply(t.Context(), theOrder(t, strings.ToUpper(string(deviceID))))
	if err != nil || r.Ref != "00000000-0000-4000-8000-000000000009" {
		t.Fatalf("%+v, %v", r, err)
	}
	const want = `/api/endpoint/action/isolate {"endpoint_ids":["00000000-0000-4000-8000-000000000001"],"agent_type":"endpoint","comment":"Stanch lease lease/isolate/x: case 7"}`
	if len(x.sent) != 1 || x.sent[0] != want {
		t.Errorf("sent %q, want %q", x.sent, want)
	}
	// The list does not show it yet: it is open all the same.
	if r, err := x.Apply(t.Context(), theOrder(t, string(deviceID))); err != nil || r.Detail != "accepted before" || len(x.sent) != 1 {
		t.Errorf("again: %+v, %v, after %d writes", r, err, len(x.sent))
	}
	if _, err := x.Undo(t.Context(), theOrder(t, string(deviceID))); integrations.KindOf(err) != integrations.Conflict || len(x.sent) != 1 {
		t.Errorf("undo while it is open: %v, after %d writes", err, len(x.sent))
	}
}

// An answer that may mean another device, or none, is an alarm.
func TestAnAnswerIsJudged(t *testing.T) {
	const id = `"id":"00000000-0000-4000-8000-000000000009"`
	for answer, says := range map[string]string{
		`{"data":{}}`:         "names no action",
		`{"data":{"id":"x"}}`: "names no action",
		`{"data":{` + id + `,"agents":["` + string(deviceID) + `","b","c"]}}`:            "3 devices were affected, 1 was meant",
		`{"data":{` + id + `,"agents":["b"]}}`:                                           "another device may have been changed",
		`{"data":{` + id + `,"agents":["` + string(deviceID) + `"],"errors":["oh no"]}}`: "oh no",
		`not JSON`: "not JSON",
	} {
		x := wired(t, calm(answer))
		_, err := x.Apply(t.Context(), theOrder(t, string(deviceID)))
		if integrations.KindOf(err) != integrations.Ambiguous || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it ambiguous, with %q", answer, err, says)
		}
	}
}

// What Kibana leaves out, or writes in another way, is not taken for what it is not.
func TestADeviceThatDoesNotSay(t *testing.T) {
	for body, says := range map[string]string{
		deviceBody("null"): "does not say whether it is isolated",
		strings.Replace(deviceBody("true"), "00000001", "00000002", 1):                     "answered with the device",
		strings.Replace(deviceBody("true"), `"@timestamp":"2026-11-30T09:00:00Z",`, "", 1): "as of when",
	} {
		x := wired(t, func(method, path, query string) (int, string) {
			if strings.HasPrefix(path, metadataPath) {
				return http.StatusOK, body
			}
			return calm("")(method, path, query)
		})
		for what, err := range map[string]error{
			"read":  func() error { _, err := x.Read(t.Context(), theOrder(t, string(deviceID))); return err }(),
			"apply": func() error { _, err := x.Apply(t.Context(), theOrder(t, string(deviceID))); return err }(),
		} {
			if integrations.KindOf(err) != integrations.Unavailable || err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", what, err, says)
			}
		}
		if len(x.sent) != 0 {
			t.Errorf("%d writes for a device that does not say", len(x.sent))
		}
	}
}

// A 404 is about the device only where Kibana says so.
func TestNotFoundIsKibanasWord(t *testing.T) {
	for body, want := range map[string]integrations.Kind{
		`{"statusCode":404,"error":"Not Found","message":"Endpoint with id x not found"}`: integrations.NotFound,
		`<html>no such page</html>`: integrations.Unavailable,
		`{}`:                        integrations.Unavailable,
	} {
		x := wired(t, func(method, path, query string) (int, string) {
			if strings.HasPrefix(path, metadataPath) {
				return http.StatusNotFound, body
			}
			return calm("")(method, path, query)
		})
		if _, err := x.Read(t.Context(), theOrder(t, string(deviceID))); integrations.KindOf(err) != want || err == nil {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// A list is read to its end, from the page that Kibana takes for the first; one that is cut
// is an error.
func TestListsAreReadToTheEnd(t *testing.T) {
	page := func(from, n, number, total int) string {
		var all []action
		for i := range n {
			all = append(all, action{ID: at(from + i).Format(time.RFC3339), Command: cmdIsolate, Agents: manyText{string(deviceID)}, Completed: true})
		}
		out, err := json.Marshal(map[string]any{"data": all, "page": number, "total": total})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, c := range map[string]struct {
		pages map[string]string
		n     int
		kind  integrations.Kind
	}{
		"from 0":            {map[string]string{"": page(0, 2, 0, 3), "1": page(2, 1, 1, 3)}, 3, ""},
		"from 1":            {map[string]string{"": page(0, 2, 1, 3), "2": page(2, 1, 2, 3)}, 3, ""},
		"no list":           {map[string]string{"": `{"data":null,"page":1,"total":0}`}, 0, ""},
		"without a total":   {map[string]string{"": `{"data":[]}`}, 0, ""},
		"an empty page":     {map[string]string{"": page(0, 2, 1, 3), "2": page(0, 0, 2, 3)}, 0, integrations.Unavailable},
		"no page's number":  {map[string]string{"": `{"data":[{}],"total":2}`}, 0, integrations.Unavailable},
		"more than allowed": {map[string]string{"": page(0, 2, 1, 6000)}, 0, integrations.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			x := wired(t, func(_, _, query string) (int, string) {
				number := ""
				for _, p := range strings.Split(query, "&") {
					if v, ok := strings.CutPrefix(p, "page="); ok {
						number = v
					}
				}
				body, ok := c.pages[number]
				if !ok {
					t.Errorf("page %q was asked for", number)
				}
				return http.StatusOK, body
			})
			got, err := x.actions(t.Context(), "list", deviceID, cmdIsolate)
			if len(got) != c.n || (err == nil) != (c.kind == "") || err != nil && integrations.KindOf(err) != c.kind {
				t.Errorf("%d actions, %v; want %d, %s", len(got), err, c.n, c.kind)
			}
		})
	}
}

func TestScriptsEnds(t *testing.T) {
	exit := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		a     action
		out   string
		state integrations.ScriptState
		exit  *int
	}{
		"open":                    {action{}, ``, integrations.ScriptQueued, nil},
		"expired":                 {action{Expired: true}, ``, integrations.ScriptFailed, nil},
		"failed":                  {action{Completed: true, Errors: manyText{"oh no"}}, ``, integrations.ScriptFailed, nil},
		"done":                    {action{Completed: true, Success: true}, `{"shell_code":0}`, integrations.ScriptDone, exit(0)},
		"as a text, and as 'is'":  {action{Complete: true, Success: true}, `{"shell_code":"3"}`, integrations.ScriptDone, exit(3)},
		"exits with another code": {action{Completed: true}, `{"shell_code":1}`, integrations.ScriptDone, exit(1)},
	} {
		t.Run(name, func(t *testing.T) {
			var out shellOutput
			if c.out != "" {
				if err := json.Unmarshal([]byte(c.out), &out); err != nil {
					t.Fatal(err)
				}
			}
			r := c.a.result(out)
			if r.State != c.state || (r.Exit == nil) != (c.exit == nil) || r.Exit != nil && *r.Exit != *c.exit {
				t.Errorf("it is %s, with %v", r.State, r.Exit)
			}
		})
	}
}

func TestDefendConfigurations(t *testing.T) {
	for says, change := range map[string]func(*DefendConfig){
		"url is not":              func(c *DefendConfig) { c.URL = "kibana" },
		"url is http":             func(c *DefendConfig) { c.URL = "http://kibana.example" },
		"elasticsearch has a":     func(c *DefendConfig) { c.Elasticsearch = "https://a:b@es.example" },
		"write an api_key":        func(c *DefendConfig) { c.APIKey = "" },
		"invalid space":           func(c *DefendConfig) { c.Space = "a/../b" },
		"invalid folder":          func(c *DefendConfig) { c.Scripts = `C:\Stanch & calc` },
		"write network_indices":   func(c *DefendConfig) { c.ProcessIndices = nil },
		"index \"*\" does not":    func(c *DefendConfig) { c.NetworkIndices = []string{"*"} },
		"timeout is":              func(c *DefendConfig) { c.Timeout = time.Millisecond },
		"index \"a,b\" holds ','": func(c *DefendConfig) { c.ScriptIndices = []string{"a,b"} },
	} {
		c, ok := DefendSpec().NewConfig().(*DefendConfig)
		if !ok {
			t.Fatal("the configuration is of another type")
		}
		c.URL, c.Elasticsearch, c.APIKey = "https://kibana.example", "https://es.example", "x"
		if _, err := OpenDefend(*c); err != nil {
			t.Fatal(err)
		}
		change(c)
		if _, err := OpenDefend(*c); integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
