package crosscheck_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// recording is what the command in the folder mockslack wrote.
type recording struct {
	Secret      string
	Timestamp   string
	Signature   string
	ContentType string `json:"content_type"`
	Body        []byte
	Answers     map[string]map[string]any
}

func recorded(t *testing.T) recording {
	t.Helper()
	data, err := os.ReadFile("testdata/mockslack.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Body) == 0 || len(r.Answers) == 0 {
		t.Fatal("nothing is recorded")
	}
	return r
}

// pressed is a click in our Slack, as the app gets it.
func pressed(t *testing.T) *http.Request {
	t.Helper()
	const alice, channel = "U0ALICE", "C0SECOPS"
	s := slackfake.New(t, slackfake.Options{
		Users: []slackfake.User{{ID: alice, Name: "alice"}}, Channels: []slackfake.Channel{{ID: channel, Name: "sec-oncall"}},
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

func TestSignatureAgainstMockslack(t *testing.T) {
	theirs, ours := recorded(t), pressed(t)
	if got := slackfake.Signature(theirs.Secret, theirs.Timestamp, theirs.Body); got != theirs.Signature {
		t.Errorf("we sign what they sent with %s, they with %s", got, theirs.Signature)
	}
	if got := ours.Header.Get("Content-Type"); got != theirs.ContentType {
		t.Errorf("ours is sent as %q, theirs as %q", got, theirs.ContentType)
	}
}

// TestPayloadAgainstMockslack compares what a click looks like. Mockslack tells
// less, and writes some names with a capital.
func TestPayloadAgainstMockslack(t *testing.T) {
	ours, err := io.ReadAll(pressed(t).Body)
	if err != nil {
		t.Fatal(err)
	}
	less := map[string]string{"name": "mockslack does not give the channel's"}
	for _, name := range []string{
		"trigger_id", "container", "message", "state", "token", "enterprise", "is_enterprise_install", "action_ts", "emoji",
	} {
		less[name] = "mockslack does not have it"
	}
	seen := map[string]bool{}
	for _, d := range differences(payloadShape(t, ours), payloadShape(t, recorded(t).Body), less, seen) {
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

// TestMistakesAgainstMockslack compares the answers to what mockslack refuses.
// It is laxer otherwise: who is in a channel, blocks and limits are nothing to
// it.
func TestMistakesAgainstMockslack(t *testing.T) {
	everything := own(t)
	for name, s := range map[string]struct {
		*world
		step
	}{
		"chat.postMessage without a token": {everything, step{token: "none"}},
		"chat.postMessage nowhere":         {everything, step{args: map[string]string{"channel": "C0NOWHERE", "text": "x"}}},
		"chat.postMessage too long":        {everything, step{args: map[string]string{"channel": "{sec_oncall}", "text": strings.Repeat("x", 40_001)}}},
		"conversations.info nowhere":       {everything, step{args: map[string]string{"channel": "C0NOWHERE"}}},
		"users.info of nobody":             {everything, step{args: map[string]string{"user": "U0NOBODY"}}},
		"usergroups.list without a scope":  {own(t, "user"), step{}},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := recorded(t).Answers[name]
			delete(theirs, "response_metadata") // It is there, and empty, in every answer.
			if needed, ok := theirs["needed"].(string); ok {
				// An app of the old kind has the scope "bot", which allows this too.
				theirs["needed"] = strings.TrimPrefix(needed, "bot,")
			}
			s.method, _, _ = strings.Cut(name, " ")
			if diff := cmp.Diff(theirs, s.do(t, s.step)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
