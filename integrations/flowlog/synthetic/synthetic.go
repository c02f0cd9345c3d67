// Package synthetic makes flow logs of invented traffic, with the traffic role
// that it has by construction: no public records exist of a Windows host that
// floods or drives reflection. Every log is marked as synthetic. The same seed
// makes the same log.
package synthetic

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Scenario is one kind of traffic of one host.
type Scenario struct {
	Name string
	// Role is the label: what the traffic is by construction, not the result of a
	// classifier.
	Role incident.Role
	// Benign reports whether no action is due, regardless of the role.
	Benign bool
	About  string
	draw   func(*generator)
}

// Options are the host and the time of the traffic.
type Options struct {
	Seed uint64
	// Host is an IPv4 address outside of 198.18.0.0/15, where the peers are.
	Host   netip.Addr
	Begin  time.Time
	Length time.Duration
}

// Flow is one line of a flow log. Payload is counted; what the headers add is
// computed when it is written.
type Flow struct {
	At                    time.Time
	Duration              time.Duration
	Src, Dst              netip.Addr
	SrcPort, DstPort      uint16
	Transport, Service    string
	Out, In               int64 // payload from Src, and to it
	PacketsOut, PacketsIn int64
	// State is Zeek's conn_state, and History its history.
	State, History string
}

// Flows draws the scenario's flows, oldest first. All are within the length.
func (s Scenario) Flows(o Options) []Flow {
	g := &generator{
		Options: o,
		chance:  rand.New(rand.NewPCG(o.Seed, 1434)),
	}
	g.port = int(g.between(49152, 65535))
	s.draw(g)
	slices.SortStableFunc(g.flows, func(a, b Flow) int {
		return cmp.Or(a.At.Compare(b.At), a.Dst.Compare(b.Dst), cmp.Compare(a.SrcPort, b.SrcPort))
	})
	return g.flows
}

// generator draws flows.
type generator struct {
	Options
	chance *rand.Rand
	flows  []Flow
	port   int // the last client's
}

// between draws a whole number between both bounds, inclusive.
func (g *generator) between(low, high int64) int64 { return low + g.chance.Int64N(high-low+1) }

// spread draws around a median, seldom far from it.
func (g *generator) spread(median float64) int64 {
	return max(1, int64(median*math.Exp(0.3*g.chance.NormFloat64())))
}

// moment draws when a flow of that duration begins, so that it ends within the
// length. Zeek writes microseconds.
func (g *generator) moment(d time.Duration) time.Time {
	return g.Begin.Add(time.Duration(g.chance.Int64N(int64(max(1, g.Length-d)))).Truncate(time.Microsecond))
}

// ephemeral is the next port of a client: none is used again at once.
func (g *generator) ephemeral() uint16 {
	const first, last = 49152, 65535
	if g.port++; g.port < first || g.port > last {
		g.port = first
	}
	return uint16(g.port)
}

// peers draws n distinct addresses of the range that is reserved for
// benchmarks.
func (g *generator) peers(n int) []netip.Addr {
	drawn := make(map[netip.Addr]struct{}, n)
	list := make([]netip.Addr, 0, n)
	for len(list) < n {
		a := netip.AddrFrom4([4]byte{198, 18, byte(g.between(0, 255)), byte(g.between(1, 254))})
		if _, twice := drawn[a]; !twice {
			drawn[a] = struct{}{}
			list = append(list, a)
		}
	}
	return list
}

// neighbour is another address of the host's subnet.
func (g *generator) neighbour() netip.Addr {
	b := g.Host.As4()
	own := b[3]
	for b[3] == own {
		b[3] = byte(g.between(1, 254))
	}
	return netip.AddrFrom4(b)
}

// asks adds a flow that the host opens over udp.
func (g *generator) asks(peer netip.Addr, port uint16, packets, out, in int64) {
	f := Flow{
		Src: g.Host, SrcPort: g.ephemeral(), Dst: peer, DstPort: port, Transport: "udp",
		Out: out, In: in, PacketsOut: packets, State: "S0", History: "D",
	}
	if in > 0 {
		f.PacketsIn, f.State, f.History = packetsOf(in), "SF", "Dd"
	}
	g.add(f, 20*time.Second)
}

// answers adds a flow that a peer opens over udp to a port of the host.
func (g *generator) answers(peer netip.Addr, port uint16, packets, in, out int64) {
	g.add(Flow{
		Src: peer, SrcPort: g.ephemeral(), Dst: g.Host, DstPort: port, Transport: "udp",
		Out: in, In: out, PacketsOut: packets, PacketsIn: max(packets, packetsOf(out)), State: "SF", History: "Dd",
	}, 20*time.Second)
}

// connects adds a connection that the host opens and both sides close.
func (g *generator) connects(peer netip.Addr, port uint16, service string, out, in int64, most time.Duration) {
	sent, received := packetsOf(out), packetsOf(in)
	// Each side acknowledges every other packet of the other one.
	g.add(Flow{
		Src: g.Host, SrcPort: g.ephemeral(), Dst: peer, DstPort: port, Transport: "tcp", Service: service,
		Out: out, In: in, PacketsOut: sent + received/2 + 2, PacketsIn: received + sent/2 + 2, State: "SF", History: "ShADadFf",
	}, most)
}

// add places the flow, of at most that duration, into the length.
func (g *generator) add(f Flow, most time.Duration) {
	if f.PacketsOut+f.PacketsIn > 1 {
		f.Duration = time.Duration(g.chance.Int64N(int64(min(most, g.Length)))).Truncate(time.Microsecond)
	}
	f.At = g.moment(f.Duration)
	g.flows = append(g.flows, f)
}

// packetsOf is how many packets carry that much.
func packetsOf(bytes int64) int64 { return bytes/1200 + 1 }
