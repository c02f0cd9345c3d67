package slackfake

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ackWithin is how long an app has to acknowledge an interaction.
const ackWithin = 3 * time.Second

// maxAck is where Slack drops what an app answers over a socket.
const maxAck = 20 * 1024

// Delivery is one interaction on its way to the app.
type Delivery struct {
	// Envelope is its id over Socket Mode.
	Envelope string
	// Payload is what the app gets, as JSON.
	Payload []byte

	s *Server
	// answerable reports whether the app may answer with more than a receipt.
	answerable bool
	view       *View
	attempts   []*attempt
}

// attempt is one time that a delivery was sent.
type attempt struct {
	answer  Answer
	settled bool
	header  http.Header
	body    []byte
	to      string
	socket  *socket
}

// Answer is how the app answered one attempt.
type Answer struct {
	Sent time.Time
	// At is when the answer came; zero: never.
	At time.Time
	// Acked reports whether it came in time, and was a receipt.
	Acked bool
	// Status is that of HTTP, Body what was answered.
	Status int
	Body   []byte
	// Problem is why there is no answer. The person does not see it.
	Problem string
}

// newDelivery keeps an interaction to be sent. The lock must be held.
func (s *Server) newDelivery(payload Object, answerable bool, v *View) *Delivery {
	d := &Delivery{Envelope: random(), Payload: compact(payload), s: s, answerable: answerable, view: v}
	s.deliveries = append(s.deliveries, d)
	s.change()
	return d
}

// Deliver sends the interaction to the app: to the request URL, or over one of
// the sockets. Again, it is the same one, sent once more.
func (d *Delivery) Deliver() {
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &attempt{answer: Answer{Sent: s.now()}, to: s.requestURL}
	d.attempts = append(d.attempts, a)
	defer s.change()
	switch {
	case s.outage:
		s.settle(d, a, "slack is down")
	case a.to == "":
		s.sendEnvelope(d, a, len(d.attempts)-1)
	default:
		a.header, a.body = s.sign(d.Payload)
		s.running.Go(func() { s.request(d, a) })
	}
}

// Replay sends the same bytes with the same signature as the first time, as
// somebody could who overheard them. There must have been a first time over
// HTTP.
func (d *Delivery) Replay() error {
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(d.attempts) == 0 || d.attempts[0].header == nil {
		return fmt.Errorf("replay delivery %q: nothing was signed", d.Envelope)
	}
	first := d.attempts[0]
	a := &attempt{answer: Answer{Sent: s.now()}, to: first.to, header: first.header, body: first.body}
	d.attempts = append(d.attempts, a)
	s.running.Go(func() { s.request(d, a) })
	s.change()
	return nil
}

// Answer waits until the last attempt was answered, or cannot be any more.
func (d *Delivery) Answer(ctx context.Context) (Answer, error) {
	var last Answer
	err := d.s.Await(ctx, func() bool {
		d.s.mu.Lock()
		defer d.s.mu.Unlock()
		n := len(d.attempts)
		if n == 0 || !d.attempts[n-1].settled {
			return false
		}
		last = d.attempts[n-1].answer
		return true
	})
	return last, err
}

// Answers returns how every attempt was answered so far.
func (d *Delivery) Answers() []Answer {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	var answers []Answer
	for _, a := range d.attempts {
		answers = append(answers, a.answer)
	}
	return answers
}

// Request is the interaction as a signed HTTP request, for handlers that are
// called without a network.
func (d *Delivery) Request(ctx context.Context, to string) (*http.Request, error) {
	d.s.mu.Lock()
	header, body := d.s.sign(d.Payload)
	d.s.mu.Unlock()
	return newRequest(ctx, to, header, body)
}

func newRequest(ctx context.Context, to string, header http.Header, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("request to %q: %w", to, err)
	}
	r.Header = header.Clone()
	return r, nil
}

// sign writes a payload as the form that Slack sends, and signs it.
func (s *Server) sign(payload []byte) (http.Header, []byte) {
	body := []byte(url.Values{"payload": {string(payload)}}.Encode())
	at := strconv.FormatInt(s.now().Unix(), 10)
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	header.Set("X-Slack-Request-Timestamp", at)
	header.Set("X-Slack-Signature", Signature(s.SigningSecret, at, body))
	return header, body
}

// Signature is what Slack signs a request with.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{"v0", timestamp, ""}, ":")))
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// request makes one attempt over HTTP. By the real clock it is given up when
// the time to acknowledge is over; by another one it waits, and looks then.
func (s *Server) request(d *Delivery, a *attempt) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.real {
		ctx, cancel = context.WithTimeout(ctx, ackWithin)
		defer cancel()
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-stop:
		}
	}()
	status, body, err := post(ctx, a)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.change()
	if err != nil {
		s.settle(d, a, err.Error())
		return
	}
	a.answer.Status, a.answer.Body = status, body
	s.answered(d, a, status == http.StatusOK)
}

func post(ctx context.Context, a *attempt) (int, []byte, error) {
	r, err := newRequest(ctx, a.to, a.header, a.body)
	if err != nil {
		return 0, nil, err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, body, err
}

// settle ends an attempt without an answer.
func (s *Server) settle(d *Delivery, a *attempt, problem string) {
	if a.settled {
		return
	}
	a.settled, a.answer.Problem = true, problem
	s.conclude(d, a)
}

// answered ends an attempt with what the app said.
func (s *Server) answered(d *Delivery, a *attempt, receipt bool) {
	a.answer.At = s.now()
	late := a.answer.At.Sub(a.answer.Sent) > ackWithin
	if late {
		a.answer.Problem = "acknowledged too late"
	}
	if a.settled {
		return
	}
	a.settled, a.answer.Acked = true, receipt && !late
	s.conclude(d, a)
}
