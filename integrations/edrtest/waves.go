package edrtest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Waves counts the waves of calls to a double: those that do not wait for each other are
// one. It answers a call once all calls of its wave have come, so that a client passes that
// makes them at once, however busy the machine is, and one that waits for an answer before
// the next call gets none. Calls that delete do not count: they tidy up, and nobody waits
// for them.
type Waves struct {
	tb   testing.TB
	next http.Handler

	mu sync.Mutex
	// sizes are those of the waves that are to come, came the calls of all so far.
	sizes   []int
	came    [][]string
	waiting int
	whole   chan struct{}
	counts  bool
}

// NewWaves puts a counter before a double. It lets every call through until waves are
// expected.
func NewWaves(tb testing.TB, next http.Handler) *Waves {
	tb.Helper()
	return &Waves{tb: tb, next: next}
}

// Expect has the calls that do makes come in waves of these sizes, and fails the test where
// they do not.
func (w *Waves) Expect(do func(), sizes ...int) {
	w.tb.Helper()
	w.mu.Lock()
	w.sizes, w.came, w.waiting, w.whole, w.counts = slices.Clone(sizes), nil, 0, make(chan struct{}), true
	w.mu.Unlock()
	defer func() {
		w.tb.Helper()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.counts = false
		var got []int
		var calls strings.Builder
		for _, wave := range w.came {
			got = append(got, len(wave))
			calls.WriteString("\n\t" + strings.Join(wave, ", "))
		}
		if !slices.Equal(got, sizes) {
			w.tb.Errorf("the calls came in waves of %d, want %d:%s", got, sizes, calls.String())
		}
	}()
	do()
}

// ServeHTTP implements [http.Handler].
func (w *Waves) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	// While a body is unread the server does not notice that the call is given up.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if whole := w.join(r); whole != nil {
		select {
		case <-whole:
		case <-r.Context().Done():
			return
		}
	}
	w.next.ServeHTTP(out, r)
}

// join adds a call to the wave that is coming, and returns what is closed once that is
// whole; nil for a call that need not wait.
func (w *Waves) join(r *http.Request) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.counts || r.Method == http.MethodDelete {
		return nil
	}
	if w.waiting == 0 {
		w.came = append(w.came, nil)
	}
	last := len(w.came) - 1
	w.came[last] = append(w.came[last], r.Method+" "+r.URL.Path)
	if last >= len(w.sizes) {
		return nil // It is one too many, which is told.
	}
	whole := w.whole
	if w.waiting++; w.waiting == w.sizes[last] {
		close(w.whole)
		w.waiting, w.whole = 0, make(chan struct{})
	}
	return whole
}
