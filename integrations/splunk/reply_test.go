package splunk

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	_ integrations.Replier = (*Client)(nil)
	_ integrations.Prober  = (*Client)(nil)
)

// head is a double of a search head behind a server that fails on command. What is sent to
// it, and what it answers, is judged by a description of the API.
type head struct {
	*faulty.Server
	*splunkfake.Double
}

func newHead(t testing.TB, spec *apispec.Spec, o splunkfake.Options) *head {
	t.Helper()
	h := &head{Double: splunkfake.New(t, o)}
	h.Server = faulty.New(t, spec.Handler(t, h.Double))
	h.LoseOnly(func(r *http.Request) bool { return r.Method == http.MethodPost })
	return h
}

func splunkSpec(t testing.TB) *apispec.Spec { t.Helper(); return apispec.Load(t, "splunk-es") }

// openSplunk returns a client of a Splunk at an address.
func openSplunk(t testing.TB, url string) *Client {
	t.Helper()
	c, err := Open(Config{
		URL: url, Token: integrations.Secret(splunkfake.Analyst().Text), Closed: "5", Also: []string{"4"}, Access: httpx.Access{Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (h *head) open(t testing.TB) *Client { t.Helper(); return openSplunk(t, h.URL()) }

// comments are those on an event, oldest first.
func (h *head) comments(id string) (all []string) {
	for _, r := range h.Reviews(id) {
		if r.Comment != "" {
			all = append(all, r.Comment)
		}
	}
	return all
}

func event(id string) incident.AlertRecord {
	return incident.AlertRecord{Source: "splunk", ID: id + "@@notable@@8a3f"}
}

func TestReplier(t *testing.T) {
	spec := splunkSpec(t)
	contract.Replier(t, contract.ReplierHarness{
		Knobs: contract.Knobs{Kind: "splunk", Secrets: []string{splunkfake.Analyst().Text}, ReadsFirst: true, Skip: map[string]string{
			"an alert that is not there is not found": "Splunk takes a comment on an event that it does not have, and says that it was done",
		}},
		Open: func(t testing.TB) contract.ReplierWorld {
			h := newHead(t, spec, splunkfake.Options{})
			return contract.ReplierWorld{
				Replier: h.open(t), Break: h.Break, Record: event("6E1A"), Other: event("6E1AA"), Unknown: event("none"),
				Comments:    func(r incident.AlertRecord) []string { return h.comments(r.ID) },
				Closed:      func(r incident.AlertRecord) bool { return slices.Contains([]string{"4", "5"}, h.Status(r.ID)) },
				CloseByHand: func(r incident.AlertRecord) { h.ReviewByHand(r.ID, "", "4") },
			}
		},
	})
}

func closing(to incident.AlertRecord) integrations.Reply {
	return integrations.Reply{Reply: incident.Reply{Key: "run/0/a", To: to, Kind: incident.EvClosed, Text: "Case closed", Close: true}}
}

// People's own word for done stays, and a row of a search that is no notable event is said
// to be none.
func TestOnlyANotableEventIsAnswered(t *testing.T) {
	h := newHead(t, splunkSpec(t), splunkfake.Options{})
	c := h.open(t)
	r := closing(event("6E1A"))
	h.ReviewByHand(r.To.ID, "resolved by kim", "4")
	if _, err := c.ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := h.Status(r.To.ID); got != "4" {
		t.Errorf("its status became %q", got)
	}
	r.To.ID = "scheduler__admin__search__RMD5_at_1772334600_42#0123456789ab"
	_, err := c.ReplyTo(t.Context(), r)
	if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), "no notable event") {
		t.Errorf("error %v", err)
	}
	r.To.Reference = event("6E1B").ID
	if _, err := c.ReplyTo(t.Context(), r); err != nil || len(h.comments(r.To.Reference)) != 1 {
		t.Errorf("by its reference: error %v", err)
	}
}

func TestProbe(t *testing.T) {
	spec := splunkSpec(t)
	h := newHead(t, spec, splunkfake.Options{})
	for _, f := range h.open(t).Probe(t.Context()) {
		if !f.OK {
			t.Errorf("a head that is right: %+v", f)
		}
	}
	token := splunkfake.Analyst()
	for lacks, has := range map[string][]string{splunkfake.EditNotables: {splunkfake.ReadReviews}, "token": {splunkfake.EditNotables}} {
		token.Capabilities = has
		h := newHead(t, spec, splunkfake.Options{Tokens: []splunkfake.Token{token}})
		found := h.open(t).Probe(t.Context())
		if last := found[len(found)-1]; last.OK || !strings.Contains(last.What+last.Fix, lacks) {
			t.Errorf("a user with %q alone: %+v", has, found)
		}
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
