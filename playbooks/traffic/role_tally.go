package traffic

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// sums adds up traffic and the time that it took.
type sums struct {
	out, in, packets, flows int64
	first, last             time.Duration
}

func (s *sums) add(p *Peer, active time.Duration) {
	one := sums{out: p.BytesOut, in: p.BytesIn, packets: p.PacketsOut, flows: p.Flows, first: p.First, last: p.Last}
	if one.first == 0 && one.last == 0 {
		one.last = active
	}
	s.merge(&one)
}

func (s *sums) merge(o *sums) {
	if *s == (sums{}) {
		*s = *o
		return
	}
	s.first, s.last = min(s.first, o.first), max(s.last, o.last)
	s.out, s.in, s.packets, s.flows = s.out+o.out, s.in+o.in, s.packets+o.packets, s.flows+o.flows
}

// seconds is how long it took, a second at least.
func (s *sums) seconds() float64 { return max(1, (s.last - s.first).Seconds()) }

// fullPacket is the size of the packets of a large transfer, unbounded is more bytes
// than any host sends.
const (
	fullPacket = 1460
	unbounded  = 1 << 60
)

// unseen is the most that can have been sent in flows of which only the replies
// were seen: acknowledging costs a part of it. Without replies there is no such
// bound.
func (p *Peer) unseen() int64 {
	const acknowledging = 0.003
	unseen := p.Unseen
	if p.Flows > 0 && !p.Answering && p.BytesOut == 0 && p.PacketsOut == 0 {
		unseen = p.Flows // The end that opens a flow sends a packet.
	}
	switch {
	case unseen == 0:
		return 0
	case p.BytesIn == 0:
		return unbounded
	default:
		part := min(1, float64(unseen)/float64(max(1, p.Flows)))
		return int64(min(unbounded, float64(p.BytesIn)/acknowledging*part))
	}
}

// size is the mean size of a packet that was sent.
func (s *sums) size() int64 { return s.out / max(1, s.packets) }

// peer is what one unicast address got and sent.
type peer struct {
	ip string
	sums
	// unseen is how many bytes more it may have got.
	unseen int64
}

// tally is a host's traffic, sorted by the inputs of the roles.
type tally struct {
	limits        RoleLimits
	active        time.Duration
	lines         []Peer
	asks, answers map[ServicePort]*service
	peers         []peer
	// index finds a peer by address; peerOf is the peer of each line, or none.
	index  map[string]int
	peerOf []int
	// bytes and packets are all that was seen to leave; distant is the part that
	// left the own subnets, local the unicast part that did not, both with what may
	// have left unseen. in is what came back,
	// unheard what left over tcp without acknowledgement.
	bytes, packets, distant, local, in, unheard int64
}

func newTally(shape Shape, limits RoleLimits) *tally {
	t := &tally{
		limits: limits, active: shape.Active, lines: shape.Peers,
		peers: make([]peer, 0, len(shape.Peers)), index: make(map[string]int, len(shape.Peers)), peerOf: make([]int, len(shape.Peers)),
		asks: map[ServicePort]*service{}, answers: map[ServicePort]*service{},
	}
	subnets := subnetsOf(shape.Host)
	for i, p := range shape.Peers {
		t.peerOf[i] = t.add(p, subnets)
	}
	return t
}

// noPeer is the place of a peer that is not a single distant host.
const noPeer = -1

// add returns the place of the peer.
func (t *tally) add(p Peer, subnets []netip.Prefix) int {
	t.bytes += p.BytesOut
	t.packets += p.PacketsOut
	t.in += p.BytesIn
	addr, err := netip.ParseAddr(p.IP)
	if err == nil {
		// One peer has one spelling, or it would count as several.
		addr = addr.Unmap()
		p.IP = addr.String()
		if groupOrLocal(addr, subnets) {
			return noPeer
		}
	}
	at, ok := t.index[p.IP]
	if !ok {
		at = len(t.peers)
		t.index[p.IP] = at
		t.peers = append(t.peers, peer{ip: p.IP})
	}
	of := &t.peers[at]
	of.add(&p, t.active)
	t.unheard += p.unheard()
	unseen := p.unseen()
	of.unseen = min(unbounded, of.unseen+unseen)
	own := slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(addr) })
	if own {
		t.local = min(unbounded, t.local+p.BytesOut+unseen)
	} else {
		t.distant = min(unbounded, t.distant+max(p.BytesOut, p.PacketsOut, unseen))
	}
	if t.limits.amplifies(p.Port, p.Transport) {
		t.serve(&p, addr, own)
	}
	return at
}

func (t *tally) discovers() bool {
	return t.distant == 0 && t.local < t.limits.TransferBytes
}

// largest returns the place of the peer that got the most packets; peers that are
// equal in that are equal in rank, by bytes and then by address.
func (t *tally) largest() int {
	best := noPeer
	for i := range t.peers {
		if best == noPeer || compareReceived(&t.peers[i], &t.peers[best]) > 0 {
			best = i
		}
	}
	return best
}

func compareReceived(a, b *peer) int {
	return cmp.Or(cmp.Compare(a.packets, b.packets), cmp.Compare(a.out, b.out), cmp.Compare(b.ip, a.ip))
}

func (t *tally) transfers() bool {
	type volume struct{ out, unseen int64 }
	volumes := make([]volume, len(t.peers))
	for i := range t.peers {
		volumes[i] = volume{t.peers[i].out, t.peers[i].unseen}
	}
	slices.SortFunc(volumes, func(a, b volume) int { return cmp.Or(cmp.Compare(b.out, a.out), cmp.Compare(b.unseen, a.unseen)) })
	most := min(t.limits.TransferPeers, len(volumes))
	var few, others int64
	for _, v := range volumes[:most] {
		few += v.out
	}
	for _, v := range volumes[most:] {
		others = min(unbounded, others+v.unseen)
	}
	return few >= t.limits.TransferBytes && float64(few) >= t.limits.TransferShare*float64(t.bytes+others)
}
