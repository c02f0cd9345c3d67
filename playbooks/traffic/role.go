package traffic

import (
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Peer is what a host exchanged with one peer over one service. The
// service's port is the peer's where the host opened the flow, else the host's
// own.
type Peer struct {
	IP        string
	Port      int
	Transport string
	// Answering reports whether the peer opened the flows: the port is the host's.
	Answering                            bool
	BytesOut, BytesIn, PacketsOut, Flows int64
	// Unseen is in how many of the flows something was sent that no sensor saw: it
	// is in neither BytesOut nor PacketsOut.
	Unseen int64
	// First and Last are when it began and ended, from the beginning of the
	// shape; both zero: as long as the shape.
	First, Last time.Duration
}

// Shape is the input of [Classify]. A host of unknown volume has no shape; it may
// have peers whose volume was not seen.
type Shape struct {
	// Host holds the host's own addresses, which determine its subnets: the /24 or
	// /64 around each, as no flow record carries the mask.
	Host []string
	// Active is the time between the first and the last packet.
	Active time.Duration
	Peers  []Peer
}

// Classify returns the role of a host's traffic. The order of the peers does not
// matter. The roles are tried in this order, and the first that fits is returned:
//
//   - discovery: everything goes to multicast, broadcast or link-local
//     addresses, or in small volume to the own subnet.
//   - requester: many external peers are asked at amplification ports over udp,
//     fast, in small packets, and little comes back from any of them.
//   - reflector: many external peers are answered from an amplification port,
//     with far more than they sent.
//   - flooder: one destination takes nearly all packets, at a high rate that it
//     does not answer, or by a storm of new connections. Over udp, where much
//     legitimately goes unanswered, the rate alone is not enough.
//   - transfer: few destinations take nearly all of many bytes.
//
// External is every unicast address outside of the own subnets: an attacker may
// well sit in RFC 1918 space. Only ports with confidence A or B of
// [Amplification] count, without those of the web and of tunnels, which every
// browser and VPN client uses, unless the limits name the ports.
//
// Traffic that a sensor did not see is no evidence, but is not zero. A peer outside
// whose volume was not seen is a peer outside, and what may have gone to it counts
// against a peer that seems to have got nearly all. An answer without a question
// means that the question was not captured, so it makes no reflector; data over tcp
// is acknowledged, so where nothing came back it was not captured, and the host is
// neither a requester nor, by that stream, a flooder.
func Classify(shape Shape, limits RoleLimits) incident.Role {
	t := newTally(shape, limits)
	switch {
	case t.packets == 0 && t.bytes == 0:
		return incident.UnknownRole
	case t.discovers():
		return incident.Discovery
	case t.requests():
		return incident.Requester
	case t.reflects():
		return incident.Reflector
	case t.floods():
		return incident.Flooder
	case t.transfers():
		return incident.Transfer
	default:
		return incident.UnknownRole
	}
}

// Amplifies reports whether a port is evidence of amplification: automatic actions
// must use this and not the table alone. Services of confidence C are on one list
// only. The web and tunnels are left out, for every browser and VPN client uses
// their ports.
func Amplifies(port int, transport string) bool {
	switch port {
	case 80, 443, 1194:
		return false
	}
	s, ok := Amplification(port, transport)
	return ok && (s.Confidence == "A" || s.Confidence == "B")
}

// subnetsOf returns the networks that are assumed to be the host's own.
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
// multicast, broadcast, link-local, loopback or invalid.
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
