package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

func formatCEF() Format {
	return Format{
		Name: "cef", Title: "CEF (common event format), as PAN-OS, FortiOS, Firepower and others write it",
		Doc: "Lines with `CEF:0`, with or without what a syslog server writes before it. Whose bytes `in` and `out` are differs: by the standard, and PAN-OS, `in` is " +
			"what the source sent; of FortiOS it is `out`, of Firepower `bytesIn`. Check Point's connections have no bytes: they are unknown. The time is that of `start` and `end`, " +
			"else `rt` with the vendor's length of the session before it. Of PAN-OS, FortiOS and Firepower only traffic and connections count. What was denied did not leave. " +
			"FortiOS writes a session's totals so far again and again: the last counts.",
		Zone: true, Frame: ByLine, Begins: beginsCEF,
		New: func(o Options) (Parser, error) { return &cef{zone: o.Zone}, nil },
	}
}

func beginsCEF(head []byte) bool {
	line := firstLine(head)
	at := bytes.Index(line, []byte("CEF:"))
	return at >= 0 && (at == 0 || line[at-1] == ' ' || line[at-1] == '>') && bytes.Count(line[at:], []byte{'|'}) >= 7
}

// cef reads events.
type cef struct {
	lineByLine
	zone  *time.Location
	ev    cefEvent
	names names
}

// The parts of the header behind the version.
const (
	cefVendor = iota
	cefProduct
	cefVersion
	cefClass
	cefName
	cefSeverity
	cefParts
)

// cefEvent is one event, as written.
type cefEvent struct {
	host   []byte
	header [cefParts][]byte

	category, action                               []byte
	start, end, received, forti, fortiLength       []byte
	elapsed, elapsedLabel                          []byte
	src, dst, src6, src6Label, dst6, dst6Label     []byte
	srcPort, dstPort, protocol                     []byte
	in, out, bytesIn, bytesOut                     []byte
	panSent, panReceived, fortiSent, fortiReceived []byte
	device, user, sensor, sensorID, sensorAddress  []byte
}

func (e *cefEvent) field(name []byte) *[]byte {
	switch string(name) {
	case "cat":
		return &e.category
	case "act":
		return &e.action
	case "start":
		return &e.start
	case "end":
		return &e.end
	case "rt":
		return &e.received
	case "src":
		return &e.src
	case "dst":
		return &e.dst
	case "c6a2":
		return &e.src6
	case "c6a2Label":
		return &e.src6Label
	case "c6a3":
		return &e.dst6
	case "c6a3Label":
		return &e.dst6Label
	case "spt":
		return &e.srcPort
	case "dpt":
		return &e.dstPort
	case "proto":
		return &e.protocol
	case "in":
		return &e.in
	case "out":
		return &e.out
	case "shost":
		return &e.device
	case "suser":
		return &e.user
	case "dvchost":
		return &e.sensor
	case "deviceExternalId":
		return &e.sensorID
	case "dvc":
		return &e.sensorAddress
	}
	return e.vendorField(name)
}

// vendorField is where a field of one vendor's is kept, or nil.
func (e *cefEvent) vendorField(name []byte) *[]byte {
	switch string(name) {
	case "bytesIn":
		return &e.bytesIn
	case "bytesOut":
		return &e.bytesOut
	case "cn3":
		return &e.elapsed
	case "cn3Label":
		return &e.elapsedLabel
	case "PanOSPacketsSent":
		return &e.panSent
	case "PanOSPacketsReceived":
		return &e.panReceived
	case "FTNTFGTeventtime":
		return &e.forti
	case "FTNTFGTduration":
		return &e.fortiLength
	case "FTNTFGTsentpkt":
		return &e.fortiSent
	case "FTNTFGTrcvdpkt":
		return &e.fortiReceived
	}
	return nil
}

// parse reads a line into the event.
func (e *cefEvent) parse(line []byte) error {
	at := bytes.Index(line, []byte("CEF:"))
	if at < 0 {
		return errors.New("not an event of CEF")
	}
	e.host = syslogHost(line[:at])
	_, rest, found := bytes.Cut(line[at:], []byte{'|'})
	for i := range e.header {
		if found {
			e.header[i], rest, found = cutUnescaped(rest)
		}
		if !found {
			return fmt.Errorf("the header has %d of %d parts", i+1, cefParts+1)
		}
	}
	return e.extension(rest)
}

// cutUnescaped cuts a header at its next pipe that is not escaped.
func cutUnescaped(b []byte) (part, rest []byte, found bool) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '|':
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

// extension reads the pairs: a value goes on to the blank before the next key, and an equals sign in it is escaped.
func (e *cefEvent) extension(b []byte) error {
	key, begin := []byte(nil), 0
	var twice error
	keep := func(end int) {
		value := bytes.TrimSpace(b[begin:max(begin, end)])
		if into := e.field(key); into != nil && len(value) > 0 {
			twice = errors.Join(twice, once(into, key, value))
		}
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '=':
			from := bytes.LastIndexAny(b[begin:i], " \t") + begin + 1
			if !cefKey(b[from:i]) {
				continue
			}
			if key != nil {
				keep(from - 1)
			}
			key, begin = b[from:i], i+1
		}
	}
	if key != nil {
		keep(len(b))
	}
	return twice
}

// cefKey reports whether a text may be a key.
func cefKey(b []byte) bool {
	for _, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.') {
			return false
		}
	}
	return len(b) > 0
}

// Parse implements [Parser].
func (p *cef) Parse(line []byte, e *Entry) error {
	p.ev = cefEvent{}
	ev := &p.ev
	if err := ev.parse(line); err != nil {
		return err
	}
	if err := ev.passed(); err != nil {
		return err
	}
	if ev.src == nil && strings.EqualFold(string(ev.src6Label), "Source IPv6 Address") {
		ev.src = ev.src6
	}
	if ev.dst == nil && strings.EqualFold(string(ev.dst6Label), "Destination IPv6 Address") {
		ev.dst = ev.dst6
	}
	if ev.src == nil || ev.dst == nil {
		return errors.New("an address is missing")
	}
	s := firewallSession{
		src: ev.src, dst: ev.dst, srcPort: ev.srcPort, dstPort: ev.dstPort, protocol: ev.protocol,
		sent: ev.in, received: ev.out, packetsSent: ev.panSent, packetsReceived: ev.panReceived,
		device: cefText(ev.device), user: cefText(ev.user), sensor: p.names.of(first(ev.sensor, ev.sensorID, ev.sensorAddress, ev.host)),
	}
	switch string(ev.header[cefVendor]) {
	case "Fortinet":
		s.sent, s.received, s.packetsSent, s.packetsReceived = ev.out, ev.in, ev.fortiSent, ev.fortiReceived
	case "Cisco":
		s.sent, s.received = ev.bytesIn, ev.bytesOut
		if ev.sensor != nil && ev.sensorID != nil {
			// One manager speaks for many sensors.
			s.sensor = p.names.of(append(append(bytes.Clone(ev.sensor), ' '), ev.sensorID...))
		}
	}
	var err error
	if s.start, s.length, err = ev.times(p.zone); err != nil {
		return err
	}
	return e.firewall(&s)
}

// passed returns nil for an event of traffic that was let through.
func (e *cefEvent) passed() error {
	class, name := string(e.header[cefClass]), string(e.header[cefName])
	other := false
	switch string(e.header[cefVendor]) {
	case "Palo Alto Networks":
		other = name != "TRAFFIC" || class == "start"
	case "Fortinet":
		other = !bytes.HasPrefix(e.category, []byte("traffic")) || string(e.action) == "start"
	case "Cisco":
		other = strings.Contains(string(e.header[cefProduct]), "Firepower") && name != "CONNECTION STATISTICS"
	}
	switch {
	case other:
		return fmt.Errorf("%w: %s", ErrNoFlow, clip(class+" "+name))
	case stopped(e.action) || stopped(e.header[cefClass]):
		return fmt.Errorf("%w: denied", ErrNoFlow)
	}
	return nil
}

// times returns when the session began, and how long it was.
func (e *cefEvent) times(zone *time.Location) (time.Time, time.Duration, error) {
	length, end := []byte(nil), first(e.end, e.received)
	switch {
	case e.forti != nil:
		length, end = e.fortiLength, e.forti
	case string(e.elapsedLabel) == "Elapsed time in seconds":
		// PAN-OS gives the time at which it wrote the log, after the session, as start too.
		length, end = e.elapsed, first(e.start, e.received)
	case e.start != nil && e.end != nil:
		start, err := eventTime(e.start, zone)
		if err != nil {
			return time.Time{}, 0, fmt.Errorf("start: %w", err)
		}
		last, err := eventTime(e.end, zone)
		if err != nil {
			return time.Time{}, 0, fmt.Errorf("end: %w", err)
		}
		return start, last.Sub(start), nil
	case end == nil:
		end = e.start
	}
	at, err := eventTime(end, zone)
	if err != nil || length == nil {
		return at, 0, err
	}
	seconds, err := parseSeconds(length)
	return at.Add(-seconds), seconds, err
}

// cefText is a value without its escapes.
func cefText(v []byte) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v)
	}
	return strings.NewReplacer(`\\`, `\`, `\=`, `=`, `\|`, `|`, `\n`, " ", `\r`, " ").Replace(string(v))
}
