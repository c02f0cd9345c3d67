package slackfake

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxSockets is how many connections an app may have.
	maxSockets = 10
	// pingEvery is how often Slack shows that a connection lives.
	pingEvery = 5 * time.Second
	// writeWithin is when a connection that takes nothing counts as lost.
	writeWithin = 5 * time.Second
)

// socket is a connection of the app over Socket Mode.
type socket struct {
	conn *websocket.Conn
	// leaving reports whether the app was asked to connect again.
	leaving bool

	mu sync.Mutex // of writing
}

func (k *socket) write(v any) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.conn.SetWriteDeadline(time.Now().Add(writeWithin)) // The write tells what is wrong.
	return k.conn.WriteJSON(v)
}

// connectionsOpen gives an address that can be connected to once.
func (s *Server) connectionsOpen(*call) (Object, *refusal) {
	ticket := random()
	s.tickets[ticket] = true
	q := url.Values{"ticket": {ticket}, "app_id": {s.Team.App}}
	return Object{"url": "ws" + strings.TrimPrefix(s.http.URL, "http") + "/link?" + q.Encode()}, nil
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	if status := s.admit(r.URL.Query().Get("ticket")); status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered.
	}
	k := &socket{conn: conn}
	if !s.enter(k) {
		_ = k.write(s.goodbye("too_many_websockets")) // It is closed either way.
		_ = conn.Close()
		return
	}
	defer s.running.Done()
	defer s.leave(k)
	stop := make(chan struct{})
	defer close(stop)
	go ping(k, stop)
	for {
		var ack struct {
			Envelope string          `json:"envelope_id"`
			Payload  json.RawMessage `json:"payload"`
		}
		_, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if json.Unmarshal(data, &ack) == nil && len(data) < maxAck {
			s.acknowledge(ack.Envelope, ack.Payload)
		}
	}
}

// admit takes a ticket.
func (s *Server) admit(ticket string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.outage:
		return http.StatusServiceUnavailable
	case !s.tickets[ticket]:
		return http.StatusForbidden
	}
	delete(s.tickets, ticket)
	return http.StatusOK
}

// enter makes a connection one of those that envelopes go to, and greets it.
func (s *Server) enter(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return false
	default:
	}
	if s.outage || len(s.sockets) >= maxSockets {
		return false
	}
	hello := Object{
		"type": "hello", "num_connections": len(s.sockets) + 1, "connection_info": Object{"app_id": s.Team.App},
		"debug_info": Object{"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060},
	}
	if k.write(hello) != nil {
		return false
	}
	s.running.Add(1)
	s.sockets = append(s.sockets, k)
	s.connected++
	s.change()
	return true
}

// leave takes a connection away. What it was to acknowledge it never will.
func (s *Server) leave(k *socket) {
	_ = k.conn.Close() // It is gone either way.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets = slices.DeleteFunc(s.sockets, func(o *socket) bool { return o == k })
	for _, d := range s.deliveries {
		for _, a := range d.attempts {
			if a.socket == k {
				s.settle(d, a, "the connection was lost")
			}
		}
	}
	s.change()
}

func ping(k *socket, stop <-chan struct{}) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			_ = k.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink-1"), time.Now().Add(time.Second)) // The reader sees what is lost.
		}
	}
}

// sendEnvelope sends a delivery over one connection, each time over the next. A
// retry says so. The lock must be held.
func (s *Server) sendEnvelope(d *Delivery, a *attempt, retry int) {
	envelope := Object{
		"type": "interactive", "envelope_id": d.Envelope, "payload": json.RawMessage(d.Payload),
		"accepts_response_payload": d.answerable,
	}
	if retry > 0 {
		envelope["retry_attempt"], envelope["retry_reason"] = retry, "timeout"
	}
	for _, k := range s.inTurn() {
		if k.write(envelope) != nil {
			continue
		}
		a.socket = k
		if s.real {
			s.running.Go(func() { s.expire(d, a) })
		}
		return
	}
	s.settle(d, a, "no socket is connected")
}

// inTurn returns the connections in the order in which they are tried: those
// that stay first, and among them the one that has waited longest.
func (s *Server) inTurn() []*socket {
	if len(s.sockets) > 1 {
		s.sockets = append(s.sockets[1:], s.sockets[0])
	}
	order := slices.Clone(s.sockets)
	slices.SortStableFunc(order, func(a, b *socket) int {
		switch {
		case a.leaving == b.leaving:
			return 0
		case a.leaving:
			return 1
		default:
			return -1
		}
	})
	return order
}

// expire gives an attempt up when its time is over.
func (s *Server) expire(d *Delivery, a *attempt) {
	t := time.NewTimer(ackWithin)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(d, a, "not acknowledged in time")
	s.change()
}

// acknowledge takes what the app answered to an envelope.
func (s *Server) acknowledge(envelope string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.deliveries {
		if a := d.unanswered(); d.Envelope == envelope && a != nil {
			a.answer.Body = payload
			s.answered(d, a, true)
		}
	}
	s.change()
}

// unanswered is the attempt over a socket that a receipt is for, which names
// the envelope alone: the oldest that waits for one, else the oldest that has
// none.
func (d *Delivery) unanswered() *attempt {
	var late *attempt
	for _, a := range d.attempts {
		switch {
		case a.socket == nil || !a.answer.At.IsZero():
		case !a.settled:
			return a
		case late == nil:
			late = a
		}
	}
	return late
}

func (s *Server) goodbye(reason string) Object {
	return Object{"type": "disconnect", "reason": reason, "debug_info": Object{"host": "applink-1"}}
}

// Disconnect tells every connection to go, with Slack's reason: "warning" comes
// some seconds before the end and leaves them open; "refresh_requested" and
// "link_disabled" end them.
func (s *Server) Disconnect(reason string) {
	s.mu.Lock()
	going := slices.Clone(s.sockets)
	for _, k := range going {
		k.leaving = true
		_ = k.write(s.goodbye(reason)) // Who is gone needs no goodbye.
	}
	s.mu.Unlock()
	if reason != "warning" {
		closeAll(going)
	}
}

// DropSockets breaks every connection without a word.
func (s *Server) DropSockets() { s.dropSockets() }

func (s *Server) dropSockets() {
	s.mu.Lock()
	going := slices.Clone(s.sockets)
	s.mu.Unlock()
	closeAll(going)
}

func closeAll(sockets []*socket) {
	for _, k := range sockets {
		_ = k.conn.Close() // The reader takes it away.
	}
}

// Sockets returns how many connections the app has.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// Connected returns how many connections the app has had so far.
func (s *Server) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}
