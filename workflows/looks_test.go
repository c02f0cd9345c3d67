package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// comesBack has a flood end before its limit's end and come back in the watch, and returns
// how long it took to be held again, by the case's own clock.
func comesBack(t *testing.T, w *world, id string, at time.Duration) time.Duration {
	t.Helper()
	w.stops(30 * time.Minute)
	w.sends(40_000_000, at, at+20*time.Minute)
	w.run(at + 2*time.Minute)
	again := happened(w.see(id), incident.EvHeldAgain)
	if len(again) != 1 {
		t.Fatalf("held again: %+v", again)
	}
	return again[0].At.Sub(start.Add(at))
}

// A flood that comes back is held again within ten seconds where the product counts,
// however late in the watch that is.
func TestAFloodThatComesBackIsHeldAgainSoon(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Duration{time.Second, 20 * time.Second, 5*time.Minute + time.Second, 12*time.Minute + 3*time.Second, 14 * time.Minute} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w, id := holding(t, "hold_at_most: 8h")
			if took := comesBack(t, w, id, time.Hour+at); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Where nothing counts it takes as long as the flow store is asked.
func TestAFloodThatComesBackIsSeenByTheFlowStore(t *testing.T) {
	t.Parallel()
	w, id := holding(t, "hold_at_most: 8h")
	w.uncounted()
	if took := comesBack(t, w, id, time.Hour+10*time.Minute); took > 75*time.Second {
		t.Errorf("it took %s", took)
	}
}
