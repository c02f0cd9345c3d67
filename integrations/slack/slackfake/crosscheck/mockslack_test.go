package crosscheck_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/target/goalert/devtools/mockslack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

const signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// mock is GoAlert's Slack with an app, a person and a channel.
type mock struct {
	*world
	server  *mockslack.Server
	app     *mockslack.AppInfo
	user    mockslack.UserInfo
	channel mockslack.ChannelInfo
	// got are the interactions that its app receives.
	got chan interaction
}

type interaction struct {
	header http.Header
	body   []byte
}

func startMock(t *testing.T, scopes ...string) *mock {
	t.Helper()
	m := &mock{server: mockslack.NewServer(), got: make(chan interaction, 1)}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		m.got <- interaction{r.Header, body}
	}))
	t.Cleanup(receiver.Close)
	srv := httptest.NewServer(m.server)
	t.Cleanup(srv.Close)
	m.server.SetURLPrefix(srv.URL)
	app, err := m.server.InstallStaticApp(mockslack.AppInfo{Name: "stanch", SigningSecret: signingSecret, ActionURL: receiver.URL}, scopes...)
	if err != nil {
		t.Fatal(err)
	}
	m.app, m.user, m.channel = app, m.server.NewUser("alice"), m.server.NewChannel("sec-oncall")
	m.world = &world{api: srv.URL + "/api/", token: app.AccessToken, vars: map[string]string{"sec_oncall": m.channel.ID, "alice": m.user.ID}}
	return m
}

// press lets mockslack's person press a button, which must be in an attachment.
func (m *mock) press(t *testing.T) interaction {
	t.Helper()
	o := m.do(t, step{method: "chat.postMessage", args: map[string]string{"channel": "{sec_oncall}", "attachments": `[{"blocks":` + card + `}]`}})
	if o["ok"] != true {
		t.Fatal(o)
	}
	if err := m.server.PerformActionAs(m.user.ID, m.server.Messages(m.channel.ID)[0].Actions[0]); err != nil {
		t.Fatal(err)
	}
	return <-m.got
}

// pressed is the same in our Slack.
func pressed(t *testing.T) *http.Request {
	t.Helper()
	const alice, channel = "U0ALICE", "C0SECOPS"
	s := slackfake.New(t, slackfake.Options{
		SigningSecret: signingSecret,
		Users:         []slackfake.User{{ID: alice, Name: "alice"}}, Channels: []slackfake.Channel{{ID: channel, Name: "sec-oncall"}},
	})
	w := &world{api: s.URL, token: s.BotToken, vars: map[string]string{}}
	w.do(t, step{method: "chat.postMessage", args: map[string]string{"channel": channel, "blocks": card}, keep: map[string]string{"ts": "ts"}})
	d, err := s.Press(alice, channel, w.vars["ts"], "approve")
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Request(t.Context(), "http://stanch.example/")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSignatureAgainstMockslack holds that three agree on how Slack signs: we,
// mockslack, and the verifier of slack-go.
func TestSignatureAgainstMockslack(t *testing.T) {
	theirs := startMock(t, "bot").press(t)
	at := theirs.header.Get("X-Slack-Request-Timestamp")
	if got, want := slackfake.Signature(signingSecret, at, theirs.body), theirs.header.Get("X-Slack-Signature"); got != want {
		t.Errorf("we sign what they sent with %s, they with %s", got, want)
	}
	r := pressed(t)
	ours, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, sent := range map[string]interaction{"theirs": theirs, "ours": {r.Header, ours}} {
		v, err := slack.NewSecretsVerifier(sent.header, signingSecret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Write(sent.body); err != nil {
			t.Fatal(err)
		}
		if err := v.Ensure(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := sent.header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
			t.Errorf("%s is sent as %q", name, got)
		}
	}
}

// TestPayloadAgainstMockslack compares what a click looks like. Mockslack tells
// less, and writes some names with a capital.
func TestPayloadAgainstMockslack(t *testing.T) {
	theirs := payloadShape(t, startMock(t, "bot").press(t).body)
	ours, err := io.ReadAll(pressed(t).Body)
	if err != nil {
		t.Fatal(err)
	}
	less := map[string]string{}
	for _, name := range []string{
		"trigger_id", "container", "message", "state", "token", "enterprise", "is_enterprise_install", "action_ts", "emoji",
	} {
		less[name] = "mockslack does not have it"
	}
	less["name"] = "mockslack does not give the channel's"
	seen := map[string]bool{}
	for _, d := range differences(payloadShape(t, ours), theirs, less, seen) {
		t.Error(d)
	}
	for name := range less {
		if !seen[name] {
			t.Errorf("%s is on the list of differences, and differs nowhere", name)
		}
	}
}

// payloadShape is the shape of the interaction in a form, with its names in
// small letters.
func payloadShape(t *testing.T, body []byte) map[string]string {
	t.Helper()
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	var payload any
	if err := json.Unmarshal([]byte(form.Get("payload")), &payload); err != nil {
		t.Fatal(err)
	}
	small := map[string]string{}
	for path, kind := range shape(payload) {
		small[strings.ToLower(path)] = kind
	}
	return small
}

// TestCodesAgainstMockslack compares the answers to mistakes that mockslack
// knows. It is laxer otherwise: who is in a channel, blocks and the archive do
// not matter there.
func TestCodesAgainstMockslack(t *testing.T) {
	theirs := startMock(t, "bot")
	ours := own(t)
	for _, s := range []step{
		{name: "no token", method: "chat.postMessage", token: "none", code: "not_authed"},
		{name: "nowhere", method: "chat.postMessage", args: map[string]string{"channel": "C0NOWHERE", "text": "x"}, code: "channel_not_found"},
		{name: "no info", method: "conversations.info", args: map[string]string{"channel": "C0NOWHERE"}, code: "channel_not_found"},
		{name: "nobody", method: "users.info", args: map[string]string{"user": "U0NOBODY"}, code: "user_not_found"},
		{name: "too long", method: "chat.postMessage", args: map[string]string{"channel": "{sec_oncall}", "text": strings.Repeat("x", 40_001)}, code: "msg_too_long"},
	} {
		t.Run(s.name, func(t *testing.T) {
			compare(t, s, ours.do(t, s), theirs.do(t, s), nil)
		})
	}
}

func TestMissingScopeAgainstMockslack(t *testing.T) {
	s := step{method: "usergroups.list"}
	theirs := startMock(t, "chat:write:bot").do(t, s)
	ours := own(t, "chat:write:bot").do(t, s)
	// An app of the old kind has the scope "bot", which allows this too.
	theirs["needed"] = strings.TrimPrefix(pick(t, theirs, "needed"), "bot,")
	delete(theirs, "response_metadata") // It is there, and empty, in every answer.
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Error(diff)
	}
}
