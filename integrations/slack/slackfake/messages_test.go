package slackfake_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestPost(t *testing.T) {
	s, api := start(t, nil)
	_, ts, sent, err := api.PostMessageWithResponseContext(t.Context(), secops, text("hello"), card(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "case", EventPayload: map[string]any{"id": "c1"}}))
	if err != nil {
		t.Fatal(err)
	}
	if sent.User != s.Team.BotUser || sent.BotID != s.Team.Bot || sent.Timestamp != ts || sent.Text != "hello" {
		t.Errorf("answered %+v", sent.Msg)
	}
	m, ok := s.Message(secops, ts)
	if !ok || m.Text != "hello" || m.Metadata.EventType != "case" || m.Metadata.EventPayload["id"] != "c1" {
		t.Fatalf("kept %+v", m)
	}
	want := []slackfake.Button{
		{Block: "approval:a1", Action: "approve", Text: "Isolate for 4 h", Value: "a1.9f3c", Style: "primary"},
		{Block: "approval:a1", Action: "deny", Text: "Deny", Value: "a1.9f3c"},
	}
	if diff := cmp.Diff(want, m.Buttons()); diff != "" {
		t.Error(diff)
	}
	if got, want := m.Plain(), "Isolate ws-042?\nIsolate for 4 h\nDeny"; got != want {
		t.Errorf("people read %q, want %q", got, want)
	}
	if id, _ := m.Blocks[0]["block_id"].(string); id == "" {
		t.Error("a block without an id was not given one")
	}
	ts = post(t, api, secops, blocks(section("x")))
	m, _ = s.Message(secops, ts)
	if words, _ := m.Blocks[0]["text"].(slackfake.Object); words["verbatim"] != false {
		t.Errorf("mrkdwn reads back as %v, want what it does by default", words)
	}
}

func TestPostTargets(t *testing.T) {
	s, api := start(t, unlimited)
	if got := s.Messages("C0NOWHERE"); got != nil {
		t.Errorf("a channel that does not exist has %v", got)
	}
	for channel, code := range map[string]string{
		"C0NOWHERE": "channel_not_found", "#sec-oncall": "channel_not_found", alice: "channel_not_found", alien: "channel_not_found",
		quiet: "not_in_channel", closed: "is_archived",
	} {
		_, _, err := api.PostMessageContext(t.Context(), channel, text("x"))
		wantCode(t, err, code)
	}
	_, api = start(t, func(o *slackfake.Options) { o.Scopes = []string{"chat:write", "chat:write.public"} })
	if _, _, err := api.PostMessageContext(t.Context(), quiet, text("x")); err != nil {
		t.Errorf("with chat:write.public: %v", err)
	}
}

func TestPostNeedsWords(t *testing.T) {
	s, api := start(t, unlimited)
	_, _, err := api.PostMessageContext(t.Context(), secops)
	wantCode(t, err, "no_text")
	_, _, err = api.PostMessageContext(t.Context(), secops, text(x(40_001)))
	wantCode(t, err, "msg_too_long")
	post(t, api, secops, text(x(40_000)))
	ts := post(t, api, secops, card())
	if m, _ := s.Message(secops, ts); m.Text != "This content can't be displayed." {
		t.Errorf("blocks alone have the text %q", m.Text)
	}
}

func TestUnfurling(t *testing.T) {
	s, api := start(t, nil)
	ts := post(t, api, secops, text("x"))
	if m, _ := s.Message(secops, ts); m.UnfurlLinks || !m.UnfurlMedia {
		t.Errorf("by default links unfurl: %t, media: %t", m.UnfurlLinks, m.UnfurlMedia)
	}
	ts = post(t, api, secops, text("x"), slack.MsgOptionEnableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	if m, _ := s.Message(secops, ts); !m.UnfurlLinks || m.UnfurlMedia {
		t.Errorf("told otherwise links unfurl: %t, media: %t", m.UnfurlLinks, m.UnfurlMedia)
	}
}

func TestThreads(t *testing.T) {
	s, api := start(t, unlimited)
	root := post(t, api, secops, text("root"))
	reply := post(t, api, secops, text("reply"), slack.MsgOptionTS(root))
	post(t, api, secops, text("under the reply"), slack.MsgOptionTS(reply))
	var texts []string
	for _, m := range s.Thread(secops, root) {
		texts = append(texts, m.Text)
	}
	if diff := cmp.Diff([]string{"root", "reply", "under the reply"}, texts); diff != "" {
		t.Error(diff)
	}
	lost := post(t, api, secops, text("late"), slack.MsgOptionTS("1.000001"))
	if m, _ := s.Message(secops, lost); m.Thread != "" {
		t.Errorf("a reply to a message that is gone is in thread %q, want the channel", m.Thread)
	}
}

func TestUpdate(t *testing.T) {
	s, api := start(t, nil)
	ts := post(t, api, secops, text("before"), card(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "case", EventPayload: map[string]any{"id": "c1"}}))
	if _, _, _, err := api.UpdateMessageContext(t.Context(), secops, ts, text("after")); err != nil {
		t.Fatal(err)
	}
	m, _ := s.Message(secops, ts)
	if m.Text != "after" || len(m.Buttons()) != 2 || m.Metadata == nil || m.Edited == "" {
		t.Errorf("what was not given did not stay: %+v", m)
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), secops, ts, blocks(section("done"))); err != nil {
		t.Fatal(err)
	}
	if m, _ = s.Message(secops, ts); len(m.Buttons()) != 0 || m.Plain() != "done" || m.Text != "after" {
		t.Errorf("blocks were not replaced: %+v", m)
	}
	_, _, _, err := api.UpdateMessageContext(t.Context(), secops, ts)
	wantCode(t, err, "no_text")
}

func TestUpdateRefuses(t *testing.T) {
	s, api := start(t, nil)
	said, err := s.Say(alice, secops, "mine")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Say("U0NOBODY", secops, "x"); err == nil {
		t.Error("somebody spoke in a channel that they are not in")
	}
	ts := post(t, api, secops, text("x"))
	for _, c := range []struct{ channel, ts, code string }{
		{secops, "1.000001", "message_not_found"},
		{secops, said, "cant_update_message"},
		{"C0NOWHERE", ts, "channel_not_found"},
	} {
		_, _, _, err := api.UpdateMessageContext(t.Context(), c.channel, c.ts, text("y"))
		wantCode(t, err, c.code)
	}
	s.SetChannel(slackfake.Channel{ID: secops, Name: "sec-oncall", Archived: true})
	_, _, _, err = api.UpdateMessageContext(t.Context(), secops, ts, text("y"))
	wantCode(t, err, "is_inactive")
	if m, _ := s.Message(secops, ts); m.Text != "x" {
		t.Errorf("a refused update changed the text to %q", m.Text)
	}
}

func TestEphemeral(t *testing.T) {
	s, api := start(t, nil)
	ts, err := api.PostEphemeralContext(t.Context(), secops, alice, text("only you"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Ephemerals(alice); len(got) != 1 || got[0].Text != "only you" || got[0].TS != ts || got[0].For != alice {
		t.Errorf("alice sees %+v", got)
	}
	if len(s.Ephemerals(bob)) != 0 || len(s.Messages(secops)) != 0 {
		t.Error("others see it too")
	}
	_, _, _, err = api.UpdateMessageContext(t.Context(), secops, ts, text("y"))
	wantCode(t, err, "message_not_found")
	for _, c := range []struct{ channel, user, code string }{
		{secops, "U0NOBODY", "user_not_in_channel"},
		{secret, bob, "user_not_in_channel"},
		{quiet, alice, "not_in_channel"},
		{closed, alice, "is_archived"},
		{"C0NOWHERE", alice, "channel_not_found"},
	} {
		_, err := api.PostEphemeralContext(t.Context(), c.channel, c.user, text("x"))
		wantCode(t, err, c.code)
	}
	_, err = api.PostEphemeralContext(t.Context(), secops, alice)
	wantCode(t, err, "no_text")
}

func TestMetadataIsChecked(t *testing.T) {
	_, api := start(t, unlimited)
	_, _, err := api.PostMessageContext(t.Context(), secops, text("x"), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "case"}))
	wantCode(t, err, "invalid_metadata_schema")
}

func TestPermalink(t *testing.T) {
	s, api := start(t, nil)
	root := post(t, api, secops, text("root"))
	reply := post(t, api, secops, text("reply"), slack.MsgOptionTS(root))
	digits := strings.ReplaceAll(reply, ".", "")
	got, err := api.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: secops, Ts: reply})
	want := "https://" + s.Team.Domain + ".slack.com/archives/" + secops + "/p" + digits + "?thread_ts=" + root + "&cid=" + secops
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	_, err = api.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: secops, Ts: "1.000001"})
	wantCode(t, err, "message_not_found")
	_, err = api.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: alien, Ts: root})
	wantCode(t, err, "channel_not_found")
}

func TestTimestampsGrow(t *testing.T) {
	clock := slackfake.NewClock(epoch())
	_, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now; unlimited(o) })
	var stamps []string
	for range 20 {
		stamps = append(stamps, post(t, api, secops, text("x")))
	}
	if !slices.IsSorted(stamps) || len(slices.Compact(slices.Clone(stamps))) != 20 {
		t.Errorf("while the clock stands: %v", stamps)
	}
}
