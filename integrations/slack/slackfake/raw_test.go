package slackfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

const formType, jsonType = "application/x-www-form-urlencoded", "application/json; charset=utf-8"

// call makes a request that no client library had a hand in.
func call(t *testing.T, address, bearer, contentType, body string) (int, http.Header, slackfake.Object) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var o slackfake.Object
	if len(data) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(data, &o); err != nil {
			t.Fatalf("answered %q: %v", data, err)
		}
	}
	return resp.StatusCode, resp.Header, o
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func TestTokens(t *testing.T) {
	s, _ := start(t, nil)
	at := s.URL + "auth.test"
	for name, c := range map[string]struct{ address, bearer, contentType, body, code string }{
		"in the header":               {at, s.BotToken, formType, "", ""},
		"in the header of JSON":       {at, s.BotToken, jsonType, "{}", ""},
		"in the form":                 {at, "", formType, form("token", s.BotToken), ""},
		"the header counts":           {at, "xoxb-wrong", formType, form("token", s.BotToken), "invalid_auth"},
		"in a JSON body":              {at, "", jsonType, `{"token":"` + s.BotToken + `"}`, "not_authed"},
		"in the address":              {at + "?token=" + s.BotToken, "", formType, "", "not_authed"},
		"none":                        {at, "", formType, "", "not_authed"},
		"wrong":                       {at, "xoxb-wrong", formType, "", "invalid_auth"},
		"of the app":                  {at, s.AppToken, formType, "", "not_allowed_token_type"},
		"of the bot for the app":      {s.URL + "apps.connections.open", s.BotToken, jsonType, "", "not_allowed_token_type"},
		"of the app in a form":        {s.URL + "apps.connections.open", "", formType, form("token", s.AppToken), ""},
		"for a method of no one":      {s.URL + "chat.explode", s.BotToken, formType, "", "unknown_method"},
		"and the rest in the address": {s.URL + "users.info?user=" + alice, s.BotToken, formType, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, o := call(t, c.address, c.bearer, c.contentType, c.body)
			got, _ := o["error"].(string)
			if status != http.StatusOK || got != c.code || o["ok"] != (c.code == "") {
				t.Errorf("%d %v, want %q", status, o, c.code)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	s, _ := start(t, func(o *slackfake.Options) { o.Scopes = []string{"chat:write", "users:read"} })
	_, header, o := call(t, s.URL+"users.info", s.BotToken, formType, form("user", alice))
	if o["ok"] != true || header.Get("X-OAuth-Scopes") != "chat:write,users:read" || header.Get("X-Accepted-OAuth-Scopes") != "users:read" {
		t.Errorf("%v with %v", o, header)
	}
	_, header, o = call(t, s.URL+"usergroups.list", s.BotToken, formType, "")
	want := slackfake.Object{"ok": false, "error": "missing_scope", "needed": "usergroups:read", "provided": "chat:write,users:read"}
	if diff := cmp.Diff(want, o); diff != "" || header.Get("X-OAuth-Scopes") == "" {
		t.Error(diff)
	}
}

func TestByDefaultTheBotMayEverything(t *testing.T) {
	s := slackfake.New(t, slackfake.Options{Channels: []slackfake.Channel{{ID: quiet, Name: "quiet", WithoutBot: true}}})
	_, header, o := call(t, s.URL+"chat.postMessage", s.BotToken, formType, form("channel", quiet, "text", "x"))
	if o["ok"] != true || !strings.Contains(header.Get("X-OAuth-Scopes"), "usergroups:read") {
		t.Errorf("%v with %v", o, header)
	}
}

func TestArgumentsAsJSON(t *testing.T) {
	s, _ := start(t, nil)
	_, _, o := call(t, s.URL+"chat.postMessage", s.BotToken, jsonType,
		`{"channel":"C0SECOPS","text":"x","unfurl_links":true,"blocks":[{"type":"section","text":{"type":"plain_text","text":"x"}}],"metadata":{"event_type":"e","event_payload":{"n":1}}}`)
	ts, _ := o["ts"].(string)
	m, ok := s.Message(secops, ts)
	if !ok || m.Text != "x" || len(m.Blocks) != 1 || m.Metadata.EventPayload["n"] != 1.0 || !m.UnfurlLinks {
		t.Errorf("%v kept %+v", o, m)
	}
	if status, _, _ := call(t, s.URL+"chat.postMessage", s.BotToken, jsonType, `{"channel"`); status != http.StatusBadRequest {
		t.Errorf("broken JSON: %d", status)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s, _ := start(t, nil)
	large := `{"text":"` + strings.Repeat("x", 5<<20) + `"}`
	if status, _, _ := call(t, s.URL+"chat.postMessage", s.BotToken, jsonType, large); status != http.StatusBadRequest {
		t.Errorf("five megabytes: %d", status)
	}
}

// TestAnswerToAPost compares with what the documents show, member by member.
func TestAnswerToAPost(t *testing.T) {
	clock := slackfake.NewClock(time.Unix(1503435956, 247000))
	s, _ := start(t, func(o *slackfake.Options) { o.Now = clock.Now })
	_, _, o := call(t, s.URL+"chat.postMessage", "", formType, form("token", s.BotToken, "channel", secops, "text", "Here's a message"))
	want := slackfake.Object{
		"ok": true, "channel": secops, "ts": "1503435956.000247",
		"message": slackfake.Object{
			"type": "message", "text": "Here's a message", "user": s.Team.BotUser, "bot_id": s.Team.Bot, "app_id": s.Team.App,
			"team": s.Team.ID, "ts": "1503435956.000247",
			"bot_profile": slackfake.Object{
				"id": s.Team.Bot, "app_id": s.Team.App, "name": "stanch", "deleted": false, "updated": 1600000000.0, "team_id": s.Team.ID,
			},
		},
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
}

func TestMetadataThatIsNone(t *testing.T) {
	s, _ := start(t, unlimited)
	send := func(metadata string) (slackfake.Object, slackfake.Message) {
		_, _, o := call(t, s.URL+"chat.postMessage", s.BotToken, formType, form("channel", secops, "text", "x", "metadata", metadata))
		ts, _ := o["ts"].(string)
		m, _ := s.Message(secops, ts)
		return o, m
	}
	for metadata, code := range map[string]string{
		"{": "invalid_metadata_format", `"x"`: "invalid_metadata_format",
		`{"event_type":"e"}`: "invalid_metadata_schema", `{"event_payload":{}}`: "invalid_metadata_schema",
	} {
		if o, _ := send(metadata); o["error"] != code {
			t.Errorf("%s: %v, want %s", metadata, o["error"], code)
		}
	}
	if o, m := send("{}"); o["ok"] != true || m.Metadata != nil {
		t.Errorf("an empty object: %v, %v", o, m.Metadata)
	}
}

func TestCallsAreOnRecord(t *testing.T) {
	s, _ := start(t, nil)
	call(t, s.URL+"users.info", "", formType, form("token", s.BotToken, "user", "U0NOBODY"))
	calls := s.Calls("users.info")
	if len(calls) != 1 || calls[0].Args.Get("user") != "U0NOBODY" || calls[0].Status != http.StatusOK || calls[0].Error != "user_not_found" {
		t.Errorf("recorded %+v", calls)
	}
	if calls[0].Args.Has("token") || calls[0].ContentType != formType {
		t.Errorf("recorded %+v", calls[0])
	}
}

// TestSignature is the example of Slack's own documents.
func TestSignature(t *testing.T) {
	body := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
		"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands" +
		"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	const want = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	if got := slackfake.Signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", []byte(body)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
