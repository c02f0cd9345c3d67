package slackfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// app is an app behind a request URL that verifies as slack-go does.
type app struct {
	got    chan slack.InteractionCallback
	answer func(slack.InteractionCallback) any
}

// serve puts an app behind the request URL of a workspace.
func serve(t *testing.T, s *slackfake.Server) *app {
	t.Helper()
	a := &app{got: make(chan slack.InteractionCallback, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callback, status := parse(s, r)
		if status != http.StatusOK {
			http.Error(w, "refused", status)
			return
		}
		a.got <- callback
		if a.answer != nil {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(a.answer(callback))
		}
	}))
	t.Cleanup(srv.Close)
	s.SetRequestURL(srv.URL)
	return a
}

// parse reads an interaction as an app does that verifies it.
func parse(s *slackfake.Server, r *http.Request) (slack.InteractionCallback, int) {
	v, err := slack.NewSecretsVerifier(r.Header, s.SigningSecret)
	if err != nil {
		return slack.InteractionCallback{}, http.StatusUnauthorized
	}
	r.Body = io.NopCloser(io.TeeReader(r.Body, &v))
	callback, err := slack.InteractionCallbackParse(r)
	if err != nil {
		return callback, http.StatusBadRequest
	}
	if v.Ensure() != nil {
		return callback, http.StatusUnauthorized
	}
	return callback, http.StatusOK
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-t.Context().Done():
		t.Fatal("nothing came")
		var nothing T
		return nothing
	}
}

// answered waits for how the app answered.
func answered(t *testing.T, d *slackfake.Delivery) slackfake.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	a, err := d.Answer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestClickOverHTTP(t *testing.T) {
	s, api := start(t, nil)
	a := serve(t, s)
	root := post(t, api, secops, text("root"))
	s.SetUser(slackfake.User{ID: alice, Name: "alice"})
	ts := post(t, api, secops, text("q"), card(), slack.MsgOptionTS(root))
	d, err := s.Click(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	c := receive(t, a.got)
	if got := answered(t, d); !got.Acked || got.Status != http.StatusOK || got.Problem != "" {
		t.Errorf("answered %+v", got)
	}
	if c.Type != slack.InteractionTypeBlockActions || c.User.ID != alice || c.User.TeamID != s.Team.ID || c.Team.ID != s.Team.ID ||
		c.APIAppID != s.Team.App || c.Channel.ID != secops || c.Channel.Name != "sec-oncall" {
		t.Errorf("who and where: %+v", c)
	}
	if c.Container.Type != "message" || c.Container.MessageTs != ts || c.Container.ThreadTs != root || c.Container.ChannelID != secops || c.Container.IsEphemeral {
		t.Errorf("container %+v", c.Container)
	}
	if c.Message.Timestamp != ts || c.Message.Text != "q" || len(c.Message.Blocks.BlockSet) != 2 || c.Message.User != s.Team.BotUser {
		t.Errorf("message %+v", c.Message)
	}
	if c.TriggerID == "" || c.ResponseURL == "" || c.BlockActionState == nil {
		t.Errorf("trigger %q, response %q, state %v", c.TriggerID, c.ResponseURL, c.BlockActionState)
	}
	if n := len(c.ActionCallback.BlockActions); n != 1 {
		t.Fatalf("%d actions", n)
	}
	act := c.ActionCallback.BlockActions[0]
	if act.ActionID != "approve" || act.BlockID != "approval:a1" || act.Value != "a1.9f3c" || act.ActionTs == "" ||
		act.Type != "button" || act.Text.Text != "Isolate for 4 h" {
		t.Errorf("action %+v", act)
	}
}

func TestClickRefuses(t *testing.T) {
	s, api := start(t, unlimited)
	ts := post(t, api, secops, card())
	hidden := post(t, api, secret, card())
	whispered, err := api.PostEphemeralContext(t.Context(), secops, alice, card())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ user, channel, ts, action string }{
		"nobody":              {"U0NOBODY", secops, ts, "approve"},
		"a bot":               {robot, secops, ts, "approve"},
		"somebody who left":   {gone, secops, ts, "approve"},
		"not in the channel":  {bob, secret, hidden, "approve"},
		"no channel":          {alice, "C0NOWHERE", ts, "approve"},
		"no message":          {alice, secops, "1.000001", "approve"},
		"another's ephemeral": {bob, secops, whispered, "approve"},
		"no button":           {alice, secops, ts, "maybe"},
	} {
		if _, err := s.Click(c.user, c.channel, c.ts, c.action); err == nil {
			t.Errorf("%s: could press", name)
		}
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), secops, ts, blocks(section("done"))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Click(alice, secops, ts, "approve"); err == nil {
		t.Error("a button was pressed that is not there any more")
	}
}

func TestClickNamesTheBlock(t *testing.T) {
	s, api := start(t, nil)
	a := serve(t, s)
	button := func(value string) *slack.ButtonBlockElement {
		return slack.NewButtonBlockElement("approve", value, slack.NewTextBlockObject(slack.PlainTextType, "Approve", false, false))
	}
	ts := post(t, api, secops, blocks(slack.NewActionBlock("approval:a1", button("a1")), slack.NewActionBlock("approval:a2", button("a2"))))
	if _, err := s.Click(alice, secops, ts, "approve"); err == nil {
		t.Error("one of two equal buttons was pressed")
	}
	if _, err := s.Click(alice, secops, ts, "approval:a2/approve"); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, a.got).ActionCallback.BlockActions[0].Value; got != "a2" {
		t.Errorf("pressed the button with %q", got)
	}
}

func TestClickOnAnEphemeral(t *testing.T) {
	s, api := start(t, nil)
	a := serve(t, s)
	ts, err := api.PostEphemeralContext(t.Context(), secops, alice, card())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Click(alice, secops, ts, "deny"); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, a.got); !c.Container.IsEphemeral || c.Container.MessageTs != ts || c.Message.Timestamp != "" {
		t.Errorf("container %+v, message %q", c.Container, c.Message.Timestamp)
	}
}

func TestClickFromAnotherWorkspace(t *testing.T) {
	s, api := start(t, nil)
	a := serve(t, s)
	ts := post(t, api, secops, card())
	if _, err := s.Click(other, secops, ts, "approve"); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, a.got); c.User.TeamID != "T0OTHER" || c.Team.ID != s.Team.ID {
		t.Errorf("user's team %q, the app's %q", c.User.TeamID, c.Team.ID)
	}
}

func TestDirectChannelsHaveNoName(t *testing.T) {
	s, api := start(t, nil)
	a := serve(t, s)
	if _, _, _, err := api.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: []string{alice}}); err != nil {
		t.Fatal(err)
	}
	ts := post(t, api, s.Direct(alice), card())
	if _, err := s.Click(alice, s.Direct(alice), ts, "approve"); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, a.got); c.Channel.Name != "directmessage" {
		t.Errorf("channel %q", c.Channel.Name)
	}
	ts = post(t, api, secret, card())
	if _, err := s.Click(alice, secret, ts, "approve"); err != nil {
		t.Fatal(err)
	}
	if c := receive(t, a.got); c.Channel.Name != "privategroup" {
		t.Errorf("channel %q", c.Channel.Name)
	}
}

func TestDeliveryOnDemand(t *testing.T) {
	clock := slackfake.NewClock(time.Now())
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now })
	a := serve(t, s)
	ts := post(t, api, secops, card())
	d, err := s.Press(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Replay(); err == nil {
		t.Error("replayed what was never sent")
	}
	clock.Advance(time.Minute)
	d.Deliver()
	first := receive(t, a.got)
	d.Deliver()
	again := receive(t, a.got)
	answered(t, d)
	if err := d.Replay(); err != nil {
		t.Fatal(err)
	}
	overheard := receive(t, a.got)
	answered(t, d)
	for _, c := range []slack.InteractionCallback{again, overheard} {
		if diff := cmp.Diff(first.ActionCallback.BlockActions[0], c.ActionCallback.BlockActions[0]); diff != "" || c.TriggerID != first.TriggerID {
			t.Errorf("the same interaction differs: %s", diff)
		}
	}
	if n := len(d.Answers()); n != 3 {
		t.Errorf("%d answers, want 3", n)
	}
	_, err = api.OpenViewContext(t.Context(), first.TriggerID, modal(nil))
	wantCode(t, err, "expired_trigger_id")
}

func TestOldSignaturesAreRefused(t *testing.T) {
	clock := slackfake.NewClock(time.Now().Add(-10 * time.Minute))
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now })
	serve(t, s)
	ts := post(t, api, secops, card())
	d, err := s.Click(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	if a := answered(t, d); a.Acked || a.Status != http.StatusUnauthorized {
		t.Errorf("a request signed ten minutes ago was answered %+v", a)
	}
}

func TestAckComesTooLate(t *testing.T) {
	clock := slackfake.NewClock(time.Now())
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now })
	a := serve(t, s)
	ts := post(t, api, secops, card())
	for _, c := range []struct {
		takes time.Duration
		acked bool
	}{{3 * time.Second, true}, {3*time.Second + time.Millisecond, false}} {
		a.answer = func(slack.InteractionCallback) any { clock.Advance(c.takes); return map[string]any{} }
		d, err := s.Click(alice, secops, ts, "approve")
		if err != nil {
			t.Fatal(err)
		}
		if got := answered(t, d); got.Acked != c.acked || got.At.IsZero() {
			t.Errorf("after %s: %+v", c.takes, got)
		}
	}
}

func TestAnAppThatIsNotThere(t *testing.T) {
	s, api := start(t, func(o *slackfake.Options) { o.RequestURL = "http://127.0.0.1:1/" })
	ts := post(t, api, secops, card())
	d, err := s.Click(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	if a := answered(t, d); a.Acked || a.Problem == "" {
		t.Errorf("answered %+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pressed, err := s.Press(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pressed.Answer(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("what was never sent was awaited: %v", err)
	}
}

func TestRequestForAHandler(t *testing.T) {
	s, api := start(t, nil)
	ts := post(t, api, secops, card())
	d, err := s.Press(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Request(t.Context(), "http://stanch.example/slack")
	if err != nil {
		t.Fatal(err)
	}
	if c, status := parse(s, r); status != http.StatusOK || c.User.ID != alice {
		t.Errorf("parsed to %d %+v", status, c.User)
	}
	if _, err := d.Request(t.Context(), "\x00"); err == nil {
		t.Error("made a request to no address")
	}
}

// TestAwait holds that whoever waits is woken by a change, and by the end.
func TestAwait(t *testing.T) {
	s, api := start(t, nil)
	done := make(chan error, 1)
	go func() {
		done <- s.Await(t.Context(), func() bool {
			return slices.ContainsFunc(s.Messages(secops), func(m slackfake.Message) bool { return m.Text == "second" })
		})
	}()
	post(t, api, secops, text("first"))
	post(t, api, secops, text("second"))
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Await(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
