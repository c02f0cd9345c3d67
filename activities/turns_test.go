package activities

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Two may act, three may wait, and what can wait elsewhere is sent there; what
// cannot waits all the same, and every one gets its turn.
func TestTurnsAreBoundedAndSoIsTheWaitForThem(t *testing.T) {
	t.Parallel()
	turns := NewTurns(2, 3)
	var back []func()
	for range 2 {
		done, err := turns.Take(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, done)
	}
	var mu sync.Mutex
	under, most, had := 0, 0, 0
	var waiting sync.WaitGroup
	wait := func(elsewhere bool) {
		waiting.Go(func() {
			done, err := turns.Take(t.Context(), elsewhere)
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			mu.Lock()
			under, had = under+1, had+1
			most = max(most, under)
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			under--
			mu.Unlock()
		})
	}
	for range 3 {
		wait(true)
	}
	for late := time.Now().Add(10 * time.Second); len(turns.waits) < 3; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatalf("%d wait for 2 turns that are taken, want 3", len(turns.waits))
		}
	}
	if _, err := turns.Take(t.Context(), true); !errors.Is(err, ErrBusy) {
		t.Errorf("a fourth may wait here: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := turns.Take(gone, false); !errors.Is(err, context.Canceled) {
		t.Errorf("one whose time is up gets a turn: %v", err)
	}
	for range 3 {
		wait(false)
	}
	for _, done := range back {
		done()
	}
	waiting.Wait()
	if had != 6 || most > 2 {
		t.Errorf("%d of 6 had a turn, %d at a time of 2", had, most)
	}
	if len(turns.turns)+len(turns.waits) != 0 {
		t.Error("a turn was not given back")
	}
}
