package slackfake_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// The people and channels that most tests need.
const (
	alice, bob, guest, gone, other, robot = "U0ALICE", "U0BOB", "U0GUEST", "U0GONE", "U0OTHER", "U0ROBOT"
	secops, quiet, closed, secret, alien  = "C0SECOPS", "C0QUIET", "C0CLOSED", "C0SECRET", "C0ALIEN"
)

func epoch() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }

// start runs a workspace with a client that slack-go makes.
func start(t *testing.T, change func(*slackfake.Options)) (*slackfake.Server, *slack.Client) {
	t.Helper()
	o := slackfake.Options{
		Users: []slackfake.User{
			{ID: alice, Name: "alice", Email: "alice@example.com"},
			{ID: bob, Name: "bob", Email: "bob@example.com"},
			{ID: guest, Name: "guest", Email: "guest@example.com", UltraRestricted: true},
			{ID: gone, Name: "gone", Email: "gone@example.com", Deleted: true},
			{ID: other, Name: "other", Email: "other@partner.example", Team: "T0OTHER", Stranger: true},
			{ID: robot, Name: "robot", Email: "robot@example.com", Bot: true},
		},
		Groups: []slackfake.Group{
			{ID: "S0LEADS", Handle: "sec-leads", Users: []string{alice, bob}},
			{ID: "S0OLD", Handle: "old", Users: []string{bob}, Disabled: true},
		},
		Channels: []slackfake.Channel{
			{ID: secops, Name: "sec-oncall", Members: []string{alice, bob, guest, other}},
			{ID: quiet, Name: "quiet", WithoutBot: true},
			{ID: closed, Name: "closed", Archived: true},
			{ID: secret, Name: "secret", Private: true, Members: []string{alice}},
			{ID: alien, Name: "alien", Private: true, WithoutBot: true},
		},
		Scopes: []string{
			"chat:write", "channels:read", "groups:read", "channels:history", "groups:history", "im:write",
			"users:read", "users:read.email", "usergroups:read", "files:write",
		},
	}
	if change != nil {
		change(&o)
	}
	s := slackfake.New(t, o)
	return s, client(s)
}

func client(s *slackfake.Server) *slack.Client {
	return slack.New(s.BotToken, slack.OptionAPIURL(s.URL), slack.OptionAppLevelToken(s.AppToken),
		slack.OptionHTTPClient(&http.Client{Timeout: 20 * time.Second}))
}

func unlimited(o *slackfake.Options) { o.Unlimited = true }

// wantCode fails unless Slack refused with a code.
func wantCode(t *testing.T, err error, code string) slack.SlackErrorResponse {
	t.Helper()
	var refused slack.SlackErrorResponse
	if !errors.As(err, &refused) || refused.Err != code {
		t.Fatalf("got error %v, want %s", err, code)
	}
	return refused
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// post posts a message and returns its timestamp.
func post(t *testing.T, api *slack.Client, channel string, options ...slack.MsgOption) string {
	t.Helper()
	_, ts, err := api.PostMessageContext(t.Context(), channel, options...)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func text(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }

func blocks(b ...slack.Block) slack.MsgOption { return slack.MsgOptionBlocks(b...) }

func section(s string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, s, false, false), nil, nil)
}

// card is a message with a question: approve and deny.
func card() slack.MsgOption {
	words := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	return blocks(
		slack.NewHeaderBlock(words("Isolate ws-042?")),
		slack.NewActionBlock("approval:a1",
			slack.NewButtonBlockElement("approve", "a1.9f3c", words("Isolate for 4 h")).WithStyle(slack.StylePrimary),
			slack.NewButtonBlockElement("deny", "a1.9f3c", words("Deny"))),
	)
}

// x returns a text of n characters, each of more than one byte: limits count
// characters.
func x(n int) string { return strings.Repeat("é", n) }

func contains(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}
