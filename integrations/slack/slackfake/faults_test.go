package slackfake_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestFaultsBefore(t *testing.T) {
	s, api := start(t, nil)
	var throttled *slack.RateLimitedError
	var status slack.StatusCodeError
	try := func() error {
		_, _, err := api.PostMessageContext(t.Context(), secops, text("x"))
		return err
	}
	s.Fail("chat.postMessage", 1, slackfake.Throttle(1500*time.Millisecond))
	if err := try(); !errors.As(err, &throttled) || throttled.RetryAfter != 2*time.Second {
		t.Errorf("throttled: %v", err)
	}
	s.Fail("chat.postMessage", 1, slackfake.Status(http.StatusBadGateway))
	if err := try(); !errors.As(err, &status) || status.Code != http.StatusBadGateway {
		t.Errorf("status: %v", err)
	}
	s.Fail("chat.postMessage", 1, slackfake.Refuse("token_revoked"))
	wantCode(t, try(), "token_revoked")
	s.Fail("chat.postMessage", 1, slackfake.Cut())
	if err := try(); err == nil {
		t.Error("cut, and yet well")
	}
	if n := len(s.Messages(secops)); n != 0 {
		t.Errorf("%d messages were posted by calls that went wrong before", n)
	}
	if err := try(); err != nil || len(s.Messages(secops)) != 1 {
		t.Errorf("after the faults: %v", err)
	}
	var got []int
	for _, c := range s.Calls("chat.postMessage") {
		got = append(got, c.Status)
	}
	want := []int{429, 502, 200, 0, 200}
	if len(got) != len(want) {
		t.Fatalf("recorded %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("recorded %v, want %v", got, want)
		}
	}
}

func TestAmbiguousWrites(t *testing.T) {
	s, api := start(t, nil)
	s.Fail("chat.postMessage", 1, slackfake.Drop())
	if _, _, err := api.PostMessageContext(t.Context(), secops, text("dropped")); err == nil {
		t.Error("an answer came that was dropped")
	}
	if m := s.Messages(secops); len(m) != 1 || m[0].Text != "dropped" {
		t.Errorf("the write was not done: %+v", m)
	}
	for _, c := range []struct {
		fault slackfake.Fault
		want  int
	}{{slackfake.DropSilently(), 2}, {slackfake.Silence(), 2}} {
		s.Fail("chat.postMessage", 1, c.fault)
		ctx, cancel := context.WithCancel(t.Context())
		before := len(s.Calls("chat.postMessage"))
		done := make(chan error, 1)
		go func() {
			_, _, err := api.PostMessageContext(ctx, secops, text("silence"))
			done <- err
		}()
		await(t, s, func() bool { return len(s.Calls("chat.postMessage")) > before && len(s.Messages(secops)) >= c.want })
		cancel()
		if err := receive(t, done); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := len(s.Messages(secops)); n != c.want {
			t.Errorf("%d messages, want %d", n, c.want)
		}
	}
}

func TestOutage(t *testing.T) {
	s, api := start(t, nil)
	ts := post(t, api, secops, card())
	l := listen(t, s)
	s.Outage(true)
	var status slack.StatusCodeError
	if _, err := api.AuthTestContext(t.Context()); !errors.As(err, &status) || status.Code != http.StatusServiceUnavailable {
		t.Errorf("during an outage: %v", err)
	}
	await(t, s, func() bool { return s.Sockets() == 0 })
	d, err := s.Click(alice, secops, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}
	if a := answered(t, d); a.Acked || a.Problem != "slack is down" {
		t.Errorf("clicked during an outage: %+v", a)
	}
	s.Outage(false)
	await(t, s, func() bool { return s.Connected() == 2 && s.Sockets() == 1 })
	d.Deliver()
	l.ack(t, receive(t, l.got))
	if a := answered(t, d); !a.Acked {
		t.Errorf("after the outage: %+v", a)
	}
}

func TestSocketsAreRefusedDuringAnOutage(t *testing.T) {
	s, _ := start(t, nil)
	at := address(t, s)
	s.Outage(true)
	if _, status := dial(t, s, at); status != http.StatusServiceUnavailable {
		t.Errorf("connected with %d", status)
	}
}

func TestPostingIsLimited(t *testing.T) {
	clock := slackfake.NewClock(epoch())
	_, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now })
	var throttled *slack.RateLimitedError
	try := func(channel string) error {
		_, _, err := api.PostMessageContext(t.Context(), channel, text("x"))
		return err
	}
	for range 5 {
		if err := try(secops); err != nil {
			t.Fatalf("a short burst: %v", err)
		}
	}
	if err := try(secops); !errors.As(err, &throttled) || throttled.RetryAfter != time.Second {
		t.Errorf("a longer one: %v", err)
	}
	if err := try(secret); err != nil {
		t.Errorf("another channel: %v", err)
	}
	clock.Advance(time.Second)
	if err := try(secops); err != nil {
		t.Errorf("a second later: %v", err)
	}
	if err := try(secops); !errors.As(err, &throttled) {
		t.Errorf("and at once again: %v", err)
	}
}
