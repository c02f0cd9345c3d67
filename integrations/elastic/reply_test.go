package elastic

import (
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/elastic/kibanafake"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	_ integrations.Replier = (*Notes)(nil)
	_ integrations.Prober  = (*Notes)(nil)
)

// signals is a double of a Kibana space behind a server that fails on command. What is sent
// to it, and what it answers, is judged by a description of the API.
type signals struct {
	*faulty.Server
	*kibanafake.Double
}

func newSignals(t testing.TB, spec *apispec.Spec, o kibanafake.Options, ids ...string) *signals {
	t.Helper()
	o.Space = "soc"
	s := &signals{Double: kibanafake.New(t, o)}
	for _, id := range ids {
		s.Add(kibanafake.Alert{ID: id})
	}
	s.Server = faulty.New(t, spec.Handler(t, s.Double))
	s.LoseOnly(writesAtAlerts)
	return s
}

func alertsSpec(t testing.TB) *apispec.Spec { t.Helper(); return apispec.Load(t, "kibana-alerts") }

func writesAtAlerts(r *http.Request) bool {
	return r.Method == http.MethodPatch || strings.HasSuffix(r.URL.Path, "/status")
}

// openNotes returns a client of a Kibana at an address.
func openNotes(t testing.TB, url string) *Notes {
	t.Helper()
	n, err := OpenAlerts(AlertsConfig{
		URL: url, Space: "soc", APIKey: integrations.Secret(kibanafake.Administrator().Encoded), Access: httpx.Access{Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func (s *signals) open(t testing.TB) *Notes { t.Helper(); return openNotes(t, s.URL()) }

// texts are the notes at an alert, oldest first.
func (s *signals) texts(id string) (all []string) {
	for _, note := range s.Notes(id) {
		all = append(all, note.Text)
	}
	return all
}

func (s *signals) state(id string) string {
	a, _ := s.Alert(id)
	return a.Status
}

func alertRecord(id string) incident.AlertRecord { return incident.AlertRecord{Source: "soc", ID: id} }

// All releases that have notes at alerts are held to the same.
func TestReplier(t *testing.T) {
	for _, release := range []kibanafake.Release{kibanafake.Release90, kibanafake.Release92} {
		t.Run(string(release), func(t *testing.T) { replierOf(t, release) })
	}
}

func replierOf(t *testing.T, release kibanafake.Release) {
	t.Helper()
	spec := alertsSpec(t)
	contract.Replier(t, contract.ReplierHarness{
		Knobs: contract.Knobs{Kind: "elasticalerts", Secrets: []string{kibanafake.Administrator().Encoded}, ReadsFirst: true},
		Open: func(t testing.TB) contract.ReplierWorld {
			s := newSignals(t, spec, kibanafake.Options{Release: release}, "alert-1", "alert-11")
			return contract.ReplierWorld{
				Replier: s.open(t), Break: s.Break,
				Record: alertRecord("alert-1"), Other: alertRecord("alert-11"), Unknown: alertRecord("alert-2"),
				Comments: func(r incident.AlertRecord) (all []string) {
					for _, note := range s.texts(r.ID) {
						all = append(all, html.UnescapeString(strings.ReplaceAll(note, "\n\n", "\n")))
					}
					return all
				},
				Closed:      func(r incident.AlertRecord) bool { return s.state(r.ID) == closed },
				CloseByHand: func(r incident.AlertRecord) { s.SetByHand(r.ID, closed) },
			}
		},
	})
}

// In a note nothing is left that Markdown or HTML could take for its own.
func TestANoteIsNoMarkup(t *testing.T) {
	s := newSignals(t, alertsSpec(t), kibanafake.Options{}, "alert-1")
	r := integrations.Reply{Reply: incident.Reply{
		Key: "run/0/a", To: alertRecord("alert-1"), Kind: incident.EvOpened, Text: "# *ws*\n[x](https://evil.example) <img src=x>",
	}}
	if _, err := s.open(t).ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const want = "&#35; &#42;ws&#42;\n\n&#91;x&#93;&#40;https&#58;&#47;&#47;evil&#46;example&#41; &#60;img src&#61;x&#62;\n\n(stanch run/0/a)"
	if got := s.texts("alert-1"); len(got) != 1 || got[0] != want {
		t.Errorf("the note is %q, want %q", got, want)
	}
}

func TestProbeOfAlerts(t *testing.T) {
	s := newSignals(t, alertsSpec(t), kibanafake.Options{})
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
