package memory

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SensorBefore sets whether the estate's sensor sits before what limits and blocks: it
// sees what a host sends to them, not what they let through.
func (e *Estate) SensorBefore(before bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sensorBefore = before
}

// unseen reports whether the estate's sensor does not see what a containment does.
func (e *Estate) unseen(c *containment) bool { return e.sensorBefore && counts(c.Order.Action) }

// counts reports whether the product that carries an action out counts what it lets
// through and drops.
func counts(a incident.Action) bool { return a == incident.RateLimit || a == incident.Block }

// counters is what a containment let through and dropped since it is in force; nil where
// its product does not count.
func (e *Estate) counters(h *host, c *containment, now time.Time) *incident.Counters {
	if !counts(c.Order.Action) || c.StandsAt.IsZero() || h.behaviours[c.Order.Action].Uncounted {
		return nil
	}
	n := &incident.Counters{}
	if c.Elsewhere {
		return n // It meets nothing of what it is for.
	}
	offered := e.integrate(h, c.StandsAt, now, func(o *containment) bool { return o == c })
	passed := e.integrate(h, c.StandsAt, now, func(*containment) bool { return false })
	for i, l := range h.lanes {
		if c.Order.Filter != nil && !l.matches(*c.Order.Filter) {
			continue
		}
		dropped := max(0, offered[i].out-passed[i].out)
		n.PassedBytes += passed[i].out
		n.PassedPackets += passed[i].out / l.packetBytes
		n.DroppedBytes += dropped
		n.DroppedPackets += dropped / l.packetBytes
	}
	return n
}
