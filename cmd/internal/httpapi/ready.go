package httpapi

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// probeEvery is how long a result is valid, probeWithin how long a probe may take.
	probeEvery  = 5 * time.Second
	probeWithin = 3 * time.Second
)

// probe checks whether an alert can be taken, for all concurrent callers together: a
// check writes to the engine's store, and needs no credential.
type probe struct {
	ask func(context.Context) error
	now func() time.Time

	mu     sync.Mutex
	asked  time.Time
	err    error
	asking chan struct{} // closed when the result is there; nil while no check runs
}

// ready returns the last result, or a new one where that is old.
func (p *probe) ready(ctx context.Context) error {
	p.mu.Lock()
	if p.asking == nil {
		if !p.asked.IsZero() && p.now().Sub(p.asked) < probeEvery {
			defer p.mu.Unlock()
			return p.err
		}
		p.asking = make(chan struct{})
		go p.put(p.asking)
	}
	asking := p.asking
	p.mu.Unlock()
	select {
	case <-asking:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the engine: %w", context.Cause(ctx))
	}
}

// put runs the check, for no longer than probeWithin: an engine whose disk
// hangs may not even notice that the call was cancelled.
func (p *probe) put(answered chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), probeWithin)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- p.ask(ctx) }()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = fmt.Errorf("the engine took nothing within %s", probeWithin)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.asked, p.asking = err, p.now(), nil
	close(answered)
}
