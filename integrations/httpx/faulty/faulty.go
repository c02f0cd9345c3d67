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
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
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
}

// New starts a server on loopback, which the test's end stops.
func New(tb testing.TB, handler http.Handler) *Server {
	tb.Helper()
	s := &Server{tb: tb, handler: handler, address: "127.0.0.1:0"}
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
	fault := s.fault
	s.mu.Unlock()
	// Only after a request was read to its end is a closed connection noticed.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch fault {
	case contract.Throttle:
		w.Header().Set("Retry-After", strconv.Itoa(int(contract.ThrottledFor.Seconds())))
		w.WriteHeader(http.StatusTooManyRequests)
	case contract.Deny:
		w.WriteHeader(http.StatusUnauthorized)
	case contract.Hang:
		<-r.Context().Done()
	case contract.LoseAnswer:
		s.handler.ServeHTTP(httptest.NewRecorder(), r)
		s.hangUp(w)
	case contract.Works, contract.Down:
		s.handler.ServeHTTP(w, r)
	}
}

// hangUp ends the connection without an answer.
func (s *Server) hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.tb.Errorf("hang up: %v", err)
		return
	}
	_ = conn.Close()
}
