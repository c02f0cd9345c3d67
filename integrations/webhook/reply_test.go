package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var _ integrations.Replier = (*Webhook)(nil)

// ticket is an alert as a team's desk keeps it.
type ticket struct {
	comments []string
	closed   bool
}

// tickets is a desk that takes replies, as its team would write it by the documentation.
type tickets struct {
	*faulty.Server
	mu     sync.Mutex
	seen   map[string]bool
	byID   map[string]*ticket
	last   *http.Request
	answer answer
	body   []byte
}

func newTickets(t testing.TB, ids ...string) *tickets {
	t.Helper()
	d := &tickets{seen: map[string]bool{}, byID: map[string]*ticket{}}
	for _, id := range ids {
		d.byID[id] = &ticket{}
	}
	d.Server = faulty.New(t, http.HandlerFunc(d.take))
	return d
}

func (d *tickets) take(w http.ResponseWriter, req *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil || !authentic(req.Header.Get("Stanch-Signature"), body, time.Now()) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.Event != req.Header.Get("Stanch-Event") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	d.last, d.answer, d.body = req, a, body
	at, ok := d.byID[a.Alert.ID]
	switch id := req.Header.Get("Idempotency-Key"); {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case !d.seen[id]:
		d.seen[id] = true
		at.comments = append(at.comments, strings.Join(a.Text, "\n")+"\n"+(integrations.Reply{Reply: incident.Reply{Key: a.Key}}).Mark())
		at.closed = at.closed || a.Close
	}
}

func (d *tickets) of(r incident.AlertRecord) ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.byID[r.ID]; ok {
		return *at
	}
	return ticket{}
}

func (d *tickets) open(t testing.TB) *Webhook {
	t.Helper()
	return dial(t, Config{URL: integrations.Secret(d.URL() + "/hooks/s3cr3t-path"), Secret: secret, Insecure: true})
}

func TestReplier(t *testing.T) {
	contract.Replier(t, contract.ReplierHarness{Knobs: knobs(), Open: func(t testing.TB) contract.ReplierWorld {
		d := newTickets(t, "a-1", "a-11")
		return contract.ReplierWorld{
			Replier: d.open(t), Break: d.Break,
			Record: incident.AlertRecord{Source: "siem", ID: "a-1"}, Other: incident.AlertRecord{Source: "siem", ID: "a-11"},
			Unknown:     incident.AlertRecord{Source: "siem", ID: "a-2"},
			Comments:    func(r incident.AlertRecord) []string { return d.of(r).comments },
			Closed:      func(r incident.AlertRecord) bool { return d.of(r).closed },
			CloseByHand: func(r incident.AlertRecord) { d.byID[r.ID].closed = true },
		}
	}})
}

func TestReplyRequest(t *testing.T) {
	d := newTickets(t, "a-1")
	r := integrations.Reply{URL: "https://stanch.example/v1/cases/p/ws-042", Reply: incident.Reply{
		Key: "run/7/0123456789abcdef", To: incident.AlertRecord{Source: "siem", ID: "a-1", Reference: "event-1"}, Kind: incident.EvClosed,
		Case: incident.CaseRef{ID: "p/ws-042", Run: "run"}, Step: "cut-off", Use: "edr", Text: "Case closed: given back\ncut-off: given back",
		At: time.Unix(1_700_000_000, 0).UTC(), Outcome: incident.OutcomeGivenBack, Verdict: incident.Benign, Close: true,
	}}
	if _, err := d.open(t).ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"event":"reply","key":"run/7/0123456789abcdef","alert":{"source":"siem","id":"a-1","reference":"event-1"},` +
		`"kind":"closed","case":"p/ws-042","run":"run","step":"cut-off","use":"edr","lines":["Case closed: given back","cut-off: given back",` +
		`"https://stanch.example/v1/cases/p/ws-042"],"at":"2023-11-14T22:13:20Z","url":"https://stanch.example/v1/cases/p/ws-042",` +
		`"outcome":"given_back","verdict":"benign","close":true}`
	if diff := cmp.Diff(want, string(d.body)); diff != "" {
		t.Error(diff)
	}
	if d.last.Header.Get("Idempotency-Key") != r.Key || d.last.Header.Get("Stanch-Event") != "reply" {
		t.Errorf("the request has the headers %v", d.last.Header)
	}
}
