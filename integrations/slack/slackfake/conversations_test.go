package slackfake_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestListIsPaged(t *testing.T) {
	_, api := start(t, func(o *slackfake.Options) { o.PageSize = 2 })
	var names []string
	p := &slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}, Limit: 1000}
	pages := 0
	for {
		list, next, err := api.GetConversationsContext(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, c := range list {
			names = append(names, c.Name)
		}
		if p.Cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"sec-oncall", "quiet", "closed", "secret"}, names); diff != "" || pages != 2 {
		t.Errorf("in %d pages: %s", pages, diff)
	}
	p.Cursor = "forged"
	_, _, err := api.GetConversationsContext(t.Context(), p)
	wantCode(t, err, "invalid_cursor")
	_, _, err = api.GetConversationsContext(t.Context(), &slack.GetConversationsParameters{Limit: 1001})
	wantCode(t, err, "invalid_limit")
}

func TestListOfKinds(t *testing.T) {
	_, api := start(t, nil)
	if _, _, _, err := api.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: []string{alice}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p    slack.GetConversationsParameters
		want int
	}{
		{slack.GetConversationsParameters{}, 3},
		{slack.GetConversationsParameters{ExcludeArchived: true}, 2},
		{slack.GetConversationsParameters{Types: []string{"im"}}, 1},
		{slack.GetConversationsParameters{Types: []string{"private_channel"}}, 1},
	} {
		list, _, err := api.GetConversationsContext(t.Context(), &c.p)
		if err != nil || len(list) != c.want {
			t.Errorf("%+v: %d channels, %v; want %d", c.p, len(list), err, c.want)
		}
	}
}

func TestInfo(t *testing.T) {
	_, api := start(t, nil)
	info := func(id string) (*slack.Channel, error) {
		return api.GetConversationInfoContext(t.Context(), &slack.GetConversationInfoInput{ChannelID: id})
	}
	if c := must[*slack.Channel](t)(info(secops)); !c.IsMember || c.IsArchived || c.IsPrivate || c.Name != "sec-oncall" || c.NumMembers != 5 {
		t.Errorf("got %+v", c)
	}
	if c := must[*slack.Channel](t)(info(quiet)); c.IsMember {
		t.Error("the bot counts as a member where it is not")
	}
	if c := must[*slack.Channel](t)(info(closed)); !c.IsArchived {
		t.Error("an archived channel is not so")
	}
	for _, id := range []string{alien, "C0NOWHERE"} {
		_, err := info(id)
		wantCode(t, err, "channel_not_found")
	}
}

func TestHistory(t *testing.T) {
	s, api := start(t, unlimited)
	meta := slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "case", EventPayload: map[string]any{"id": "c1"}})
	first := post(t, api, secops, text("first"), meta)
	post(t, api, secops, text("reply"), slack.MsgOptionTS(first), meta)
	second := post(t, api, secops, text("second"))
	history := func(p slack.GetConversationHistoryParameters) *slack.GetConversationHistoryResponse {
		p.ChannelID = secops
		return must[*slack.GetConversationHistoryResponse](t)(api.GetConversationHistoryContext(t.Context(), &p))
	}
	h := history(slack.GetConversationHistoryParameters{IncludeAllMetadata: true})
	if len(h.Messages) != 2 || h.Messages[0].Timestamp != second || h.Messages[1].Timestamp != first {
		t.Fatalf("got %+v", h.Messages)
	}
	if m := h.Messages[1]; m.Metadata.EventType != "case" || m.Metadata.EventPayload["id"] != "c1" || m.ReplyCount != 1 || m.ThreadTimestamp != first || m.LatestReply == "" {
		t.Errorf("first message %+v", m.Msg)
	}
	if m := history(slack.GetConversationHistoryParameters{}).Messages[1]; m.Metadata.EventType != "" {
		t.Error("metadata comes unasked")
	}
	if got := history(slack.GetConversationHistoryParameters{Oldest: first}).Messages; len(got) != 1 {
		t.Errorf("after the first: %d", len(got))
	}
	if got := history(slack.GetConversationHistoryParameters{Latest: second}).Messages; len(got) != 1 {
		t.Errorf("before the second: %d", len(got))
	}
	page := history(slack.GetConversationHistoryParameters{Limit: 1})
	rest := history(slack.GetConversationHistoryParameters{Limit: 1, Cursor: page.ResponseMetaData.NextCursor})
	if !page.HasMore || rest.HasMore || rest.Messages[0].Timestamp != first {
		t.Errorf("pages %+v and %+v", page, rest)
	}
	for id, code := range map[string]string{quiet: "not_in_channel", alien: "channel_not_found"} {
		_, err := api.GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: id})
		wantCode(t, err, code)
	}
	if _, err := s.Say(alice, secops, "me too"); err != nil {
		t.Fatal(err)
	}
	if m := history(slack.GetConversationHistoryParameters{}).Messages[0]; m.User != alice || m.BotID != "" {
		t.Errorf("a person's message %+v", m.Msg)
	}
}

func TestReplies(t *testing.T) {
	_, api := start(t, unlimited)
	root := post(t, api, secops, text("root"))
	one := post(t, api, secops, text("one"), slack.MsgOptionTS(root))
	post(t, api, secops, text("two"), slack.MsgOptionTS(root))
	post(t, api, secops, text("elsewhere"))
	replies := func(p slack.GetConversationRepliesParameters) ([]string, string) {
		p.ChannelID, p.Timestamp = secops, root
		messages, _, next, err := api.GetConversationRepliesContext(t.Context(), &p)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, m := range messages {
			texts = append(texts, m.Text)
		}
		return texts, next
	}
	if got, _ := replies(slack.GetConversationRepliesParameters{}); !cmp.Equal(got, []string{"root", "one", "two"}) {
		t.Errorf("got %v", got)
	}
	if got, _ := replies(slack.GetConversationRepliesParameters{Oldest: one}); !cmp.Equal(got, []string{"root", "two"}) {
		t.Errorf("after the first reply: %v", got)
	}
	got, next := replies(slack.GetConversationRepliesParameters{Limit: 2})
	rest, _ := replies(slack.GetConversationRepliesParameters{Limit: 2, Cursor: next})
	if !cmp.Equal(got, []string{"root", "one"}) || !cmp.Equal(rest, []string{"two"}) {
		t.Errorf("pages %v and %v", got, rest)
	}
	_, _, _, err := api.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: secops, Timestamp: "1.000001"})
	wantCode(t, err, "thread_not_found")
	_, _, _, err = api.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: quiet, Timestamp: root})
	wantCode(t, err, "not_in_channel")
}

func TestOpenDirect(t *testing.T) {
	s, api := start(t, nil)
	open := func(users ...string) (*slack.Channel, bool, error) {
		c, _, already, err := api.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: users})
		return c, already, err
	}
	c, already, err := open(alice)
	if err != nil || already || c.ID != s.Direct(alice) {
		t.Fatalf("got %+v, %t, %v", c, already, err)
	}
	if again, already, err := open(alice); err != nil || !already || again.ID != c.ID {
		t.Errorf("again %+v, %t, %v", again, already, err)
	}
	for user, code := range map[string]string{"U0NOBODY": "user_not_found", robot: "cannot_dm_bot", gone: "user_disabled", "": "users_list_not_supplied"} {
		_, _, err := open(user)
		wantCode(t, err, code)
	}
	if i := must[*slack.Channel](t)(api.GetConversationInfoContext(t.Context(), &slack.GetConversationInfoInput{ChannelID: c.ID})); !i.IsIM || i.User != alice {
		t.Errorf("direct channel %+v", i)
	}
}
