package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A body that is only tried is read and routed as one that is taken, and starts nothing:
// the receiver has no engine to start it in.
func TestATriedBodyStartsNothing(t *testing.T) {
	t.Parallel()
	s := newSide(t, func(o *httpapi.Options) { o.Engine = &engine.Client{} })
	var got api.Preview
	s.call("POST", "/v1/alerts/siem/test", siemToken, `{"alerts":[`+
		`{"id":"a-1","category":"high_egress","host":{"id":"ws-1"}},`+
		`{"id":"a-2","category":"nobody's","host":{"id":"ws-1"}},`+
		`{"id":"a-3","category":"high_egress","status":"sample","host":{"id":"ws-1"}},`+
		`{"id":"a-4","host":{"id":"ws-1","ip":"x"},"category":"high_egress"}]}`).is(200, &got)
	if got.Source != "siem" || got.Kind != "stanch" || len(got.Alerts) != 4 {
		t.Fatalf("it would become %+v", got)
	}
	for i, want := range []struct{ playbook, id, pointer string }{
		{"contain", "contain/ws-1", ""},
		{"", "unmatched/ws-1", ""},
		{"contain", "contain/ws-1", ""},
		{"contain", "", "/alerts/3/host/ip"},
	} {
		a := got.Alerts[i]
		if want.pointer != "" {
			if a.Wrong == nil || a.Wrong.Pointer != want.pointer || a.Case != "" {
				t.Errorf("alert %d would become %+v (%+v), want it wrong at %s", i, a, a.Wrong, want.pointer)
			}
			continue
		}
		if a.Wrong != nil || a.Playbook != want.playbook || a.Case != want.id || a.Triggers != nil || a.Alert.Raw != nil {
			t.Errorf("alert %d would become %+v, want case %s of playbook %q", i, a, want.id, want.playbook)
		}
	}
	s.call("POST", "/v1/alerts/siem/test", siemToken, `{"alerts":7}`).is(200, &got)
	if got.Wrong == nil || got.Wrong.Pointer != "/alerts" || len(got.Alerts) != 0 {
		t.Errorf("what is no list of alerts would become %+v", got)
	}
}

// A body that is tried needs the credential of its source, and is bounded as any.
func TestATriedBodyIsAuthenticatedAndBounded(t *testing.T) {
	t.Parallel()
	s := newSide(t, func(o *httpapi.Options) {
		slow := source(t, sender{Name: "slow", Kind: "stanch", Rate: 1, Auth: auth.Auth{Bearer: siemToken}})
		o.Sources["slow"] = slow
	})
	for _, token := range []string{"", "guess", aliceToken} {
		s.call("POST", "/v1/alerts/siem/test", token, `{}`).refused(http.StatusUnauthorized, "unauthorized")
	}
	s.call("POST", "/v1/alerts/nothere/test", siemToken, `{}`).refused(http.StatusUnauthorized, "unauthorized")
	s.call("POST", "/v1/alerts/siem/test", siemToken, make([]byte, api.MaxBody+1)).refused(http.StatusRequestEntityTooLarge, "too_large")
	s.call("POST", "/v1/alerts/slow/test", siemToken, `{}`).is(200, nil)
	s.call("POST", "/v1/alerts/slow/test", siemToken, `{}`).refused(http.StatusTooManyRequests, "throttled")
}

// No trigger that cannot be told keeps a playbook out of what could take an alert.
func TestWhatCouldTakeAnAlert(t *testing.T) {
	t.Parallel()
	p := playbook(t, "contain", "high_egress", "throttle", 1)
	o := options(t)
	for category, want := range map[string]bool{"": true, "high_egress": true, "malware": false} {
		if got := httpapi.CouldTake(t.Context(), p, incident.Alert{Category: incident.Said(category, incident.FromAlert)}, o.Now()); got != want {
			t.Errorf("with category %q it could: %t", category, got)
		}
	}
}
