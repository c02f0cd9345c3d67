// Package faulty is a product behind HTTP that fails on command, for the tests
// of integrations. Its faults are real ones: a refused connection, an answer
// that never comes, one that is lost on the way.
package faulty

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
)

// HugeSize is more than any client should read, and Stranger where nobody should be led.
const (
	HugeSize = 10 << 20
	Stranger = "http://stranger.invalid/"
)

// Server answers by its handler, until it is broken.
type Server struct {
	tb      testing.TB
	handler http.Handler
	address string

	mu      sync.Mutex
	running *httptest.Server
	fault   contract.Fault
	calls   int
	loses   func(*http.Request) bool
	// waitHeader is where a 429 asks to wait, moment whether it is until a time.
	waitHeader string
	moment     bool
}

// New starts a server on loopback, which the test's end stops.
func New(tb testing.TB, handler http.Handler) *Server {
	tb.Helper()
	s := &Server{tb: tb, handler: handler, address: "127.0.0.1:0", waitHeader: "Retry-After"}
	s.start()
	tb.Cleanup(func() { s.Break(contract.Down) })
	return s
}

// URL is where the server listens; it stays the same when it was down.
func (s *Server) URL() string { return "http://" + s.address }

// Calls counts the requests that reached the server, regardless of their result.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// LoseOnly has [contract.LoseAnswer] lose the answers to some requests: to writes, where a
// client reads before. The others are answered.
func (s *Server) LoseOnly(these func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loses = these
}

// AskToWait sets the header in which a throttled answer asks to wait: for seconds, or until a
// moment in seconds since 1970.
func (s *Server) AskToWait(header string, moment bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitHeader, s.moment = header, moment
}

// Break makes the server fail from now on; [contract.Works] repairs it.
func (s *Server) Break(f contract.Fault) {
	s.mu.Lock()
	s.fault = f
	running := s.running
	if f == contract.Down {
		s.running = nil
	}
	s.mu.Unlock()
	switch {
	case f == contract.Down && running != nil:
		running.CloseClientConnections()
		running.Close()
	case f != contract.Down && running == nil:
		s.start()
	}
}

func (s *Server) start() {
	s.tb.Helper()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.tb.Fatalf("listen on %s: %v", s.address, err)
	}
	running := httptest.NewUnstartedServer(s)
	_ = running.Listener.Close()
	running.Listener = listener
	running.Start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address, s.running = listener.Addr().String(), running
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	fault, loses := s.fault, s.loses
	s.mu.Unlock()
	if fault == contract.LoseAnswer && loses != nil && !loses(r) {
		fault = contract.Works
	}
	// Only after a request was read to its end is a closed connection noticed.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch fault {
	case contract.Throttle:
		s.throttle(w)
	case contract.Hang:
		<-r.Context().Done()
	case contract.LoseAnswer:
		s.handler.ServeHTTP(httptest.NewRecorder(), r)
		s.hangUp(w)
	case contract.Works, contract.Down:
		s.handler.ServeHTTP(w, r)
	case contract.Trickle:
		trickle(w, r, nil)
	case contract.Deny, contract.Forbid, contract.HTML, contract.Missing, contract.Wrong, contract.Foreign, contract.Torn, contract.Huge, contract.Elsewhere, contract.Failing:
		answerFault(w, r, fault)
	}
}

func (s *Server) throttle(w http.ResponseWriter) {
	s.mu.Lock()
	header, moment := s.waitHeader, s.moment
	s.mu.Unlock()
	askToWait(w, header, moment)
}

func askToWait(w http.ResponseWriter, header string, moment bool) {
	now, wait := time.Now(), int64(contract.ThrottledFor.Seconds())
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if moment {
		wait += now.Unix()
	}
	w.Header().Set(header, strconv.FormatInt(wait, 10))
	w.WriteHeader(http.StatusTooManyRequests)
}

// answerFault answers as a product that works does not.
func answerFault(w http.ResponseWriter, r *http.Request, fault contract.Fault) {
	sent := strconv.Quote(r.Header.Get("Authorization"))
	page := func(status int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>Log in. You sent "+sent+"</body></html>")
	}
	say := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	switch fault {
	case contract.HTML:
		page(http.StatusOK)
	case contract.Missing:
		page(http.StatusNotFound)
	case contract.Wrong:
		say(http.StatusOK, "["+sent+"]")
	case contract.Foreign:
		say(http.StatusOK, `{"sent":`+sent+`}`)
	case contract.Torn:
		w.Header().Set("Content-Length", "1000")
		say(http.StatusOK, `{"sent":`+sent)
	case contract.Huge:
		say(http.StatusOK, `{"sent":"`+strings.Repeat("x", HugeSize)+`"}`)
	case contract.Elsewhere:
		http.Redirect(w, r, Stranger, http.StatusTemporaryRedirect)
	case contract.Deny:
		say(http.StatusUnauthorized, `{"sent":`+sent+`}`)
	case contract.Forbid:
		say(http.StatusForbidden, `{"sent":`+sent+`}`)
	case contract.Throttle:
		askToWait(w, "Retry-After", false)
	case contract.Works, contract.Down, contract.Hang, contract.LoseAnswer, contract.Trickle:
		// These are no answers.
	case contract.Failing:
		say(http.StatusServiceUnavailable, `{"sent":`+sent+`}`)
	}
}

// trickle ends with its client, or when it is over.
func trickle(w http.ResponseWriter, r *http.Request, over <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-over:
			return
		case <-tick.C:
			_, err := io.WriteString(w, " ")
			if err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
		}
	}
}

// hangUp ends the connection without an answer.
func (s *Server) hangUp(w http.ResponseWriter) { hangUp(s.tb, w) }

func hangUp(tb testing.TB, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		tb.Errorf("hang up: %v", err)
		return
	}
	_ = conn.Close()
}
