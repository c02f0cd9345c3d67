package slackfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// listener is an app on a socket that slack-go keeps open.
type listener struct {
	*socketmode.Client
	got chan socketmode.Event
	end chan error
}

// listen connects an app over Socket Mode. It acknowledges only what the test
// tells it to.
func listen(t *testing.T, s *slackfake.Server) *listener {
	t.Helper()
	l := &listener{Client: socketmode.New(client(s)), got: make(chan socketmode.Event, 16), end: make(chan error, 1)}
	before := s.Connected()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { l.end <- l.RunContext(ctx) }()
	go func() {
		defer close(done)
		for {
			select {
			case e := <-l.Events:
				if e.Type == socketmode.EventTypeInteractive {
					l.got <- e
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	await(t, s, func() bool { return s.Connected() > before })
	return l
}

func await(t *testing.T, s *slackfake.Server, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Await(ctx, holds); err != nil {
		t.Fatal(err)
	}
}

func (l *listener) ack(t *testing.T, e socketmode.Event, payload ...any) {
	t.Helper()
	if err := l.Ack(*e.Request, payload...); err != nil {
		t.Fatal(err)
	}
}

func click(t *testing.T, s *slackfake.Server, api *slack.Client) *slackfake.Delivery {
	t.Helper()
	d, err := s.Click(alice, secops, post(t, api, secops, card()), "approve")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestClickOverASocket(t *testing.T) {
	s, api := start(t, nil)
	l := listen(t, s)
	d := click(t, s, api)
	e := receive(t, l.got)
	c, ok := e.Data.(slack.InteractionCallback)
	if !ok || c.User.ID != alice || c.ActionCallback.BlockActions[0].Value != "a1.9f3c" {
		t.Fatalf("got %+v", e.Data)
	}
	if e.Request.EnvelopeID != d.Envelope || e.Request.RetryAttempt != 0 || e.Request.AcceptsResponsePayload {
		t.Errorf("envelope %+v", e.Request)
	}
	if a := d.Answers(); len(a) != 1 || a[0].Acked || !a[0].At.IsZero() {
		t.Errorf("before the receipt: %+v", a)
	}
	l.ack(t, e)
	if a := answered(t, d); !a.Acked {
		t.Errorf("answered %+v", a)
	}
}

func TestRedeliveryOverASocket(t *testing.T) {
	s, api := start(t, nil)
	l := listen(t, s)
	d := click(t, s, api)
	first := receive(t, l.got)
	d.Deliver()
	second := receive(t, l.got)
	if second.Request.EnvelopeID != first.Request.EnvelopeID || second.Request.RetryAttempt != 1 || second.Request.RetryReason != "timeout" {
		t.Errorf("second time %+v", second.Request)
	}
	l.ack(t, first)
	l.ack(t, second)
	answered(t, d)
	for i, a := range d.Answers() {
		if !a.Acked {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	if err := d.Replay(); err == nil {
		t.Error("what was not signed cannot be replayed")
	}
}

func TestSubmissionOverASocket(t *testing.T) {
	s, api := start(t, unlimited)
	l := listen(t, s)
	d := click(t, s, api)
	e := receive(t, l.got)
	l.ack(t, e)
	answered(t, d)
	v, err := api.OpenViewContext(t.Context(), e.Data.(slack.InteractionCallback).TriggerID, modal(nil))
	if err != nil {
		t.Fatal(err)
	}
	submit := func(payload any) slackfake.View {
		d, err := s.SubmitView(alice, v.ID, map[string]string{"why": "enough"})
		if err != nil {
			t.Fatal(err)
		}
		e := receive(t, l.got)
		if !e.Request.AcceptsResponsePayload {
			t.Error("a submission takes no answer")
		}
		l.ack(t, e, payload)
		answered(t, d)
		return s.Views(alice)[0]
	}
	if got := submit(slack.NewErrorsViewSubmissionResponse(map[string]string{"why": "too late"})); got.Errors["why"] != "too late" || got.Trouble {
		t.Errorf("alice sees %+v", got)
	}
}

func TestSocketsInTurn(t *testing.T) {
	s, api := start(t, unlimited)
	one, two := listen(t, s), listen(t, s)
	var deliveries []*slackfake.Delivery
	for range 4 {
		deliveries = append(deliveries, click(t, s, api))
	}
	var seen []string
	for _, l := range []*listener{one, two} {
		for range 2 {
			e := receive(t, l.got)
			seen = append(seen, e.Request.EnvelopeID)
			l.ack(t, e)
		}
	}
	for _, d := range deliveries {
		if a := answered(t, d); !a.Acked || !slices.Contains(seen, d.Envelope) {
			t.Errorf("delivery %s: %+v", d.Envelope, a)
		}
	}
	if len(one.got)+len(two.got) != 0 {
		t.Error("an envelope went to both")
	}
}

func TestLateReceipt(t *testing.T) {
	clock := slackfake.NewClock(epoch())
	s, api := start(t, func(o *slackfake.Options) { o.Now = clock.Now })
	l := listen(t, s)
	d := click(t, s, api)
	e := receive(t, l.got)
	clock.Advance(4 * time.Second)
	l.ack(t, e)
	if a := answered(t, d); a.Acked || a.At.IsZero() || a.Problem == "" {
		t.Errorf("answered %+v", a)
	}
}

// TestNoReceipt runs by the real clock, which gives an envelope up by itself.
func TestNoReceipt(t *testing.T) {
	t.Parallel()
	s, api := start(t, nil)
	l := listen(t, s)
	d := click(t, s, api)
	e := receive(t, l.got)
	if a := answered(t, d); a.Acked || a.Problem != "not acknowledged in time" {
		t.Errorf("answered %+v", a)
	}
	l.ack(t, e)
	await(t, s, func() bool { return !d.Answers()[0].At.IsZero() })
	if a := d.Answers()[0]; a.Acked {
		t.Errorf("a receipt that is late counts: %+v", a)
	}
}

func TestNobodyListens(t *testing.T) {
	s, api := start(t, nil)
	if a := answered(t, click(t, s, api)); a.Acked || a.Problem != "no socket is connected" {
		t.Errorf("answered %+v", a)
	}
}

func TestALostConnection(t *testing.T) {
	s, api := start(t, nil)
	l := listen(t, s)
	d := click(t, s, api)
	receive(t, l.got)
	s.DropSockets()
	if a := answered(t, d); a.Acked || a.Problem != "the connection was lost" {
		t.Errorf("answered %+v", a)
	}
	await(t, s, func() bool { return s.Connected() == 2 && s.Sockets() == 1 })
	d.Deliver()
	e := receive(t, l.got)
	l.ack(t, e)
	if a := answered(t, d); !a.Acked || e.Request.RetryAttempt != 1 {
		t.Errorf("after connecting again: %+v, attempt %d", a, e.Request.RetryAttempt)
	}
}

func TestDisconnect(t *testing.T) {
	for _, reason := range []string{"warning", "refresh_requested", "link_disabled"} {
		t.Run(reason, func(t *testing.T) {
			s, api := start(t, nil)
			l := listen(t, s)
			s.Disconnect(reason)
			await(t, s, func() bool { return s.Connected() == 2 && s.Sockets() == 1 })
			d := click(t, s, api)
			l.ack(t, receive(t, l.got))
			if a := answered(t, d); !a.Acked {
				t.Errorf("after connecting again: %+v", a)
			}
		})
	}
}

func TestConnectingNeedsTheAppToken(t *testing.T) {
	s, _ := start(t, nil)
	for token, code := range map[string]string{"xapp-wrong": "invalid_auth", s.BotToken: "not_allowed_token_type", "": "not_authed"} {
		api := slack.New(s.BotToken, slack.OptionAPIURL(s.URL), slack.OptionAppLevelToken(token))
		_, _, err := api.StartSocketModeContext(t.Context())
		wantCode(t, err, code)
	}
	bad := slack.New(s.BotToken, slack.OptionAPIURL(s.URL), slack.OptionAppLevelToken("xapp-wrong"))
	err := socketmode.New(bad).RunContext(t.Context())
	wantCode(t, err, "invalid_auth")
}

// dial opens a socket without slack-go.
func dial(t *testing.T, s *slackfake.Server, address string) (*websocket.Conn, int) {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), address, nil)
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	t.Cleanup(func() { c.Close() })
	return c, http.StatusOK
}

func address(t *testing.T, s *slackfake.Server) string {
	t.Helper()
	info, _, err := client(s).StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.URL
}

func read(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	var v map[string]any
	if err := c.ReadJSON(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSocketProtocol(t *testing.T) {
	s, api := start(t, nil)
	at := address(t, s)
	c, _ := dial(t, s, at)
	hello := read(t, c)
	if hello["type"] != "hello" || hello["num_connections"] != 1.0 || hello["connection_info"].(map[string]any)["app_id"] != s.Team.App {
		t.Errorf("greeted with %v", hello)
	}
	if _, status := dial(t, s, at); status != http.StatusForbidden {
		t.Errorf("a ticket was taken twice: %d", status)
	}
	d := click(t, s, api)
	envelope := read(t, c)
	if envelope["type"] != "interactive" || envelope["envelope_id"] != d.Envelope || envelope["accepts_response_payload"] != false || envelope["retry_attempt"] != nil {
		t.Errorf("envelope %v", envelope)
	}
	if err := c.WriteJSON(map[string]any{"envelope_id": d.Envelope, "payload": strings.Repeat("x", 20*1024)}); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteJSON(map[string]any{"envelope_id": "somebody else's"}); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(websocket.TextMessage, []byte("noise")); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteJSON(map[string]any{"envelope_id": d.Envelope, "payload": map[string]any{"text": "short"}}); err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	a := answered(t, d)
	if err := json.Unmarshal(a.Body, &said); err != nil || said["text"] != "short" || !a.Acked {
		t.Errorf("too large an answer was not dropped: %+v", a)
	}
	s.Disconnect("refresh_requested")
	if bye := read(t, c); bye["type"] != "disconnect" || bye["reason"] != "refresh_requested" {
		t.Errorf("goodbye %v", bye)
	}
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); err == nil || errors.As(err, &closed) && closed.Code == websocket.CloseNormalClosure {
		t.Errorf("the connection goes on: %v", err)
	}
}

func TestWarnedSocketsComeLast(t *testing.T) {
	s, api := start(t, nil)
	old, _ := dial(t, s, address(t, s))
	read(t, old)
	s.Disconnect("warning")
	if bye := read(t, old); bye["reason"] != "warning" {
		t.Errorf("told %v", bye)
	}
	first := click(t, s, api)
	if got := read(t, old); got["envelope_id"] != first.Envelope {
		t.Errorf("a warned connection that is the only one got %v", got)
	}
	fresh, _ := dial(t, s, address(t, s))
	read(t, fresh)
	for range 2 {
		d := click(t, s, api)
		if got := read(t, fresh); got["envelope_id"] != d.Envelope {
			t.Errorf("the fresh connection got %v", got)
		}
	}
}

func TestTenSocketsAreEnough(t *testing.T) {
	s, _ := start(t, nil)
	for range 10 {
		c, _ := dial(t, s, address(t, s))
		read(t, c)
	}
	c, _ := dial(t, s, address(t, s))
	if bye := read(t, c); bye["type"] != "disconnect" || bye["reason"] != "too_many_websockets" {
		t.Errorf("the eleventh is told %v", bye)
	}
	if s.Sockets() != 10 {
		t.Errorf("%d connections", s.Sockets())
	}
}
