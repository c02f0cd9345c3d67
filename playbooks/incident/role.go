package incident

import (
	"net/netip"
	"slices"
	"time"
)

// PeerTraffic is what a host exchanged with one peer over one service. The
// service's port is the peer's where the host opened the flow, else the host's
// own.
type PeerTraffic struct {
	IP        string
	Port      int
	Transport string
	// Answering tells that the peer opened the flows: the port is the host's.
	Answering                            bool
	BytesOut, BytesIn, PacketsOut, Flows int64
	// First and Last are when it began and ended, from the beginning of the
	// shape; both zero: as long as the shape.
	First, Last time.Duration
}

// TrafficShape is what a traffic role is told from. It holds measured volumes
// only: a host whose volume is unknown has no shape.
type TrafficShape struct {
	// Host holds the host's own addresses, which tell its subnets: the /24 or
	// /64 around each, as no flow record carries the mask.
	Host []string
	// Active is the time between the first and the last packet.
	Active time.Duration
	Peers  []PeerTraffic
}

// Classify tells what a host's traffic looks like. The order of the peers does
// not matter. The roles are tried in this order, and the first that fits holds:
//
//   - discovery: everything goes to multicast, broadcast or link-local
//     addresses, or in small volume to the own subnet.
//   - requester: many external peers are asked at amplification ports over udp,
//     fast, and little comes back.
//   - reflector: many external peers are answered from an amplification port,
//     with far more than they asked with.
//   - flooder: one destination takes nearly all packets, at a high rate that it
//     does not answer, or by a storm of new connections.
//   - transfer: few destinations take nearly all of many bytes.
//
// External is every unicast address outside of the own subnets: an attacker may
// well sit in RFC 1918 space. Only ports with confidence A or B of
// [Amplification] count, without those of the web and of tunnels, which every
// browser and VPN client uses, unless the limits name the ports.
//
// What a sensor did not see is no evidence. An answer to nobody's question is a
// question that was not captured, so it makes no reflector; data that tcp
// carries is acknowledged, so where nothing came back it was not captured, and
// the host is neither a requester nor, by that stream, a flooder.
func Classify(shape TrafficShape, limits RoleLimits) Role {
	t := newTally(shape, limits)
	switch {
	case t.packets == 0 && t.bytes == 0:
		return UnknownRole
	case t.discovers(limits):
		return Discovery
	case t.requests(limits):
		return Requester
	case t.reflects(limits):
		return Reflector
	case t.floods(limits):
		return Flooder
	case t.transfers(limits):
		return Transfer
	default:
		return UnknownRole
	}
}

// sums adds up traffic and the time that it took.
type sums struct {
	out, in, packets, connections int64
	// unheard are the bytes that went out over tcp and for which nothing came
	// back, though that many cannot go unacknowledged.
	unheard     int64
	first, last time.Duration
}

// dataSegment is the least mean size of packets that carry data over tcp: those
// of a flood of bare segments are smaller.
const dataSegment = 200

func (s *sums) add(p PeerTraffic, active time.Duration) {
	first, last := p.First, p.Last
	if first == 0 && last == 0 {
		last = active
	}
	if s.packets == 0 && s.out == 0 && s.in == 0 {
		s.first, s.last = first, last
	}
	s.first, s.last = min(s.first, first), max(s.last, last)
	s.out += p.BytesOut
	s.in += p.BytesIn
	s.packets += p.PacketsOut
	if p.Transport != "tcp" {
		return
	}
	s.connections += p.Flows
	if p.BytesIn == 0 && p.BytesOut/max(1, p.PacketsOut) >= dataSegment {
		s.unheard += p.BytesOut
	}
}

// seconds is how long it took, a second at least.
func (s *sums) seconds() float64 { return max(1, (s.last - s.first).Seconds()) }

// service is the traffic of amplification ports.
type service struct {
	sums
	peers map[string]struct{}
}

// driven reports whether the service is used by many peers and faster than any
// benign client or server of it was seen.
func (s *service) driven(peers int, packets, rate int64) bool {
	return len(s.peers) >= peers && s.packets >= packets && float64(s.packets) >= float64(rate)*s.seconds()
}

type tally struct {
	limits        RoleLimits
	active        time.Duration
	asks, answers service
	// peers sums unicast destinations by address.
	peers map[string]*sums
	// bytes and packets are all that left; distant is the part that left the
	// own subnets, local the unicast part that did not. in is what came back.
	bytes, packets, distant, local, in, unheard int64
}

func newTally(shape TrafficShape, limits RoleLimits) *tally {
	t := &tally{
		limits: limits, active: shape.Active, peers: map[string]*sums{},
		asks: service{peers: map[string]struct{}{}}, answers: service{peers: map[string]struct{}{}},
	}
	subnets := subnetsOf(shape.Host)
	for _, p := range shape.Peers {
		t.add(p, subnets)
	}
	return t
}

func (t *tally) add(p PeerTraffic, subnets []netip.Prefix) {
	t.bytes += p.BytesOut
	t.packets += p.PacketsOut
	t.in += p.BytesIn
	addr, err := netip.ParseAddr(p.IP)
	if err == nil {
		// One peer has one spelling, or it would count as several.
		addr = addr.Unmap()
		p.IP = addr.String()
		if groupOrLocal(addr, subnets) {
			return
		}
	}
	sum, ok := t.peers[p.IP]
	if !ok {
		sum = &sums{}
		t.peers[p.IP] = sum
	}
	before := sum.unheard
	sum.add(p, t.active)
	t.unheard += sum.unheard - before
	if slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(addr) }) {
		t.local += p.BytesOut
		return
	}
	t.distant += max(p.BytesOut, p.PacketsOut)
	if t.limits.amplifies(p.Port, p.Transport) {
		t.serve(p, addr)
	}
}

// serve counts traffic of an amplification port. Only udp can be asked in
// another's name; over tcp that takes a middlebox on the open internet, while a
// directory server answers its clients all day.
func (t *tally) serve(p PeerTraffic, addr netip.Addr) {
	var s *service
	switch {
	case !p.Answering && p.Transport == "udp":
		s = &t.asks
	case p.Answering && p.BytesIn > 0 && (p.Transport == "udp" || !addr.IsPrivate()):
		s = &t.answers
	default:
		return
	}
	s.add(p, t.active)
	s.peers[p.IP] = struct{}{}
}

func (t *tally) discovers(l RoleLimits) bool {
	return t.distant == 0 && t.local < l.TransferBytes
}

func (t *tally) requests(l RoleLimits) bool {
	deaf := t.in == 0 && t.unheard > 0
	return !deaf && t.asks.driven(l.RequesterPeers, l.RequesterPackets, l.RequesterRate) &&
		float64(t.asks.in) <= l.RequesterBack*float64(t.asks.out)
}

func (t *tally) reflects(l RoleLimits) bool {
	return t.answers.driven(l.ReflectorPeers, l.ReflectorPackets, l.ReflectorRate) &&
		float64(t.answers.out) >= l.ReflectorGain*float64(t.answers.in)
}

// largest returns the peer that got the most packets; peers that are equal in
// that are equal in rank, by bytes and then by address.
func (t *tally) largest() sums {
	var best sums
	var bestIP string
	for ip, p := range t.peers {
		if bestIP == "" || p.packets > best.packets ||
			p.packets == best.packets && (p.out > best.out || p.out == best.out && ip < bestIP) {
			best, bestIP = *p, ip
		}
	}
	return best
}

// floods tells of a storm of connections over the whole time: a page that opens
// many at once is none. Questions and answers over udp are no connections.
func (t *tally) floods(l RoleLimits) bool {
	p := t.largest()
	if float64(p.packets) < l.FloodShare*float64(t.packets) {
		return false
	}
	whole := max(1, t.active.Seconds())
	storm := p.connections >= l.FloodConnections && float64(p.connections) >= float64(l.FloodConnections)*whole
	fast := float64(p.packets) >= float64(l.FloodPackets)*p.seconds() ||
		float64(p.out)*8 >= float64(l.FloodBits)*p.seconds()
	unanswered := float64(p.in) <= l.FloodBack*float64(p.out) && p.unheard <= p.out/2
	return storm || fast && unanswered
}

func (t *tally) transfers(l RoleLimits) bool {
	volumes := make([]int64, 0, len(t.peers))
	for _, p := range t.peers {
		volumes = append(volumes, p.out)
	}
	slices.Sort(volumes)
	var few int64
	for _, v := range volumes[max(0, len(volumes)-l.TransferPeers):] {
		few += v
	}
	return few >= l.TransferBytes && float64(few) >= l.TransferShare*float64(t.bytes)
}

// Amplifies reports whether a port says something about amplification: whatever
// acts without a person goes by this and not by the table alone. Services of
// confidence C stand on one list only. The web and tunnels are left out, for
// every browser and VPN client uses their ports.
func Amplifies(port int, transport string) bool {
	switch port {
	case 80, 443, 1194:
		return false
	}
	s, ok := Amplification(port, transport)
	return ok && (s.Confidence == "A" || s.Confidence == "B")
}

// subnetsOf returns the networks that are taken for the host's own.
func subnetsOf(host []string) []netip.Prefix {
	var subnets []netip.Prefix
	for _, ip := range host {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			continue
		}
		addr = addr.Unmap()
		bits := 64
		if addr.Is4() {
			bits = 24
		}
		if p, err := addr.WithZone("").Prefix(bits); err == nil {
			subnets = append(subnets, p)
		}
	}
	return subnets
}

// groupOrLocal reports whether an address cannot be a single distant host:
// multicast, broadcast, link-local, loopback or none.
func groupOrLocal(a netip.Addr, subnets []netip.Prefix) bool {
	if a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	if !a.Is4() {
		return false
	}
	last := a.As4()
	if last == [4]byte{255, 255, 255, 255} {
		return true
	}
	return last[3] == 255 && slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(a) })
}
