package flowmath

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Limits of one record. A record outside of them is damaged, not traffic.
const (
	MaxDuration = 31 * 24 * time.Hour
	MaxBytes    = 1 << 44 // of one direction, sampling applied
	MaxPackets  = 1 << 40
	MaxSampling = 1 << 24
)

// NotSeen is a counter that the record does not have.
const NotSeen = -1

// Side is what one end sent. A counter may be [NotSeen].
type Side struct {
	// Bytes is the payload, IPBytes the sum of the lengths in the IP headers. Neither
	// is always right, see [Side.Volume].
	Bytes, IPBytes, Packets int64
}

// Unseen returns a Side without counters.
func Unseen() Side { return Side{NotSeen, NotSeen, NotSeen} }

// Record is one flow. Src opened it, according to the sensor.
type Record struct {
	// Start is by the sensor's clock.
	Start            time.Time
	Duration         time.Duration
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	// Transport is tcp, udp, icmp, or the protocol's lower-case name.
	Transport string
	// Orig is what Src sent, Resp what Dst sent.
	Orig, Resp Side
	// Sampling is n where the sensor saw one packet of n; the counters are as
	// the sensor wrote them. 0 is a rate that the sensor did not report.
	Sampling int64
	// OneWay reports whether the sensor saw answers to Src but nothing of Src
	// itself: what Src sent is unknown, not zero.
	OneWay bool
	// Single reports whether the record covers Src to Dst only; the other direction
	// has a record of its own. Such records of one sensor add up.
	Single bool
	// Sensor names who saw it.
	Sensor string
	// Device and User are who sent from Src, where the sensor says so: a proxy knows who logged in to it.
	Device, User string
}

// Gap is a time of which a sensor says that it has no records: what was sent meanwhile is
// unknown.
type Gap struct {
	From, To time.Time
	// Sensor names whose records are missing, Why says it in the sensor's words.
	Sensor, Why string
}

// End is when the flow ended.
func (r *Record) End() time.Time { return r.Start.Add(r.Duration) }

// Volume returns the bytes that the side sent, on the wire where that is
// plausible, and the lowest and the highest that the counters allow. None is
// known when ok is false.
//
// The IP counter misses packets that the sensor did not see or that the network
// card had merged; the payload counter of TCP comes from sequence numbers and
// can jump. So the IP counter is used where it holds the payload, the payload
// where that many packets can have carried it, and else the IP counter again.
func (s Side) Volume() (bytes, low, high int64, ok bool) {
	const (
		headers   = 120     // of one packet, IP and TCP with every option
		maxPacket = 1 << 16 // payload of one packet
	)
	switch {
	case s.IPBytes < 0 && s.Bytes < 0:
		return 0, 0, 0, false
	case s.IPBytes < 0:
		return s.Bytes, s.Bytes, s.Bytes, true
	case s.Bytes < 0:
		return s.IPBytes, s.IPBytes, s.IPBytes, true
	case s.IPBytes >= s.Bytes:
		explained := s.Bytes + headers*max(1, s.Packets)
		if s.IPBytes > explained {
			return s.IPBytes, explained, s.IPBytes, true
		}
		return s.IPBytes, s.IPBytes, s.IPBytes, true
	case s.Packets < 0 || s.Bytes <= maxPacket*s.Packets:
		return s.Bytes, s.IPBytes, s.Bytes, true
	default:
		return s.IPBytes, s.IPBytes, s.Bytes, true
	}
}

// Blank is why the counters of a flow have no volume, if they have none.
type Blank uint8

// From the least to the worst; of several the highest is used.
const (
	Counted Blank = iota
	// NoPackets: a flow has at least one packet, so a count of 0 means that
	// packets were not counted. Some exporters always write 0.
	NoPackets
	// NoRate: the sampling rate was not reported.
	NoRate
)

// blank is why the record has no volume, of either end.
func (r *Record) blank() Blank {
	switch {
	case r.Sampling == 0:
		return NoRate
	case r.Empty():
		return NoPackets
	}
	return Counted
}

// Empty reports whether all counters of the record, of both ends, are 0, though
// it has counters that any packet increases.
func (r *Record) Empty() bool {
	return r.Orig.empty() && r.Resp.empty() && (r.Orig.zero() || r.Resp.zero())
}

// empty reports whether the side counted nothing.
func (s Side) empty() bool { return s.Packets <= 0 && s.IPBytes <= 0 && s.Bytes <= 0 }

// zero reports whether a counter that any packet increases is 0. The counter of
// the payload is not one.
func (s Side) zero() bool { return s.Packets == 0 || s.IPBytes == 0 }

// counted returns the side without a counter of 0 that another of its counters
// contradicts: a field that an exporter leaves out may be stored as 0.
func (s Side) counted() Side {
	switch {
	case s.Packets == 0 && !s.empty():
		s.Packets = NotSeen
	case s.IPBytes == 0 && s.Packets > 0:
		s.IPBytes = NotSeen
		if s.Bytes == 0 {
			s.Bytes = NotSeen
		}
	}
	return s
}

// Check returns what is wrong with the record, if anything.
func (r *Record) Check() error {
	switch {
	case !r.Src.IsValid() || !r.Dst.IsValid():
		return errors.New("an address is missing")
	case r.Start.Year() < 1990 || r.Start.Year() > 2100:
		return fmt.Errorf("start %s is out of range", r.Start.UTC().Format(time.RFC3339))
	case r.Duration < 0 || r.Duration > MaxDuration:
		return fmt.Errorf("duration %s is out of range", r.Duration)
	case r.Sampling < 0 || r.Sampling > MaxSampling:
		return fmt.Errorf("sampling rate %d is out of range", r.Sampling)
	case r.Transport == "" || len(r.Transport) > 32:
		return fmt.Errorf("invalid protocol name %.40q", r.Transport)
	case len(r.Sensor) > 255:
		return errors.New("the sensor's name is longer than 255 bytes")
	case len(r.Device) > 255 || len(r.User) > 255:
		return errors.New("the name of a device or a user is longer than 255 bytes")
	}
	if err := r.Orig.check(r.Sampling); err != nil {
		return err
	}
	return r.Resp.check(r.Sampling)
}

func (s Side) check(sampling int64) error {
	sampling = max(1, sampling)
	for _, n := range [...]int64{s.Bytes, s.IPBytes} {
		if n < NotSeen || n > MaxBytes/sampling {
			return fmt.Errorf("%d bytes is out of range", n)
		}
	}
	if s.Packets < NotSeen || s.Packets > MaxPackets/sampling {
		return fmt.Errorf("%d packets is out of range", s.Packets)
	}
	return nil
}

// TransportName returns the one name of a protocol, given as a name or a number.
func TransportName(s string) string {
	switch s {
	case "tcp", "TCP", "6":
		return "tcp"
	case "udp", "UDP", "17":
		return "udp"
	case "icmp", "ICMP", "IPv6-ICMP", "ICMPv6", "ipv6-icmp", "icmp6", "1", "58":
		return "icmp"
	}
	return strings.ToLower(s)
}
