package kibanafake

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// asking sends requests to a double whose answers are judged by the description of the API.
type asking struct {
	t       *testing.T
	handler http.Handler
	key     Key
}

func (a asking) request(method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(a.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "ApiKey "+a.key.Encoded)
	r.Header.Set("Kbn-Xsrf", "true")
	r.Header.Set("Elastic-Api-Version", apiVersion)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// says returns the status and the answer.
func (a asking) says(r *http.Request) (int, string, http.Header) {
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String()), w.Header()
}

func (a asking) want(r *http.Request, status int, text string) {
	a.t.Helper()
	if got, said, _ := a.says(r); got != status || !strings.Contains(said, text) {
		a.t.Errorf("%s %s: %d %s, want %d and %q in it", r.Method, r.URL, got, said, status, text)
	}
}

func judged(t *testing.T, o Options) (asking, *Double) {
	t.Helper()
	d := New(t, o)
	key := Administrator()
	if o.Keys != nil {
		key = o.Keys[0]
	}
	d.Add(Alert{ID: "a1"})
	d.Add(Alert{ID: "a2", Legacy: true})
	return asking{t, apispec.Load(t, "kibana-alerts").Handler(t, d), key}, d
}

const (
	write = `{"note":{"eventId":"a1","note":"text","timelineId":""}}`
	find  = `{"query":{"ids":{"values":["a1"]}},"size":1}`
	shut  = `{"signal_ids":["a1"],"status":"closed"}`

	notes  = "/api/note"
	search = "/api/detection_engine/signals/search"
	status = "/api/detection_engine/signals/status"
)

func TestNotes(t *testing.T) {
	a, d := judged(t, Options{Space: "soc", MostNotes: 2})
	a.want(a.request("PATCH", "/s/soc"+notes, write), 200, `"code":200`)
	// An alert that is not there may be noted at.
	a.want(a.request("PATCH", "/s/soc"+notes, strings.Replace(write, "a1", "none", 1)), 200, `"code":200`)
	a.want(a.request("PATCH", "/s/soc"+notes, write), 200, `"code":200`)
	a.want(a.request("PATCH", "/s/soc"+notes, write), 200, `"code":403`)
	a.want(a.request("GET", "/s/soc"+notes+"?documentIds=a1", ""), 200, `"totalCount":2`)
	a.want(a.request("PATCH", notes, write), 403, "notes_write")
	if n := len(d.Notes("a1")); n != 2 {
		t.Errorf("there are %d notes, want 2", n)
	}
}

func TestOlderNotes(t *testing.T) {
	a, _ := judged(t, Options{Release: Release90, MostNotes: 1})
	a.want(a.request("PATCH", notes, write), 200, `{"data":{"persistNote":{"code":200`)
	a.want(a.request("PATCH", notes, strings.Replace(write, "a1", "a2", 1)), 200, `"code":403`)
	a, _ = judged(t, Options{Release: Release815})
	a.want(a.request("GET", notes+"?documentIds=a1", ""), 404, "Not Found")
}

func TestWhatKibanaAsksFor(t *testing.T) {
	// These requests are not what the description of the API takes.
	_, d := judged(t, Options{Payload: 100})
	a := asking{t, d, Administrator()}
	for name, status := range map[string]int{"Kbn-Xsrf": 400, "Content-Type": 415, "Authorization": 401, "Elastic-Api-Version": 200} {
		r := a.request("PATCH", notes, write)
		r.Header.Del(name)
		a.want(r, status, "{")
	}
	r := a.request("PATCH", notes, write)
	r.Header.Set("Elastic-Api-Version", "2024-01-01")
	a.want(r, 400, "2023-10-31")
	a.want(a.request("PATCH", notes, `{"note":{"eventId":"a1","note":"`+strings.Repeat("x", 200)+`","timelineId":""}}`), 413, "100")
	a.want(a.request("PATCH", notes, `{"note":{"eventId":"a1","note":"x"}}`), 400, "timelineId")
	a.want(a.request("POST", status, `{"signal_ids":["a1"],"status":"resolved"}`), 400, "status")
	a.want(a.request("POST", search, `{"query":{"wildcard":{"_id":"a*"}}}`), 400, "wildcard")
	a.want(a.request("POST", status, `{"query":{"bool":{"filter":[{"term":{"_id":"a1"}}]}},"status":"acknowledged"}`), 200, `"updated":1`)
}

func TestAlerts(t *testing.T) {
	a, d := judged(t, Options{})
	a.want(a.request("POST", search, find), 200, `"kibana.alert.workflow_status":"open"`)
	a.want(a.request("POST", search, `{"query":{"ids":{"values":["none"]}}}`), 200, `"hits":[]`)
	a.want(a.request("POST", search, `{"query":{"term":{"_id":"a2"}},"_source":["signal.status"]}`), 200, `"_source":{"signal":{"status":"open"}}`)
	// Of alerts that are not there nothing is said but a number.
	a.want(a.request("POST", status, strings.Replace(shut, "a1", "none", 1)), 200, `"updated":0`)
	d.Fail(Conflict, 1)
	a.want(a.request("POST", status, shut), 409, `"status_code":409`)
	a.want(a.request("POST", status, shut), 200, `"updated":1`)
	if got, _ := d.Alert("a1"); got.Status != "closed" {
		t.Errorf("the alert is %s, want closed", got.Status)
	}
	d.Fail(ShardsFailed, 1)
	a.want(a.request("POST", search, find), 200, `"failed":1`)
	d.Fail(TimedOut, 1)
	a.want(a.request("POST", search, find), 200, `"timed_out":true`)
	d.Fail(Overloaded, 1)
	a.want(a.request("POST", search, find), 429, `"status_code":429`)
	d.Fail(NotReady, 1)
	if status, said, header := a.says(a.request("POST", search, find)); status != 503 || json.Valid([]byte(said)) || header.Get("Retry-After") == "" {
		t.Errorf("one that starts answers %d %s %v", status, said, header)
	}
}

func TestPrivileges(t *testing.T) {
	for _, c := range []struct{ lacks, method, path, body string }{
		{Security, "POST", search, find},
		{Security, "POST", status, shut},
		{ReadAlerts, "POST", search, find},
		{WriteAlerts, "POST", status, shut},
		{ReadNotes, "GET", notes + "?documentIds=a1", ""},
		{WriteNotes, "PATCH", notes, write},
	} {
		a, _ := judged(t, Options{Keys: []Key{Administrator().Without(c.lacks)}})
		a.want(a.request(c.method, c.path, c.body), 403, "is unauthorized for")
	}
}
