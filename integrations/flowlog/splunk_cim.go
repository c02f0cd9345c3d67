package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

func formatSplunkCIM() Format {
	return Format{
		Name: "splunk-cim", Title: "Splunk's Network Traffic data model (CIM)",
		Doc: "Results of a search over `Network_Traffic`, exported as JSON (one result a line with `preview` and `result`, all in `results`, or plain rows) or as " +
			"CSV; the fields with or without `All_Traffic.` before them. `_time` is the flow's beginning, and `duration` its seconds. " +
			"`bytes_out` is what the source sent; where only `bytes` is there, the sum of both directions, that is unknown. What was blocked, denied or dropped " +
			"did not leave; previews are passed over. `dvc` names the sensor.",
		Zone: true, Frame: ByLine, Begins: beginsSplunkCIM,
		New: func(o Options) (Parser, error) { return &splunkCIM{zone: o.Zone}, nil },
	}
}

// beginsSplunkCIM needs a time of Splunk, both ends and bytes.
func beginsSplunkCIM(head []byte) bool {
	var f cimFields
	take := func(key []byte, v value) {
		if at := f.field(key); at != nil {
			*at = key
		}
	}
	if line := firstLine(head); len(line) > 0 && line[0] != '{' {
		columns, err := csvFields(line, nil)
		for _, name := range columns {
			take(name, value{})
		}
		return err == nil && f.certain()
	}
	firstMembers(head, func(key []byte, v value) {
		switch {
		case string(key) == "result" && v.object:
			_, _ = members(v.text, func(key []byte, v value) error { take(key, v); return nil }) // it may be longer than the head
		case string(key) == "results" && v.array():
			_ = elements(v.text, func(v value) error {
				return inside(v, func(key []byte, v value) error { take(key, v); return nil })
			})
		default:
			take(key, v)
		}
	})
	return f.certain()
}

// splunkCIM reads results.
type splunkCIM struct {
	zone *time.Location
	// columns are those of CSV, once its header was read.
	columns []string
	cells   [][]byte
	f       cimFields
	names   names
}

// cimFields is the fields of one result, as written; those that are empty or unknown are nil.
type cimFields struct {
	time, duration                                 []byte
	src, srcIP, srcPort, dst, dstIP, dstPort       []byte
	transport, protocol, action                    []byte
	bytes, out, in, packets, packetsOut, packetsIn []byte
	dvc, host, user, srcHost                       []byte
}

// certain reports whether fields of these names are of the data model.
func (f *cimFields) certain() bool {
	return f.time != nil && (f.src != nil || f.srcIP != nil) && (f.dst != nil || f.dstIP != nil) && (f.out != nil || f.in != nil || f.bytes != nil)
}

// field returns where a field of that name is kept, or nil.
func (f *cimFields) field(name []byte) *[]byte {
	if after, ok := bytes.CutPrefix(name, []byte("All_Traffic.")); ok {
		name = after
	}
	switch string(name) {
	case "_time":
		return &f.time
	case "duration":
		return &f.duration
	case "src":
		return &f.src
	case "src_ip":
		return &f.srcIP
	case "src_port":
		return &f.srcPort
	case "dest":
		return &f.dst
	case "dest_ip":
		return &f.dstIP
	case "dest_port":
		return &f.dstPort
	case "transport":
		return &f.transport
	case "protocol":
		return &f.protocol
	case "action":
		return &f.action
	case "bytes":
		return &f.bytes
	case "bytes_out":
		return &f.out
	case "bytes_in":
		return &f.in
	case "packets":
		return &f.packets
	case "packets_out":
		return &f.packetsOut
	case "packets_in":
		return &f.packetsIn
	case "dvc":
		return &f.dvc
	case "host":
		return &f.host
	case "user":
		return &f.user
	case "src_host":
		return &f.srcHost
	}
	return nil
}

// set keeps a field that says something.
func (f *cimFields) set(name, text []byte) {
	// The data model writes unknown where a field is missing.
	if at := f.field(name); at != nil && len(text) > 0 && string(text) != "unknown" && string(text) != "null" {
		*at = text
	}
}

// Header implements [Parser]: CSV begins with its columns, and exports are put together.
func (p *splunkCIM) Header(line []byte) (bool, error) {
	line = bytes.TrimPrefix(line, byteOrderMark)
	if len(line) == 0 || line[0] == '{' || !bytes.Contains(line, []byte("_time")) {
		return false, nil
	}
	var f cimFields
	var columns []string
	names, err := csvFields(line, nil)
	for _, name := range names {
		columns = append(columns, strings.Clone(string(name)))
		if at := f.field(name); at != nil {
			*at = name
		}
	}
	if err == nil && f.certain() {
		p.columns = columns
		return true, nil
	}
	return false, nil // data with that text in it
}

// Whole implements [Parser].
func (p *splunkCIM) Whole(line []byte) bool { return line[0] == '{' && jsonByLine{}.Whole(line) }

// Parse implements [Parser].
func (p *splunkCIM) Parse(line []byte, e *Entry) error {
	line = bytes.TrimPrefix(line, byteOrderMark)
	if len(line) == 0 || line[0] != '{' {
		return p.row(line, e)
	}
	var preview, lastRow bool
	var result, results value
	p.f = cimFields{}
	rest, err := members(line, func(key []byte, v value) error {
		switch string(key) {
		case "preview":
			preview = string(v.text) == "true"
		case "lastrow":
			lastRow = true
		case "result":
			result = v
		case "results":
			results = v
		default:
			return p.member(key, v)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	case preview:
		return fmt.Errorf("%w: a preview of results", ErrNoFlow)
	case results.array():
		return elements(results.text, func(v value) error {
			e.tell(p.result(v, e))
			return nil
		})
	case result.object:
		return p.result(result, e)
	case lastRow && p.f.time == nil:
		return fmt.Errorf("%w: the end of the results", ErrNoFlow)
	}
	return p.add(e)
}

// row reads a row of CSV.
func (p *splunkCIM) row(line []byte, e *Entry) error {
	if p.columns == nil {
		return errors.New("neither a JSON object nor a row below a header with the columns' names")
	}
	var err error
	if p.cells, err = csvFields(line, p.cells[:0]); err != nil {
		return err
	}
	if len(p.cells) != len(p.columns) {
		return fmt.Errorf("%d of %d columns", len(p.cells), len(p.columns))
	}
	p.f = cimFields{}
	for i, cell := range p.cells {
		p.f.set([]byte(p.columns[i]), cell)
	}
	return p.add(e)
}

func (p *splunkCIM) result(v value, e *Entry) error {
	p.f = cimFields{}
	if !v.object {
		return errJSON
	}
	if _, err := members(v.text, p.member); err != nil {
		return err
	}
	return p.add(e)
}

func (p *splunkCIM) member(key []byte, v value) error {
	switch {
	case v.object, v.null():
	case v.array() && p.f.field(key) != nil:
		return fmt.Errorf("%s has several values", clip(string(key)))
	default:
		p.f.set(key, v.bytes())
	}
	return nil
}

func (p *splunkCIM) add(e *Entry) error {
	switch action := strings.ToLower(string(p.f.action)); action {
	case "blocked", "block", "denied", "deny", "dropped", "drop", "rejected", "reject", "reset", "failure":
		return fmt.Errorf("%w: %s", ErrNoFlow, action)
	}
	rec := e.Record()
	if err := p.record(rec); err != nil {
		e.drop()
		return err
	}
	e.session()
	return nil
}

func (p *splunkCIM) record(rec *flowmath.Record) error {
	f := &p.f
	if f.time == nil {
		return errors.New("_time is missing")
	}
	var err error
	if rec.Start, err = zonedTime(f.time, p.zone); err != nil {
		return err
	}
	if f.duration != nil {
		if rec.Duration, err = parseSeconds(f.duration); err != nil {
			return fmt.Errorf("duration: %w", err)
		}
	}
	transport := first(f.transport, f.protocol, []byte("ip"))
	if err := endpoints(rec, first(f.srcIP, f.src), f.srcPort, first(f.dstIP, f.dst), f.dstPort, transport); err != nil {
		return err
	}
	if rec.Orig, err = side(nil, f.out, f.packetsOut); err != nil {
		return err
	}
	if rec.Resp, err = side(nil, f.in, f.packetsIn); err != nil {
		return err
	}
	rec.Sampling, rec.Sensor = 1, p.names.of(first(f.dvc, f.host))
	rec.User, rec.Device = string(f.user), string(f.srcHost)
	return nil
}
