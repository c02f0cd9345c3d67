package traffic

import (
	"slices"
	"time"
)

// The streamKinds by which a flood is recognised.
const (
	overTCP = iota
	overUDP
	overICMP
	overOther
	streamKinds
)

func transportOf(name string) int {
	switch name {
	case "tcp":
		return overTCP
	case "udp":
		return overUDP
	case "icmp":
		return overICMP
	default:
		return overOther
	}
}

const (
	// bareSegment is the largest mean size of packets that carry nothing: 40 to
	// 60 bytes of headers, with a frame's 14 and its checksum. The smallest
	// messages of a log, and voice, are above it.
	bareSegment = 80
	// dataSegment is the least mean size of packets that carry data over tcp, and
	// of udp packets that are not questions.
	dataSegment = 200
	// bulkPacket is the least mean size of packets that carry video or files. At
	// the rate of a flood a camera's and a file transfer's are nearly full.
	bulkPacket = 700
	// bulkPart is by what factor full packets without answers must exceed a
	// flood's rate of packets: a camera in 4K sends 25 Mbit, 2600 packets.
	bulkPart = 2.75
	// echoed is how many bytes come back at most per byte that is answered with a
	// packet like it, such as an echo, or a reset.
	echoed = 2
	// icmpPart is the part of a flood's bits that is a flood over icmp, which has no
	// benign use at that rate.
	icmpPart = 10
	// collectedPart is by what factor bits to a collector's port must exceed a
	// flood's: no relay of logs was seen to send so much to one collector.
	collectedPart = 10
)

// stream is what one peer got over one transport, on all ports.
type stream struct {
	sums
	// opened are the flows that the host opened.
	opened sums
	// unheard is the part that left over tcp without acknowledgement, collected
	// are the packets to ports of collectors.
	unheard, collected int64
}

func (s *stream) add(p *Peer, l *RoleLimits, active time.Duration) {
	s.sums.add(p, active)
	if !p.Answering {
		s.opened.add(p, active)
	}
	if l.collects(p.Port, p.Transport) {
		s.collected += p.PacketsOut
	}
	s.unheard += p.unheard()
}

// unheard are the bytes that went out over tcp and for which nothing came back,
// though that many cannot go unacknowledged.
func (p *Peer) unheard() int64 {
	if p.Transport != "tcp" || p.BytesIn > 0 || p.BytesOut/max(1, p.PacketsOut) < dataSegment {
		return 0
	}
	return p.BytesOut
}

// floods reports whether the peer that gets nearly all packets is flooded. A
// storm of connections lasts the whole time: a page that opens many at once is not
// one. Questions and answers over udp are not connections.
func (t *tally) floods() bool {
	l, largest := &t.limits, t.largest()
	if largest == noPeer {
		return false
	}
	var others int64
	for i := range t.peers {
		if i != largest {
			others = min(unbounded, others+t.peers[i].unseen)
		}
	}
	if float64(t.peers[largest].packets) < l.FloodShare*float64(t.packets+others/fullPacket) {
		return false
	}
	var by [streamKinds]stream
	for i := range t.lines {
		if t.peerOf[i] == largest {
			by[transportOf(t.lines[i].Transport)].add(&t.lines[i], l, t.active)
		}
	}
	storm := float64(l.FloodConnections) * max(1, t.active.Seconds())
	return float64(by[overTCP].opened.flows) >= storm || by[overTCP].floodsTCP(l) ||
		by[overICMP].floodsICMP(l) || by[overUDP].floodsUDP(l) || by[overOther].floodsUDP(l)
}

// atPackets reports whether the rate is at least the given multiple of that of a
// flood's packets.
func (s *sums) atPackets(l *RoleLimits, times float64) bool {
	return s.packets > 0 && float64(s.packets) >= times*float64(l.FloodPackets)*s.seconds()
}

func (s *sums) atBits(bits float64) bool { return s.out > 0 && float64(s.out)*8 >= bits*s.seconds() }

// unanswered reports whether a rate is a flood's and nothing comes back.
func (s *sums) unanswered(l *RoleLimits) bool {
	return (s.atPackets(l, 1) || s.atBits(float64(l.FloodBits))) && float64(s.in) <= l.FloodBack*float64(s.out)
}

// floodsTCP reports a flood of segments that carry nothing, which are answered
// with a reset or not at all, or of others that are not acknowledged though other
// traffic is. Acknowledging a download takes bare segments too, and brings far
// more than it sends.
func (s *stream) floodsTCP(l *RoleLimits) bool {
	bare := s.opened.atPackets(l, 1) && s.opened.size() <= bareSegment && s.opened.in <= echoed*s.opened.out
	return bare || s.unanswered(l) && s.unheard <= s.out/2
}

func (s *stream) floodsICMP(l *RoleLimits) bool {
	fast := s.opened.atPackets(l, 1) || s.opened.atBits(float64(l.FloodBits)/icmpPart)
	return s.unanswered(l) || fast && s.opened.in <= echoed*s.opened.out
}

// floodsUDP reports a flood over a transport in which nothing need be answered.
// Cameras, file transfers of their own protocol and logs go unanswered or nearly,
// at any rate: volume alone makes none of them a flood. They differ from one in
// that each is one flow or a few, with data in every packet.
func (s *stream) floodsUDP(l *RoleLimits) bool {
	bits := float64(l.FloodBits)
	scattered := float64(s.flows) >= float64(l.FloodConnections)*s.seconds()
	if !s.unanswered(l) {
		// Full packets, each from a port of its own, are not questions.
		return scattered && s.size() >= dataSegment && float64(s.in) <= l.FloodBack*float64(s.out)
	}
	switch {
	case scattered || s.atPackets(l, 1) && s.size() <= bareSegment:
		return true
	case s.collected > s.packets/2:
		return s.atBits(collectedPart * bits)
	case s.size() < bulkPacket:
		return true
	default:
		// The receiver of a call or a transfer reports what arrives, if rarely.
		return s.in == 0 && (s.atBits(bits) || s.atPackets(l, bulkPart))
	}
}

// collects reports whether a port is a collector's, which never answers. Shipped are
// SNMP traps, syslog (514, and the ports that relays and agents also use),
// NetFlow and IPFIX, sFlow, StatsD, GELF and collectd.
func (l *RoleLimits) collects(port int, transport string) bool {
	if len(l.CollectorPorts) > 0 {
		return slices.Contains(l.CollectorPorts, ServicePort{port, transport})
	}
	switch port {
	case 162, 514, 1514, 2055, 4739, 5140, 5514, 6343, 6514, 8125, 9995, 9996, 10514, 12201, 25826:
		return transport == "udp"
	}
	return false
}
