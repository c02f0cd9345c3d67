package slackfake_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// responder clicks on a message and returns its timestamp and where to respond.
func responder(t *testing.T, s *slackfake.Server, api *slack.Client) (ts, to string) {
	t.Helper()
	a := serve(t, s)
	ts = post(t, api, secops, text("q"), card())
	d, err := s.Click(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	to = receive(t, a.got).ResponseURL
	answered(t, d)
	return ts, to
}

func respond(t *testing.T, api *slack.Client, options ...slack.MsgOption) error {
	t.Helper()
	_, _, err := api.PostMessageContext(t.Context(), secops, options...)
	return err
}

func TestResponses(t *testing.T) {
	s, api := start(t, unlimited)
	_, to := responder(t, s, api)
	if err := respond(t, api, text("only you"), slack.MsgOptionResponseURL(to, "ephemeral")); err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]slack.MsgOption{
		"to all": slack.MsgOptionResponseURL(to, "in_channel"), "by default": slack.MsgOptionResponseURL(to, ""),
		"in its place": slack.MsgOptionReplaceOriginal(to), "away with it": slack.MsgOptionDeleteOriginal(to),
	} {
		if err := respond(t, api, text("x"), option); err == nil {
			t.Errorf("%s: went well", name)
		}
	}
	if e := s.Ephemerals(alice); len(e) != 1 || e[0].Text != "only you" || len(s.Messages(secops)) != 1 {
		t.Errorf("alice sees %+v, all %+v", e, s.Messages(secops))
	}
}

func TestResponsesEnd(t *testing.T) {
	clock := slackfake.NewClock(time.Now())
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now; unlimited(o) })
	_, to := responder(t, s, api)
	say := func(to string) error { return respond(t, api, text("x"), slack.MsgOptionResponseURL(to, "ephemeral")) }
	for range 5 {
		if err := say(to); err != nil {
			t.Fatal(err)
		}
	}
	if err := say(to); err == nil {
		t.Error("a sixth time")
	}
	_, to = responder(t, s, api)
	clock.Advance(30 * time.Minute)
	if err := say(to); err != nil {
		t.Errorf("after 30 minutes: %v", err)
	}
	clock.Advance(time.Second)
	if err := say(to); err == nil {
		t.Error("after more than 30 minutes")
	}
	if err := say(s.URL + "../actions/forged"); err == nil {
		t.Error("to an address that nobody was given")
	}
	var codes []string
	for _, c := range s.Calls("response_url") {
		if c.Status == http.StatusNotFound {
			codes = append(codes, c.Error)
		}
	}
	if len(codes) != 3 || codes[0] != "used_url" || codes[1] != "expired_url" || codes[2] != "invalid_url" {
		t.Errorf("refused with %v", codes)
	}
}

func TestResponsesAreChecked(t *testing.T) {
	s, api := start(t, nil)
	_, to := responder(t, s, api)
	for name, options := range map[string][]slack.MsgOption{
		"nothing":  {slack.MsgOptionResponseURL(to, "ephemeral")},
		"too long": {text(x(40_001)), slack.MsgOptionResponseURL(to, "ephemeral")},
		"blocks":   {blocks(section("")), slack.MsgOptionResponseURL(to, "ephemeral")},
	} {
		if err := respond(t, api, options...); err == nil {
			t.Errorf("%s: went well", name)
		}
	}
	s.Fail("response_url", 1, slackfake.Throttle(time.Second))
	if err := respond(t, api, text("x"), slack.MsgOptionResponseURL(to, "ephemeral")); err == nil {
		t.Error("throttled, and yet well")
	}
	s.Fail("response_url", 1, slackfake.Drop())
	if err := respond(t, api, text("x"), slack.MsgOptionResponseURL(to, "ephemeral")); err == nil || len(s.Ephemerals(alice)) != 1 {
		t.Errorf("dropped: %v, alice sees %d", err, len(s.Ephemerals(alice)))
	}
}
