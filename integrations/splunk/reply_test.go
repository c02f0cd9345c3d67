package splunk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	_ integrations.Replier = (*Client)(nil)
	_ integrations.Prober  = (*Client)(nil)
)

const splunkToken = "s3cr3t-token-of-the-soc"

// head is a double of a search head with Enterprise Security: the reviews of its notable
// events. What an event is it does not keep; Splunk's call does not say what it does with an
// id that nothing has.
type head struct {
	*faulty.Server
	mu      sync.Mutex
	reviews []map[string]any
	may     []string
}

func newHead(t testing.TB) *head {
	t.Helper()
	h := &head{may: []string{"edit_notable_events"}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/notable_update", h.update)
	mux.HandleFunc("GET /servicesNS/nobody/SA-ThreatIntelligence/storage/collections/data/incident_review", h.list)
	mux.HandleFunc("GET /services/authentication/current-context", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"entry": []any{map[string]any{"content": map[string]any{"username": "stanch", "capabilities": h.may}}}})
	})
	h.Server = faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+splunkToken || r.URL.Query().Get("output_mode") != "json" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	h.LoseOnly(func(r *http.Request) bool { return r.Method == http.MethodPost })
	return h
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (h *head) update(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.PostForm.Get("comment") == "" || len(r.PostForm["ruleUIDs"]) == 0 {
		answer(w, map[string]any{"success": false, "message": "nothing to do"})
		return
	}
	for _, id := range r.PostForm["ruleUIDs"] {
		h.review(id, r.PostForm.Get("comment"), r.PostForm.Get("status"))
	}
	answer(w, map[string]any{"success": true, "message": "1 event updated successfully", "success_count": 1, "failure_count": 0, "warnings": []string{}})
}

func (h *head) review(id, comment, status string) {
	h.reviews = append(h.reviews, map[string]any{
		"rule_id": id, "comment": comment, "status": status, "user": "stanch", "time": float64(1_772_334_600+len(h.reviews)) + 0.25, "_key": fmt.Sprint(len(h.reviews)),
	})
}

// list answers newest first, as no order is promised.
func (h *head) list(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var q struct {
		RuleID string `json:"rule_id"`
	}
	if err := json.Unmarshal([]byte(r.URL.Query().Get("query")), &q); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	found := slices.DeleteFunc(slices.Clone(h.reviews), func(v map[string]any) bool { return v["rule_id"] != q.RuleID })
	slices.Reverse(found)
	answer(w, found)
}

func (h *head) of(id, key string) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range h.reviews {
		if text, _ := v[key].(string); v["rule_id"] == id && text != "" {
			all = append(all, text)
		}
	}
	return all
}

func (h *head) open(t testing.TB) *Client {
	t.Helper()
	c, err := Open(Config{URL: h.URL(), Token: splunkToken, Closed: "5", Also: []string{"4"}, Access: httpx.Access{Timeout: 10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func event(id string) incident.AlertRecord {
	return incident.AlertRecord{Source: "splunk", ID: id + "@@notable@@8a3f"}
}

func TestReplier(t *testing.T) {
	contract.Replier(t, contract.ReplierHarness{
		Knobs: contract.Knobs{Kind: "splunk", Secrets: []string{splunkToken}, ReadsFirst: true, Skip: map[string]string{
			"an alert that is not there is not found": "Splunk does not document what it says of an event that it does not have",
		}},
		Open: func(t testing.TB) contract.ReplierWorld {
			h := newHead(t)
			return contract.ReplierWorld{
				Replier: h.open(t), Break: h.Break, Record: event("6E1A"), Other: event("6E1AA"), Unknown: event("none"),
				Comments: func(r incident.AlertRecord) []string { return h.of(r.ID, "comment") },
				Closed: func(r incident.AlertRecord) bool {
					states := h.of(r.ID, "status")
					return len(states) > 0 && (states[len(states)-1] == "5" || states[len(states)-1] == "4")
				},
				CloseByHand: func(r incident.AlertRecord) {
					h.mu.Lock()
					defer h.mu.Unlock()
					h.review(r.ID, "", "4")
				},
			}
		},
	})
}

// People's own word for done stays, and a row of a search that is no notable event is said
// to be none.
func TestOnlyANotableEventIsAnswered(t *testing.T) {
	h := newHead(t)
	c := h.open(t)
	r := integrations.Reply{Reply: incident.Reply{Key: "run/0/a", To: event("6E1A"), Kind: incident.EvClosed, Text: "Case closed", Close: true}}
	h.review(r.To.ID, "resolved by kim", "4")
	if _, err := c.ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := h.of(r.To.ID, "status"); !slices.Equal(got, []string{"4"}) {
		t.Errorf("its status became %q", got)
	}
	r.To.ID = "scheduler__admin__search__RMD5_at_1772334600_42#0123456789ab"
	_, err := c.ReplyTo(t.Context(), r)
	if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), "no notable event") {
		t.Errorf("error %v", err)
	}
	r.To.Reference = event("6E1B").ID
	if _, err := c.ReplyTo(t.Context(), r); err != nil || len(h.of(r.To.Reference, "comment")) != 1 {
		t.Errorf("by its reference: error %v", err)
	}
}

func TestProbe(t *testing.T) {
	h := newHead(t)
	for _, f := range h.open(t).Probe(t.Context()) {
		if !f.OK {
			t.Errorf("a head that is right: %+v", f)
		}
	}
	h.may = nil
	if found := h.open(t).Probe(t.Context()); found[len(found)-1].OK || !strings.Contains(found[len(found)-1].What, "edit_notable_events") {
		t.Errorf("a user who may not: %+v", found)
	}
	h.Break(contract.Deny)
	if found := h.open(t).Probe(t.Context()); len(found) != 1 || found[0].OK {
		t.Errorf("a token that is refused: %+v", found)
	}
}

func TestConfig(t *testing.T) {
	good := Config{URL: "https://splunk.example:8089", Token: "token", Closed: "5", Access: httpx.Access{Timeout: time.Second}}
	for name, change := range map[string]func(*Config){
		"http elsewhere":  func(c *Config) { c.URL = "http://splunk.example:8089" },
		"no address":      func(c *Config) { c.URL = "splunk.example" },
		"no token":        func(c *Config) { c.Token = "" },
		"a status's name": func(c *Config) { c.Closed = "Closed" },
		"another's name":  func(c *Config) { c.Also = []string{"5", ""} },
		"no time":         func(c *Config) { c.Timeout = 0 },
	} {
		c := good
		change(&c)
		if _, err := Open(c); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if c, err := Open(good); err != nil || c.Close() != nil {
		t.Error(err)
	}
}
