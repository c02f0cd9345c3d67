package elastic

import (
	"context"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// keyed lets one caller at a time have a device.
type keyed struct {
	mu   sync.Mutex
	held map[agentID]*hold
}

// hold is a device that somebody has, and how many have it or wait for it.
type hold struct {
	turn  chan struct{}
	users int
}

// take waits until the device is free. The caller must call the function that it gets.
func (k *keyed) take(ctx context.Context, op string, id agentID) (func(), error) {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[agentID]*hold{}
	}
	h := k.held[id]
	if h == nil {
		h = &hold{turn: make(chan struct{}, 1)}
		k.held[id] = h
	}
	h.users++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(k.held, id)
		}
	}
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, integrations.Errorf(integrations.Unavailable, op, "wait for another order on the device: %w", ctx.Err())
	}
}

// remembered is how long an action that was accepted counts, though the list does not show
// it: whether it does so at once is not documented.
const remembered = 10 * time.Minute

// recent are the actions that this process ordered a moment ago.
type recent struct {
	mu      sync.Mutex
	actions []action
}

func (r *recent) add(a action, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.actions[:0]
	for _, other := range r.actions {
		if now.Sub(other.taken) < remembered {
			kept = append(kept, other)
		}
	}
	a.taken = now
	r.actions = append(kept, a)
}

// missing are those on a device that a list lacks.
func (r *recent) missing(id agentID, list []action, now time.Time) []action {
	listed := map[string]bool{}
	for _, a := range list {
		listed[a.ID] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []action
	for _, a := range r.actions {
		if a.on(id) && !listed[a.ID] && now.Sub(a.taken) < remembered {
			out = append(out, a)
		}
	}
	return out
}
