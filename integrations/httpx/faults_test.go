package httpx_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// An answer that cannot be used is an error of the right kind, soon, within bounds, and
// without what was sent.
func TestOddAnswers(t *testing.T) {
	s := faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"n":1}`))
	}))
	for _, tt := range []struct {
		fault       contract.Fault
		read, write integrations.Kind
		text        string
	}{
		{contract.HTML, integrations.Unavailable, integrations.Ambiguous, "the answer is not JSON, at byte 1"},
		{contract.Wrong, integrations.Unavailable, integrations.Ambiguous, "of the answer is not of type struct"},
		{contract.Torn, integrations.Unavailable, integrations.Ambiguous, "unexpected EOF"},
		{contract.Huge, integrations.Unavailable, integrations.Ambiguous, "the answer is longer than 4194304 bytes"},
		{contract.Trickle, integrations.Unavailable, integrations.Ambiguous, "context deadline exceeded"},
		{contract.Elsewhere, integrations.Invalid, integrations.Invalid, "a redirect that is not followed"},
		{contract.Failing, integrations.Unavailable, integrations.Ambiguous, "HTTP status 503"},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			c := open(t, httpx.Options{Timeout: 500 * time.Millisecond})
			s.Break(tt.fault)
			for write, kind := range map[bool]integrations.Kind{false: tt.read, true: tt.write} {
				var out struct{ N int }
				start, calls := time.Now(), s.Calls()
				a, err := c.JSON(t.Context(), httpx.Request{
					Op: "ask", Method: http.MethodPost, URL: s.URL() + "/hunter2", Write: write, Header: http.Header{"Authorization": {"hunter2"}},
				}, struct{}{}, &out)
				if e := wrong(t, err, kind); !strings.Contains(e.Error(), tt.text) {
					t.Errorf("write %t: error %v, want %q in it", write, err, tt.text)
				}
				if took := time.Since(start); took > 5*time.Second || len(a.Body) > 4<<20 || s.Calls() != calls+1 {
					t.Errorf("write %t: it took %s, %d bytes and %d calls", write, took, len(a.Body), s.Calls()-calls)
				}
			}
			s.Break(contract.Works)
			if _, err := c.JSON(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL()}, nil, new(struct{ N int })); err != nil {
				t.Errorf("when it works again: %v", err)
			}
		})
	}
}

// A product asks to wait in its own header.
func TestThrottledByTheVendorsHeader(t *testing.T) {
	s := faulty.New(t, http.NotFoundHandler())
	s.Break(contract.Throttle)
	for header, moment := range map[string]bool{"X-RateLimit-RetryAfter": true, "Ratelimit-Reset": false, "Retry-After": false} {
		s.AskToWait(header, moment)
		_, err := open(t, httpx.Options{WaitHeader: header}).Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL()})
		if e := wrong(t, err, integrations.Throttled); e.After != contract.ThrottledFor {
			t.Errorf("%s: throttled for %s, want %s", header, e.After, contract.ThrottledFor)
		}
	}
}

// A product that has failed five times in a row is not asked: nothing is sent, so that a
// write is not ambiguous. Other parts of it are.
func TestBreaker(t *testing.T) {
	s := faulty.New(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	c := open(t, httpx.Options{})
	ask := func(path string, write bool) error {
		_, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodPost, URL: s.URL() + path, Write: write, Header: http.Header{"Authorization": {"hunter2"}}})
		return err
	}
	circuit := func(want integrations.Circuit) {
		t.Helper()
		if got := c.Circuit(); got != want {
			t.Errorf("the circuit is %s, want %s", got, want)
		}
	}
	s.Break(contract.Failing)
	for range 4 {
		wrong(t, ask("/search/hunter2", false), integrations.Unavailable)
	}
	circuit(integrations.CircuitClosed)
	wrong(t, ask("/search/more", true), integrations.Ambiguous)
	circuit(integrations.CircuitOpen)
	calls := s.Calls()
	for _, write := range []bool{false, true} {
		e := wrong(t, ask("/search/hunter2", write), integrations.Unavailable)
		if e.After <= 0 || e.After > 10*time.Second || e.Words != "not asked: it failed 5 times in a row" || !strings.Contains(e.Error(), "HTTP status 503; the next try is in 10s") {
			t.Errorf("write %t: after %s, words %q: %v", write, e.After, e.Words, e)
		}
	}
	if s.Calls() != calls {
		t.Errorf("%d calls were sent", s.Calls()-calls)
	}
	s.Break(contract.Works)
	if err := ask("/devices/1", true); err != nil {
		t.Errorf("another part is not asked: %v", err)
	}
	circuit(integrations.CircuitOpen)
}

// What says nothing about the product, or that it is there, opens nothing.
func TestBreakerCountsFailuresOnly(t *testing.T) {
	status := http.StatusTooManyRequests
	s := faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	c := open(t, httpx.Options{})
	for _, status = range []int{400, 401, 403, 404, 409, 429, 501} {
		for range 6 {
			_, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL()})
			if err == nil || c.Circuit() != integrations.CircuitClosed {
				t.Errorf("status %d: error %v, circuit %s", status, err, c.Circuit())
			}
		}
	}
	s.Break(contract.Hang)
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := c.Do(ctx, httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL()})
		cancel()
		wrong(t, err, integrations.Unavailable)
	}
	if got := c.Circuit(); got != integrations.CircuitClosed {
		t.Errorf("callers who gave up opened the circuit: %s", got)
	}
}
