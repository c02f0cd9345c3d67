package httpx

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// fetchWithin bounds the fetch of a token, whoever waits for it.
	fetchWithin = time.Minute
	// lifeUnsaid is how long a token is used of which it was not said.
	lifeUnsaid = 5 * time.Minute
	// earliest is how long before its end a token is renewed, and earlierBy the part of a
	// short life that is.
	earliest  = time.Minute
	earlierBy = 5
	// refusedFor is how long a refusal is believed: some products lock an account that
	// is refused too often.
	refusedFor = 30 * time.Second
	// renewAgain is when a token that still holds is renewed again after a failure.
	renewAgain = 5 * time.Second
	// dropAgain is how soon after one token another may be dropped: a product that
	// refuses each of them refuses the account.
	dropAgain = time.Minute
)

// Fetch gets a new token from a product, and how long it lasts from now; 0 is not known.
// It must end with its context.
type Fetch func(ctx context.Context) (token integrations.Secret, lasts time.Duration, err error)

// Tokens keep the token of one credential. All who wait for one share a fetch. A token is
// renewed before it ends, and used until then where that fails. Times are counted by this
// process's own clock, from the answer on. It is safe for concurrent use.
//
// There is one per client: two integrations with the same credential have a token each.
type Tokens struct {
	fetch Fetch
	now   func() time.Time

	mu    sync.Mutex
	token integrations.Secret
	// renew is when to get the next one, end when this one ends.
	renew, end time.Time
	// refused is why the last fetch failed, and quiet until when there is no other.
	refused *integrations.Error
	quiet   time.Time
	running *fetching
	dropped time.Time
}

// fetching is a fetch that is under way, and its result when done is closed.
type fetching struct {
	done  chan struct{}
	token integrations.Secret
	err   error
}

// NewTokens returns tokens that are fetched when the first is needed.
func NewTokens(fetch Fetch) *Tokens { return &Tokens{fetch: fetch, now: time.Now} }

// Get returns a token that holds. An error is never ambiguous, and says nothing of a
// device: nothing was asked of the product yet.
func (t *Tokens) Get(ctx context.Context) (integrations.Secret, error) {
	token, running, err := t.kept(ctx)
	if running == nil {
		return token, err
	}
	select {
	case <-running.done:
		return running.token, running.err
	case <-ctx.Done():
		return "", integrations.Errorf(integrations.Unavailable, "get a token", "%w", ctx.Err())
	}
}

// kept returns the token that holds, or the refusal that does, or the fetch to wait for.
func (t *Tokens) kept(ctx context.Context) (integrations.Secret, *fetching, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	holds := t.token != "" && now.Before(t.end)
	quiet := now.Before(t.quiet)
	if !holds && quiet && t.refused != nil {
		again := *t.refused
		if again.After > 0 {
			again.After = t.quiet.Sub(now)
		}
		return "", nil, &again
	}
	if t.running == nil && !quiet && (!holds || !now.Before(t.renew)) {
		t.running = &fetching{done: make(chan struct{})}
		// Others wait for it too: it does not end with whoever came first.
		go t.run(context.WithoutCancel(ctx), t.running)
	}
	if holds {
		return t.token, nil, nil
	}
	return "", t.running, nil
}

func (t *Tokens) run(ctx context.Context, f *fetching) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	token, lasts, err := t.fetch(ctx)
	if err == nil && token == "" {
		err = integrations.Errorf(integrations.Unavailable, "get a token", "the answer has none")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = nil
	now := t.now()
	if err != nil {
		t.refused = blameless(err)
		t.quiet = now.Add(t.rest(t.refused, now))
		f.err = t.refused
		return
	}
	if lasts <= 0 {
		lasts = lifeUnsaid
	}
	t.token, t.end, t.refused, t.quiet = token, now.Add(lasts), nil, time.Time{}
	t.renew = t.end.Add(-min(earliest, lasts/earlierBy))
	f.token = token
}

// rest is how long there is no other fetch.
func (t *Tokens) rest(e *integrations.Error, now time.Time) time.Duration {
	switch e.Kind {
	case integrations.Denied, integrations.Invalid:
		return refusedFor
	case integrations.Throttled:
		return max(e.After, time.Second)
	case integrations.NotFound, integrations.Conflict, integrations.Unavailable, integrations.Ambiguous:
	}
	if t.token != "" && now.Before(t.end) {
		return renewAgain
	}
	return 0
}

// blameless is the error of a fetch as that of whoever wanted the token: nothing was asked
// of the product, so that nothing is ambiguous, and that an address of tokens is not found
// does not mean that a device is not.
func blameless(err error) *integrations.Error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok {
		return integrations.Errorf(integrations.Unavailable, "get a token", "%w", err)
	}
	switch e.Kind {
	case integrations.NotFound, integrations.Conflict, integrations.Ambiguous:
		other := *e
		other.Kind = integrations.Unavailable
		return &other
	case integrations.Denied, integrations.Invalid, integrations.Throttled, integrations.Unavailable:
	}
	return e
}

// Drop tells that the product refused a token, and reports whether there may be another.
// It is refused where one was dropped a moment ago: then it is not the token that is wrong.
func (t *Tokens) Drop(token integrations.Secret) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != token {
		// Somebody else has dropped it, or it was renewed meanwhile.
		return true
	}
	now := t.now()
	if !t.dropped.IsZero() && now.Sub(t.dropped) < dropAgain {
		return false
	}
	t.token, t.dropped = "", now
	return true
}
