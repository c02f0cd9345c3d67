package flowmath

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// View is a flow as seen from one of its ends, the local one.
type View struct {
	// Start and End are nanoseconds since 1970, by the sensor's clock.
	Start, End int64
	Ends
	// Opened reports whether the local end opened the flow.
	Opened bool
	// Sent and Received are bytes, sampling applied, as Packets is. Sent and
	// Packets are meaningful only if Measured; Packets is [NotSeen] where the
	// sensor does not count them. Low and High bound what the counters allow,
	// and are both Sent where there is one counter.
	Sent, Received, Packets int64
	Low, High               int64
	// Measured reports whether the sensor saw what the local end sent; OneWay
	// whether it must have sent something that the sensor did not see.
	Measured, OneWay bool
	// Blank is why the volume was not seen, where the record's counters are
	// empty; such a flow is OneWay.
	Blank   Blank
	Sampled bool
	// Adds reports whether other records of the sensor for the same 5-tuple are
	// further traffic, not the same traffic again.
	Adds bool
	// Sensor is the number of the sensor, see [Sensors].
	Sensor uint64
	// Longest is that of the records in nanoseconds, where several were joined; 0 where
	// there is one.
	Longest int64
}

// longest is the length of the longest record of the flow.
func (v *View) longest() int64 {
	if v.Longest > 0 {
		return v.Longest
	}
	return v.End - v.Start
}

// Ends is a 5-tuple, local end first.
type Ends struct {
	Local, Remote         netip.Addr
	LocalPort, RemotePort uint16
	Transport             string
}

// service is the service over which the two ends exchange data.
func (e Ends) service(opened bool) Service {
	if opened {
		return Service{e.Remote, e.RemotePort, e.Transport, true}
	}
	return Service{e.Remote, e.LocalPort, e.Transport, false}
}

// hash differs for most 5-tuples; code that compares hashes must compare the ends
// too.
func (e Ends) hash() uint64 {
	const odd = 0x9e3779b97f4a7c15
	local, remote := e.Local.As16(), e.Remote.As16()
	h := uint64(e.LocalPort)<<32 | uint64(e.RemotePort)<<16 | uint64(len(e.Transport))<<8
	if e.Transport != "" {
		h |= uint64(e.Transport[0])
	}
	for _, word := range [...]uint64{
		binary.BigEndian.Uint64(local[:8]), binary.BigEndian.Uint64(local[8:]),
		binary.BigEndian.Uint64(remote[:8]), binary.BigEndian.Uint64(remote[8:]),
	} {
		h = bits.RotateLeft64(h^word, 29) * odd
	}
	return h
}

// ViewOf returns the record as seen from its source, or else from its
// destination.
func ViewOf(r *Record, fromSource bool, sensor uint64) View {
	v := View{
		Start: r.Start.UnixNano(), End: r.End().UnixNano(), Opened: fromSource, Sensor: sensor,
		Sampled: r.Sampling > 1, Adds: r.Single || r.Sampling != 1,
		Blank: r.blank(),
	}
	mine, theirs := r.Orig.counted(), r.Resp.counted()
	v.Ends = Ends{r.Src, r.Dst, r.SrcPort, r.DstPort, r.Transport}
	if !fromSource {
		mine, theirs = theirs, mine
		v.Ends = Ends{r.Dst, r.Src, r.DstPort, r.SrcPort, r.Transport}
	}
	if r.Single {
		v.Opened = Opens(v.LocalPort, v.RemotePort, v.Transport)
	}
	bytes, low, high, ok := mine.Volume()
	switch {
	case v.Blank != Counted:
		v.OneWay = true
		return v
	case fromSource && (r.OneWay || !ok), !ok && mine.Packets > 0:
		v.OneWay = true
	case ok:
		v.Measured = true
		v.Sent, v.Low, v.High = bytes*r.Sampling, low*r.Sampling, high*r.Sampling
		v.Packets = NotSeen
		if mine.Packets >= 0 {
			v.Packets = mine.Packets * r.Sampling
		}
	default:
		// The end that opened the flow got no answer, or the answer has a record of
		// its own.
		v.Measured = !r.Single
	}
	if bytes, _, _, ok := theirs.Volume(); ok {
		v.Received = bytes * r.Sampling
	}
	return v
}

// Opens reports whether the local end opened a flow, judged by the ports, for
// records that do not have it: the port of an amplification service is the
// server's, else the lower one is.
func Opens(localPort, remotePort uint16, transport string) bool {
	_, local := traffic.Amplification(int(localPort), transport)
	_, remote := traffic.Amplification(int(remotePort), transport)
	if local != remote {
		return remote
	}
	return remotePort <= localPort
}

// AskedPorts returns the ports for which [Opens] has an exception, of any
// transport: for stores that follow its rule in their own language.
func AskedPorts() []int32 {
	var ports []int32
	for _, s := range traffic.AmplificationTable() {
		ports = append(ports, int32(s.Port))
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// Share returns the part of n that falls into [from, to), by time. The parts
// of adjoining intervals add up to n exactly.
func (v *View) Share(n, from, to int64) int64 {
	if from <= v.Start && v.End < to {
		return n
	}
	if v.End <= v.Start {
		return 0 // a moment, outside
	}
	return v.until(n, to) - v.until(n, from)
}

// until returns the part of n up to a time.
func (v *View) until(n, at int64) int64 {
	switch {
	case at <= v.Start:
		return 0
	case at >= v.End:
		return n
	default:
		return int64(float64(n) * (float64(at-v.Start) / float64(v.End-v.Start)))
	}
}

// Overlaps reports whether some of the flow falls into [from, to).
func (v *View) Overlaps(from, to int64) bool {
	return v.Start < to && (v.End > from || v.Start >= from)
}

// Add sums without overflow: records are untrusted input.
func Add(a, b int64) int64 {
	const most = 1<<63 - 1
	if a > most-b {
		return most
	}
	return a + b
}

// Whole rounds a sum of shares, as a server that sums returns it.
func Whole(f float64) int64 {
	const most = 1 << 62
	if math.IsNaN(f) {
		return 0
	}
	return int64(math.Round(min(max(f, 0), most)))
}

// Tuple is the 5-tuple with the local end as its source, regardless of who opened
// the flow: it is the end that sent BytesOut.
func (v *View) Tuple() incident.Tuple {
	return incident.Tuple{
		SrcIP: v.Local.String(), SrcPort: int(v.LocalPort),
		DstIP: v.Remote.String(), DstPort: int(v.RemotePort), Transport: v.Transport,
	}
}
