package httpx

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stanch-soar/stanch/integrations"
)

// All makes all calls at once, waits for each, and returns the first error in
// their order.
func All(calls ...func() error) error {
	errs := make([]error, len(calls))
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(func() { errs[i] = call() })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Together makes calls at once. When one fails the others are given up, and its
// error is returned.
func Together(ctx context.Context, calls ...func(context.Context) error) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, call := range calls {
		all.Go(func() error { return call(ctx) })
	}
	return all.Wait()
}

// Pause waits for a product, or returns why it must not: the context has ended.
func Pause(ctx context.Context, op, product string, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return integrations.Errorf(integrations.Unavailable, op, "wait for %s: %w", product, ctx.Err())
	}
}

// Turns lets one caller at a time have a device, by its id. The zero value is ready,
// and safe for concurrent use.
type Turns[ID comparable] struct {
	mu   sync.Mutex
	held map[ID]*turn
}

// turn is held by whoever has sent to it; wanted counts those and who waits.
type turn struct {
	held   chan struct{}
	wanted int
}

// Take waits until the device is free. The caller must call the function that it
// gets.
func (t *Turns[ID]) Take(ctx context.Context, op string, id ID) (done func(), err error) {
	own := t.want(id)
	select {
	case own.held <- struct{}{}:
		return func() { <-own.held; t.leave(id, own) }, nil
	case <-ctx.Done():
		t.leave(id, own)
		return nil, integrations.Errorf(integrations.Unavailable, op, "wait for another call on the device: %w", ctx.Err())
	}
}

func (t *Turns[ID]) want(id ID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = map[ID]*turn{}
	}
	own, ok := t.held[id]
	if !ok {
		own = &turn{held: make(chan struct{}, 1)}
		t.held[id] = own
	}
	own.wanted++
	return own
}

func (t *Turns[ID]) leave(id ID, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.wanted--; own.wanted == 0 {
		delete(t.held, id)
	}
}
