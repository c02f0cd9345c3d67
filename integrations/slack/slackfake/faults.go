package slackfake

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Fault is a way in which a call goes wrong.
type Fault struct {
	status int
	code   string
	wait   time.Duration
	done   bool
	silent bool
}

// Throttle answers 429 and how long to wait, and does nothing.
func Throttle(wait time.Duration) Fault {
	return Fault{status: http.StatusTooManyRequests, wait: wait}
}

// Status answers with an HTTP status and no JSON, and does nothing.
func Status(status int) Fault { return Fault{status: status} }

// Refuse answers ok: false with an error code, and does nothing.
func Refuse(code string) Fault { return Fault{code: code} }

// Cut breaks the connection and does nothing.
func Cut() Fault { return Fault{} }

// Silence does nothing and does not answer before the client gives up.
func Silence() Fault { return Fault{silent: true} }

// Drop does what was asked and breaks the connection instead of answering: the
// caller cannot know.
func Drop() Fault { return Fault{done: true} }

// DropSilently does what was asked and does not answer before the client gives
// up.
func DropSilently() Fault { return Fault{done: true, silent: true} }

// after reports whether the call is done before it goes wrong.
func (f Fault) after() bool { return f.done }

// Fail makes the next n calls of a method go wrong. Posts to a response_url are
// the method "response_url", the bytes of a file "upload".
func (s *Server) Fail(method string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults[method] = append(s.faults[method], f)
	}
}

// Outage takes the whole of Slack down, or brings it back. While it is down
// every request gets a 503, and sockets are closed and refused.
func (s *Server) Outage(down bool) {
	s.mu.Lock()
	s.outage = down
	s.change()
	s.mu.Unlock()
	if down {
		s.dropSockets()
	}
}

// fault takes the next fault of a method.
func (s *Server) fault(method string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage {
		return Status(http.StatusServiceUnavailable), true
	}
	queue := s.faults[method]
	if len(queue) == 0 {
		return Fault{}, false
	}
	s.faults[method] = queue[1:]
	return queue[0], true
}

// failBefore lets a call go wrong before it did anything, if the fault is such.
func (s *Server) failBefore(w http.ResponseWriter, r *http.Request, f Fault, record int) bool {
	switch {
	case f.done:
		return false
	case f.status == http.StatusTooManyRequests:
		s.finish(record, f.status, "ratelimited")
		throttle(w, f.wait)
	case f.status != 0:
		s.finish(record, f.status, "")
		http.Error(w, http.StatusText(f.status), f.status)
	case f.code != "":
		s.finish(record, http.StatusOK, f.code)
		writeJSON(w, http.StatusOK, refuse(f.code).object())
	default:
		breakOff(w, r, f, s.closing)
	}
	return true
}

// breakOff ends a request without an answer: at once, or when the client has
// given up.
func breakOff(w http.ResponseWriter, r *http.Request, f Fault, closing <-chan struct{}) {
	if f.silent {
		select {
		case <-r.Context().Done():
		case <-closing:
		}
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close() // It is broken on purpose.
	}
}

// throttle answers 429 in whole seconds, as Slack does.
func throttle(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	writeJSON(w, http.StatusTooManyRequests, refuse("ratelimited").object())
}
