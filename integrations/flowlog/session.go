package flowlog

import (
	"bytes"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// firewallSession is what a firewall logs of a session, as written; what it does not say is nil.
type firewallSession struct {
	src, dst, srcPort, dstPort, protocol         []byte
	sent, received, packetsSent, packetsReceived []byte
	start                                        time.Time
	length                                       time.Duration
	sensor, device, user                         string
	// adds reports whether further lines of the same ends are further traffic, as a proxy's are.
	adds bool
	// payload reports whether the bytes are without the packets' headers.
	payload bool
}

// firewall adds the record of a session.
func (e *Entry) firewall(s *firewallSession) error {
	rec := e.Record()
	if err := s.record(rec); err != nil {
		e.drop()
		return err
	}
	// Sessions without ports cannot be told apart by their ends.
	if s.adds || rec.SrcPort == 0 && rec.DstPort == 0 {
		e.apart()
		return nil
	}
	e.session()
	return nil
}

func (s *firewallSession) side(sent, packets []byte) (flowmath.Side, error) {
	if s.payload {
		return side(sent, nil, packets)
	}
	return side(nil, sent, packets)
}

func (s *firewallSession) record(rec *flowmath.Record) error {
	if s.protocol == nil {
		s.protocol = []byte("ip")
	}
	if err := endpoints(rec, s.src, s.srcPort, s.dst, s.dstPort, s.protocol); err != nil {
		return err
	}
	var err error
	if rec.Orig, err = s.side(s.sent, s.packetsSent); err != nil {
		return fmt.Errorf("sent: %w", err)
	}
	if rec.Resp, err = s.side(s.received, s.packetsReceived); err != nil {
		return fmt.Errorf("received: %w", err)
	}
	rec.Start, rec.Duration, rec.Sampling = s.start, s.length, 1
	rec.Sensor, rec.Device, rec.User = s.sensor, s.device, s.user
	return nil
}

// stopped reports whether a firewall's word for what it did means that nothing was let through.
func stopped(action []byte) bool {
	word := bytes.ToLower(bytes.TrimSpace(action))
	for _, begins := range []string{"den", "drop", "block", "reset", "reject", "discard", "prevent", "sinkhole"} {
		if bytes.HasPrefix(word, []byte(begins)) {
			return true
		}
	}
	return false
}

// syslogHost returns the name that stands last in what a syslog server wrote before a message, "" where there is none.
func syslogHost(head []byte) []byte {
	head = bytes.TrimRight(head, " ")
	if i := bytes.LastIndexByte(head, ' '); i >= 0 {
		return head[i+1:]
	}
	return nil
}

// localTime reads a time of one of the layouts, which have no zone, with a zone behind it or in the zone that is
// given.
func localTime(text []byte, zone *time.Location, layouts ...string) (time.Time, error) {
	text = bytes.TrimSpace(text)
	if i := bytes.LastIndexByte(text, ' '); i > 0 {
		if offset, ok := zoneOf(text[i+1:]); ok {
			text, zone = text[:i], offset
		}
	}
	for _, layout := range layouts {
		local, err := time.Parse(layout, string(text))
		if err != nil {
			continue
		}
		if zone == nil {
			return time.Time{}, errNoZone
		}
		return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), zone).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time", clip(string(text)))
}

// zoneOf reads a zone that stands for itself: an offset, or one of the names of UTC. Other abbreviations mean several.
func zoneOf(text []byte) (*time.Location, bool) {
	switch string(text) {
	case "GMT", "UTC", "Z":
		return time.UTC, true
	}
	for _, layout := range []string{"-0700", "-07:00"} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			_, offset := at.Zone()
			return time.FixedZone("", offset), true
		}
	}
	return nil, false
}
