package slack_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The capabilities that the app has.
var (
	_ integrations.Messenger   = (*slack.App)(nil)
	_ integrations.Updater     = (*slack.App)(nil)
	_ integrations.Illustrator = (*slack.App)(nil)
	_ integrations.Answerable  = (*slack.App)(nil)
	_ integrations.UseChecker  = (*slack.App)(nil)
	_ integrations.Prober      = (*slack.App)(nil)
)

func TestSpecOpens(t *testing.T) {
	s := slack.Spec()
	c, ok := s.NewConfig().(*slack.Config)
	if !ok || c.Mode != slack.Socket || c.APIURL != "https://slack.com/api/" || c.Timeout != 10*time.Second {
		t.Fatalf("the defaults are %+v", c)
	}
	c.BotToken, c.AppToken = "xoxb-1", "xapp-1"
	// Nothing of Slack is there to be reached.
	c.APIURL = "http://127.0.0.1:1/api"
	v, err := s.Open(t.Context(), c)
	must(t, v, err)
	set := integrations.NewSet()
	set.Add("slack", s, v)
	a, err := integrations.Use[integrations.Answerable](set, "slack")
	must(t, a, err)
	if a.Handler(nil) != nil {
		t.Error("there is a handler in mode socket")
	}
	_, err = v.(integrations.Messenger).Post(t.Context(), integrations.Message{Key: "k", Channel: "C0SEC", Title: "t"})
	wantKind(t, err, integrations.Unavailable)
	if err := set.Close(); err != nil {
		t.Error(err)
	}
}

func TestModeHTTP(t *testing.T) {
	a, _ := open(t, slack.Config{BotToken: "xoxb-1", AppToken: "xapp-1", SigningSecret: "s", Mode: slack.HTTP}, nil)
	h := a.Handler(nil)
	if h == nil {
		t.Fatal("there is no handler in mode http")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("payload={}")))
	if w.Code == http.StatusOK {
		t.Error("a request without signature is taken")
	}
}

func TestConfigRefuses(t *testing.T) {
	good := slack.Config{BotToken: "xoxb-1-secret", AppToken: "xapp-1-secret", Mode: slack.Socket}
	for name, tt := range map[string]struct {
		change func(*slack.Config)
		say    string
	}{
		"no bot token":              {func(c *slack.Config) { c.BotToken = "" }, "bot_token is empty"},
		"a user's token":            {func(c *slack.Config) { c.BotToken = "xoxp-1-secret" }, "bot_token does not begin with xoxb-"},
		"tokens exchanged":          {func(c *slack.Config) { c.BotToken, c.AppToken = c.AppToken, c.BotToken }, "bot_token does not begin"},
		"a rotating token":          {func(c *slack.Config) { c.BotToken = "xoxe.xoxb-1-secret" }, "rotat"},
		"a token of two lines":      {func(c *slack.Config) { c.BotToken = "xoxb-1\nsecret" }, "white space"},
		"socket without app token":  {func(c *slack.Config) { c.AppToken = "" }, "connections:write"},
		"a wrong app token":         {func(c *slack.Config) { c.AppToken = "xoxb-1-secret" }, "app_token does not begin with xapp-"},
		"http without secret":       {func(c *slack.Config) { c.Mode = slack.HTTP }, "signing_secret"},
		"another mode":              {func(c *slack.Config) { c.Mode = "rtm" }, `unknown mode "rtm"`},
		"a workspace's name":        {func(c *slack.Config) { c.Workspace = "acme" }, "workspace is not"},
		"a token sent in the clear": {func(c *slack.Config) { c.APIURL = "http://slack.example/api/" }, "not https"},
		"no address":                {func(c *slack.Config) { c.APIURL = "slack.com/api" }, "api_url"},
		"an address with a query":   {func(c *slack.Config) { c.APIURL = "https://slack.com/api/?x=" }, "api_url"},
		"an address with a login":   {func(c *slack.Config) { c.APIURL = "https://u:1-secret@slack.com/api/" }, "api_url"},
		"a token as workspace":      {func(c *slack.Config) { c.Workspace = "xoxb-1-secret" }, "workspace is not"},
		"a negative timeout":        {func(c *slack.Config) { c.Timeout = -time.Second }, "timeout"},
		"a long timeout":            {func(c *slack.Config) { c.Timeout = time.Hour }, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, err := slack.Open(c, slack.Options{})
			wantKind(t, err, integrations.Invalid, tt.say)
			if strings.Contains(err.Error(), "secret\"") || strings.Contains(err.Error(), "1-secret") {
				t.Errorf("error %q shows a token", err)
			}
		})
	}
	for _, url := range []string{"", "https://slack-gov.com/api", "http://127.0.0.1:1/api/", "http://[::1]:1/", "http://localhost:1"} {
		c := good
		c.APIURL = url
		open(t, c, nil)
	}
}

// TestErrors has every kind of answer come to a write and to a read.
func TestErrors(t *testing.T) {
	type kinds struct{ write, read integrations.Kind }
	same := func(k integrations.Kind) kinds { return kinds{k, k} }
	unsure := kinds{integrations.Ambiguous, integrations.Unavailable}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   kinds
		say    string
	}{
		"rate limit":         {limited("7"), same(integrations.Throttled), "wait"},
		"rate limit, no say": {status(429), same(integrations.Throttled), "wait"},
		"rate limit, odd":    {limited("soon"), unsure, "soon"},
		"bad gateway":        {status(502), unsure, "502"},
		"forbidden":          {status(403), same(integrations.Denied), "403"},
		"not found":          {status(404), same(integrations.Invalid), "404"},
		"redirect":           {http.RedirectHandler("https://evil.example/", http.StatusTemporaryRedirect).ServeHTTP, same(integrations.Invalid), "307"},
		"empty":              {body(""), unsure, "EOF"},
		"torn":               {body(`{"ok":true,"ts":"1.0`), unsure, "EOF"},
		"no JSON":            {body("<html>"), unsure, "invalid character"},
		"nothing said":       {body("{}"), unsure, "answer"},
		"endless":            {endless, unsure, "too large"},
		"scope":              {body(`{"ok":false,"error":"missing_scope","needed":"a:read,b:read","provided":"c"}`), same(integrations.Denied), "a:read or b:read"},
		"scope, no say":      {body(`{"ok":false,"error":"missing_scope"}`), same(integrations.Denied), "does not name"},
		"token":              {body(`{"ok":false,"error":"invalid_auth"}`), same(integrations.Denied), "invalid_auth"},
		"revoked":            {body(`{"ok":false,"error":"token_revoked"}`), same(integrations.Denied), "install the app again"},
		"rate limit in JSON": {body(`{"ok":false,"error":"ratelimited"}`), same(integrations.Throttled), "ratelimited"},
		"trouble":            {body(`{"ok":false,"error":"internal_error"}`), unsure, "internal_error"},
		"away":               {body(`{"ok":false,"error":"service_unavailable"}`), same(integrations.Unavailable), "service_unavailable"},
		"too long":           {body(`{"ok":false,"error":"msg_too_long"}`), same(integrations.Invalid), "longer than Slack takes"},
		"blocks": {
			body(`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] must be less than 3001 characters"]}}`),
			same(integrations.Invalid), "less than 3001",
		},
		"new": {body(`{"ok":false,"error":"something_new"}`), same(integrations.Invalid), "something_new"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tt.answer)
			defer s.Close()
			a, _ := open(t, slack.Config{BotToken: "xoxb-secret", AppToken: "xapp-secret", Mode: slack.Socket, APIURL: s.URL + "/api/"}, nil)
			m := integrations.Message{Key: "k", Channel: "C0SEC", Title: "t"}
			_, posted := a.Post(t.Context(), m)
			_, updated := a.Update(t.Context(), incident.Receipt{Ref: "C0SEC/1.000000"}, m)
			_, identified := a.Identify(t.Context(), integrations.Click{User: alice}, nil)
			for op, err := range map[string]error{"post": posted, "update": updated} {
				e := wantKind(t, err, tt.want.write, tt.say)
				if wait := map[string]time.Duration{"rate limit": 7 * time.Second}[name]; wait > 0 && e.After != wait {
					t.Errorf("%s is to wait for %s, want %s", op, e.After, wait)
				}
				if e.Kind == integrations.Throttled && e.After <= 0 {
					t.Errorf("%s is throttled without saying for how long", op)
				}
			}
			wantKind(t, identified, tt.want.read)
			for _, err := range []error{posted, updated, identified} {
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "secret") {
					t.Errorf("error %s shows a token", text)
				}
			}
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
}

func limited(after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// endless is a string that does not end before the reader gives up.
func endless(w http.ResponseWriter, _ *http.Request) {
	_, err := w.Write([]byte(`{"ok":true,"ts":"`))
	for chunk := []byte(strings.Repeat("1", 1<<20)); err == nil; {
		_, err = w.Write(chunk)
	}
}

// TestUnreachable: what never left was not done.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, l, err)
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	a, _ := open(t, slack.Config{BotToken: "xoxb-1", AppToken: "xapp-1", Mode: slack.Socket, APIURL: "http://" + address}, nil)
	_, err = a.Post(t.Context(), integrations.Message{Key: "k", Channel: "C0SEC", Title: "t"})
	wantKind(t, err, integrations.Unavailable, "refused")

	stranger := httptest.NewUnstartedServer(body("{}"))
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	a, _ = open(t, slack.Config{BotToken: "xoxb-1", AppToken: "xapp-1", Mode: slack.Socket, APIURL: stranger.URL}, nil)
	_, err = a.Post(t.Context(), integrations.Message{Key: "k", Channel: "C0SEC", Title: "t"})
	wantKind(t, err, integrations.Unavailable, "certificate")
}

// TestTimeout: the app gives up by itself, and then does not know.
func TestTimeout(t *testing.T) {
	s := workspace(t, nil)
	c := config(s)
	c.Timeout = time.Second
	a, _ := open(t, c, nil)
	s.Fail("chat.postMessage", 1, slackfake.DropSilently())
	_, err := a.Post(t.Context(), message("asked"))
	wantKind(t, err, integrations.Ambiguous, "no answer in time")
	post(t, a, message("asked"))
	only(t, s, sec)
}
