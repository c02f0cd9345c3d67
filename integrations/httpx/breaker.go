package httpx

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// tripsAfter is how many calls must fail in a row until the product is not asked
	// any more, and restsFor for how long. It is short: a product that is back may be
	// needed to contain a host, or to give one back.
	tripsAfter = 5
	restsFor   = 10 * time.Second
	// trialFor is when to come back while one call tries whether the product is back.
	trialFor = time.Second
	// maxParts bounds the parts that are told apart.
	maxParts = 64
)

// errNotCounted is what a breaker is told of a call that says nothing about the
// product: whoever asked gave up, or the call was not sent.
var errNotCounted = errors.New("not counted")

// breakers keep calls from a product that has failed several times in a row: they would
// take their whole time to fail too, and load it while it comes back. Each part of a
// product has its own, an origin and the first element of the path: a search that fails
// must not keep a device from being given back.
type breakers struct {
	mu    sync.Mutex
	parts map[string]*breaker
}

func newBreakers() *breakers { return &breakers{parts: map[string]*breaker{}} }

// breaker is that of one part.
type breaker struct {
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu sync.Mutex
	// last is the error of the call that failed last, until the time of the next trial.
	last  error
	until time.Time
}

func newBreaker() *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1, Timeout: restsFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripsAfter },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNotCounted) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.until = time.Now().Add(restsFor)
			}
		},
	})
	return b
}

// of is the breaker of the part that an address leads to.
func (b *breakers) of(u *url.URL) *breaker {
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	key := origin(u) + "/" + first
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.parts[key] == nil && len(b.parts) >= maxParts {
		key = ""
	}
	if b.parts[key] == nil {
		b.parts[key] = newBreaker()
	}
	return b.parts[key]
}

// allow reports whether a call may be made; tell is told how it ended. The error is of a
// call that was not sent.
func (b *breakers) allow(op string, u *url.URL) (tell func(error), err error) {
	of := b.of(u)
	done, err := of.circuit.Allow()
	if err == nil {
		return func(err error) {
			of.note(err)
			done(err)
		}, nil
	}
	last, after := of.rest(time.Now())
	words := fmt.Sprintf("not asked: it failed %d times in a row", tripsAfter)
	e := integrations.Errorf(integrations.Unavailable, op, "%s: at last: %s; the next try is in %s", words, last, after.Round(time.Second))
	e.After, e.Words = after, words
	return nil, e
}

// note keeps the error of a call that failed.
func (b *breaker) note(err error) {
	if err == nil || errors.Is(err, errNotCounted) {
		return
	}
	// The operation is that of another call.
	if e, ok := errors.AsType[*integrations.Error](err); ok && e.Err != nil {
		err = e.Err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = err
}

// rest is the error that a part failed with, and how long it is not asked.
func (b *breaker) rest(now time.Time) (last string, after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != nil {
		last = b.last.Error()
	}
	return last, max(b.until.Sub(now), trialFor)
}

// circuit is the worst of all parts.
func (b *breakers) circuit() integrations.Circuit {
	b.mu.Lock()
	defer b.mu.Unlock()
	worst := integrations.CircuitClosed
	for _, part := range b.parts {
		switch part.circuit.State() {
		case gobreaker.StateOpen:
			return integrations.CircuitOpen
		case gobreaker.StateHalfOpen:
			worst = integrations.CircuitHalfOpen
		case gobreaker.StateClosed:
		}
	}
	return worst
}
