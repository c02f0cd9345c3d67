package falconfake_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const formType = "application/x-www-form-urlencoded"

func TestToken(t *testing.T) {
	n := start(t, falconfake.Options{})
	got := n.login("client", "secret").want(t, http.StatusCreated, 0, "")
	if got.header.Get("X-Cs-Region") != "us-1" || n.token == "" {
		t.Errorf("region %q, token %q", got.header.Get("X-Cs-Region"), n.token)
	}
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusOK, 0, "")
	token := n.token
	n.login("client", "wrong").want(t, http.StatusForbidden, 403, "access denied, authorization failed")
	n.rude().send("POST", "/oauth2/token", "application/json", `{"client_id":"client","client_secret":"secret"}`).want(t, http.StatusBadRequest, 400, "form")
	n.send("POST", "/oauth2/token", formType, url.Values{"client_id": {"client"}, "client_secret": {"secret"}, "member_cid": {"x"}}.Encode()).want(t, http.StatusForbidden, 403, "")
	for _, bad := range []string{"", "other"} {
		n.token = bad
		n.rude().get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusUnauthorized, 401, "access denied, invalid bearer token")
	}
	n.token = token
	n.clock.pass(30 * time.Minute)
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusUnauthorized, 401, "invalid bearer token")
}

func TestRevoke(t *testing.T) {
	n := start(t, falconfake.Options{})
	n.send("POST", "/oauth2/revoke", formType, url.Values{"token": {n.token}}.Encode()).want(t, http.StatusOK, 0, "")
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusUnauthorized, 401, "invalid bearer token")
	n.rude().send("POST", "/oauth2/revoke", formType, "").want(t, http.StatusBadRequest, 400, "token")
}

func TestTokenOfTheWrongCloud(t *testing.T) {
	n := start(t, falconfake.Options{Elsewhere: "us-2"})
	if got := n.login("client", "secret").want(t, http.StatusCreated, 0, ""); got.header.Get("X-Cs-Region") != "us-2" {
		t.Errorf("region %q, want us-2", got.header.Get("X-Cs-Region"))
	}
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusUnauthorized, 401, "invalid bearer token")

	n = start(t, falconfake.Options{Elsewhere: "us-2", Redirects: true})
	got := n.login("client", "secret").want(t, http.StatusPermanentRedirect, 0, "")
	if got.header.Get("Location") != "https://api.us-2.crowdstrike.com/oauth2/token" || got.text != "" {
		t.Errorf("redirected to %q with %q", got.header.Get("Location"), got.text)
	}
}

// Each operation needs a scope of its own.
func TestScopes(t *testing.T) {
	n := start(t, falconfake.Options{Credentials: []falconfake.Credential{{ID: "client", Secret: "secret", Scopes: []string{"devices:read"}}}})
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusOK, 0, "")
	for _, path := range []string{
		"/devices/entities/devices-actions/v2?action_name=contain", "/real-time-response/entities/sessions/v1",
		"/real-time-response/entities/command/v1", "/real-time-response/entities/active-responder-command/v1",
		"/real-time-response/entities/admin-command/v1", "/real-time-response/entities/scripts/v2",
		"/humio/api/v1/repositories/search-all/queryjobs",
	} {
		n.rude().post(path, map[string]any{"ids": []string{srv1}}).want(t, http.StatusForbidden, 403, "access denied, authorization failed")
	}
	if n.w.Effects("") != 0 {
		t.Error("a refused containment was ordered")
	}
}

// The limit is of a minute, the token's is another, and the header tells the second
// in which to ask again.
func TestLimit(t *testing.T) {
	n := start(t, falconfake.Options{Limit: 2, TokenLimit: 2})
	if got := n.get("/devices/queries/devices/v1", "limit", "1"); got.header.Get("X-Ratelimit-Limit") != "2" || got.header.Get("X-Ratelimit-Remaining") != "1" {
		t.Errorf("headers %v", got.header)
	}
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusOK, 0, "")
	got := n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusTooManyRequests, 429, "API rate limit exceeded")
	if at := got.header.Get("X-Ratelimit-Retryafter"); at != strconv.FormatInt(noon.Add(time.Minute).Unix(), 10) || got.header.Get("Retry-After") != "" {
		t.Errorf("asked to come back at %q", at)
	}
	n.login("client", "secret").want(t, http.StatusCreated, 0, "")
	token := n.token
	n.login("client", "secret").want(t, http.StatusTooManyRequests, 429, "")
	n.token = token
	n.clock.pass(time.Minute)
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusOK, 0, "")
	n.d.Throttle(1)
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusTooManyRequests, 429, "")
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusOK, 0, "")
}

func TestUnknownPath(t *testing.T) {
	r := &recorder{TB: t}
	n := startOn(t, r, falconfake.Options{})
	n.rude().get("/devices/queries/devices/v9").want(t, http.StatusNotFound, 404, "Page Not Found")
	n.rude().json("DELETE", "/devices/queries/devices/v1", "{}").want(t, http.StatusNotFound, 404, "")
	if !r.said("no such operation") {
		t.Error("an unknown path did not fail the test")
	}
}

func TestLatency(t *testing.T) {
	n := start(t, falconfake.Options{Latency: 20 * time.Millisecond})
	began := time.Now()
	n.get("/devices/queries/devices/v1", "limit", "1").want(t, http.StatusOK, 0, "")
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("the answer took %s, want 20 ms at least", took)
	}
}

// What comes after the end of a test is answered and not reported: a report would
// end the whole run.
func TestAfterTheTest(t *testing.T) {
	var late http.Handler
	t.Run("its test", func(t *testing.T) {
		late = falconfake.New(t, edrtest.New(t, func() time.Time { return noon }), falconfake.Options{}).Handler()
	})
	answer := httptest.NewRecorder()
	late.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/nowhere", nil))
	if answer.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", answer.Code)
	}
}

// Clients that contain and lift at once are each told what became of their request.
func TestConcurrentClients(t *testing.T) {
	n := start(t, falconfake.Options{})
	answers := make(chan int, 40)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			verb := []string{"contain", "lift_containment"}[i%2]
			answers <- n.post(actions+verb, idsOf(srv1)).status
			n.w.Settle()
			n.get("/devices/entities/devices/v2", "ids", srv1)
			n.begin(flows)
			n.open(srv1, false)
		})
	}
	all.Wait()
	close(answers)
	accepted := 0
	for status := range answers {
		if status == http.StatusAccepted {
			accepted++
		} else if status != http.StatusConflict {
			t.Errorf("status %d", status)
		}
	}
	if n.w.Effects(srv1) != accepted {
		t.Errorf("%d effects of %d accepted", n.w.Effects(srv1), accepted)
	}
}
