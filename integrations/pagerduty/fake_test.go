package pagerduty

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

const (
	token      = "u+R3ADON1YT0K3N"
	routingKey = "0123456789abcdef0123456789abcdef"
)

// fake is an account of PagerDuty that follows its documentation: credentials,
// how lists are paged, what an event may contain, and which alerts it opens, adds
// to and closes.
type fake struct {
	*faulty.Server

	mu sync.Mutex
	t  testing.TB
	// rota is who is on call, by policy; smaller makes its pages smaller than
	// requested.
	rota    map[string][]map[string]any
	smaller int
	pages   int
	alerts  []*fakeAlert
	events  []event
}

// fakeAlert is an alert with the summaries of the events that it got.
type fakeAlert struct {
	dedup string
	open  bool
	log   []string
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{t: t, rota: map[string][]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oncalls", f.authentic(f.listOnCalls))
	mux.HandleFunc("GET /escalation_policies", f.authentic(func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]any{"escalation_policies": []any{}})
	}))
	mux.HandleFunc("GET /escalation_policies/{id}", f.authentic(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := f.rota[r.PathValue("id")]; !ok {
			refuse(w, http.StatusNotFound, 2100, "Not Found")
			return
		}
		respond(w, http.StatusOK, map[string]any{"escalation_policy": map[string]any{"id": r.PathValue("id")}})
	}))
	mux.HandleFunc("POST /v2/enqueue", f.enqueue)
	f.Server = faulty.New(t, mux)
	return f
}

// open opens the integration on the account.
func (f *fake) open(c Config) *PagerDuty {
	f.t.Helper()
	if c.Region == "" {
		c.Region = "us"
	}
	p, err := open(c)
	if err != nil {
		f.t.Fatal(err)
	}
	p.api, p.events = f.URL(), f.URL()
	f.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (f *fake) pager() *PagerDuty {
	return f.open(Config{Token: token, Services: map[string]Service{"secops": {RoutingKey: routingKey}}})
}

func (f *fake) authentic(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case r.Header.Get("Accept") != "application/vnd.pagerduty+json;version=2":
			refuse(w, http.StatusNotAcceptable, 2015, "Invalid operation")
		case r.Header.Get("Authorization") != "Token token="+token:
			refuse(w, http.StatusUnauthorized, 2006, "Authentication failed")
		default:
			h(w, r)
		}
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	respond(w, status, map[string]any{"error": map[string]any{"message": message, "code": code}})
}

func number(q url.Values, name string, otherwise int) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil {
		return otherwise
	}
	return n
}

func (f *fake) listOnCalls(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, offset := number(q, "limit", 25), number(q, "offset", 0)
	if limit < 1 || limit > 100 || offset+limit > 10_000 {
		refuse(w, http.StatusBadRequest, 2001, "Invalid Input Provided")
		return
	}
	if f.smaller > 0 {
		limit = min(limit, f.smaller)
	}
	f.pages++
	entries := []map[string]any{}
	for _, policy := range q["escalation_policy_ids[]"] {
		entries = append(entries, f.rota[policy]...)
	}
	end := min(offset+limit, len(entries))
	respond(w, http.StatusOK, map[string]any{
		"oncalls": entries[min(offset, end):end], "limit": limit, "offset": offset, "more": end < len(entries), "total": nil,
	})
}

// onDuty puts a user on call.
func (f *fake) onDuty(policy string, level int, user string) {
	entry := map[string]any{
		"escalation_policy": map[string]any{"id": policy, "type": "escalation_policy_reference"},
		"escalation_level":  level, "start": nil, "end": nil, "schedule": nil,
		"user": map[string]any{"id": user, "type": "user", "name": "Somebody", "email": user + "@example.com"},
	}
	f.rota[policy] = append(f.rota[policy], entry)
}

func (f *fake) enqueue(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 512<<10))
	d.DisallowUnknownFields()
	var e event
	if err := d.Decode(&e); err != nil {
		f.t.Errorf("an event that PagerDuty does not take: %v", err)
	}
	if problem := problemOf(e); problem != "" {
		respond(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": []string{problem}})
		return
	}
	f.events = append(f.events, e)
	f.apply(e)
	respond(w, http.StatusAccepted, map[string]any{"status": "success", "message": "Event processed", "dedup_key": e.Dedup})
}

func problemOf(e event) string {
	p := e.Payload
	switch {
	case e.RoutingKey != routingKey:
		return "routing key " + e.RoutingKey
	case utf8.RuneCountInString(e.Dedup) > 255:
		return "dedup_key"
	case e.Action == "resolve" || e.Action == "acknowledge":
		return ""
	case e.Action != "trigger":
		return "event_action"
	case p == nil || p.Summary == "" || utf8.RuneCountInString(p.Summary) > 1024 || p.Source == "":
		return "payload"
	}
	switch p.Severity {
	case "critical", "error", "warning", "info":
		return ""
	}
	return "severity"
}

func (f *fake) apply(e event) {
	for _, a := range f.alerts {
		if a.dedup == e.Dedup && a.open {
			switch e.Action {
			case "trigger":
				a.log = append(a.log, e.Payload.Summary)
			case "resolve":
				a.open = false
			}
			return
		}
	}
	if e.Action == "trigger" {
		f.alerts = append(f.alerts, &fakeAlert{e.Dedup, true, []string{e.Payload.Summary}})
	}
}

// sent counts all alerts that were opened, each of which pages people.
func (f *fake) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.alerts)
}

// seen is the newest entry in the log of each alert.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, a := range f.alerts {
		out = append(out, a.log[len(a.log)-1])
	}
	return out
}

// state is every alert in words: "stanch-key-1 open: title, title".
func (f *fake) state() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, a := range f.alerts {
		word := "resolved"
		if a.open {
			word = "open"
		}
		out = append(out, fmt.Sprintf("%s %s %q", a.dedup, word, a.log))
	}
	return out
}

func message(key string) integrations.Message {
	return integrations.Message{
		Key: key, Channel: "secops", Severity: "high", Title: "ws-042 sends 4 GiB",
		Lines: []string{"Who: x.exe"}, URL: "https://stanch.example/v1/cases/1",
	}
}
