package traffic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// capture makes the flows of one host and the connections of its endpoint, as
// two recorders with clocks of their own see the same sessions. It is seeded:
// the same capture is the same every time.
type capture struct {
	rnd      *rand.Rand
	sessions []session
	// clock is the endpoint's time at a time of the sensor's clock.
	clock func(time.Time) time.Time
	// jitter bounds how much later than the sensor the endpoint records a session;
	// Sysmon writes in batches.
	jitter time.Duration
}

// session is one use of a 5-tuple by one process.
type session struct {
	incident.Tuple
	at       time.Time
	duration time.Duration
	bytes    int64
	process  int
}

// newCapture lays sessions over a span: most to a few shared destinations, from
// ports that a host takes in turn and takes again, a tenth of them IPv6.
// Each is of one of so many processes.
func newCapture(seed uint64, sessions, ports, processes int, span time.Duration) *capture {
	c := &capture{
		rnd:    rand.New(rand.NewPCG(seed, 0)),
		clock:  func(at time.Time) time.Time { return at },
		jitter: 10 * time.Second,
	}
	free := map[incident.Tuple]time.Time{}
	for i := range sessions {
		s := session{
			at:       start().Add(time.Duration(float64(span) * float64(i) / float64(sessions))),
			duration: time.Duration(c.rnd.Int64N(int64(5 * time.Second))),
			bytes:    c.rnd.Int64N(100_000),
			process:  c.rnd.IntN(processes),
		}
		s.Tuple = c.tuple(49152 + i%ports)
		if seed%2 == 1 {
			s.Tuple = c.tuple(49152 + c.rnd.IntN(ports))
		}
		for s.at.Before(free[s.Tuple]) {
			s.Tuple = c.tuple(49152 + c.rnd.IntN(ports))
		}
		free[s.Tuple] = s.at.Add(s.duration + 30*time.Second)
		c.sessions = append(c.sessions, s)
	}
	return c
}

// tuple leads to one of a few destinations.
func (c *capture) tuple(port int) incident.Tuple {
	t := incident.Tuple{SrcIP: "10.0.1.4", SrcPort: port, DstIP: fmt.Sprintf("198.51.%d.%d", c.rnd.IntN(4), 1+c.rnd.IntN(20)), DstPort: 443, Transport: "tcp"}
	switch c.rnd.IntN(10) {
	case 0:
		t.SrcIP, t.DstIP = "2001:db8::4", fmt.Sprintf("2001:db8:1::%x", 1+c.rnd.IntN(50))
	case 1, 2, 3, 4:
		t.DstIP, t.DstPort, t.Transport = "10.0.1.1", 53, "udp"
	}
	return t
}

// flow has the number of its session in a field that the join does not read.
func (s session) flow(number int) incident.Flow {
	return incident.Flow{Start: s.at, Duration: s.duration, Tuple: s.Tuple, BytesOut: s.bytes, BytesIn: int64(number), PacketsOut: 1 + s.bytes/1000}
}

func (c *capture) connection(s session) incident.Connection {
	late := time.Duration(c.rnd.Int64N(int64(max(c.jitter, 1))))
	return incident.Connection{At: c.clock(s.at).Add(late), Tuple: s.Tuple, Process: processOf(s.process)}
}

func processOf(n int) incident.Process {
	return incident.Process{Path: incident.Known(fmt.Sprintf(`C:\Apps\app%04d.exe`, n), incident.FromEDR), PID: incident.Known(int64(1000+n), incident.FromEDR)}
}

// flows and connections of the sessions that the recorder recorded.
func (c *capture) flows(noted func(session) bool) []incident.Flow {
	var out []incident.Flow
	for i, s := range c.sessions {
		if noted == nil || noted(s) {
			out = append(out, s.flow(i))
		}
	}
	return out
}

func (c *capture) connections(noted func(session) bool) []incident.Connection {
	var out []incident.Connection
	for _, s := range c.sessions {
		if noted == nil || noted(s) {
			out = append(out, c.connection(s))
		}
	}
	return out
}

// shuffle removes the order in which sessions came.
func (c *capture) shuffle(flows []incident.Flow, conns []incident.Connection) {
	c.rnd.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
	c.rnd.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
}

// every takes each n-th session.
func every(n int) func(session) bool {
	i := 0
	return func(session) bool { i++; return i%n == 0 }
}

// storm is the case that the join is built for: a day of a busy host, of which the
// endpoint reports a tenth, some of it twice, by a clock that is days off.
func storm() ([]incident.Flow, []incident.Connection) {
	c := newCapture(1, 1_000_000, 16384, 12, 24*time.Hour)
	c.clock = func(at time.Time) time.Time { return at.Add(-483_282 * time.Second) }
	conns := c.connections(every(11))
	conns = append(conns, slices.Clone(conns[:100_000-len(conns)])...)
	flows := c.flows(nil)
	c.shuffle(flows, conns)
	return flows, conns
}
