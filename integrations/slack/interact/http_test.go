package interact

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// serve has Slack send interactions to the receiver's handler.
func (w *world) serve() string {
	w.t.Helper()
	s := httptest.NewServer(w.receiver.Handler(w.desk))
	w.t.Cleanup(s.Close)
	w.SetRequestURL(s.URL)
	return s.URL
}

func TestSignedRequests(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.serve()
	if _, a := w.press(alice, w.card, blocks.ActionApprove); !a.Acked || len(a.Body) > 0 {
		t.Errorf("the click was answered with %+v", a)
	}
	if told := w.told(alice, 1)[0]; !strings.HasPrefix(told, "Recorded: you approved") {
		t.Errorf("the clicker was told %q", told)
	}
	if _, a := w.press(bob, w.card, blocks.ActionDeny); !a.Acked {
		t.Errorf("the click was answered with %+v", a)
	}
	if a := w.answer(w.submit(bob, "no")); !a.Acked || !strings.Contains(string(a.Body), `"response_action":"clear"`) {
		t.Errorf("the form was answered with %+v", a)
	}
	if kept := w.desk.clicks(); len(kept) != 2 || kept[1].Reason != "no" || len(w.Views(bob)) > 0 {
		t.Errorf("the desk keeps %+v; open are %+v", kept, w.Views(bob))
	}
	w.told(bob, 1)
}

func TestReplayedRequestIsOneClick(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.serve()
	d, _ := w.press(alice, w.card, blocks.ActionApprove)
	if err := d.Replay(); err != nil {
		t.Fatal(err)
	}
	w.answer(d)
	if kept, received := len(w.desk.clicks()), w.desk.calls(); kept != 1 || received != 2 {
		t.Errorf("the desk got %d and keeps %d, want 2 and 1", received, kept)
	}
	w.told(alice, 2)
}

func TestFailingDeskIsUnavailable(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.serve()
	w.desk.breakDown()
	_, a := w.press(alice, w.card, blocks.ActionApprove)
	if a.Acked || a.Status != http.StatusServiceUnavailable || strings.Contains(string(a.Body), "engine") {
		t.Errorf("the click was answered with %+v %q", a, a.Body)
	}
	if told := w.told(alice, 1)[0]; !strings.Contains(told, "could not be recorded") {
		t.Errorf("the clicker was told %q", told)
	}
}

func TestCrowdedHandlerIsUnavailable(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.receiver.slots = make(chan struct{})
	w.serve()
	if _, a := w.press(alice, w.card, blocks.ActionApprove); a.Status != http.StatusServiceUnavailable || w.desk.calls() > 0 {
		t.Errorf("the click was answered with %+v", a)
	}
}

func TestNoHandlerWithoutSigningSecret(t *testing.T) {
	if h := New(slack.New("xoxb-1"), Options{}).Handler(newDesk()); h != nil {
		t.Errorf("there is a handler: %v", h)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	h := w.receiver.Handler(w.desk)
	d, err := w.Press(alice, secops, w.card, blocks.ActionApprove)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"payload": {string(d.Payload)}}.Encode()
	now := time.Now()
	tests := []struct {
		name   string
		want   int
		body   string
		change func(*http.Request)
	}{
		{name: "get", want: http.StatusMethodNotAllowed, body: form, change: func(q *http.Request) { q.Method = http.MethodGet }},
		{name: "JSON", want: http.StatusUnsupportedMediaType, body: form, change: func(q *http.Request) { q.Header.Set("Content-Type", "application/json") }},
		{name: "multipart", want: http.StatusUnsupportedMediaType, body: form, change: func(q *http.Request) { q.Header.Set("Content-Type", "multipart/form-data; boundary=x") }},
		{name: "unsigned", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) { q.Header.Del("X-Slack-Signature") }},
		{name: "no signature at all", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) { q.Header.Set("X-Slack-Signature", "v0=") }},
		{name: "another secret", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) { sign(q, "another", now, form) }},
		{name: "another body", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) { sign(q, w.SigningSecret, now, form+"&x=1") }},
		{name: "too old", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) { sign(q, w.SigningSecret, now.Add(-6*time.Minute), form) }},
		{name: "from the future", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) { sign(q, w.SigningSecret, now.Add(6*time.Minute), form) }},
		{name: "another time", want: http.StatusUnauthorized, body: form, change: func(q *http.Request) {
			q.Header.Set("X-Slack-Request-Timestamp", strconv.FormatInt(now.Unix()-60, 10))
		}},
		{name: "payload in the query only", want: http.StatusBadRequest, change: func(q *http.Request) { q.URL.RawQuery = form }},
		{name: "two payloads", want: http.StatusBadRequest, body: form + "&" + form},
		{name: "no form", want: http.StatusBadRequest, body: "payload=%zz"},
		{name: "no JSON in it", want: http.StatusBadRequest, body: "payload=hello"},
		{name: "no interaction", want: http.StatusBadRequest, body: "payload=%7B%7D"},
		{name: "oversize", want: http.StatusRequestEntityTooLarge, body: form + "&x=" + strings.Repeat("x", maxBody)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/slack", bytes.NewBufferString(tt.body))
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			sign(q, w.SigningSecret, now, tt.body)
			if tt.change != nil {
				tt.change(q)
			}
			got := httptest.NewRecorder()
			h.ServeHTTP(got, q)
			if got.Code != tt.want {
				t.Errorf("it was answered with %d %q, want %d", got.Code, got.Body, tt.want)
			}
			if n := w.desk.calls(); n > 0 {
				t.Errorf("the desk was asked %d times", n)
			}
		})
	}
}

func TestQueryChangesNothing(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	d, err := w.Press(alice, secops, w.card, blocks.ActionApprove)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.ReplaceAll(string(d.Payload), alice, bob)
	q, err := d.Request(t.Context(), "/slack?"+url.Values{"payload": {forged}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	got := httptest.NewRecorder()
	w.receiver.Handler(w.desk).ServeHTTP(got, q)
	if kept := w.desk.clicks(); got.Code != http.StatusOK || len(kept) != 1 || kept[0].User != alice {
		t.Errorf("it was answered with %d; the desk keeps %+v", got.Code, kept)
	}
	w.told(alice, 1)
}

func sign(q *http.Request, secret string, at time.Time, body string) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	q.Header.Set("X-Slack-Request-Timestamp", stamp)
	q.Header.Set("X-Slack-Signature", slackfake.Signature(secret, stamp, []byte(body)))
}

func TestClickersAreAnsweredAtSlackOnly(t *testing.T) {
	tests := []struct {
		api, at string
		want    bool
	}{
		{"", "https://hooks.slack.com/actions/T1/2/3", true},
		{"https://slack.com/api/", "https://hooks.slack.com/actions/T1/2/3", true},
		{"https://slack-gov.com/api/", "https://hooks.slack-gov.com/actions/T1/2/3", true},
		{"http://127.0.0.1:8080/api/", "http://127.0.0.1:8080/actions/1", true},
		{"http://127.0.0.1:8080/api/", "http://127.0.0.1:8081/actions/1", false},
		{"", "http://hooks.slack.com/actions/T1/2/3", false},
		{"", "https://hooks.slack.com:8443/actions/T1/2/3", false},
		{"", "https://hooks.slack.com.example.com/actions", false},
		{"", "https://evilslack.com/actions", false},
		{"", "https://user@hooks.slack.com/actions/T1/2/3", false},
		{"", "https://slack.com@169.254.169.254/latest", false},
		{"", "http://169.254.169.254/latest/meta-data", false},
		{"", "/actions/1", false},
		{"", "%zz", false},
	}
	for _, tt := range tests {
		r := New(slack.New("xoxb-1"), Options{API: tt.api, SigningSecret: integrations.Secret("s")})
		if got := r.teller.trusted(tt.at); got != tt.want {
			t.Errorf("api %q: %q is trusted: %t, want %t", tt.api, tt.at, got, tt.want)
		}
	}
}
