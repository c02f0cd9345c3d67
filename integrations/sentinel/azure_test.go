package sentinel

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sentinel/sentinelfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// closing is a reply that closes an incident.
func closing(verdict incident.CaseVerdict) integrations.Reply {
	return integrations.Reply{Reply: incident.Reply{
		Key: "run/3/a", To: record(incidentID), Kind: incident.EvClosed, Text: "Case closed", Outcome: incident.OutcomeGivenBack, Verdict: verdict, Close: true,
	}}
}

// An incident is closed by its version: what a person does between reading and writing it is
// neither lost nor undone.
func TestAPersonIsFaster(t *testing.T) {
	w := openWorkspace(t)
	w.double.Add(sentinelfake.Incident{Name: incidentID})
	w.double.Race(func() {
		w.double.Change(incidentID, func(p map[string]any) { p["severity"], p["description"] = "High", "mine" })
	})
	w.double.Race(func() {
		w.double.Change(incidentID, func(p map[string]any) {
			p["status"], p["classification"], p["classificationReason"] = "Closed", "TruePositive", "SuspiciousActivity"
		})
	})
	for range 2 {
		if _, err := w.ReplyTo(t.Context(), closing(incident.Benign)); integrations.KindOf(err) != integrations.Conflict {
			t.Fatalf("a change in between is told as %v", err)
		}
	}
	if _, err := w.ReplyTo(t.Context(), closing(incident.Benign)); err != nil {
		t.Fatal(err)
	}
	got := w.double.Properties(incidentID)
	if got["severity"] != "High" || got["description"] != "mine" || got["classification"] != "TruePositive" {
		t.Errorf("what a person wrote meanwhile became %v", got)
	}
	if got := w.double.Comments(incidentID); len(got) != 1 {
		t.Errorf("there are %d comments, want one", len(got))
	}
}

// An incident that people delete meanwhile is not created anew.
func TestAnIncidentIsDeletedMeanwhile(t *testing.T) {
	w := openWorkspace(t)
	w.double.Add(sentinelfake.Incident{Name: incidentID})
	w.double.Race(func() { w.double.Delete(incidentID) })
	if _, err := w.ReplyTo(t.Context(), closing(incident.NoVerdict)); err == nil {
		t.Error("closing it is told as done")
	}
	if _, err := w.ReplyTo(t.Context(), closing(incident.NoVerdict)); integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("the next reply is told as %v, want not_found", err)
	}
	if names := w.double.Names(); len(names) != 0 {
		t.Errorf("there are the incidents %q again", names)
	}
}

// Who judged at the incident is not overruled by a case that nobody judged.
func TestTheJudgementAtTheIncidentStays(t *testing.T) {
	for verdict, want := range map[incident.CaseVerdict][2]string{
		incident.NoVerdict: {"TruePositive", "we know them"}, incident.Benign: {"BenignPositive", "Closed by Stanch: given back"},
	} {
		w := openWorkspace(t)
		w.double.Add(sentinelfake.Incident{Name: incidentID, Properties: map[string]any{
			"status": "Active", "classification": "TruePositive", "classificationReason": "SuspiciousActivity", "classificationComment": "we know them",
		}})
		if _, err := w.ReplyTo(t.Context(), closing(verdict)); err != nil {
			t.Fatal(err)
		}
		got := w.double.Properties(incidentID)
		if got["status"] != "Closed" || got["classification"] != want[0] || got["classificationComment"] != want[1] {
			t.Errorf("without and with a verdict (%q) the incident is %v", verdict, got)
		}
	}
}

// Without a version nobody can tell whether a person was faster.
func TestAnIncidentWithoutEtagStaysOpen(t *testing.T) {
	w := openDouble(t, sentinelfake.Options{NoEtag: true})
	w.double.Add(sentinelfake.Incident{Name: incidentID})
	if _, err := w.ReplyTo(t.Context(), closing(incident.NoVerdict)); integrations.KindOf(err) != integrations.Unavailable || !strings.Contains(err.Error(), "etag") {
		t.Errorf("closing is told as %v", err)
	}
	if got := w.double.Properties(incidentID)["status"]; got != "New" {
		t.Errorf("the incident is %v", got)
	}
}

// A token that ends, that is revoked, or that lacks claims is replaced, and what was refused
// for it is asked again at once.
func TestTokensEnd(t *testing.T) {
	for name, end := range map[string]func(*sentinelfake.Double, *clock){
		"its time is over": func(_ *sentinelfake.Double, c *clock) { c.pass(2 * time.Hour) },
		"revoked":          func(d *sentinelfake.Double, _ *clock) { d.RevokeTokens() },
		"lacks claims":     func(d *sentinelfake.Double, _ *clock) { d.Challenge() },
	} {
		t.Run(name, func(t *testing.T) {
			now := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			w := openDouble(t, sentinelfake.Options{Now: now.now})
			w.double.Add(sentinelfake.Incident{Name: incidentID, Entities: []any{host("ws-042")}})
			w.complete(t)
			end(w.double, now)
			w.complete(t)
			if got := w.double.Tokens(); got != 2 {
				t.Errorf("%d tokens were fetched, want two", got)
			}
			next := openDouble(t, sentinelfake.Options{Now: now.now})
			next.double.Add(sentinelfake.Incident{Name: incidentID, Entities: []any{host("ws-042")}})
			next.complete(t)
			end(next.double, now)
			if _, err := next.ReplyTo(t.Context(), closing(incident.NoVerdict)); err != nil {
				t.Errorf("a write with a token that ended is told as %v", err)
			}
		})
	}
}

// complete has the entities of the incident be fetched.
func (w workspace) complete(t *testing.T) {
	t.Helper()
	got, err := w.Complete(t.Context(), []byte(w.bare(incidentID)))
	if err != nil || !strings.Contains(string(got), "ws-042") {
		t.Fatalf("completed, it is %s, %v", got, err)
	}
}

type clock struct{ at time.Time }

func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

// Whatever form the entities have, an incident is completed by what can be read of them. That
// the product has none is no failure of the product.
func TestEntitiesOfAnyForm(t *testing.T) {
	const ws = `{"kind": "Host", "name": "e", "properties": {"hostName": "ws-042"}}`
	for name, c := range map[string]struct {
		body string
		held string
		kind integrations.Kind
	}{
		"one":                        {`{"entities": [` + ws + `], "metaData": []}`, "ws-042", ""},
		"null between them":          {`{"entities": [null, ` + ws + `, null], "metaData": null}`, "ws-042", ""},
		"properties that are null":   {`{"entities": [{"kind": "Ip", "properties": null}, ` + ws + `]}`, "ws-042", ""},
		"a kind that is null":        {`{"entities": [{"kind": null, "properties": {}}, ` + ws + `]}`, "ws-042", ""},
		"no list":                    {`{"entities": null, "metaData": []}`, noEntities, ""},
		"only the counts":            {`{"metaData": []}`, noEntities, ""},
		"an empty list":              {`{"entities": [], "metaData": []}`, noEntities, ""},
		"another server's object":    {`{"value": []}`, "", integrations.Unavailable},
		"nothing":                    {`null`, "", integrations.Unavailable},
		"an entity that is a number": {`{"entities": [7]}`, "", integrations.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWorkspace(t)
			w.double.Add(sentinelfake.Incident{Name: incidentID})
			w.double.RawEntities(incidentID, c.body)
			got, err := w.Complete(t.Context(), []byte(w.bare(incidentID)))
			switch {
			case c.kind != "" && (err == nil || integrations.KindOf(err) != c.kind):
				t.Errorf("it is told as %v, want %s", err, c.kind)
			case c.kind == "" && (err != nil || !strings.Contains(string(got), c.held)):
				t.Errorf("it became %s, %v, want %q in it", got, err, c.held)
			}
		})
	}
}

// Only an incident that is not there is not found: what is configured wrongly is told as that,
// and is no reason to give an incident up.
func TestWhatIsNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   integrations.Kind
	}{
		"the incident":            {func(*Config) {}, integrations.NotFound},
		"the subscription":        {func(c *Config) { c.Subscription = otherID }, integrations.Unavailable},
		"a role on the workspace": {func(c *Config) { c.Workspace = "other" }, integrations.Denied},
	} {
		w := openWorkspace(t, c.change)
		r := closing(incident.NoVerdict)
		if _, err := w.ReplyTo(t.Context(), r); err == nil || integrations.KindOf(err) != c.want {
			t.Errorf("%s is not there: %v, want %s", name, err, c.want)
		}
	}
}

// What Azure refuses is told with its own words, and when to come again where it says that.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		fault sentinelfake.Fault
		want  integrations.Kind
		after time.Duration
		told  string
	}{
		"throttled":                 {sentinelfake.Fault{Status: 429, After: 17 * time.Second}, integrations.Throttled, 17 * time.Second, "SubscriptionRequestsThrottled"},
		"throttled without a time":  {sentinelfake.Fault{Status: 429}, integrations.Throttled, 0, "SubscriptionRequestsThrottled"},
		"a change by somebody else": {sentinelfake.Fault{Status: 409}, integrations.Conflict, 0, "New version of resource"},
		"a failure":                 {sentinelfake.Fault{Status: 500}, integrations.Ambiguous, 0, "InternalServerError"},
		"a failure, carried out":    {sentinelfake.Fault{Status: 500, Applied: true}, integrations.Ambiguous, 0, "InternalServerError"},
		"a gateway's page":          {sentinelfake.Fault{Status: 502, Body: "<html>bad gateway</html>"}, integrations.Ambiguous, 0, "502"},
		"no answer":                 {sentinelfake.Fault{Applied: true}, integrations.Ambiguous, 0, ""},
	} {
		w := openWorkspace(t)
		w.double.Add(sentinelfake.Incident{Name: incidentID})
		w.double.Fail(c.fault)
		r := closing(incident.NoVerdict)
		_, err := w.ReplyTo(t.Context(), r)
		e, ok := errors.AsType[*integrations.Error](err)
		if !ok || e.Kind != c.want || e.After != c.after || !strings.Contains(err.Error(), c.told) {
			t.Errorf("%s: %v, want %s after %s with %q", name, err, c.want, c.after, c.told)
		}
		if _, err := w.ReplyTo(t.Context(), r); err != nil {
			t.Errorf("%s: the second time: %v", name, err)
		}
		if n := len(w.double.Comments(incidentID)); n != 1 || w.double.Properties(incidentID)["status"] != "Closed" {
			t.Errorf("%s: there are %d comments at %v", name, n, w.double.Properties(incidentID))
		}
	}
}

// A Reader's replies are refused, and told as that.
func TestAReaderCannotReply(t *testing.T) {
	w := openDouble(t, sentinelfake.Options{Role: sentinelfake.Reader, ReaderPosts: true})
	w.double.Add(sentinelfake.Incident{Name: incidentID, Entities: []any{host("ws-042")}})
	w.complete(t)
	if _, err := w.ReplyTo(t.Context(), closing(incident.NoVerdict)); integrations.KindOf(err) != integrations.Denied || !strings.Contains(err.Error(), "AuthorizationFailed") {
		t.Errorf("a reply is told as %v", err)
	}
}

// A comment that is one too many is refused; the incident is closed all the same.
func TestAnIncidentIsFullOfComments(t *testing.T) {
	w := openWorkspace(t)
	w.double.Add(sentinelfake.Incident{Name: incidentID})
	for i := range 100 {
		w.double.Comment(incidentID, strings.Replace(otherID, "4f25", string([]byte{byte('0' + i/10), byte('0' + i%10)})+"25", 1), "a person's")
	}
	if _, err := w.ReplyTo(t.Context(), closing(incident.NoVerdict)); integrations.KindOf(err) != integrations.Invalid {
		t.Errorf("a comment too many is told as %v", err)
	}
	if got := w.double.Properties(incidentID)["status"]; got != "Closed" {
		t.Errorf("the incident is %v", got)
	}
}

// A role that lists incidents may be refused their entities: that is noticed before an alert
// needs them.
func TestProbeTriesTheEntities(t *testing.T) {
	for _, may := range []bool{true, false} {
		w := openDouble(t, sentinelfake.Options{Role: sentinelfake.Reader, ReaderPosts: may})
		found := w.Probe(t.Context())
		if found[0].OK != may || !may && (!strings.Contains(found[0].What, "incidents/entities") || !strings.Contains(found[0].Fix, "Responder")) {
			t.Errorf("a Reader who may fetch entities (%t): %+v", may, found)
		}
	}
}
