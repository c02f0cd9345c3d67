package estate

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// flow is one flow as it was, before any sensor.
type flow struct {
	at, last          int64 // ns since 1970, ns
	host              int32
	peer              netip.Addr
	peerPort, ownPort uint16
	transport         uint8
	// opened reports whether the host opened it, bypass whether it goes past the proxy.
	opened, bypass, v6    bool
	program               int16
	cause                 int32 // what was planted; usual traffic has none
	out, in               int64 // payload from the host, and to it
	packetsOut, packetsIn int64
}

const usual = -1 // the cause of what was not planted

// fullPacket is the payload of a packet of a transfer.
const fullPacket = 1300

// header is what the headers of a packet take.
func header(transport uint8) int64 {
	if transport == udp {
		return 28
	}
	return 40
}

// left is what the flow sent, with the headers.
func (f *flow) left() int64 { return f.out + f.packetsOut*header(f.transport) }

// count sets the packets of both sides from their bytes. Each side of a TCP connection
// acknowledges every other packet.
func (f *flow) count(packet int64) {
	if packet == 0 {
		packet = fullPacket
	}
	f.packetsOut, f.packetsIn = max(1, (f.out+packet-1)/packet), (f.in+fullPacket-1)/fullPacket
	if f.transport == tcp {
		f.packetsOut, f.packetsIn = f.packetsOut+f.packetsIn/2+2, f.packetsIn+f.packetsOut/2+2
	}
}

// lot is a number that is the flow's own.
func (f *flow) lot(purpose uint64) uint64 {
	return mix(uint64(f.at) ^ uint64(f.host)<<40 ^ uint64(f.ownPort)<<24 ^ uint64(f.peerPort) ^ purpose<<56)
}

// probeShare is the share of a firewall's flows that the sensor beside it sees too.
const probeShare = 0.3

// witness writes what the sensors record of flows.
type witness struct {
	e *Estate
	d dice
}

// records appends what the sensors record of the flow, and returns how many bytes of what
// the host sent the first of them counted: each flow once.
func (w *witness) records(f *flow, to []flowmath.Record) ([]flowmath.Record, int64) {
	h := &w.e.hosts[f.host]
	own := h.sent(f)
	switch sensor := h.path(f); sensor {
	case fwZurich:
		return w.firewall(f, own, to), f.left()
	case proxyZurich:
		r := w.both(f, own, proxyZurich)
		r.Orig, r.Resp = flowmath.Side{Bytes: f.out, IPBytes: flowmath.NotSeen, Packets: flowmath.NotSeen}, flowmath.Side{Bytes: f.in, IPBytes: flowmath.NotSeen, Packets: flowmath.NotSeen}
		r.Device, r.User = h.Name, h.User
		relayed := *f
		relayed.at += int64(30 * time.Millisecond)
		relayed.ownPort = ephemeral(f.lot(forSensor))
		return w.firewall(&relayed, proxyAddr(), append(to, r)), f.out
	case fwBoston, gatewayVPN:
		return append(to, w.both(f, own, sensor)), f.left()
	case vpcCloud:
		return w.single(f, own, sensor, to), f.left()
	case routerSingapore, routerLab:
		return w.sampled(f, own, sensor, to)
	}
	return to, 0
}

// sent is the address from which sensors see the flow come.
func (h *Host) sent(f *flow) netip.Addr {
	switch {
	case h.Shared.IsValid():
		return h.Shared
	case f.v6:
		return h.V6
	}
	return h.addr(f.at)
}

// firewall is zurich's, with the sensor beside it.
func (w *witness) firewall(f *flow, own netip.Addr, to []flowmath.Record) []flowmath.Record {
	to = append(to, w.both(f, own, fwZurich))
	if f.lot(forSensor)%1000 < probeShare*1000 {
		again := w.both(f, own, probeZurich)
		again.Start = again.Start.Add(20 * time.Millisecond)
		to = append(to, again)
	}
	return to
}

// both is a record of both directions.
func (w *witness) both(f *flow, own netip.Addr, sensor int) flowmath.Record {
	r := w.blank(f, sensor)
	mine := flowmath.Side{Bytes: f.out, IPBytes: f.left(), Packets: f.packetsOut}
	theirs := flowmath.Side{Bytes: f.in, IPBytes: f.in + f.packetsIn*header(f.transport), Packets: f.packetsIn}
	if f.opened {
		r.Src, r.SrcPort, r.Dst, r.DstPort, r.Orig, r.Resp = own, f.ownPort, f.peer, f.peerPort, mine, theirs
	} else {
		r.Src, r.SrcPort, r.Dst, r.DstPort, r.Orig, r.Resp = f.peer, f.peerPort, own, f.ownPort, theirs, mine
	}
	return r
}

func (w *witness) blank(f *flow, sensor int) flowmath.Record {
	s := &w.e.sensors[sensor]
	return flowmath.Record{
		Start: time.Unix(0, f.at+int64(s.Ahead)).UTC(), Duration: time.Duration(f.last), Transport: transportName(f.transport),
		Sampling: s.Sampling, Single: s.Single, Sensor: s.Name,
	}
}

// single is a record for each direction.
func (w *witness) single(f *flow, own netip.Addr, sensor int, to []flowmath.Record) []flowmath.Record {
	r := w.blank(f, sensor)
	r.Resp = flowmath.Unseen()
	r.Src, r.SrcPort, r.Dst, r.DstPort = own, f.ownPort, f.peer, f.peerPort
	r.Orig = flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.left(), Packets: f.packetsOut}
	to = append(to, r)
	if f.packetsIn > 0 {
		r.Src, r.SrcPort, r.Dst, r.DstPort = f.peer, f.peerPort, own, f.ownPort
		r.Orig = flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.in + f.packetsIn*header(f.transport), Packets: f.packetsIn}
		to = append(to, r)
	}
	return to
}

// sampled is a record for each direction of which a packet was drawn.
func (w *witness) sampled(f *flow, own netip.Addr, sensor int, to []flowmath.Record) ([]flowmath.Record, int64) {
	n := w.e.sensors[sensor].Sampling
	w.d.throw(w.e.config.Seed, forSensor, f.lot(forSensor), uint64(sensor))
	seen := int64(0)
	for _, r := range w.single(f, own, sensor, nil) {
		packets := min(w.d.poisson(float64(r.Orig.Packets)/float64(n)), r.Orig.Packets)
		if packets == 0 {
			continue
		}
		r.Orig.IPBytes = int64(float64(r.Orig.IPBytes) / float64(r.Orig.Packets) * float64(packets))
		r.Orig.Packets = packets
		if r.Src == own {
			seen += r.Orig.IPBytes * n
		}
		to = append(to, r)
	}
	return to, seen
}

// poisson draws how often something happens that happens so often on average.
func (d dice) poisson(mean float64) int64 {
	if mean > 30 {
		return max(0, int64(math.Round(mean+math.Sqrt(mean)*d.NormFloat64())))
	}
	n, product, least := int64(0), d.Float64(), math.Exp(-mean)
	for ; product > least; n++ {
		product *= d.Float64()
	}
	return n
}

// ephemeral is a port of a client.
func ephemeral(lot uint64) uint16 { return uint16(49152 + lot%16384) }

// outside is an address that is nobody's, one of the many of usual traffic.
func outside(lot uint64, v6 bool) netip.Addr {
	if v6 {
		var b [16]byte
		binary.BigEndian.PutUint64(b[8:], mix(lot))
		b[0], b[1], b[2], b[3], b[4], b[5] = 0x20, 0x01, 0x0d, 0xb8, 0xf0, byte(lot)
		return netip.AddrFrom16(b)
	}
	const networks = 456 // 198.18.0.0 to 198.19.199.255; above them is who is planted
	third := bits.RotateLeft64(lot, 24) % networks
	return netip.AddrFrom4([4]byte{198, byte(18 + third>>8), byte(third), byte(1 + lot%254)})
}
