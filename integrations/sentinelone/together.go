package sentinelone

import (
	"context"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// tidying counts what is being ended in the background.
type tidying struct{ sync.WaitGroup }

// pause waits, or returns why it must not: the context has ended.
func pause(ctx context.Context, op string, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return integrations.Errorf(integrations.Unavailable, op, "wait for SentinelOne: %w", ctx.Err())
	}
}

// together makes calls at once. When one fails the others are given up, and its error is
// returned.
func together(ctx context.Context, calls ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for _, call := range calls {
		all.Go(func() {
			if err := call(ctx); err != nil {
				once.Do(func() { first = err })
				cancel()
			}
		})
	}
	all.Wait()
	return first
}

// locks are locks by device.
type locks struct {
	mu    sync.Mutex
	turns map[agentID]*turn
}

// turn is held by whoever has sent to it; wanted counts those and who waits.
type turn struct {
	held   chan struct{}
	wanted int
}

// lock waits for its turn on a device, and returns what ends it.
func (l *locks) lock(ctx context.Context, op string, a agentID) (unlock func(), err error) {
	t := l.want(a)
	select {
	case t.held <- struct{}{}:
		return func() { <-t.held; l.leave(a, t) }, nil
	case <-ctx.Done():
		l.leave(a, t)
		return nil, integrations.Errorf(integrations.Unavailable, op, "wait for another call on the device: %w", ctx.Err())
	}
}

func (l *locks) want(a agentID) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turns == nil {
		l.turns = map[agentID]*turn{}
	}
	t, ok := l.turns[a]
	if !ok {
		t = &turn{held: make(chan struct{}, 1)}
		l.turns[a] = t
	}
	t.wanted++
	return t
}

func (l *locks) leave(a agentID, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.wanted--; t.wanted == 0 {
		delete(l.turns, a)
	}
}
