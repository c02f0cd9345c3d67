package memory_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A rule that only counts sees what the host sends since it is in place, and is gone when
// its time is up.
func TestCountOnly(t *testing.T) {
	c := newClock()
	e := open(t, memory.Options{Now: c.now})
	must(t, e.Populate(memory.Flood))
	w := world{e, c, t}
	o := w.order(incident.RateLimit)
	o.Target = target(t, "ws-042")
	must(t, e.CountOnly(t.Context(), o, time.Minute))
	c.move(30 * time.Second)
	must(t, e.CountOnly(t.Context(), o, time.Minute))
	c.move(50 * time.Second)
	n, err := e.Counted(t.Context(), o)
	must(t, err)
	if rate := n.PassedBytes * 8 / 80; rate < 40_000_000 || rate > 40_200_000 || n.PassedPackets == 0 {
		t.Errorf("counted %+v in 80 s: %s", n, incident.FormatRate(rate))
	}
	c.move(10 * time.Second)
	if _, err := e.Counted(t.Context(), o); integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("after its time it is counted: %v", err)
	}
}
