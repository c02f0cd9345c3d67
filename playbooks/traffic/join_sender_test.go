package traffic

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// heavy has one process send most of the bytes of a capture.
func heavy(c *capture, process int) {
	for i := range c.sessions {
		if s := &c.sessions[i]; s.process == process {
			s.bytes *= 100
		}
	}
}

// Whatever happens to the records, a process that is named with exact attribution
// must be the sender.
func TestJoinNamesOnlyTheSender(t *testing.T) {
	const sender = 7
	for _, tt := range []struct {
		name  string
		exact bool
		lay   func(c *capture) ([]incident.Flow, []incident.Connection)
	}{
		{"clocks days apart", true, func(c *capture) ([]incident.Flow, []incident.Connection) {
			c.clock = func(at time.Time) time.Time { return at.Add(-483_282 * time.Second) }
			return c.flows(nil), c.connections(nil)
		}},
		{"times of whole minutes", true, func(c *capture) ([]incident.Flow, []incident.Connection) {
			c.jitter = 0
			c.clock = func(at time.Time) time.Time { return at.Add(3 * time.Hour).Truncate(time.Minute) }
			return c.flows(nil), c.connections(nil)
		}},
		{"a clock that loses two minutes", true, func(c *capture) ([]incident.Flow, []incident.Connection) {
			c.clock = func(at time.Time) time.Time { return at.Add(-time.Hour - at.Sub(start())/30) }
			return c.flows(nil), c.connections(nil)
		}},
		{"a clock that is put back by an hour", true, func(c *capture) ([]incident.Flow, []incident.Connection) {
			c.clock = func(at time.Time) time.Time {
				if at.After(start().Add(20 * time.Minute)) {
					return at.Add(-time.Hour)
				}
				return at
			}
			return c.flows(nil), c.connections(nil)
		}},
		{"the largest flows and the newest connections only", true, func(c *capture) ([]incident.Flow, []incident.Connection) {
			flows, conns := c.flows(func(s session) bool { return s.process == sender }), c.connections(nil)
			return flows, conns[len(conns)/4:]
		}},
		{"the sender is not reported, and used ports of others again", false, func(c *capture) ([]incident.Flow, []incident.Connection) {
			return c.flows(nil), c.connections(func(s session) bool { return s.process != sender })
		}},
		{"records of different hours", false, func(c *capture) ([]incident.Flow, []incident.Connection) {
			half := start().Add(30 * time.Minute)
			return c.flows(func(s session) bool { return s.at.Before(half) }), c.connections(func(s session) bool { return s.at.After(half.Add(time.Minute)) })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(8) {
				c := newCapture(seed, 800, 1500, 12, time.Hour)
				heavy(c, sender)
				flows, conns := tt.lay(c)
				got := c.join(flows, conns)
				if exact := got.Attribution == incident.Exact; exact != tt.exact || exact && got.Process.Path != processOf(sender).Path || got.wrong > 0 {
					t.Errorf("seed %d: %s names %v at rate %.2f, %d flows are wrong; want exact: %v, and none", seed, got.Attribution, got.Process.Path, got.rate, got.wrong, tt.exact)
				}
			}
		})
	}
}
