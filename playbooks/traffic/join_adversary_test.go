package traffic

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// joined is the result of a join of a capture whose truth is known.
type joined struct {
	JoinResult
	rate float64
	// wrong counts flows that were given to an image that did not send them,
	// or to a process of it that did not.
	wrong int
}

// join joins, and checks every single flow against the session of which it is
// a record.
func (c *capture) join(flows []incident.Flow, conns []incident.Connection) joined {
	c.shuffle(flows, conns)
	got := joined{JoinResult: Join(flows, conns)}
	got.rate, _ = got.JoinRate.Get()
	x := newIndex(flows, conns)
	offsets, _ := x.clocks()
	for i, f := range flows {
		by, oneProcess := x.claims(i, offsets, nil)
		if len(by) == 0 {
			continue
		}
		owner, sender := conns[x.seen[by[0].begin]].Process, processOf(c.sessions[f.BytesIn].process)
		if owner.Path != sender.Path || oneProcess && owner.PID != sender.PID {
			got.wrong++
		}
	}
	return got
}

// Every session is of an image of its own, so that no wrong join goes unseen.
func anHour(seed uint64, sessions, ports int) *capture {
	return newCapture(seed, sessions, ports, 1<<30, time.Hour)
}

func TestJoinOfCaptures(t *testing.T) {
	const day = 24 * time.Hour
	skewed := func(by time.Duration) func(time.Time) time.Time {
		return func(at time.Time) time.Time { return at.Add(by) }
	}
	for _, tt := range []struct {
		name string
		// least is the share of the connections that must join.
		least float64
		lay   func(seed uint64) (*capture, []incident.Flow, []incident.Connection)
	}{
		{"clocks that agree", 0.99, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 900, 16384)
			return c, c.flows(nil), c.connections(nil)
		}},
		{"clocks 5.6 days apart", 0.99, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 140, 16384)
			c.clock = skewed(-483_282 * time.Second)
			return c, c.flows(nil), c.connections(nil)
		}},
		{"three minutes within a capture of six", 0.99, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := newCapture(seed, 120, 16384, 1<<30, 375*time.Second)
			c.clock = skewed(176 * time.Second)
			return c, c.flows(nil), c.connections(nil)
		}},
		{"a clock whose battery is empty", 0.99, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 100, 16384)
			c.clock = skewed(time.Unix(3600, 0).Sub(start()))
			return c, c.flows(nil), c.connections(nil)
		}},
		{"ports that are used again every two minutes", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 3600, 120)
			c.clock = skewed(2*day + 7*time.Minute)
			return c, c.flows(nil), c.connections(nil)
		}},
		{"an endpoint that reports one in twenty", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 2000, 200)
			c.clock = skewed(-day)
			return c, c.flows(nil), c.connections(every(20))
		}},
		{"a sensor that samples one in twenty", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 2000, 200)
			c.clock = skewed(-day)
			return c, c.flows(every(20)), c.connections(nil)
		}},
		{"both report little, and seldom the same", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 2000, 100)
			c.clock = skewed(3 * time.Hour)
			return c, c.flows(every(10)), c.connections(every(7))
		}},
		{"nothing is of the same session, though the ports are used again", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 4000, 50)
			half := start().Add(30 * time.Minute)
			return c, c.flows(func(s session) bool { return s.at.Before(half) }), c.connections(func(s session) bool { return s.at.After(half.Add(time.Minute)) })
		}},
		{"nothing is of the same session, and little there is", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := newCapture(seed, 600, 20, 1<<30, day)
			i, j := 0, 0
			return c, c.flows(func(session) bool { i++; return i%40 == 0 }), c.connections(func(session) bool { j++; return j%10 == 5 })
		}},
		{"the same ports an hour later by others", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 200, 16384)
			flows, conns := c.flows(nil), c.connections(nil)
			for _, s := range c.sessions {
				s.at, s.process = s.at.Add(2*time.Hour), s.process+1
				conns = append(conns, c.connection(s))
			}
			return c, flows, conns
		}},
		{"a sensor behind a NAT sees half of it", 0.44, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 300)
			c.clock = skewed(-day)
			flows := c.flows(nil)
			for i := range flows {
				if i%2 == 0 {
					flows[i].SrcIP = "203.0.113.1"
				}
			}
			return c, flows, c.connections(nil)
		}},
		{"two sensors, counters that disagree", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 300)
			c.clock = skewed(-day)
			flows := c.flows(nil)
			for _, f := range flows {
				f.Start, f.BytesOut = f.Start.Add(2*time.Second), f.BytesOut*3
				flows = append(flows, f)
			}
			return c, flows, c.connections(nil)
		}},
		{"two sensors, of which one is an hour off", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 16384)
			c.clock = skewed(-day)
			flows := c.flows(nil)
			for _, f := range flows {
				f.Start = f.Start.Add(time.Hour)
				flows = append(flows, f)
			}
			return c, flows, c.connections(nil)
		}},
		{"addresses in other spellings, ends in the other order", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 300)
			c.clock = skewed(day)
			flows, conns := c.flows(nil), c.connections(nil)
			for i := range flows {
				f := &flows[i]
				if f.SrcIP == "10.0.1.4" {
					f.SrcIP = "::ffff:10.0.1.4"
				} else {
					f.SrcIP = "2001:0DB8:0:0::4"
				}
				if f.Transport == "tcp" {
					f.Transport = "TCP"
				}
			}
			for i := range conns {
				if c := &conns[i]; i%2 == 0 {
					c.SrcIP, c.SrcPort, c.DstIP, c.DstPort = c.DstIP, c.DstPort, c.SrcIP, c.SrcPort
				}
			}
			return c, flows, conns
		}},
		{"a clock that drifts by a minute", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 16384)
			c.clock = func(at time.Time) time.Time { return at.Add(day + at.Sub(start())/60) }
			return c, c.flows(nil), c.connections(nil)
		}},
		{"a clock that jumps by an hour", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 16384)
			c.clock = func(at time.Time) time.Time {
				if at.After(start().Add(40 * time.Minute)) {
					return at.Add(time.Hour)
				}
				return at
			}
			return c, c.flows(nil), c.connections(nil)
		}},
		{"losses on both sides, and duplicates", 0.92, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 1000, 400)
			c.clock = skewed(-7 * time.Hour)
			some := func(session) bool { return c.rnd.IntN(100) >= 5 }
			conns := c.connections(some)
			return c, c.flows(some), append(conns, conns[:100]...)
		}},
		{"three strays that agree, against all the others", 0.8, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 900, 16384)
			for i := range c.sessions {
				s := &c.sessions[i]
				s.Tuple = incident.Tuple{SrcIP: "10.0.1.4", SrcPort: 50_000 + c.rnd.IntN(150), DstIP: "10.0.1.1", DstPort: 53, Transport: "udp"}
			}
			c.clock = skewed(-day)
			flows, conns := c.flows(nil), c.connections(nil)
			for i := range 3 {
				s := c.sessions[i]
				s.SrcPort, s.process = i, -1
				conns = append(conns, c.connection(s))
				s.at = s.at.Add(9 * time.Hour)
				flows = append(flows, s.flow(i))
			}
			return c, flows, conns
		}},
		{"fixed ports in a rhythm", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 500, 10)
			for i := range c.sessions {
				s := &c.sessions[i]
				s.SrcIP, s.SrcPort, s.DstPort, s.Transport = "10.0.1.4", 123, 123, "udp"
				s.DstIP = []string{"198.51.100.1", "198.51.100.2"}[i%2]
			}
			c.clock = skewed(5 * time.Hour)
			return c, c.flows(nil), c.connections(nil)
		}},
		{"connections without a time", 0, func(seed uint64) (*capture, []incident.Flow, []incident.Connection) {
			c := anHour(seed, 100, 16384)
			c.clock = func(time.Time) time.Time { return time.Time{} }
			c.jitter = 0
			return c, c.flows(nil), c.connections(nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(6) {
				c, flows, conns := tt.lay(seed)
				got := c.join(flows, conns)
				if got.wrong > 0 || got.rate < tt.least {
					t.Errorf("seed %d: %d of %d flows joined a wrong connection, rate %.3f (skew %v), want none and at least %.3f",
						seed, got.wrong, got.Matched, got.rate, got.ClockSkew, tt.least)
				}
			}
		})
	}
}
