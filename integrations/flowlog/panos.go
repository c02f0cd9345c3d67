package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

func formatPANOS() Format {
	return Format{
		Name: "panos", Title: "Traffic logs of PAN-OS (Palo Alto Networks), as syslog writes them",
		Doc: "The default, comma-separated format of traffic logs, with or without what a syslog server writes before it. Only the end of a " +
			"session is read: log at session end. What was denied, dropped or reset did not leave. Times are the firewall's local ones, so the " +
			"zone must be given, unless the high resolution timestamp (PAN-OS 10 and later) is in the log. The host is the source before translation. " +
			"A session that goes on is not in the log before it ends.",
		Zone: true, Frame: ByLine, Begins: beginsPANOS,
		New: func(o Options) (Parser, error) { return &panos{zone: o.Zone}, nil },
	}
}

// The places of the fields of a traffic log, from 0, in the order that PAN-OS documents.
const (
	panType, panSubtype                = 3, 4
	panSerial, panGenerated            = 2, 6
	panSrc, panDst, panUser            = 7, 8, 12
	panSrcPort, panDstPort             = 24, 25
	panProtocol, panAction             = 29, 30
	panSent, panReceived               = 32, 33
	panStart, panElapsed               = 35, 36
	panPacketsSent, panPacketsReceived = 44, 45
	panReason, panDevice               = 46, 52
	// Of PAN-OS 10 and later.
	panSourceHost, panHighRes = 82, 102
)

const panTime = "2006/01/02 15:04:05"

// panos reads traffic logs.
type panos struct {
	lineByLine
	zone   *time.Location
	fields [][]byte
	names  names
}

// panMessage returns the message in a line, which begins with a number and the time of receipt.
func panMessage(line []byte) ([]byte, bool) {
	comma := bytes.IndexByte(line, ',')
	if comma < 0 {
		return nil, false
	}
	begin := bytes.LastIndexByte(line[:comma], ' ') + 1
	received := line[comma+1:]
	return line[begin:], len(received) > len(panTime) && received[4] == '/' && received[7] == '/' && received[13] == ':'
}

func beginsPANOS(head []byte) bool {
	message, ok := panMessage(firstLine(head))
	if !ok {
		return false
	}
	fields, err := csvFields(message, nil)
	if err != nil || len(fields) <= panGenerated {
		return false
	}
	switch string(fields[panType]) {
	case "TRAFFIC", "THREAT", "SYSTEM", "CONFIG", "HIPMATCH", "USERID", "GLOBALPROTECT", "DECRYPTION", "AUTHENTICATION", "CORRELATION":
		return true
	}
	return false
}

// Parse implements [Parser].
func (p *panos) Parse(line []byte, e *Entry) error {
	message, ok := panMessage(line)
	if !ok {
		return errors.New("not a log of PAN-OS")
	}
	var err error
	if p.fields, err = csvFields(message, p.fields[:0]); err != nil {
		return err
	}
	f := p.fields
	if len(f) <= panGenerated {
		return fmt.Errorf("%d fields, want %d at least", len(f), panReason+1)
	}
	if kind := string(f[panType]); kind != "TRAFFIC" {
		return fmt.Errorf("%w: a log of %s", ErrNoFlow, clip(kind))
	}
	if len(f) <= panReason {
		return fmt.Errorf("%d fields, want %d at least", len(f), panReason+1)
	}
	switch subtype := string(f[panSubtype]); {
	case subtype == "start":
		return fmt.Errorf("%w: the beginning of a session", ErrNoFlow)
	case subtype == "deny" || subtype == "drop" || stopped(f[panAction]):
		return fmt.Errorf("%w: denied", ErrNoFlow)
	case subtype != "end":
		return fmt.Errorf("unknown subtype %q", clip(subtype))
	}
	s := firewallSession{
		src: f[panSrc], dst: f[panDst], srcPort: said(f[panSrcPort]), dstPort: said(f[panDstPort]), protocol: said(f[panProtocol]),
		sent: said(f[panSent]), received: said(f[panReceived]),
		packetsSent: said(f[panPacketsSent]), packetsReceived: said(f[panPacketsReceived]),
		user: p.names.of(f[panUser]), sensor: p.names.of(f[panSerial]),
	}
	if len(f) > panDevice && len(f[panDevice]) > 0 {
		s.sensor = p.names.of(f[panDevice])
	}
	if len(f) > panHighRes {
		s.device = p.names.of(f[panSourceHost])
	}
	if s.start, s.length, err = p.times(); err != nil {
		return err
	}
	return e.firewall(&s)
}

// times returns when the session began, and how long it was. The high resolution timestamp is of its end; without one,
// the start is local.
func (p *panos) times() (time.Time, time.Duration, error) {
	seconds, err := parseSeconds(p.fields[panElapsed])
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("elapsed time: %w", err)
	}
	if len(p.fields) > panHighRes {
		if end, err := time.Parse(time.RFC3339Nano, string(p.fields[panHighRes])); err == nil {
			return end.UTC().Add(-seconds), seconds, nil
		}
	}
	start, err := localTime(p.fields[panStart], p.zone, panTime)
	return start, seconds, err
}
