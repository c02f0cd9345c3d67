package httpx

import (
	"context"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// waitsHere is how long a call waits in the process for a limit. One that has to wait
// longer is handed back to the engine, where waiting costs nothing.
const waitsHere = time.Second

// limits count the calls of a client. They bound this process alone: the engine paces
// what all workers begin together.
type limits struct {
	mu      sync.Mutex
	windows []*window
}

// window is one limit with the times of the last calls that it counts, the oldest at next.
type window struct {
	limit integrations.Limit
	sent  []time.Time
	next  int
}

func newLimits(all []integrations.Limit) *limits {
	l := &limits{}
	for _, limit := range all {
		l.windows = append(l.windows, &window{limit: limit, sent: make([]time.Time, max(1, limit.N))})
	}
	return l
}

// counts reports whether the limit is about the call.
func (w *window) counts(r Request) bool { return w.limit.Name == "" || w.limit.Name == r.Limit }

// wait is how long the call has to wait. The last tenth is for writes: reads must not use
// up what a host is given back with.
func (w *window) wait(r Request, now time.Time) time.Duration {
	kept := 0
	if !r.Write {
		kept = len(w.sent) / 10
	}
	before := w.sent[(w.next+kept)%len(w.sent)]
	if before.IsZero() {
		return 0
	}
	return max(0, before.Add(w.limit.Per).Sub(now))
}

// wait returns when no limit holds the call back, and counts it. The error is of a call that
// was not sent.
func (l *limits) wait(ctx context.Context, r Request) error {
	for {
		wait, by := l.take(r, time.Now())
		if wait == 0 {
			return nil
		}
		until, bounded := ctx.Deadline()
		if wait > waitsHere || bounded && time.Until(until) < wait {
			words := "not asked: of the calls that the product allows, " + by.Text() + ", none is left"
			e := integrations.Errorf(integrations.Throttled, r.Op, "%s for %s", words, wait.Round(time.Second))
			e.After, e.Words = wait, words
			return e
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return integrations.Errorf(integrations.Unavailable, r.Op, "wait for a limit of the product: %w", ctx.Err())
		}
	}
}

// take counts the call where no limit holds it back, else it returns the longest wait.
func (l *limits) take(r Request, now time.Time) (wait time.Duration, by integrations.Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.windows {
		if !w.counts(r) {
			continue
		}
		if longer := w.wait(r, now); longer > wait {
			wait, by = longer, w.limit
		}
	}
	if wait > 0 {
		return wait, by
	}
	for _, w := range l.windows {
		if w.counts(r) {
			w.sent[w.next], w.next = now, (w.next+1)%len(w.sent)
		}
	}
	return 0, by
}
