package interact

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/goleak"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestListenEndsCleanly(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	stop := w.listen(w.receiver)
	// What other tests' servers still run is not this one's.
	running := goleak.IgnoreCurrent()
	second := w.connect()
	stopSecond := w.listen(second)
	stopSecond()
	w.await("one connection", func() bool { return w.Sockets() == 1 })
	stop()
	w.await("no connection", func() bool { return w.Sockets() == 0 })
	w.receiver.teller.http.CloseIdleConnections()
	second.teller.http.CloseIdleConnections()
	if err := goleak.Find(running); err != nil {
		t.Error(err)
	}
}

func TestListenFinishesWhatIsUnderWay(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	stop := w.listen(w.receiver)
	open := w.desk.close()
	d, err := w.Click(alice, secops, w.card, blocks.ActionApprove)
	if err != nil {
		t.Fatal(err)
	}
	<-w.desk.entered
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	open()
	<-ended
	w.answer(d)
	if n := len(w.desk.clicks()); n != 1 {
		t.Errorf("the desk keeps %d clicks", n)
	}
	w.told(alice, 1)
}

func TestListenWaitsWithoutSocketMode(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(slack.New("xoxb-1"), Options{}).Listen(ctx, newDesk()) }()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestListenGivesUpOnlyOnRefusedCredentials(t *testing.T) {
	for _, code := range []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked"} {
		t.Run(code, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.Fail("apps.connections.open", 1, slackfake.Refuse(code))
			err := w.receiver.Listen(t.Context(), w.desk)
			if integrations.KindOf(err) != integrations.Denied || !strings.Contains(err.Error(), code) {
				t.Errorf("listen: %v, want denied for %s", err, code)
			}
		})
	}
	t.Run("outage", func(t *testing.T) {
		w := newWorld(t, slackfake.Options{})
		w.Fail("apps.connections.open", 2, slackfake.Status(503))
		w.Fail("apps.connections.open", 1, slackfake.Refuse("internal_error"))
		w.listen(w.receiver)
		if _, a := w.press(alice, w.card, blocks.ActionApprove); !a.Acked {
			t.Errorf("the click was answered with %+v", a)
		}
	})
	t.Run("no such method", func(t *testing.T) {
		w := newWorld(t, slackfake.Options{})
		w.receiver.againAfter = time.Millisecond
		// The library takes this one as final; a proxy may well answer so.
		w.Fail("apps.connections.open", 1, slackfake.Status(404))
		w.listen(w.receiver)
	})
}

func TestReconnectsByItself(t *testing.T) {
	tests := []struct {
		name       string
		disconnect func(*world)
	}{
		{"asked to", func(w *world) { w.Disconnect("refresh_requested") }},
		{"warned", func(w *world) { w.Disconnect("warning") }},
		{"cut off", func(w *world) { w.DropSockets() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.listen(w.receiver)
			open := w.desk.close()
			d, err := w.Click(alice, secops, w.card, blocks.ActionApprove)
			if err != nil {
				t.Fatal(err)
			}
			<-w.desk.entered
			tt.disconnect(w)
			w.await("another connection", func() bool { return len(w.Calls("apps.connections.open")) == 2 })
			open()
			w.told(alice, 1)
			w.acknowledged(d)
			if _, a := w.press(bob, w.card, blocks.ActionApprove); !a.Acked {
				t.Errorf("the next click was answered with %+v", a)
			}
			d.Deliver()
			w.answer(d)
			if kept := w.desk.clicks(); len(kept) != 2 || kept[0].User != alice || kept[1].User != bob {
				t.Errorf("the desk keeps %+v", kept)
			}
		})
	}
}

func TestSlowDeskHoldsUpNobodyElse(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	open := w.desk.close()
	slow, err := w.Click(alice, secops, w.card, blocks.ActionApprove)
	if err != nil {
		t.Fatal(err)
	}
	<-w.desk.entered
	if _, a := w.press(bob, w.card, blocks.ActionDeny); !a.Acked || len(w.Views(bob)) != 1 {
		t.Errorf("the other click was answered with %+v", a)
	}
	open()
	if a := w.answer(slow); !a.Acked {
		t.Errorf("the slow click was answered with %+v", a)
	}
}

func TestTooManyAtOnceAreNotAcknowledged(t *testing.T) {
	t.Parallel() // Slack waits for seconds.
	w := newWorld(t, slackfake.Options{})
	w.receiver.ackWithin = time.Minute
	w.receiver.slots = make(chan struct{}, 1)
	w.listen(w.receiver)
	open := w.desk.close()
	first, err := w.Click(alice, secops, w.card, blocks.ActionApprove)
	if err != nil {
		t.Fatal(err)
	}
	<-w.desk.entered
	if _, a := w.press(bob, w.card, blocks.ActionApprove); a.Acked {
		t.Errorf("the second click was answered with %+v", a)
	}
	open()
	w.told(alice, 1)
	if kept := w.desk.clicks(); len(kept) != 1 || kept[0].User != alice {
		t.Errorf("the desk keeps %+v", kept)
	}
	if a := first.Answers(); len(a) != 1 {
		t.Errorf("the first click was sent %d times", len(a))
	}
}

func TestTwoConnectionsShareTheClicks(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	w.listen(w.connect())
	for range 3 {
		for _, user := range []string{alice, bob} {
			if _, a := w.press(user, w.card, blocks.ActionApprove); !a.Acked {
				t.Errorf("the click was answered with %+v", a)
			}
		}
	}
	if kept, received := len(w.desk.clicks()), w.desk.calls(); kept != 6 || received != 6 {
		t.Errorf("the desk got %d and keeps %d, want 6 each", received, kept)
	}
	// The same envelope, over the other connection.
	d, _ := w.press(alice, w.card, blocks.ActionApprove)
	d.Deliver()
	w.answer(d)
	if kept, received := len(w.desk.clicks()), w.desk.calls(); kept != 7 || received != 8 {
		t.Errorf("the desk got %d and keeps %d, want 8 and 7", received, kept)
	}
}

func TestConnectionIsGivenUpRatherThanWaitedFor(t *testing.T) {
	throttled := &slack.RateLimitedError{RetryAfter: time.Minute}
	tests := []struct {
		name string
		err  error
		wait time.Duration
		keep bool
	}{
		{"soon", errors.New("no route"), longestWait, true},
		{"in minutes", errors.New("no route"), longestWait + 1, false},
		{"in minutes, as Slack asks", throttled, time.Minute, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &listener{Receiver: New(slack.New("xoxb-1"), Options{})}
			event := socketmode.Event{
				Type: socketmode.EventTypeConnectionError,
				Data: &slack.ConnectionErrorEvent{Backoff: tt.wait, ErrorObj: tt.err},
			}
			if keep := l.take(t.Context(), event); keep != tt.keep {
				t.Errorf("it is kept: %t, want %t", keep, tt.keep)
			}
		})
	}
}

func TestEveryEventIsTakenWithoutWaiting(t *testing.T) {
	for _, kind := range []socketmode.EventType{
		socketmode.EventTypeHello, socketmode.EventTypeConnecting, socketmode.EventTypeIncomingError, socketmode.EventTypeErrorBadMessage,
		socketmode.EventTypeErrorWriteFailed, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI, socketmode.EventTypeSlashCommand,
		socketmode.EventTypeConnectionError, "new",
	} {
		api := slack.New("xoxb-1")
		l := &listener{Receiver: New(api, Options{}), client: socketmode.New(api)}
		if !l.take(t.Context(), socketmode.Event{Type: kind}) {
			t.Errorf("event %q ends the connection", kind)
		}
	}
}
