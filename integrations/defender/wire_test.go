package defender

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wire is a server that keeps what it was sent, for what the double cannot show: answers
// that are wrong in one place, and what exactly was sent. What no route answers is 404.
type wire struct {
	routes map[string]http.HandlerFunc
	other  http.HandlerFunc

	mu   sync.Mutex
	sent []request
}

type request struct{ what, body, authorization string }

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		_, _ = io.WriteString(rw, `{"token_type": "Bearer", "expires_in": 3599, "access_token": "a-token"}`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.sent = append(w.sent, request{r.Method + " " + r.URL.Path, string(body), r.Header.Get("Authorization")})
	route := w.routes[r.Method+" "+r.URL.Path]
	w.mu.Unlock()
	if route == nil {
		route = w.other
	}
	if route == nil {
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	route(rw, r)
}

// writes are the bodies of what was posted to a path.
func (w *wire) writes(path string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var bodies []string
	for _, r := range w.sent {
		if r.what == "POST "+path {
			bodies = append(bodies, r.body)
		}
	}
	return bodies
}

func (w *wire) requests() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (w *wire) open(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	config := Config{
		Tenant: guid, ClientID: guid, ClientSecret: "the-secret", URL: server.URL, GraphURL: server.URL, LoginURL: server.URL,
		Access: httpx.Access{Timeout: 10 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const machinePath = "/api/machines/" + device

// onDevice is a device without an action.
func onDevice(t *testing.T) (*wire, *Client) {
	t.Helper()
	w := &wire{routes: map[string]http.HandlerFunc{
		"GET " + machinePath:      says(http.StatusOK, `{"id": "`+device+`", "computerDnsName": "ws-042", "healthStatus": "Active"}`),
		"GET /api/machineactions": says(http.StatusOK, `{"value": null}`),
	}}
	return w, w.open(t)
}

func order(t *testing.T) incident.Order {
	t.Helper()
	target, err := incident.DeviceTarget(device, "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	return incident.Order{Key: "key-1", Action: incident.Isolate, Target: target, Reason: "Stanch case 7"}
}

func actionBody(kind, comment, machine, status string) string {
	return fmt.Sprintf(`{"id": %q, "type": %q, "requestorComment": %q, "machineId": %q, "status": %q, "creationDateTimeUtc": "2026-11-30T10:00:00.1234567Z"}`,
		guid, kind, comment, machine, status)
}

func TestNothingIsSentForWhatIsNoDevice(t *testing.T) {
	w, c := onDevice(t)
	ctx, now := t.Context(), time.Now()
	targets := []incident.Target{{}}
	for _, id := range []string{"all", "*", device[:39], device + "," + device, "ws-042", "' or 1 eq 1"} {
		target, err := incident.DeviceTarget(id, id)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, target)
	}
	for _, target := range targets {
		o := order(t)
		o.Target = target
		script := integrations.ScriptOrder{Key: "key-1", Target: target, Script: "a.ps1"}
		for name, do := range map[string]func() error{
			"read":  func() error { _, err := c.Read(ctx, o); return err },
			"apply": func() error { _, err := c.Apply(ctx, o); return err },
			"undo":  func() error { _, err := c.Undo(ctx, o); return err },
			"run":   func() error { _, err := c.Run(ctx, script); return err },
			"ran":   func() error { _, err := c.Ran(ctx, script); return err },
			"kill": func() error {
				_, err := c.Kill(ctx, integrations.KillOrder{Key: "key-1", Target: target, PID: 7, Path: `C:\a.exe`})
				return err
			},
			"collect": func() error {
				_, err := c.Collect(ctx, integrations.CollectOrder{Key: "key-1", Target: target, What: []string{"processes"}})
				return err
			},
			"connections": func() error {
				_, err := c.Connections(ctx, integrations.ConnectionQuery{Target: target, From: now.Add(-time.Hour), To: now, Limit: 1})
				return err
			},
			"executions": func() error {
				_, err := c.Executions(ctx, integrations.ExecutionQuery{Target: target, From: now.Add(-time.Hour), To: now, Limit: 1})
				return err
			},
		} {
			if err := do(); integrations.KindOf(err) != integrations.Invalid {
				t.Errorf("%s of %q: error %v, want an invalid one", name, target.ID(), err)
			}
		}
	}
	if sent := w.requests(); len(sent) != 0 {
		t.Errorf("requests were sent: %+v", sent)
	}
}

// Whatever Defender answers, one order is one write, to the one device.
func TestOneOrderIsOneWrite(t *testing.T) {
	ours := "Stanch lease key-1: Stanch case 7"
	for name, c := range map[string]struct {
		status int
		body   string
		kind   integrations.Kind // empty: accepted
		says   string
	}{
		"created":                      {201, actionBody("Isolate", ours, device, "Pending"), "", ""},
		"ok":                           {200, actionBody("Isolate", ours, strings.ToUpper(device), "InProgress"), "", ""},
		"accepted":                     {202, actionBody("Isolate", ours, device, "Submitted"), "", ""},
		"one is open":                  {400, `{"error": {"code": "ActiveRequestAlreadyExists", "message": "Action is already in progress", "target": "` + guid + `"}}`, integrations.Conflict, guid},
		"one is open, in words":        {400, `{"error": {"code": "BadRequest", "message": "Action is already in progress"}}`, integrations.Conflict, ""},
		"somebody's open one":          {201, actionBody("Isolate", "by hand", device, "Pending"), integrations.Conflict, "another action is open"},
		"an open release":              {201, actionBody("Unisolate", ours, device, "Pending"), integrations.Conflict, "another action is open"},
		"another device":               {201, actionBody("Isolate", ours, strings.Repeat("0", 40), "Pending"), integrations.Ambiguous, "another device may have been changed"},
		"no action":                    {201, `{}`, integrations.Ambiguous, ""},
		"no JSON":                      {201, `<html>`, integrations.Ambiguous, ""},
		"the system is not supported":  {400, `{"error": {"code": "OsPlatformNotSupported", "message": "x"}}`, integrations.Invalid, "OsPlatformNotSupported"},
		"the permission is missing":    {403, `{"error": {"code": "Forbidden", "message": "x"}}`, integrations.Denied, "Forbidden"},
		"the server failed":            {500, `{"error": {"code": "InternalServerError", "message": ""}}`, integrations.Ambiguous, ""},
		"the device is gone":           {404, `{"error": {"code": "ResourceNotFound", "message": "Machine was not found"}}`, integrations.NotFound, ""},
		"an address that is not there": {404, `<html>not here</html>`, integrations.Unavailable, "check the address"},
	} {
		t.Run(name, func(t *testing.T) {
			w, client := onDevice(t)
			w.routes["POST "+machinePath+"/isolate"] = says(c.status, c.body)
			_, err := client.Apply(t.Context(), order(t))
			switch {
			case c.kind == "" && err != nil, c.kind != "" && (err == nil || integrations.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says)):
				t.Errorf("error %v, want kind %q with %q in it", err, c.kind, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "the-secret") {
				t.Error("the error shows the secret")
			}
			want := []string{`{"Comment":"` + ours + `","IsolationType":"Full"}`}
			if got := w.writes(machinePath + "/isolate"); !slices.Equal(got, want) {
				t.Errorf("it wrote %q, want %q", got, want)
			}
			if c.kind == "" {
				// The list does not show it yet, and it counts all the same.
				r, err := client.Read(t.Context(), order(t))
				if err != nil || !r.Pending || r.Key != "key-1" {
					t.Errorf("read after it was accepted: %+v, %v", r, err)
				}
				_, again := client.Apply(t.Context(), order(t))
				_, undo := client.Undo(t.Context(), order(t))
				if again != nil || integrations.KindOf(undo) != integrations.Conflict || undo == nil || len(w.writes(machinePath+"/isolate")) != 1 {
					t.Errorf("applied again: %v, undone: %v, after %d writes", again, undo, len(w.writes(machinePath+"/isolate")))
				}
			}
		})
	}
}

func TestAReleaseIsOneWrite(t *testing.T) {
	w, c := onDevice(t)
	w.routes["GET /api/machineactions"] = says(http.StatusOK, `{"value": [`+actionBody("Isolate", "Stanch lease key-1: x", device, "Succeeded")+`,
		`+actionBody("Isolate", "by hand", strings.Repeat("0", 40), "Pending")+`]}`) // of another device: a filter that was not heeded
	w.routes["POST "+machinePath+"/unisolate"] = says(http.StatusCreated, actionBody("Unisolate", "Stanch lease key-1: Stanch case 7", device, "Pending"))
	if _, err := c.Undo(t.Context(), order(t)); err != nil {
		t.Fatal(err)
	}
	if got, want := w.writes(machinePath+"/unisolate"), []string{`{"Comment":"Stanch lease key-1: Stanch case 7"}`}; !slices.Equal(got, want) {
		t.Errorf("it wrote %q, want %q", got, want)
	}
}

// A computer's name in the place of an id finds a device at Defender.
func TestAnAnswerAboutAnotherDeviceIsRefused(t *testing.T) {
	w, c := onDevice(t)
	w.routes["GET "+machinePath] = says(http.StatusOK, `{"id": "`+strings.Repeat("0", 40)+`"}`)
	if _, err := c.Apply(t.Context(), order(t)); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("error %v, want an unavailable one", err)
	}
	if got := w.writes(machinePath + "/isolate"); len(got) != 0 {
		t.Errorf("it wrote %q", got)
	}
}

// All pages are read, each from where the first was, and a list without an end is an error.
func TestListsAreReadToTheirEnd(t *testing.T) {
	open := `{"value": [` + actionBody("Isolate", "by hand", device, "Pending") + `]}`
	for name, c := range map[string]struct {
		second  string
		pending bool
		err     integrations.Kind
	}{
		"two pages":          {open, true, ""},
		"a list without end": {`{"value": [], "@odata.nextLink": "https://elsewhere.example/api/machineactions?$skip=1"}`, false, integrations.Unavailable},
		"a full page":        {`{"value": [{}` + strings.Repeat(`,{}`, fullPage-1) + `]}`, false, integrations.Unavailable},
		"another list":       {`{"value": [], "@odata.nextLink": "https://elsewhere.example/api/machines?$skip=1"}`, false, integrations.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w, client := onDevice(t)
			w.routes["GET /api/machineactions"] = func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("$skip") == "" {
					_, _ = io.WriteString(rw, `{"value": [], "@odata.nextLink": "https://elsewhere.example/api/machineactions?$filter=x&$skip=1"}`)
					return
				}
				_, _ = io.WriteString(rw, c.second)
			}
			r, err := client.Read(t.Context(), order(t))
			if r.Pending != c.pending || (err == nil) != (c.err == "") || err != nil && integrations.KindOf(err) != c.err {
				t.Errorf("read %+v, %v", r, err)
			}
		})
	}
}

func TestOutputIsFetchedWithoutAToken(t *testing.T) {
	store := &wire{routes: map[string]http.HandlerFunc{
		"GET /out": says(http.StatusOK, `{"script_name": "a.ps1", "exit_code": 3, "script_output": "Transcript started, output file is C:\\a.txt\na\n{\"done\":true}\n\n\u0000\u0000", "script_errors": ""}`),
	}}
	server := httptest.NewServer(store)
	defer server.Close()
	w, _ := onDevice(t)
	c := w.open(t, func(c *Config) { c.Downloads = []string{strings.TrimPrefix(server.URL, "http://")} })
	w.routes["GET /api/machineactions"] = says(http.StatusOK, `{"value": [`+actionBody("LiveResponse", "Stanch script key-1: a.ps1", device, "Succeeded")+`]}`)
	link := func(to string) http.HandlerFunc {
		body, _ := json.Marshal(map[string]string{"value": to})
		return says(http.StatusOK, string(body))
	}
	path := "GET /api/machineactions/" + guid + "/GetLiveResponseResultDownloadLink(index=0)"
	w.routes[path] = link(server.URL + "/out?sig=a-signature")
	script := integrations.ScriptOrder{Key: "key-1", Target: order(t).Target, Script: "a.ps1"}
	r, err := c.Ran(t.Context(), script)
	if err != nil || r.State != integrations.ScriptDone || r.Exit == nil || *r.Exit != 3 || r.Stdout != "a\n{\"done\":true}\n" {
		t.Errorf("got %+v, %v", r, err)
	}
	if got := store.requests(); len(got) != 1 || got[0].authorization != "" {
		t.Errorf("the storage was asked %+v", got)
	}
	for to, want := range map[string]integrations.Kind{
		server.URL + "/gone?sig=a-signature": integrations.Unavailable, w.open(t).api.origin + "/out?sig=a-signature": integrations.Denied, "": integrations.Denied,
	} {
		w.routes[path] = link(to)
		if _, err := c.Ran(t.Context(), script); err == nil || integrations.KindOf(err) != want || strings.Contains(err.Error(), "a-signature") {
			t.Errorf("a link to %s: error %v, want kind %s without the signature", to, err, want)
		}
	}
}

// A device has one live response: another's is waited for, and ours is not sent.
func TestAScriptWaitsForTheOneThatRuns(t *testing.T) {
	w, c := onDevice(t)
	w.routes["GET /api/machineactions"] = says(http.StatusOK, `{"value": [`+actionBody("LiveResponse", "by hand", device, "InProgress")+`]}`)
	_, err := c.Run(t.Context(), integrations.ScriptOrder{Key: "key-1", Target: order(t).Target, Script: "a.ps1"})
	if err == nil || integrations.KindOf(err) != integrations.Conflict || len(w.writes(machinePath+"/runliveresponse")) != 0 {
		t.Errorf("error %v after %d writes, want a conflict and none", err, len(w.writes(machinePath+"/runliveresponse")))
	}
}

// A process is ended only where its image is the one that is meant, by the events too.
func TestAProcessThatIsAnotherIsLeftAlone(t *testing.T) {
	run := `{"commands": [], ` + actionBody("LiveResponse", "Stanch kill key-1: process 7", device, "Pending")[1:]
	for name, c := range map[string]struct {
		path   string
		writes int
		kind   integrations.Kind
	}{
		"another image":      {`C:\\b.exe`, 0, ""},
		"the image":          {`c:\\A.EXE`, 1, integrations.Invalid}, // the script, which says nothing
		"an unknown process": {"", 1, integrations.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			w, client := onDevice(t)
			results := `[]`
			if c.path != "" {
				results = `[{"Timestamp": "2026-11-30T09:00:00Z", "FileName": "", "FolderPath": "` + c.path + `", "ProcessCreationTime": "2026-11-30T09:00:00.5Z"}]`
			}
			w.routes["POST /v1.0/security/runHuntingQuery"] = says(http.StatusOK, `{"schema": [], "results": `+results+`}`)
			w.routes["POST "+machinePath+"/runliveresponse"] = says(http.StatusCreated, run)
			w.routes["GET /api/machineactions/"+guid] = says(http.StatusOK, strings.Replace(run, "Pending", "TimeOut", 1))
			_, err := client.Kill(t.Context(), integrations.KillOrder{Key: "key-1", Target: order(t).Target, PID: 7, Path: `C:\a.exe`})
			if (err == nil) != (c.kind == "") || err != nil && integrations.KindOf(err) != c.kind {
				t.Errorf("error %v, want kind %q", err, c.kind)
			}
			got := w.writes(machinePath + "/runliveresponse")
			if len(got) != c.writes {
				t.Fatalf("%d scripts were ordered, want %d: %q", len(got), c.writes, got)
			}
			since := "0"
			if c.path != "" {
				since = "1796029200500"
			}
			want := `{"Commands":[{"type":"RunScript","params":[{"key":"ScriptName","value":"stanch-kill.ps1"},{"key":"Args","value":"7 pQzpcYS5leGU ` + since + `"}]}],"Comment":"Stanch kill key-1: process 7"}`
			if len(got) > 0 && got[0] != want {
				t.Errorf("it ordered %s, want %s", got[0], want)
			}
		})
	}
	_, client := onDevice(t)
	for _, path := range []string{`\Device\HarddiskVolume4\a.exe`, "a.exe", "/usr/bin/a", `C:\`} {
		_, err := client.Kill(t.Context(), integrations.KillOrder{Key: "key-1", Target: order(t).Target, PID: 7, Path: path})
		if err == nil || integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("path %q: error %v, want an invalid one", path, err)
		}
	}
}
