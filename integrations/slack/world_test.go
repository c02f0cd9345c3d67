package slack_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The people, groups and channels of the tests' workspace.
const (
	alice, bob, guest, single, gone, other, robot = "U0ALICE", "U0BOB", "U0GUEST", "U0SINGLE", "U0GONE", "U0OTHER", "U0ROBOT"
	oncall, leads, empty, old                     = "S0ONCALL", "S0LEADS", "S0EMPTY", "S0OLD"
	sec, private, without, archived, hidden       = "C0SEC", "C0PRIVATE", "C0WITHOUT", "C0ARCHIVED", "C0HIDDEN"
)

func scopes() []string {
	var names []string
	for _, p := range slack.Spec().Permissions {
		names = append(names, p.Name)
	}
	return names
}

// workspace is a Slack with people, groups and channels.
func workspace(t testing.TB, change func(*slackfake.Options)) *slackfake.Server {
	t.Helper()
	o := slackfake.Options{
		Users: []slackfake.User{
			{ID: alice, Name: "alice", Email: "alice@example.com"},
			{ID: bob, Name: "bob", Email: "bob@example.com"},
			{ID: guest, Name: "guest", Restricted: true},
			{ID: single, Name: "single", UltraRestricted: true},
			{ID: gone, Name: "gone", Deleted: true},
			{ID: other, Name: "other", Team: "T0OTHER", Stranger: true},
			{ID: robot, Name: "robot", Bot: true},
		},
		Groups: []slackfake.Group{
			{ID: oncall, Handle: "sec-oncall", Users: []string{alice, guest, gone, robot}},
			{ID: leads, Handle: "sec-leads", Users: []string{bob}},
			{ID: empty, Handle: "sec-empty", Users: []string{robot, gone}},
			{ID: old, Handle: "sec-old", Users: []string{alice}, Disabled: true},
		},
		Channels: []slackfake.Channel{
			{ID: sec, Name: "sec", Members: []string{alice, bob, guest, other}},
			{ID: private, Name: "sec-private", Private: true, Members: []string{alice}},
			{ID: without, Name: "general", Members: []string{alice}, WithoutBot: true},
			{ID: archived, Name: "sec-old", Archived: true},
			{ID: hidden, Name: "sec-hidden", Private: true, WithoutBot: true},
		},
		Scopes:    scopes(),
		Unlimited: true,
	}
	if change != nil {
		change(&o)
	}
	return slackfake.New(t, o)
}

func config(s *slackfake.Server) slack.Config {
	return slack.Config{
		BotToken: integrations.Secret(s.BotToken), AppToken: integrations.Secret(s.AppToken), Mode: slack.Socket,
		APIURL: s.URL, Timeout: 5 * time.Second,
	}
}

// open returns the app, which logs to the text that it returns.
func open(t testing.TB, c slack.Config, now func() time.Time) (*slack.App, *logged) {
	t.Helper()
	var text logged
	a, err := slack.Open(c, slack.Options{Log: slog.New(slog.NewTextHandler(&text, nil)), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return a, &text
}

// start opens the app of a workspace.
func start(t testing.TB, s *slackfake.Server) *slack.App {
	t.Helper()
	a, _ := open(t, config(s), nil)
	return a
}

type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// front stands before a Slack and answers some methods itself: those that the
// fake does not have, or answers otherwise.
func front(t testing.TB, s *slackfake.Server, methods map[string]func(url.Values) any) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, err := url.ParseQuery(string(body))
		if answer := methods[strings.TrimPrefix(r.URL.Path, "/api/")]; answer != nil && err == nil {
			if err := json.NewEncoder(w).Encode(answer(form)); err != nil {
				t.Error(err)
			}
			return
		}
		on, err := http.NewRequestWithContext(r.Context(), r.Method, strings.TrimSuffix(s.URL, "/api/")+r.URL.String(), strings.NewReader(string(body)))
		if err != nil {
			t.Error(err)
			return
		}
		on.Header = r.Header
		resp, err := http.DefaultClient.Do(on)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for name := range resp.Header {
			w.Header().Set(name, resp.Header.Get(name))
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/api/"
}

// wantKind fails unless an error is of a kind and says every one of the words.
func wantKind(t testing.TB, err error, kind integrations.Kind, words ...string) *integrations.Error {
	t.Helper()
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("got error %v, want kind %s", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	return e
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func message(key string) integrations.Message {
	return integrations.Message{
		Key: key, Channel: "#sec", Severity: "high", Title: "ws-042 sends 4 GiB", Lines: []string{"sender.exe to 198.51.100.1"},
		URL: "https://stanch.example/cases/1",
	}
}

func post(t testing.TB, a *slack.App, m integrations.Message) incident.Receipt {
	t.Helper()
	r, err := a.Post(t.Context(), m)
	return must(t, r, err)
}

// only returns the one message of a channel.
func only(t testing.TB, s *slackfake.Server, channel string) slackfake.Message {
	t.Helper()
	seen := s.Messages(channel)
	if len(seen) != 1 {
		t.Fatalf("people see %d messages in %s, want 1", len(seen), channel)
	}
	return seen[0]
}
