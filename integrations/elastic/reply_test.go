package elastic

import (
	"encoding/json"
	"fmt"
	"html"
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
	_ integrations.Replier = (*Notes)(nil)
	_ integrations.Prober  = (*Notes)(nil)
)

const alertsKey = "a2V5OnMzY3IzdC1vZi1hbGVydHM="

// signals is a double of a Kibana space: alerts with a state, and notes at them.
type signals struct {
	*faulty.Server
	mu    sync.Mutex
	state map[string]string
	notes map[string][]string
}

func newSignals(t testing.TB, ids ...string) *signals {
	t.Helper()
	s := &signals{state: map[string]string{}, notes: map[string][]string{}}
	for _, id := range ids {
		s.state[id] = "open"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /s/soc/api/detection_engine/signals/search", s.search)
	mux.HandleFunc("POST /s/soc/api/detection_engine/signals/status", s.close)
	mux.HandleFunc("GET /s/soc/api/note", s.list)
	mux.HandleFunc("PATCH /s/soc/api/note", s.add)
	s.Server = faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "ApiKey "+alertsKey:
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method != http.MethodGet && r.Header.Get("Kbn-Xsrf") == "":
			w.WriteHeader(http.StatusBadRequest)
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	s.LoseOnly(func(r *http.Request) bool {
		return r.Method == http.MethodPatch || strings.HasSuffix(r.URL.Path, "/status")
	})
	return s
}

func (s *signals) search(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Query struct {
			IDs struct {
				Values []string `json:"values"`
			} `json:"ids"`
		} `json:"query"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	hits := []any{}
	for _, id := range in.Query.IDs.Values {
		if status, ok := s.state[id]; ok {
			hits = append(hits, map[string]any{"_id": id, "_source": map[string]any{"kibana.alert.workflow_status": status}})
		}
	}
	answerJSON(w, map[string]any{"hits": map[string]any{"hits": hits}})
}

func (s *signals) close(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		IDs    []string `json:"signal_ids"`
		Status string   `json:"status"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || !slices.Contains([]string{"open", "acknowledged", "closed"}, in.Status) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, id := range in.IDs {
		s.state[id] = in.Status
	}
	answerJSON(w, map[string]any{"updated": len(in.IDs)})
}

func (s *signals) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := []any{}
	for i, note := range s.notes[r.URL.Query().Get("documentIds")] {
		notes = append(notes, map[string]any{"noteId": fmt.Sprint(i), "note": note})
	}
	answerJSON(w, map[string]any{"notes": notes, "totalCount": len(notes)})
}

func (s *signals) add(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Note struct {
			EventID    string  `json:"eventId"`
			Note       string  `json:"note"`
			TimelineID *string `json:"timelineId"`
		} `json:"note"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Note.TimelineID == nil || in.Note.Note == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.notes[in.Note.EventID] = append(s.notes[in.Note.EventID], in.Note.Note)
	answerJSON(w, map[string]any{"note": map[string]any{"noteId": "n"}})
}

func answerJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (s *signals) open(t testing.TB) *Notes {
	t.Helper()
	n, err := OpenAlerts(AlertsConfig{URL: s.URL(), Space: "soc", APIKey: alertsKey, Access: httpx.Access{Timeout: 10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func alertRecord(id string) incident.AlertRecord { return incident.AlertRecord{Source: "soc", ID: id} }

func TestReplier(t *testing.T) {
	contract.Replier(t, contract.ReplierHarness{
		Knobs: contract.Knobs{Kind: "elasticalerts", Secrets: []string{alertsKey}, ReadsFirst: true},
		Open: func(t testing.TB) contract.ReplierWorld {
			s := newSignals(t, "alert-1", "alert-11")
			return contract.ReplierWorld{
				Replier: s.open(t), Break: s.Break,
				Record: alertRecord("alert-1"), Other: alertRecord("alert-11"), Unknown: alertRecord("alert-2"),
				Comments: func(r incident.AlertRecord) (all []string) {
					s.mu.Lock()
					defer s.mu.Unlock()
					for _, note := range s.notes[r.ID] {
						all = append(all, html.UnescapeString(strings.ReplaceAll(note, "\n\n", "\n")))
					}
					return all
				},
				Closed: func(r incident.AlertRecord) bool {
					s.mu.Lock()
					defer s.mu.Unlock()
					return s.state[r.ID] == "closed"
				},
				CloseByHand: func(r incident.AlertRecord) {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.state[r.ID] = "closed"
				},
			}
		},
	})
}

// In a note nothing is left that Markdown or HTML could take for its own.
func TestANoteIsNoMarkup(t *testing.T) {
	s := newSignals(t, "alert-1")
	r := integrations.Reply{Reply: incident.Reply{
		Key: "run/0/a", To: alertRecord("alert-1"), Kind: incident.EvOpened, Text: "# *ws*\n[x](https://evil.example) <img src=x>",
	}}
	if _, err := s.open(t).ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const want = "&#35; &#42;ws&#42;\n\n&#91;x&#93;&#40;https&#58;&#47;&#47;evil&#46;example&#41; &#60;img src&#61;x&#62;\n\n(stanch run/0/a)"
	if got := s.notes["alert-1"]; len(got) != 1 || got[0] != want {
		t.Errorf("the note is %q, want %q", got, want)
	}
}

func TestProbeOfAlerts(t *testing.T) {
	s := newSignals(t)
	for _, f := range s.open(t).Probe(t.Context()) {
		if !f.OK {
			t.Errorf("a space that is right: %+v", f)
		}
	}
	s.Break(contract.Deny)
	if found := s.open(t).Probe(t.Context()); len(found) != 1 || found[0].OK || found[0].Fix == "" {
		t.Errorf("a key that is refused: %+v", found)
	}
}

func TestAlertsConfig(t *testing.T) {
	good := AlertsConfig{URL: "https://kibana.example:5601", APIKey: "key", Access: httpx.Access{Timeout: time.Second}}
	for name, change := range map[string]func(*AlertsConfig){
		"http elsewhere": func(c *AlertsConfig) { c.URL = "http://kibana.example" },
		"no key":         func(c *AlertsConfig) { c.APIKey = "" },
		"a space's name": func(c *AlertsConfig) { c.Space = "my space" },
		"no time":        func(c *AlertsConfig) { c.Timeout = 0 },
	} {
		c := good
		change(&c)
		if _, err := OpenAlerts(c); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if n, err := OpenAlerts(good); err != nil || n.Close() != nil {
		t.Error(err)
	}
}
