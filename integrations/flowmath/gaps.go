package flowmath

import (
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// String says the gap for people.
func (g Gap) String() string {
	clock := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	return fmt.Sprintf("sensor %q says that it has no records from %s to %s: %s", g.Sensor, clock(g.From), clock(g.To), g.Why)
}

// Lacking adds to an answer why some of what the host sent may not be in the records. What is
// known is the least that it sent then, and nothing is not known to be nothing.
func Lacking(t *incident.Traffic, why []string) {
	if len(why) == 0 {
		return
	}
	t.AtLeast = append(t.AtLeast, why...)
	if sent, ok := t.BytesOut.Get(); ok && sent == 0 {
		reason := "flows: " + why[0]
		t.BytesOut, t.PacketsOut = incident.NotKnown[int64](reason), incident.NotKnown[int64](reason)
		t.Rate, t.Role = incident.NotKnown[int64](reason), incident.NotKnown[string](reason)
	}
}

// Lack makes the windows in which there are no records unknown, unless some are known to have sent.
func (w *Windows) Lack(g Gap) {
	from, to := max(g.From.UnixNano(), w.from), min(g.To.UnixNano(), w.To().UnixNano())
	for at := from; at < to; at += w.length - (at-w.from)%w.length {
		w.windows[(at-w.from)/w.length].lacking = true
	}
}
