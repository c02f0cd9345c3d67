package incident

import (
	"net/netip"
	"slices"
	"time"
)

// sums adds up traffic and the time that it took.
type sums struct {
	out, in, packets, flows int64
	first, last             time.Duration
}

func (s *sums) add(p *PeerTraffic, active time.Duration) {
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

// size is the mean size of a packet that was sent.
func (s *sums) size() int64 { return s.out / max(1, s.packets) }

// peer is what one unicast address got and sent.
type peer struct {
	sums
	streams [streamKinds]stream
}

// tally is a host's traffic, sorted by what the roles look at.
type tally struct {
	limits        RoleLimits
	collectors    []ServicePort
	active        time.Duration
	asks, answers map[ServicePort]*service
	peers         map[string]*peer
	// bytes and packets are all that left; distant is the part that left the
	// own subnets, local the unicast part that did not. in is what came back,
	// unheard what left over tcp without being acknowledged.
	bytes, packets, distant, local, in, unheard int64
}

func newTally(shape TrafficShape, limits RoleLimits) *tally {
	t := &tally{
		limits: limits, collectors: limits.collectorPorts(), active: shape.Active, peers: map[string]*peer{},
		asks: map[ServicePort]*service{}, answers: map[ServicePort]*service{},
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
	of, ok := t.peers[p.IP]
	if !ok {
		of = &peer{}
		t.peers[p.IP] = of
	}
	of.add(&p, t.active)
	collected := slices.Contains(t.collectors, ServicePort{p.Port, p.Transport})
	t.unheard += of.streams[transportOf(p.Transport)].add(&p, collected, t.active)
	own := slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(addr) })
	if own {
		t.local += p.BytesOut
	} else {
		t.distant += max(p.BytesOut, p.PacketsOut)
	}
	if t.limits.amplifies(p.Port, p.Transport) {
		t.serve(&p, addr, own)
	}
}

func (t *tally) discovers() bool {
	return t.distant == 0 && t.local < t.limits.TransferBytes
}

// largest returns the peer that got the most packets; peers that are equal in
// that are equal in rank, by bytes and then by address.
func (t *tally) largest() *peer {
	best, bestIP := &peer{}, ""
	for ip, p := range t.peers {
		if bestIP == "" || p.packets > best.packets ||
			p.packets == best.packets && (p.out > best.out || p.out == best.out && ip < bestIP) {
			best, bestIP = p, ip
		}
	}
	return best
}

func (t *tally) transfers() bool {
	volumes := make([]int64, 0, len(t.peers))
	for _, p := range t.peers {
		volumes = append(volumes, p.out)
	}
	slices.Sort(volumes)
	var few int64
	for _, v := range volumes[max(0, len(volumes)-t.limits.TransferPeers):] {
		few += v
	}
	return few >= t.limits.TransferBytes && float64(few) >= t.limits.TransferShare*float64(t.bytes)
}
