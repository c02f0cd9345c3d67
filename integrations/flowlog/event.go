package flowlog

import (
	"errors"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// event is one JSON line. Which program wrote it shows in its keys, so that a
// file may mix them.
type event struct {
	conn conn
	// stream is the log that a line of Zeek belongs to; counts reports whether some
	// field is a conn.log's alone.
	stream, sensor []byte
	counts         bool
	goflow         goflow
	eve            eve
}

// goflow is the fields of goflow2.
type goflow struct {
	start, end, rate, bytes, packets []byte
	src, dst, srcPort, dstPort       []byte
}

// eve is the fields of Suricata's events flow and netflow. The latter are of one
// direction each, with counters of their own.
type eve struct {
	kind, start, end                       []byte
	src, dst, srcPort, dstPort             []byte
	toServerBytes, toClientBytes           []byte
	toServerPackets, toClientPackets, host []byte
	bytes, packets                         []byte
}

// parse reads one line.
func (e *event) parse(line []byte, r *flowmath.Record) error {
	*e = event{}
	rest, err := members(line, e.member)
	if err != nil {
		return err
	}
	if len(space(rest)) > 0 {
		return errors.New("text after the JSON object")
	}
	switch {
	case e.eve.kind != nil:
		return e.eve.record(r, e.conn.proto)
	case e.goflow.src != nil || e.goflow.start != nil:
		return e.goflow.record(r, e.conn.proto, e.sensor)
	case e.stream != nil && string(e.stream) != "conn" && string(e.stream) != "conn_long":
		return errNamedLog
	case e.conn.srcIP != nil || e.conn.dstIP != nil:
		if e.stream == nil && !e.counts {
			return errOtherLog
		}
		r.Sensor = string(e.sensor)
		return e.conn.record(r)
	}
	return errors.New("not Zeek's conn, goflow2 or an event of EVE")
}

func (e *event) member(key []byte, v value) error {
	if v.object {
		switch string(key) {
		case "data": // an envelope around Zeek's record
			_, err := members(v.text, e.member)
			return err
		case "flow", "netflow":
			_, err := members(v.text, e.eve.member)
			return err
		case "id":
			_, err := members(v.text, e.nested)
			return err
		}
		return nil
	}
	e.counts = e.counts || onlyConn(key)
	if v.null() {
		return nil
	}
	if at := e.conn.field(key); at != nil {
		*at = v.text
		return nil
	}
	switch string(key) {
	case "@stream", "_path":
		e.stream = v.text
	case "@system", "_system_name", "sensor", "sampler_address":
		e.sensor = []byte(v.plain())
	default:
		e.goflow.set(key, v)
		e.eve.set(key, v)
	}
	return nil
}

func (e *event) nested(key []byte, v value) error {
	if at := e.conn.nested(key); at != nil && !v.null() && !v.object {
		*at = v.text
	}
	return nil
}

func (g *goflow) set(key []byte, v value) {
	switch string(key) {
	case "time_flow_start_ns":
		g.start = v.text
	case "time_flow_end_ns":
		g.end = v.text
	case "sampling_rate":
		g.rate = v.text
	case "bytes":
		g.bytes = v.text
	case "packets":
		g.packets = v.text
	case "src_addr":
		g.src = v.text
	case "dst_addr":
		g.dst = v.text
	case "src_port":
		g.srcPort = v.text
	case "dst_port":
		g.dstPort = v.text
	}
}

func (g *goflow) record(r *flowmath.Record, proto, sensor []byte) error {
	start, ok := parseDigits19(g.start)
	if !ok {
		return fmt.Errorf("time_flow_start_ns: %q is not a time", clip(string(g.start)))
	}
	end, ok := parseDigits19(g.end)
	if !ok {
		end = start
	}
	r.Start, r.Duration = time.Unix(0, start).UTC(), time.Duration(end-start)
	if err := endpoints(r, g.src, g.srcPort, g.dst, g.dstPort, proto); err != nil {
		return err
	}
	var err error
	// The exporter counts what the IP header says.
	if r.Orig, err = side(nil, g.bytes, g.packets); err != nil {
		return err
	}
	if g.bytes == nil {
		return errors.New("bytes is missing")
	}
	r.Resp, r.Single, r.Sensor = flowmath.Unseen(), true, string(sensor)
	r.Sampling = 1
	if g.rate != nil {
		if r.Sampling, err = parseCount(g.rate); err != nil {
			return fmt.Errorf("sampling_rate: %w", err)
		}
	}
	return nil
}

// parseDigits19 reads nanoseconds since 1970, which have 19 digits.
func parseDigits19(b []byte) (int64, bool) {
	if len(b) != 19 {
		return parseDigits(b)
	}
	high, ok := parseDigits(b[:18])
	low, okLow := parseDigits(b[18:])
	const most = 1<<63 - 1
	if !ok || !okLow || high > (most-low)/10 {
		return 0, false
	}
	return high*10 + low, true
}

func (s *eve) set(key []byte, v value) {
	switch string(key) {
	case "event_type":
		s.kind = v.text
	case "src_ip":
		s.src = v.text
	case "dest_ip":
		s.dst = v.text
	case "src_port":
		s.srcPort = v.text
	case "dest_port":
		s.dstPort = v.text
	case "host":
		s.host = []byte(v.plain())
	}
}

// member reads the members of the objects flow and netflow.
func (s *eve) member(key []byte, v value) error {
	if v.null() || v.object {
		return nil
	}
	switch string(key) {
	case "start":
		s.start = v.text
	case "end":
		s.end = v.text
	case "bytes_toserver":
		s.toServerBytes = v.text
	case "bytes_toclient":
		s.toClientBytes = v.text
	case "pkts_toserver":
		s.toServerPackets = v.text
	case "pkts_toclient":
		s.toClientPackets = v.text
	case "bytes":
		s.bytes = v.text
	case "pkts":
		s.packets = v.text
	}
	return nil
}

func (s *eve) record(r *flowmath.Record, proto []byte) error {
	r.Single = string(s.kind) == "netflow"
	if !r.Single && string(s.kind) != "flow" {
		return errOtherEvent
	}
	var err error
	if r.Start, err = parseTime(s.start); err != nil {
		return fmt.Errorf("%s.start: %w", s.kind, err)
	}
	end := r.Start
	if s.end != nil {
		if end, err = parseTime(s.end); err != nil {
			return fmt.Errorf("%s.end: %w", s.kind, err)
		}
	}
	r.Duration = end.Sub(r.Start)
	if err := endpoints(r, s.src, s.srcPort, s.dst, s.dstPort, proto); err != nil {
		return err
	}
	r.Sampling, r.Sensor = 1, string(s.host)
	// Suricata counts what the link carried of the IP packets.
	if r.Single {
		r.Resp = flowmath.Unseen()
		if r.Orig, err = side(nil, s.bytes, s.packets); err != nil {
			return fmt.Errorf("netflow: %w", err)
		}
		return nil
	}
	if r.Orig, err = side(nil, s.toServerBytes, s.toServerPackets); err != nil {
		return fmt.Errorf("to server: %w", err)
	}
	if r.Resp, err = side(nil, s.toClientBytes, s.toClientPackets); err != nil {
		return fmt.Errorf("to client: %w", err)
	}
	r.OneWay = oneWay(r.Orig, r.Resp, "", nil)
	return nil
}
