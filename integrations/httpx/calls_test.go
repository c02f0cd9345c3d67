package httpx_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// One caller at a time has a device; another device is free, and who gives up leaves
// nothing behind.
func TestTurns(t *testing.T) {
	var turns httpx.Turns[string]
	done, err := turns.Take(t.Context(), "isolate a", "a")
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.Take(over, "isolate a", "a"); err == nil || integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("a turn that cannot come: %v, want unavailable", err)
	}
	other, err := turns.Take(t.Context(), "isolate b", "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	// The race detector sees two that have it at once.
	taken, all := 1, sync.WaitGroup{}
	for range 8 {
		all.Go(func() {
			done, err := turns.Take(t.Context(), "isolate a", "a")
			if err != nil {
				t.Error(err)
				return
			}
			taken++
			done()
		})
	}
	taken++
	done()
	if all.Wait(); taken != 10 {
		t.Errorf("%d had the device, want 10", taken)
	}
}

// The first failure ends the others, and is what is returned.
func TestTogetherGivesUp(t *testing.T) {
	broken := errors.New("broken")
	err := httpx.Together(t.Context(),
		func(context.Context) error { return broken },
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	)
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v, want that of the call that failed", err)
	}
}

// Each call is made to its end, and the first error is the one of the first call.
func TestAllMakesEachCall(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	later := make(chan struct{})
	err := httpx.All(
		func() error { <-later; return first },
		func() error { close(later); return second },
	)
	if !errors.Is(err, first) {
		t.Errorf("the error is %v, want that of the first call", err)
	}
}
