package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

func formatLEEF() Format {
	return Format{
		Name: "leef", Title: "LEEF 1.0 and 2.0 (IBM QRadar's log event extended format), as PAN-OS and others write it",
		Doc: "Attributes `src`, `dst`, `srcPort`, `dstPort`, `proto`, `srcBytes`, `dstBytes`, `srcPackets`, `dstPackets`, `usrName` and `identHostName`, " +
			"`srcPreNAT` before `src` where the sensor stands outside of a translation. `devTime` is the session's end and `ElapsedTime` its seconds; a " +
			"`devTime` without a zone needs one. Of PAN-OS traffic logs count, at the end of a session. What was denied, dropped or reset did not leave. ",
		Zone: true, Frame: ByLine, Begins: beginsLEEF,
		New: func(o Options) (Parser, error) { return &leef{zone: o.Zone}, nil },
	}
}

func beginsLEEF(head []byte) bool {
	line := firstLine(head)
	at := bytes.Index(line, []byte("LEEF:"))
	return at >= 0 && (at == 0 || line[at-1] == ' ' || line[at-1] == '>') && bytes.Count(line[at:], []byte{'|'}) >= 5
}

// leef reads events.
type leef struct {
	lineByLine
	zone  *time.Location
	names names
}

// leefEvent is one event, as written.
type leefEvent struct {
	host, eventID                                                    []byte
	category, subtype, action                                        []byte
	time, elapsed                                                    []byte
	src, before, dst, srcPort, dstPort, protocol                     []byte
	srcBytes, dstBytes, srcPackets, dstPackets, user, device, sensor []byte
}

func (e *leefEvent) field(name []byte) *[]byte {
	switch string(name) {
	case "cat":
		return &e.category
	case "Subtype":
		return &e.subtype
	case "action":
		return &e.action
	case "devTime":
		return &e.time
	case "ElapsedTime":
		return &e.elapsed
	case "src":
		return &e.src
	case "srcPreNAT":
		return &e.before
	case "dst":
		return &e.dst
	case "srcPort":
		return &e.srcPort
	case "dstPort":
		return &e.dstPort
	case "proto":
		return &e.protocol
	case "srcBytes":
		return &e.srcBytes
	case "dstBytes":
		return &e.dstBytes
	case "srcPackets":
		return &e.srcPackets
	case "dstPackets":
		return &e.dstPackets
	case "usrName":
		return &e.user
	case "identHostName":
		return &e.device
	case "DeviceName":
		return &e.sensor
	}
	return nil
}

// parse reads a line into the event.
func (e *leefEvent) parse(line []byte) error {
	at := bytes.Index(line, []byte("LEEF:"))
	if at < 0 {
		return errors.New("not an event of LEEF")
	}
	e.host = syslogHost(line[:at])
	var parts [5][]byte
	rest := line[at+len("LEEF:"):]
	for i := range parts {
		var found bool
		if parts[i], rest, found = bytes.Cut(rest, []byte{'|'}); !found {
			return fmt.Errorf("the header has %d of 5 parts", i)
		}
	}
	e.eventID = parts[4]
	separator, rest := leefSeparator(parts[0], rest)
	for len(rest) > 0 {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte{separator})
		name, value, found := bytes.Cut(pair, []byte{'='})
		if into := e.field(name); found && into != nil && len(value) > 0 {
			if err := once(into, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// leefSeparator returns what stands between the attributes, and the attributes. Version 2 may name it: a character, or its
// code in hexadecimal. PAN-OS writes pipes in version 1.
func leefSeparator(version, rest []byte) (byte, []byte) {
	if !bytes.HasPrefix(version, []byte{'2'}) {
		if bytes.IndexByte(rest, '\t') < 0 && bytes.IndexByte(rest, '|') >= 0 {
			return '|', rest
		}
		return '\t', rest
	}
	name, after, found := bytes.Cut(rest, []byte{'|'})
	switch {
	case !found || len(name) > 4 || bytes.IndexByte(name, '=') >= 0:
		return '\t', rest
	case len(name) == 0:
		return '\t', after
	case len(name) == 1:
		return name[0], after
	}
	code := bytes.TrimPrefix(bytes.TrimPrefix(name, []byte{'0'}), []byte{'x'})
	n, err := strconv.ParseUint(string(code), 16, 8)
	if err != nil {
		return '\t', rest
	}
	return byte(n), after
}

// Parse implements [Parser].
func (p *leef) Parse(line []byte, e *Entry) error {
	var ev leefEvent
	if err := ev.parse(line); err != nil {
		return err
	}
	switch {
	case ev.subtype != nil && !bytes.EqualFold(ev.category, []byte("traffic")):
		return fmt.Errorf("%w: a log of %s", ErrNoFlow, clip(string(ev.category)))
	case string(ev.subtype) == "start":
		return fmt.Errorf("%w: the beginning of a session", ErrNoFlow)
	case stopped(ev.subtype) || stopped(ev.action) || stopped(ev.eventID):
		return fmt.Errorf("%w: denied", ErrNoFlow)
	}
	if ev.before != nil {
		ev.src = ev.before
	}
	if ev.src == nil || ev.dst == nil {
		return errors.New("an address is missing")
	}
	s := firewallSession{
		src: ev.src, dst: ev.dst, srcPort: ev.srcPort, dstPort: ev.dstPort, protocol: ev.protocol,
		sent: ev.srcBytes, received: ev.dstBytes, packetsSent: ev.srcPackets, packetsReceived: ev.dstPackets,
		user: p.names.of(ev.user), device: p.names.of(ev.device), sensor: p.names.of(ev.host),
	}
	if ev.sensor != nil {
		s.sensor = p.names.of(ev.sensor)
	}
	var err error
	if ev.elapsed != nil {
		if s.length, err = parseSeconds(ev.elapsed); err != nil {
			return fmt.Errorf("ElapsedTime: %w", err)
		}
	}
	end, err := eventTime(ev.time, p.zone)
	if err != nil {
		return fmt.Errorf("devTime: %w", err)
	}
	s.start = end.Add(-s.length)
	return e.firewall(&s)
}

// eventTime reads the time of an event in LEEF or CEF: milliseconds since 1970, or one of their layouts.
func eventTime(text []byte, zone *time.Location) (time.Time, error) {
	if len(text) == 0 {
		return time.Time{}, errors.New("no time")
	}
	if nanos, ok := parseSince(text); ok {
		return time.Unix(0, nanos).UTC(), nil
	}
	return localTime(text, zone, "Jan 02 2006 15:04:05", "Jan _2 2006 15:04:05", time.DateTime, panTime)
}
