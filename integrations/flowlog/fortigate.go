package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func formatFortiGate() Format {
	return Format{
		Name: "fortigate", Title: "Fortinet FortiGate traffic logs (key=value)",
		Doc: "Traffic logs in the default format of syslog or of a file, with `set logtraffic all` in the policies; commas between the pairs (`set format csv`) are taken, too. " +
			"The records of a long session are totals so far, and of several the last one counts. What was denied did not leave.\n\n" +
			"Before FortiOS 6.0 a line has no `eventtime`; if it has no `tz` either, give the zone.",
		Zone: true, Exit: incident.ExitDirect, Frame: ByLine, Begins: beginsFortiGate,
		New: func(o Options) (Parser, error) { return &fortiGate{zone: o.Zone}, nil },
	}
}

func beginsFortiGate(head []byte) bool {
	var f fortiFields
	_ = f.read(firstLine(head)) // it may be longer than the head
	return f.logid != nil && f.kind != nil && (f.devname != nil || f.devid != nil) && f.date != nil
}

// fortiGate reads the lines of a firewall.
type fortiGate struct {
	lineByLine
	zone           *time.Location
	f              fortiFields
	name           []byte // memory for the sensor's name
	sensor, people names
}

// fortiFields is the fields of one line, as written.
type fortiFields struct {
	date, time, eventtime, tz                                  []byte
	devname, devid, vd, logid, kind, action                    []byte
	src, srcPort, dst, dstPort, protocol                       []byte
	duration, durationDelta                                    []byte
	sent, received, sentPackets, rcvdPackets, sentNew, rcvdNew []byte
	user, srcname                                              []byte
}

func (f *fortiFields) field(name []byte) *[]byte {
	switch string(name) {
	case "date":
		return &f.date
	case "time":
		return &f.time
	case "eventtime":
		return &f.eventtime
	case "tz":
		return &f.tz
	case "devname":
		return &f.devname
	case "devid":
		return &f.devid
	case "vd":
		return &f.vd
	case "logid":
		return &f.logid
	case "type":
		return &f.kind
	case "action":
		return &f.action
	case "srcip":
		return &f.src
	case "srcport":
		return &f.srcPort
	case "dstip":
		return &f.dst
	case "dstport":
		return &f.dstPort
	case "proto":
		return &f.protocol
	}
	return f.amount(name)
}

// amount is the fields that tell how much.
func (f *fortiFields) amount(name []byte) *[]byte {
	switch string(name) {
	case "duration":
		return &f.duration
	case "durationdelta":
		return &f.durationDelta
	case "sentbyte":
		return &f.sent
	case "rcvdbyte":
		return &f.received
	case "sentpkt":
		return &f.sentPackets
	case "rcvdpkt":
		return &f.rcvdPackets
	case "sentdelta":
		return &f.sentNew
	case "rcvddelta":
		return &f.rcvdNew
	case "user":
		return &f.user
	case "srcname":
		return &f.srcname
	}
	return nil
}

// read splits a line into its pairs. What stands before them is the head of syslog.
func (f *fortiFields) read(line []byte) error {
	separator := byte(' ')
	const date = len("date=2006-01-02")
	if i := bytes.Index(line, []byte("date=")); i >= 0 && len(line) > i+date && line[i+date] == ',' {
		separator = ','
	}
	for len(line) > 0 {
		i := bytes.IndexByte(line, '=')
		if i < 0 {
			return nil
		}
		name := line[:i]
		if at := bytes.LastIndexAny(name, " ,>"); at >= 0 {
			name = name[at+1:]
		}
		value, n, err := pairValue(line[i+1:], separator)
		if err != nil {
			return err
		}
		line = line[i+1+n:]
		if into := f.field(name); into != nil {
			if err := once(into, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairValue reads the value that b begins with, and returns how long it is as written. In quotes it may hold anything, quotes
// after a backslash.
func pairValue(b []byte, separator byte) (value []byte, n int, err error) {
	if len(b) == 0 || b[0] != '"' {
		n = bytes.IndexByte(b, separator)
		if n < 0 {
			n = len(b)
		}
		return b[:n], n, nil
	}
	escaped := false
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			value = b[1:i]
			if escaped {
				value = unescaped(value)
			}
			return value, i + 1, nil
		}
	}
	return nil, 0, errQuotes
}

// unescaped is a text without the backslashes before quotes and backslashes.
func unescaped(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && (b[i+1] == '\\' || b[i+1] == '"') {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// Parse implements [Parser].
func (p *fortiGate) Parse(line []byte, e *Entry) error {
	p.f = fortiFields{}
	f := &p.f
	if err := f.read(line); err != nil {
		return err
	}
	switch {
	case f.kind == nil || f.logid == nil:
		return errors.New("type or logid is missing")
	case string(f.kind) != "traffic":
		return fmt.Errorf("%w: a log of the type %s", ErrNoFlow, clip(string(f.kind)))
	case string(f.action) == "start":
		return fmt.Errorf("%w: the start of a session", ErrNoFlow)
	case stopped(f.action):
		return fmt.Errorf("%w: %s", ErrNoFlow, clip(string(f.action)))
	}
	s := firewallSession{
		src: f.src, dst: f.dst, srcPort: f.srcPort, dstPort: f.dstPort, protocol: f.protocol, sent: f.sent, received: f.received,
		packetsSent: f.sentPackets, packetsReceived: f.rcvdPackets, user: p.people.of(short(f.user)), device: p.people.of(short(f.srcname)), sensor: p.observer(),
	}
	duration := f.duration
	if noPort(f.srcPort) && noPort(f.dstPort) && f.sentNew != nil && f.rcvdNew != nil {
		// Without ports the records of one session are not known to be of one; what it sent since the last one is.
		s.sent, s.received, s.packetsSent, s.packetsReceived = f.sentNew, f.rcvdNew, nil, nil
		duration = first(f.durationDelta, duration)
	}
	length, err := seconds(duration)
	if err != nil {
		return err
	}
	end, err := p.end()
	if err != nil {
		return err
	}
	s.start, s.length = end.Add(-length), length
	return e.firewall(&s)
}

// noPort reports whether a port is missing, or the 0 of a protocol without ports.
func noPort(b []byte) bool { return b == nil || len(bytes.Trim(b, "0")) == 0 }

// observer is the firewall's name, and that of its part which is not the only one.
func (p *fortiGate) observer() string {
	p.name = append(p.name[:0], first(p.f.devname, p.f.devid)...)
	if p.f.vd != nil && string(p.f.vd) != "root" {
		p.name = append(append(p.name, ' '), p.f.vd...)
	}
	return p.sensor.of(short(p.name))
}

func (p *fortiGate) end() (time.Time, error) {
	if p.f.eventtime != nil {
		if t, ok := epochTime(p.f.eventtime); ok {
			return t, nil
		}
		return time.Time{}, notTime(p.f.eventtime)
	}
	var c clock
	if !c.date(p.f.date) || !c.time(p.f.time) {
		return time.Time{}, fmt.Errorf("%q, %q is not a time", clip(string(p.f.date)), clip(string(p.f.time)))
	}
	zone := p.zone
	if z, ok := zoneOf(p.f.tz); ok {
		zone = z
	}
	if zone == nil {
		return time.Time{}, errNoZone
	}
	return c.in(zone).UTC(), nil
}
