package incident

import (
	"net/netip"
	"slices"
	"time"
)

// RoleLimits are the thresholds of [Classify]. A role is a shape, not a
// verdict: which hosts may have that shape is policy's business.
type RoleLimits struct {
	// ServicePeers is how many external peers a requester or a reflector has
	// at least. A forwarding dns.exe on a domain controller was seen with 15.
	ServicePeers int
	// ServicePackets is how many packets to or from amplification ports a
	// requester or a reflector sends at least: a resolver with a cold cache
	// sent 838 in seven minutes.
	ServicePackets int64
	// ServiceRate is the same per second. A Windows DNS client was seen at 14
	// a second, a domain controller's forwarder at 142 a minute.
	ServiceRate int64
	// RequesterBack is how many bytes come back at most per byte of request.
	// A resolver gets more back than it asks with; answers to a spoofed
	// request go to the victim.
	RequesterBack float64
	// ReflectorGain is how many bytes a reflector sends at least per byte that
	// asks it. Ordinary answers of DNS and CLDAP stay below 3.
	ReflectorGain float64
	// FloodShare is the least share of a flooder's packets that go to its one
	// destination.
	FloodShare float64
	// FloodPackets and FloodBits are per second, either is enough. A benign
	// speed test sent 27 Mbit/s, about 2,300 packets a second, and was
	// answered; see FloodBack.
	FloodPackets, FloodBits int64
	// FloodBack is how many bytes come back at most per byte sent, for a
	// stream to be a flood: the receiver of a transfer acknowledges, which
	// costs at least 0.3 % of it.
	FloodBack float64
	// FloodConnections is how many new connections a second to one destination
	// are a flood though they are answered.
	FloodConnections int64
	// TransferBytes is how much a transfer sends at least: the real
	// exfiltration of APT29 was 2,181,167 bytes in half a second.
	TransferBytes int64
	// TransferPeers and TransferShare say what few destinations are: so many
	// of them take at least that share of the bytes.
	TransferPeers int
	TransferShare float64
}

// DefaultRoleLimits returns the thresholds that the shipped policies assume.
func DefaultRoleLimits() RoleLimits {
	return RoleLimits{
		ServicePeers: 20, ServicePackets: 1000, ServiceRate: 50,
		RequesterBack: 0.5, ReflectorGain: 5,
		FloodShare: 0.8, FloodPackets: 1000, FloodBits: 50e6, FloodBack: 0.002, FloodConnections: 100,
		TransferBytes: 1 << 20, TransferPeers: 3, TransferShare: 0.8,
	}
}

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
// browser and VPN client uses.
func Classify(shape TrafficShape, limits RoleLimits) Role {
	t := newTally(shape)
	switch {
	case t.packets == 0 && t.bytes == 0:
		return UnknownRole
	case t.discovers(limits):
		return Discovery
	case t.requests.driven(limits, t.seconds) &&
		float64(t.requests.in) <= limits.RequesterBack*float64(t.requests.out):
		return Requester
	case t.answers.driven(limits, t.seconds) &&
		float64(t.answers.out) >= limits.ReflectorGain*float64(t.answers.in):
		return Reflector
	case t.floods(limits):
		return Flooder
	case t.transfers(limits):
		return Transfer
	default:
		return UnknownRole
	}
}

// serviceTally sums the traffic of amplification ports.
type serviceTally struct {
	peers            map[string]struct{}
	out, in, packets int64
}

func (s *serviceTally) add(p PeerTraffic) {
	s.peers[p.IP] = struct{}{}
	s.out += p.BytesOut
	s.in += p.BytesIn
	s.packets += p.PacketsOut
}

// driven tells whether the service is used by many peers and faster than any
// benign client or server of it was seen.
func (s *serviceTally) driven(l RoleLimits, seconds float64) bool {
	return len(s.peers) >= l.ServicePeers && s.packets >= l.ServicePackets &&
		float64(s.packets) >= float64(l.ServiceRate)*seconds
}

type peerTally struct{ out, in, packets, flows int64 }

type tally struct {
	seconds           float64
	requests, answers serviceTally
	// peers sums unicast destinations by address.
	peers map[string]peerTally
	// bytes and packets are all that left; distant is the part that left the
	// own subnets, local the unicast part that did not.
	bytes, packets, distant, local int64
}

func newTally(shape TrafficShape) tally {
	t := tally{
		seconds:  max(1, shape.Active.Seconds()),
		requests: serviceTally{peers: map[string]struct{}{}},
		answers:  serviceTally{peers: map[string]struct{}{}},
		peers:    map[string]peerTally{},
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
	addr, err := netip.ParseAddr(p.IP)
	addr = addr.Unmap()
	if err == nil && groupOrLocal(addr, subnets) {
		return
	}
	sum := t.peers[p.IP]
	sum.out += p.BytesOut
	sum.in += p.BytesIn
	sum.packets += p.PacketsOut
	sum.flows += p.Flows
	t.peers[p.IP] = sum
	if slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(addr) }) {
		t.local += p.BytesOut
		return
	}
	t.distant += max(p.BytesOut, p.PacketsOut)
	if !Amplifies(p.Port, p.Transport) {
		return
	}
	if p.Answering {
		t.answers.add(p)
	} else if p.Transport == "udp" {
		t.requests.add(p)
	}
}

func (t *tally) discovers(l RoleLimits) bool {
	return t.distant == 0 && t.local < l.TransferBytes
}

// largest returns the peer that got the most packets; peers that are equal in
// that are equal in rank, by bytes and then by address.
func (t *tally) largest() peerTally {
	var best peerTally
	var bestIP string
	for ip, p := range t.peers {
		if bestIP == "" || p.packets > best.packets ||
			p.packets == best.packets && (p.out > best.out || p.out == best.out && ip < bestIP) {
			best, bestIP = p, ip
		}
	}
	return best
}

func (t *tally) floods(l RoleLimits) bool {
	p := t.largest()
	if float64(p.packets) < l.FloodShare*float64(t.packets) {
		return false
	}
	storm := float64(p.flows) >= float64(l.FloodConnections)*t.seconds && p.flows >= l.FloodConnections
	fast := float64(p.packets) >= float64(l.FloodPackets)*t.seconds ||
		float64(p.out)*8 >= float64(l.FloodBits)*t.seconds
	unanswered := float64(p.in) <= l.FloodBack*float64(p.out)
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

// Amplifies tells whether a port says something about amplification: whatever
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

// groupOrLocal tells whether an address cannot be a single distant host:
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
