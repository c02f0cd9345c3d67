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

// limits count the calls of a client. The engine paces what all workers begin together;
// what one process sends is bounded by its share.
type limits struct {
	mu   sync.Mutex
	kept []kept
	// processes is how many ask the product.
	processes int
	// begun is what operations that are under way may still send.
	begun map[*integrations.Operation]map[*window]int
}

// kept is one limit with its windows: one for all calls that it counts, or one for each kind
// of them.
type kept struct {
	limit   integrations.Limit
	windows map[string]*window
}

// of is the window that counts the call; nil where the limit is not about it.
func (k kept) of(r Request) *window {
	if k.limit.Name != "" && k.limit.Name != r.Limit {
		return nil
	}
	kind := ""
	if k.limit.Each {
		kind = r.Kind
	}
	w := k.windows[kind]
	if w == nil {
		w = &window{per: k.limit.Per, sent: make([]time.Time, max(1, k.limit.N))}
		k.windows[kind] = w
	}
	return w
}

// window has the times of the last calls of a limit, the oldest at next.
type window struct {
	per  time.Duration
	sent []time.Time
	next int
	// promised are the calls that operations which have begun may still make.
	promised int
}

func newLimits(all []integrations.Limit) *limits {
	l := &limits{processes: 1, begun: map[*integrations.Operation]map[*window]int{}}
	for _, limit := range all {
		l.kept = append(l.kept, kept{limit, map[string]*window{}})
	}
	return l
}

// sharedFrom is the shortest time of a limit that processes share. What is shorter is as
// long as one operation: parts of it would make each operation slow, also where it is the
// only one, and the engine begins such operations one after the other.
const sharedFrom = 2 * time.Second

// share is how many calls one of so many processes may make, and in which time: where there
// are fewer calls than processes, one in a longer time. The last tenth is for changes, and for
// what is read for them: other reads must not use up what a host is given back with.
func (w *window) share(change bool, processes int) (n int, per time.Duration) {
	n, per = len(w.sent), w.per
	if per >= sharedFrom {
		n /= processes
	}
	if n == 0 {
		return 1, per * time.Duration(processes) / time.Duration(len(w.sent))
	}
	if !change {
		n -= n / 10
	}
	return n, per
}

// wait is how long it takes until so many more calls are allowed, beside those that are
// promised.
func (w *window) wait(calls int, change bool, processes int, now time.Time) time.Duration {
	n, per := w.share(change, processes)
	// So many may have been sent within the time.
	before := n - w.promised - min(calls, n)
	if before < 0 {
		return waitsHere // Until an operation ends.
	}
	last := w.sent[(w.next+len(w.sent)-before-1)%len(w.sent)]
	if last.IsZero() {
		return 0
	}
	return max(0, last.Add(per).Sub(now))
}

// share sets how many processes ask the product.
func (l *limits) share(processes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = max(1, processes)
}

// wait returns when no limit holds the call back, and counts it. The error is of a call that
// was not sent.
func (l *limits) wait(ctx context.Context, r Request) error {
	for {
		wait, by := l.take(r, integrations.OperationOf(ctx), r.Write || integrations.Changes(ctx), time.Now())
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

// take counts the call where no limit holds it back, else it returns the longest wait. The
// first call of an operation that a limit counts waits until all calls that an operation makes
// are allowed: one that was held back half-way would be made again as a whole.
func (l *limits) take(r Request, o *integrations.Operation, change bool, now time.Time) (wait time.Duration, by integrations.Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.kept {
		w := k.of(r)
		if w == nil {
			continue
		}
		calls := 1
		switch left, begun := l.begun[o][w]; {
		case left > 0:
			continue
		case o != nil && !begun:
			calls = max(1, k.limit.Requests)
		}
		if longer := w.wait(calls, change, l.processes, now); longer > wait {
			wait, by = longer, k.limit
		}
	}
	if wait > 0 {
		return wait, by
	}
	for _, k := range l.kept {
		if w := k.of(r); w != nil {
			n, _ := w.share(change, l.processes)
			l.promise(o, w, min(n, k.limit.Requests))
			w.sent[w.next], w.next = now, (w.next+1)%len(w.sent)
		}
	}
	return 0, by
}

// promise notes that an operation may make so many calls when it makes its first, and with each that
// it has made one. The lock must be held.
func (l *limits) promise(o *integrations.Operation, w *window, calls int) {
	if o == nil {
		return
	}
	of := l.begun[o]
	if of == nil {
		if !o.OnEnd(func() { l.end(o) }) {
			return
		}
		of = map[*window]int{}
		l.begun[o] = of
	}
	switch left, begun := of[w]; {
	case !begun:
		of[w] = max(0, calls-1)
		w.promised += of[w]
	case left > 0:
		of[w]--
		w.promised--
	}
}

// end takes back what was promised to an operation.
func (l *limits) end(o *integrations.Operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w, left := range l.begun[o] {
		w.promised -= left
	}
	delete(l.begun, o)
}
