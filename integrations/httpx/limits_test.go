package httpx

import (
	"errors"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

func TestLimitsCount(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLimits([]integrations.Limit{{N: 20, Per: time.Minute}, {Name: "search", N: 3, Per: time.Second}})
		ask := func(r Request, want time.Duration) {
			t.Helper()
			start := time.Now()
			err := l.wait(t.Context(), r)
			e, refused := errors.AsType[*integrations.Error](err)
			switch {
			case want <= waitsHere && (err != nil || time.Since(start) != want):
				t.Errorf("after %s: error %v, want to wait %s", time.Since(start), err, want)
			case want > waitsHere && (!refused || e.Kind != integrations.Throttled || e.After != want || time.Since(start) != 0):
				t.Errorf("error %+v after %s, want to come back after %s", e, time.Since(start), want)
			}
		}
		for range 3 {
			ask(Request{Limit: "search"}, 0)
		}
		ask(Request{Limit: "search"}, time.Second)
		for range 14 {
			ask(Request{}, 0)
		}
		// Two of twenty are kept for writes.
		ask(Request{}, 59*time.Second)
		ask(Request{Write: true}, 0)
		ask(Request{Write: true}, 0)
		ask(Request{Write: true}, 59*time.Second)
		ask(Request{Limit: "search"}, 59*time.Second)
		time.Sleep(59 * time.Second)
		ask(Request{Write: true}, 0)
	})
}
