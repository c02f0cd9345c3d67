package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A lease that goes on while somebody has taken its limit away says so: nothing holds the
// host.
func TestALeaseThatGoesOnWithoutItsLimitSaysSo(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"taken away": true, "in place": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := expiring(t)
			if gone {
				w.byHand(20*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Lift(o) })
			}
			w.run(2 * time.Hour)
			c := w.see(id)
			if n := len(happened(c, incident.EvHeldAgain)); n == 0 {
				t.Fatal("it did not go on")
			}
			if n := len(texts(c, incident.EvHeldAgain, "but the limit is gone from gateway")); n > 0 != gone {
				t.Errorf("it was said %d times: %+v", n, happened(c, incident.EvHeldAgain))
			}
		})
	}
}
