package apispec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"testing"
)

// FaultHeader is set by a double on an answer that its vendor's API would not
// give, such as an error page of a proxy or half an answer. Such an answer is
// passed on as it is written, without this header, and is not judged. It is set
// before the answer is begun.
const FaultHeader = "X-Double-Fault"

// most is how many bytes of a request and of an answer are read.
const most = 32 << 20

// Handler returns a handler that judges every request before next sees it, and
// every answer of next before the client does. What is wrong is an error of the
// test; the client is refused, with 400 for its own mistake and 500 for one of
// next, so that it cannot succeed with what no vendor would take or say.
//
// Nothing is judged or reported after the test has ended: what still runs then
// is answered 503. Handlers may be called concurrently.
func (s *Spec) Handler(tb testing.TB, next http.Handler) http.Handler {
	judge := &judge{tb: tb}
	tb.Cleanup(judge.end)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
		if err != nil {
			// The client went away; nobody waits for an answer.
			http.Error(w, "the request was not sent to its end", http.StatusBadRequest)
			return
		}
		if len(body) > most {
			judge.refuse(w, http.StatusBadRequest, fmt.Errorf("%s %s: a request of more than %d bytes", r.Method, r.URL.Path, most))
			return
		}
		c, err := s.request(r, body)
		if err != nil {
			judge.refuse(w, http.StatusBadRequest, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		a := &answer{out: w, header: http.Header{}}
		next.ServeHTTP(a, r)
		if a.fault {
			return
		}
		a.WriteHeader(http.StatusOK)
		if a.body.Len() > most {
			err = fmt.Errorf("%s %s: an answer of more than %d bytes", r.Method, r.URL.Path, most)
		} else {
			err = c.answer(a.status, a.header, a.body.Bytes())
		}
		if err != nil {
			judge.refuse(w, http.StatusInternalServerError, err)
			return
		}
		a.send()
	})
}

// judge reports to a test as long as it runs: a report after its end panics.
type judge struct {
	mu    sync.Mutex
	tb    testing.TB
	ended bool
}

func (j *judge) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
}

// errorf reports to the test, and returns false where it has ended.
func (j *judge) errorf(format string, args ...any) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		j.tb.Errorf(format, args...)
	}
	return !j.ended
}

func (j *judge) refuse(w http.ResponseWriter, status int, err error) {
	if !j.errorf("against the description of the API: %v", err) {
		http.Error(w, "the test has ended", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, "refused by the description of the API: "+err.Error(), status)
}

// answer holds back what a handler writes until it was judged. A declared fault
// goes through as it is written.
type answer struct {
	out    http.ResponseWriter
	header http.Header
	status int
	body   bytes.Buffer
	fault  bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	if a.begin() {
		a.out.WriteHeader(status)
	}
}

// begin passes the headers of a fault on, and reports whether it is one.
func (a *answer) begin() bool {
	if a.header.Get(FaultHeader) == "" {
		return a.fault
	}
	a.header.Del(FaultHeader)
	maps.Copy(a.out.Header(), a.header)
	a.fault = true
	return true
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.fault {
		return a.out.Write(p)
	}
	// What is above the limit is refused, and need not be kept.
	if a.body.Len() <= most {
		a.body.Write(p)
	}
	return len(p), nil
}

// Flush sends what there is of a fault. All else is sent after it was judged.
func (a *answer) Flush() {
	if f, ok := a.out.(http.Flusher); ok && a.fault {
		f.Flush()
	}
}

// Hijack gives the connection to a handler that declared a fault.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !a.begin() {
		return nil, nil, errors.New("take over a connection: the header " + FaultHeader + " is not set")
	}
	return http.NewResponseController(a.out).Hijack()
}

func (a *answer) send() {
	maps.Copy(a.out.Header(), a.header)
	a.out.WriteHeader(a.status)
	_, _ = a.out.Write(a.body.Bytes())
}
