package wazuh

import (
	"context"
	"sync"

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
