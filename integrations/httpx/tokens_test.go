package httpx

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

// issuer gives numbered tokens.
type issuer struct {
	mu    sync.Mutex
	given int
	takes time.Duration
	lasts time.Duration
	err   error
}

func (i *issuer) fetch(ctx context.Context) (integrations.Secret, time.Duration, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.given++
	select {
	case <-time.After(i.takes):
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
	return integrations.Secret(strconv.Itoa(i.given)), i.lasts, i.err
}

func got(t *testing.T, tokens *Tokens, want string) {
	t.Helper()
	token, err := tokens.Get(t.Context())
	if err != nil || token.Reveal() != want {
		t.Errorf("token %q, error %v; want %q", token.Reveal(), err, want)
	}
}

func TestTokensAreSharedAndRenewed(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		from := &issuer{takes: time.Second, lasts: 30 * time.Minute}
		tokens := NewTokens(from.fetch)
		// Who comes first gives up; the fetch goes on for the others.
		soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := tokens.Get(soon); integrations.KindOf(err) != integrations.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who gave up has the error %v", err)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { got(t, tokens, "1") })
		}
		all.Wait()
		time.Sleep(28 * time.Minute)
		got(t, tokens, "1")
		time.Sleep(time.Minute)
		got(t, tokens, "1") // it is being renewed, and holds meanwhile
		time.Sleep(2 * time.Second)
		got(t, tokens, "2")
		// Whoever gives tokens is down: the one that there is holds to its end.
		time.Sleep(29 * time.Minute)
		from.mu.Lock()
		from.err = integrations.Errorf(integrations.Unavailable, "get a token", "down")
		from.mu.Unlock()
		got(t, tokens, "2")
		time.Sleep(3 * time.Second)
		got(t, tokens, "2")
		if from.given != 3 {
			t.Errorf("%d fetches, want one that failed and no other within five seconds", from.given)
		}
		time.Sleep(time.Minute)
		if token, err := tokens.Get(t.Context()); err == nil {
			t.Errorf("token %q after its end", token.Reveal())
		}
	})
}

// A refusal is believed for a while: an account that is refused too often may be locked.
func TestRefusalOfTokensIsBelieved(t *testing.T) {
	for _, kind := range integrations.Kinds() {
		bubbletest.Run(t, func(t *testing.T) {
			refusal := integrations.Errorf(kind, "get a token", "no")
			if kind == integrations.Throttled {
				refusal.After = 20 * time.Second
			}
			from := &issuer{err: refusal}
			tokens := NewTokens(from.fetch)
			want, fetches := kind, 1
			switch kind {
			case integrations.NotFound, integrations.Conflict, integrations.Ambiguous, integrations.Unavailable:
				want, fetches = integrations.Unavailable, 2
			case integrations.Denied, integrations.Invalid, integrations.Throttled:
			}
			for range 2 {
				_, err := tokens.Get(t.Context())
				if got := integrations.KindOf(err); got != want {
					t.Errorf("%s: the error is %s", kind, got)
				}
				time.Sleep(5 * time.Second)
			}
			if e, ok := errors.AsType[*integrations.Error](func() error { _, err := tokens.Get(t.Context()); return err }()); kind == integrations.Throttled && (!ok || e.After != 10*time.Second) {
				t.Errorf("throttled: %+v", e)
			}
			if kind != integrations.Unavailable && kind != want {
				return
			}
			if want != integrations.Unavailable && from.given != fetches {
				t.Errorf("%s: %d fetches, want %d", kind, from.given, fetches)
			}
			time.Sleep(time.Minute)
			from.err, from.lasts = nil, time.Hour
			if _, err := tokens.Get(t.Context()); err != nil {
				t.Errorf("%s: it works again: %v", kind, err)
			}
		})
	}
}
