package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func formatGCPVPC() Format {
	return Format{
		Name: "gcp-vpc", Title: "Google Cloud VPC flow logs",
		Doc: "Log entries of `compute.googleapis.com/vpc_flows`, one a line, as a sink of Cloud Logging writes them. A record is of one direction and of " +
			"one reporter: what both ends report counts once.\n\n" +
			"Google samples packets and scales the counts up, so that small flows may be missing and the counts are estimates. Packets that an egress " +
			"rule of the firewall denied are sampled, too, and cannot be told apart.",
		Exit: incident.ExitCloud, Frame: ByLine, Begins: beginsGCPVPC,
		New: func(Options) (Parser, error) { return &gcpVPC{}, nil },
	}
}

func beginsGCPVPC(head []byte) bool {
	found := false
	firstMembers(head, func(key []byte, v value) {
		found = found || string(key) == "logName" && v.isText && gcpFlows(v.text)
	})
	return found
}

func gcpFlows(logName []byte) bool {
	return bytes.HasSuffix(logName, []byte("%2Fvpc_flows")) || bytes.HasSuffix(logName, []byte("/vpc_flows"))
}

// gcpVPC reads log entries.
type gcpVPC struct {
	jsonByLine
	f     gcpFields
	names names
	name  []byte // memory for the sensor's name
}

// gcpFields is the fields of one entry, as written.
type gcpFields struct {
	logName, project, subnet             []byte
	connection, bytes, packets           []byte
	start, end, reporter, vm             []byte
	src, dst, srcPort, dstPort, protocol []byte
}

// Parse implements [Parser].
func (p *gcpVPC) Parse(line []byte, e *Entry) error {
	p.f = gcpFields{}
	rest, err := members(line, p.member)
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	case p.f.logName != nil && !gcpFlows(p.f.logName):
		return fmt.Errorf("%w: another log of Google Cloud", ErrNoFlow)
	case p.f.connection == nil:
		return errors.New("jsonPayload.connection is missing")
	}
	rec := e.Record()
	if err := p.record(rec); err != nil {
		e.drop()
		return err
	}
	return nil
}

func (p *gcpVPC) member(key []byte, v value) error {
	var err error
	switch string(key) {
	case "logName":
		p.f.logName = v.text
	case "resource":
		err = inside(v, p.resource)
	case "jsonPayload":
		err = inside(v, p.payload)
	}
	return err
}

// inside walks the members of an object within another; a value that is none has none.
func inside(v value, visit func(key []byte, v value) error) error {
	if !v.object {
		return nil
	}
	_, err := members(v.text, visit)
	return err
}

func (p *gcpVPC) resource(key []byte, v value) error {
	switch string(key) {
	case "labels":
		return inside(v, p.resource)
	case "project_id":
		p.f.project = v.text
	case "subnetwork_name":
		p.f.subnet = v.text
	}
	return nil
}

func (p *gcpVPC) payload(key []byte, v value) error {
	if v.null() {
		return nil
	}
	switch string(key) {
	case "connection":
		p.f.connection = v.text
		return inside(v, p.ends)
	case "src_instance":
		return inside(v, func(key []byte, v value) error {
			if string(key) == "vm_name" && v.isText {
				p.f.vm = v.text
			}
			return nil
		})
	case "bytes_sent":
		p.f.bytes = v.text
	case "packets_sent":
		p.f.packets = v.text
	case "start_time":
		p.f.start = v.text
	case "end_time":
		p.f.end = v.text
	case "reporter":
		p.f.reporter = v.text
	}
	return nil
}

func (p *gcpVPC) ends(key []byte, v value) error {
	if v.null() {
		return nil
	}
	switch string(key) {
	case "src_ip":
		p.f.src = v.text
	case "dest_ip":
		p.f.dst = v.text
	case "src_port":
		p.f.srcPort = v.text
	case "dest_port":
		p.f.dstPort = v.text
	case "protocol":
		p.f.protocol = v.text
	}
	return nil
}

func (p *gcpVPC) record(rec *flowmath.Record) error {
	f := &p.f
	var err error
	if rec.Start, err = zonedTime(f.start, nil); err != nil {
		return fmt.Errorf("start_time: %w", err)
	}
	end := rec.Start
	if f.end != nil {
		if end, err = zonedTime(f.end, nil); err != nil {
			return fmt.Errorf("end_time: %w", err)
		}
	}
	rec.Duration = end.Sub(rec.Start)
	if rec.Duration < 0 && rec.Duration > -time.Second {
		rec.Duration = 0 // the two are rounded apart
	}
	if err := endpoints(rec, f.src, f.srcPort, f.dst, f.dstPort, f.protocol); err != nil {
		return err
	}
	if rec.Orig, err = side(nil, f.bytes, f.packets); err != nil {
		return err
	}
	rec.Resp, rec.Single, rec.Sampling = flowmath.Unseen(), true, 1
	p.name = p.name[:0]
	for _, part := range [...][]byte{f.project, f.subnet, f.reporter} {
		if len(part) == 0 {
			continue
		}
		if len(p.name) > 0 {
			p.name = append(p.name, ' ')
		}
		p.name = append(p.name, part...)
	}
	rec.Sensor, rec.Device = p.names.of(p.name), string(f.vm)
	return nil
}
