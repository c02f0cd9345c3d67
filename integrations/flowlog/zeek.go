package flowlog

import (
	"errors"
	"fmt"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// errNamedLog is an [ErrNoFlow] of another log of Zeek that names itself, errOtherEvent one of EVE.
var (
	errNamedLog   = fmt.Errorf("%w: another log of Zeek", ErrNoFlow)
	errOtherEvent = fmt.Errorf("%w: another event of EVE", ErrNoFlow)
)

// errOtherLog marks a line of a log of Zeek that does not name itself, and that
// has none of the fields of a conn.log. It alone makes no file a flow log.
var errOtherLog = errors.New("of another log of Zeek, not a conn log")

// conn is the fields of Zeek's conn.log that are used, as written. An absent
// field is nil.
type conn struct {
	ts, duration                       []byte
	srcIP, srcPort, dstIP, dstPort     []byte
	proto, state, history              []byte
	origBytes, origPackets, origIPSize []byte
	respBytes, respPackets, respIPSize []byte
}

// field returns where a field of that name is kept, or nil.
func (c *conn) field(name []byte) *[]byte {
	switch string(name) {
	case "ts":
		return &c.ts
	case "duration":
		return &c.duration
	case "id.orig_h", "id_orig_h":
		return &c.srcIP
	case "id.orig_p", "id_orig_p":
		return &c.srcPort
	case "id.resp_h", "id_resp_h":
		return &c.dstIP
	case "id.resp_p", "id_resp_p":
		return &c.dstPort
	case "proto":
		return &c.proto
	case "conn_state":
		return &c.state
	case "history":
		return &c.history
	case "orig_bytes":
		return &c.origBytes
	case "orig_pkts":
		return &c.origPackets
	case "orig_ip_bytes":
		return &c.origIPSize
	case "resp_bytes":
		return &c.respBytes
	case "resp_pkts":
		return &c.respPackets
	case "resp_ip_bytes":
		return &c.respIPSize
	}
	return nil
}

// nested returns where a member of the object id is kept, or nil: some shippers
// take id.orig_h for a path.
func (c *conn) nested(name []byte) *[]byte {
	switch string(name) {
	case "orig_h":
		return &c.srcIP
	case "orig_p":
		return &c.srcPort
	case "resp_h":
		return &c.dstIP
	case "resp_p":
		return &c.dstPort
	}
	return nil
}

// onlyConn reports whether a field is in a conn.log and in no other log of
// Zeek. Those have the ends of the connection, its time and often its protocol
// and duration, too.
func onlyConn(name []byte) bool {
	switch string(name) {
	case "conn_state", "history", "missed_bytes", "orig_bytes", "orig_pkts", "orig_ip_bytes", "resp_bytes", "resp_pkts", "resp_ip_bytes":
		return true
	}
	return false
}

// record makes a record of the fields.
func (c *conn) record(r *flowmath.Record) error {
	var err error
	if c.srcIP == nil || c.dstIP == nil || c.ts == nil {
		return errors.New("ts, id.orig_h or id.resp_h is missing")
	}
	if r.Start, err = parseTime(c.ts); err != nil {
		return err
	}
	if c.duration != nil {
		if r.Duration, err = parseSeconds(c.duration); err != nil {
			return fmt.Errorf("duration: %w", err)
		}
	}
	if err := endpoints(r, c.srcIP, c.srcPort, c.dstIP, c.dstPort, c.proto); err != nil {
		return err
	}
	if r.Orig, err = side(c.origBytes, c.origIPSize, c.origPackets); err != nil {
		return fmt.Errorf("originator: %w", err)
	}
	if r.Resp, err = side(c.respBytes, c.respIPSize, c.respPackets); err != nil {
		return fmt.Errorf("responder: %w", err)
	}
	r.Sampling = 1
	r.OneWay = oneWay(r.Orig, r.Resp, string(c.state), c.history)
	return nil
}

func endpoints(r *flowmath.Record, srcIP, srcPort, dstIP, dstPort, proto []byte) error {
	var err error
	if r.Src, err = parseAddr(srcIP); err != nil {
		return err
	}
	if r.Dst, err = parseAddr(dstIP); err != nil {
		return err
	}
	r.SrcPort, r.DstPort = 0, 0
	if srcPort != nil {
		if r.SrcPort, err = parsePort(srcPort); err != nil {
			return err
		}
	}
	if dstPort != nil {
		if r.DstPort, err = parsePort(dstPort); err != nil {
			return err
		}
	}
	switch string(proto) {
	case "udp":
		r.Transport = "udp"
	case "tcp":
		r.Transport = "tcp"
	default:
		r.Transport = flowmath.TransportName(string(proto))
	}
	return nil
}

func side(bytes, ipBytes, packets []byte) (flowmath.Side, error) {
	s := flowmath.Unseen()
	for _, f := range [...]struct {
		text []byte
		into *int64
	}{{bytes, &s.Bytes}, {ipBytes, &s.IPBytes}, {packets, &s.Packets}} {
		if f.text == nil {
			continue
		}
		n, err := parseCount(f.text)
		if err != nil {
			return s, err
		}
		*f.into = n
	}
	return s, nil
}

// oneWay reports whether the sensor counted nothing that the originator sent,
// though it must have sent something: there are answers, or the history (an
// upper-case letter, or ^ where Zeek swapped the ends) shows packets that
// were seen and not counted, such as those with a checksum that the network
// card was still to fill in.
func oneWay(orig, resp flowmath.Side, state string, history []byte) bool {
	if orig.Packets > 0 || orig.Bytes > 0 || orig.IPBytes > 0 {
		return false
	}
	if resp.Packets > 0 || resp.Bytes > 0 || resp.IPBytes > 0 || state == "SHR" {
		return true
	}
	for _, c := range history {
		if c == '^' || c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}
