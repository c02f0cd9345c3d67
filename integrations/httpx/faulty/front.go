package faulty

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

// Front implements [contract.Front] for the doubles of a product. Of a part that is down
// the connection is broken off, without anything being carried out.
type Front struct {
	tb testing.TB

	mu     sync.Mutex
	outage contract.Outage
	passed int
	// over is closed when the outage ends.
	over chan struct{}
	sent []contract.Sent
}

// NewFront returns one that records alone.
func NewFront(tb testing.TB) *Front {
	tb.Helper()
	return &Front{tb: tb, over: make(chan struct{})}
}

// Serve puts the front before a double, and returns its address. Part names the part that
// a request is for.
func (f *Front) Serve(part func(*http.Request) string, double http.Handler) string {
	f.tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, part(r), double) }))
	f.tb.Cleanup(func() {
		f.Fail(contract.Outage{})
		s.Close()
	})
	return s.URL
}

// Fail implements [contract.Front].
func (f *Front) Fail(o contract.Outage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.over)
	f.outage, f.passed, f.over = o, 0, make(chan struct{})
}

// Sent implements [contract.Front].
func (f *Front) Sent() []contract.Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

// record notes a request, and returns the outage that hits it.
func (f *Front) record(s contract.Sent) (o contract.Outage, over chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outage.Fault != contract.Works && (f.outage.Part == "" && f.outage.Spared != s.Part || f.outage.Part == s.Part) {
		s.Failed = f.passed >= f.outage.After
		f.passed++
	}
	f.sent = append(f.sent, s)
	if s.Failed {
		o = f.outage
	}
	return o, f.over
}

func (f *Front) serve(w http.ResponseWriter, r *http.Request, part string, double http.Handler) {
	// Only after a request was read to its end is a closed connection noticed.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	o, over := f.record(contract.Sent{Part: part, Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body})
	if o.CarriesOut || o.Fault == contract.LoseAnswer {
		double.ServeHTTP(httptest.NewRecorder(), r)
	}
	if o.Hit != nil {
		o.Hit()
	}
	switch o.Fault {
	case contract.Works:
		double.ServeHTTP(w, r)
	case contract.Down, contract.LoseAnswer:
		hangUp(f.tb, w)
	case contract.Hang:
		select {
		case <-r.Context().Done():
		case <-over:
			hangUp(f.tb, w)
		}
	case contract.Trickle:
		trickle(w, r, over)
	case contract.Throttle, contract.Deny, contract.Forbid, contract.HTML, contract.Missing, contract.Wrong, contract.Foreign, contract.Torn, contract.Huge, contract.Elsewhere, contract.Failing:
		answerFault(w, r, o.Fault)
	}
}
