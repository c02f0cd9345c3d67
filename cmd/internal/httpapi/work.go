package httpapi

import (
	"net/http"
	"sync"
)

const (
	// workBytes bounds what the requests take that the engine is waited for with, as far
	// as their bodies say. One source takes at most three of workParts of it.
	workBytes = 128 << 20
	workParts = 4
	// A request takes what its connection and its goroutine take, and its body many times:
	// decoded, as an alert, and encoded for the engine.
	requestBytes = 32 << 10
	bytesDecoded = 16
)

// work is the room of the requests that are being handled. One source that sends as
// fast as it can leaves a part of it to the others.
type work struct {
	most int64

	mu    sync.Mutex
	taken int64
	by    map[string]int64
}

func newWork(most int64) *work { return &work{most: most, by: map[string]int64{}} }

// take takes the room of a request. Release frees it; it is never nil. The problem tells
// a source that takes its share from one that others left nothing.
func (w *work) take(source string, body int) (release func(), p *problem) {
	share := w.most / workParts * (workParts - 1)
	n := min(requestBytes+bytesDecoded*int64(body), share)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.by[source]+n > share:
		p = fail(http.StatusTooManyRequests, "throttled", "too many requests of this source wait for the engine: send it again later")
		p.retry = busyAfter
		return func() {}, p
	case w.taken+n > w.most:
		return func() {}, noRoom()
	}
	w.taken, w.by[source] = w.taken+n, w.by[source]+n
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.taken -= n
		if w.by[source] -= n; w.by[source] == 0 {
			delete(w.by, source)
		}
	}), nil
}

// noRoom is the answer to a sender that can do nothing about it.
func noRoom() *problem {
	p := fail(http.StatusServiceUnavailable, "busy", "too many requests are on their way: send it again later")
	p.retry = busyAfter
	return p
}
