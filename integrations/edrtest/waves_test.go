package edrtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// complaints is a test whose errors are kept instead of failing it.
type complaints struct {
	testing.TB
	said []string
}

func (c *complaints) Errorf(format string, args ...any) { c.said = append(c.said, format) }

// counted returns a counter, a function that makes calls at once, each of which it waits for,
// and the counter's complaints.
func counted(t *testing.T) (w *Waves, call func(ctx context.Context, method string, n int), said func() int) {
	t.Helper()
	c := &complaints{TB: t}
	w = NewWaves(c, http.NotFoundHandler())
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	call = func(ctx context.Context, method string, n int) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				r, err := http.NewRequestWithContext(ctx, method, server.URL, strings.NewReader(""))
				if err != nil {
					t.Error(err)
					return
				}
				if answer, err := http.DefaultClient.Do(r); err == nil {
					_ = answer.Body.Close()
				}
			})
		}
		all.Wait()
	}
	return w, call, func() int { return len(c.said) }
}

func TestWaves(t *testing.T) {
	w, call, said := counted(t)
	call(t.Context(), http.MethodGet, 1) // Nothing is expected yet.
	w.Expect(func() {
		call(t.Context(), http.MethodGet, 3)
		call(t.Context(), http.MethodDelete, 2)
		call(t.Context(), http.MethodPost, 1)
	}, 3, 1)
	call(t.Context(), http.MethodGet, 1)
	if n := said(); n != 0 {
		t.Errorf("%d complaints about what was expected", n)
	}
	w.Expect(func() { call(t.Context(), http.MethodGet, 1); call(t.Context(), http.MethodGet, 1) }, 1)
	if n := said(); n != 1 {
		t.Errorf("%d complaints about a wave too many, want 1", n)
	}
	w.Expect(func() { call(t.Context(), http.MethodGet, 1) }, 1, 1)
	if n := said(); n != 2 {
		t.Errorf("%d complaints about a wave that did not come, want 1 more", n)
	}
}

// Calls that wait for each other do not pass for one wave.
func TestWavesThatAreNotAtOnce(t *testing.T) {
	w, call, said := counted(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Expect(func() {
		var waiting sync.WaitGroup
		waiting.Go(func() { call(ctx, http.MethodGet, 1) })
		for arrived := false; !arrived; runtime.Gosched() {
			w.mu.Lock()
			arrived = w.waiting == 1
			w.mu.Unlock()
		}
		cancel()
		waiting.Wait()
	}, 2)
	if n := said(); n != 1 {
		t.Errorf("%d complaints, want 1", n)
	}
}
