package slack

import (
	"context"
	"sync"
	"time"
)

// forever is for what does not change while it exists.
const forever = 100 * 365 * 24 * time.Hour

// turn lets one at a time through, and does not hold who gives up.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// store keeps at most so many values by their keys, the newest.
type store[T any] struct {
	most int

	mu     sync.Mutex
	values map[string]T
	order  []string
}

func newStore[T any](most int) *store[T] { return &store[T]{most: most, values: map[string]T{}} }

// of returns the value of a key, which is made when there is none.
func (s *store[T]) of(key string, make func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if ok {
		return v
	}
	if len(s.order) >= s.most {
		delete(s.values, s.order[0])
		s.order = append(s.order[:0], s.order[1:]...)
	}
	v = make()
	s.values[key] = v
	s.order = append(s.order, key)
	return v
}

// cache remembers answers for a while. Errors are not remembered.
type cache[T any] struct {
	now     func() time.Time
	ttl     time.Duration
	entries *store[*answer[T]]
}

// answer is one that is remembered, or is being asked for by whoever has the
// turn.
type answer[T any] struct {
	turn
	value T
	// asked is when it was asked for, so that its age is never too low.
	asked time.Time
}

func newCache[T any](now func() time.Time, most int, ttl time.Duration) *cache[T] {
	return &cache[T]{now: now, ttl: ttl, entries: newStore[*answer[T]](most)}
}

// get returns what is remembered, or asks. Many who want the same at once ask
// one after the other, so that all but the first find the answer.
func (c *cache[T]) get(ctx context.Context, key string, ask func(context.Context) (T, error)) (T, error) {
	e := c.entry(key)
	if err := e.take(ctx); err != nil {
		var none T
		return none, err
	}
	defer e.give()
	now := c.now()
	if !e.asked.IsZero() && now.Sub(e.asked) < c.ttl {
		return e.value, nil
	}
	value, err := ask(ctx)
	if err != nil {
		return value, err
	}
	e.value, e.asked = value, now
	return value, nil
}

// set remembers an answer that came by the way, unless somebody asks for it
// right now.
func (c *cache[T]) set(key string, value T) {
	c.change(key, func(e *answer[T]) { e.value, e.asked = value, c.now() })
}

// forget has the next one ask anew.
func (c *cache[T]) forget(key string) {
	c.change(key, func(e *answer[T]) { e.asked = time.Time{} })
}

func (c *cache[T]) change(key string, how func(*answer[T])) {
	e := c.entry(key)
	select {
	case e.turn <- struct{}{}:
		how(e)
		e.give()
	default:
	}
}

func (c *cache[T]) entry(key string) *answer[T] {
	return c.entries.of(key, func() *answer[T] { return &answer[T]{turn: newTurn()} })
}
