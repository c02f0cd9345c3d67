package flowlog

import (
	"errors"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

func formatOCSF() Format {
	return Format{
		Name: "ocsf", Title: "OCSF Network Activity (class 4001)",
		Doc: "Events of the class 4001 as JSON, one a line, of version 1.1 and later: also what Amazon Security Lake holds, exported as JSON. " +
			"`traffic.bytes_out` is what the source sent. Where only `traffic.bytes` is there, the sum of both directions, what was sent is unknown, but " +
			"for Amazon's VPC flow logs, whose records are of one direction. Openings, and what was refused, denied, blocked, dropped, reset or " +
			"rejected, tell of nothing that left.",
		Zone: true, Frame: ByLine, Begins: beginsOCSF,
		New: func(o Options) (Parser, error) { return &ocsf{zone: o.Zone}, nil },
	}
}

func beginsOCSF(head []byte) bool {
	found := false
	firstMembers(head, func(key []byte, v value) {
		found = found || string(key) == "class_uid" && string(v.text) == ocsfClass
	})
	return found
}

const ocsfClass = "4001"

// ocsf reads events.
type ocsf struct {
	jsonByLine
	zone  *time.Location
	f     ocsfFields
	names names
}

// ocsfFields is the fields of one event, as written; absent and null ones are nil.
type ocsfFields struct {
	class, activity, action, disposition []byte
	time, start, end, duration           []byte
	timeText, startText, endText         []byte
	protocol, protocolName, direction    []byte
	product, vendor, user                []byte
	src, dst, device                     ocsfEndpoint
	bytes, out, in                       []byte
	packets, packetsOut, packetsIn       []byte
}

type ocsfEndpoint struct{ ip, port, hostname, name, uid, face []byte }

// Parse implements [Parser].
func (p *ocsf) Parse(line []byte, e *Entry) error {
	p.f = ocsfFields{}
	rest, err := members(line, p.member)
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	case p.f.class == nil:
		return errors.New("class_uid is missing")
	case string(p.f.class) != ocsfClass:
		return fmt.Errorf("%w: an event of class %s", ErrNoFlow, clip(string(p.f.class)))
	}
	if why := p.f.stopped(); why != "" {
		return fmt.Errorf("%w: %s", ErrNoFlow, why)
	}
	rec := e.Record()
	if err := p.record(rec); err != nil {
		e.drop()
		return err
	}
	if !rec.Single {
		e.session()
	}
	return nil
}

// stopped returns why the event tells of nothing that left, if it does not.
func (f *ocsfFields) stopped() string {
	switch string(f.activity) {
	case "1":
		return "the opening of a connection"
	case "4", "5":
		return "a connection that failed or was refused"
	case "7":
		return "a port that listens"
	}
	if string(f.action) == "2" {
		return "denied"
	}
	switch string(f.disposition) {
	case "2", "6", "21", "25":
		return "blocked, dropped, reset or rejected"
	}
	return ""
}

func (p *ocsf) member(key []byte, v value) error {
	if v.null() {
		return nil
	}
	f := &p.f
	var into *[]byte
	switch string(key) {
	case "class_uid":
		into = &f.class
	case "activity_id":
		into = &f.activity
	case "action_id":
		into = &f.action
	case "disposition_id":
		into = &f.disposition
	case "time":
		into = &f.time
	case "start_time":
		into = &f.start
	case "end_time":
		into = &f.end
	case "duration":
		into = &f.duration
	case "time_dt":
		into = &f.timeText
	case "start_time_dt":
		into = &f.startText
	case "end_time_dt":
		into = &f.endText
	case "src_endpoint":
		return inside(v, f.src.member)
	case "dst_endpoint":
		return inside(v, f.dst.member)
	case "device":
		return inside(v, f.device.member)
	case "connection_info":
		return inside(v, f.connection)
	case "traffic":
		return inside(v, f.traffic)
	case "metadata", "actor":
		return inside(v, f.within)
	default:
		return nil
	}
	*into = v.text
	return nil
}

func (e *ocsfEndpoint) member(key []byte, v value) error {
	if v.null() || v.object {
		return nil
	}
	switch string(key) {
	case "ip":
		e.ip = v.text
	case "port":
		e.port = v.text
	case "hostname":
		e.hostname = v.bytes()
	case "name":
		e.name = v.bytes()
	case "uid":
		e.uid = v.bytes()
	case "interface_uid":
		e.face = v.text
	}
	return nil
}

func (f *ocsfFields) connection(key []byte, v value) error {
	if v.null() {
		return nil
	}
	switch string(key) {
	case "protocol_num":
		f.protocol = v.text
	case "protocol_name":
		f.protocolName = v.text
	case "direction_id":
		f.direction = v.text
	}
	return nil
}

func (f *ocsfFields) traffic(key []byte, v value) error {
	if v.null() {
		return nil
	}
	switch string(key) {
	case "bytes":
		f.bytes = v.text
	case "bytes_out":
		f.out = v.text
	case "bytes_in":
		f.in = v.text
	case "packets":
		f.packets = v.text
	case "packets_out":
		f.packetsOut = v.text
	case "packets_in":
		f.packetsIn = v.text
	}
	return nil
}

// within reads the product of metadata and the user of actor.
func (f *ocsfFields) within(key []byte, v value) error {
	named := func(name *[]byte) error {
		return inside(v, func(key []byte, v value) error {
			switch {
			case v.null():
			case string(key) == "name":
				*name = v.bytes()
			case string(key) == "vendor_name":
				f.vendor = v.text
			}
			return nil
		})
	}
	switch string(key) {
	case "product":
		return named(&f.product)
	case "user":
		return named(&f.user)
	}
	return nil
}

// oneDirection reports whether the event is a record of Amazon's VPC flow logs.
func (f *ocsfFields) oneDirection() bool {
	return f.out == nil && f.in == nil && string(f.product) == "Amazon VPC"
}

func (p *ocsf) record(rec *flowmath.Record) error {
	f := &p.f
	if err := p.times(rec); err != nil {
		return err
	}
	protocol := f.protocol
	if protocol == nil || string(protocol) == "-1" {
		protocol = f.protocolName
	}
	if len(protocol) == 0 {
		protocol = []byte("ip")
	}
	if err := endpoints(rec, f.src.ip, f.src.port, f.dst.ip, f.dst.port, protocol); err != nil {
		return err
	}
	out, packets := f.out, f.packetsOut
	rec.Sampling = 1
	if f.oneDirection() {
		out, packets, rec.Single = f.bytes, f.packets, true
	}
	var err error
	if rec.Orig, err = side(nil, out, packets); err != nil {
		return err
	}
	if rec.Resp, err = side(nil, f.in, f.packetsIn); err != nil {
		return err
	}
	rec.Sensor, rec.User = p.sensor(rec.Single), string(f.user)
	rec.Device = string(first(f.src.hostname, f.src.name))
	return nil
}

// sensor names who saw the flow. The two sides of an interface are two sensors, see [flowmath.Egress].
func (p *ocsf) sensor(oneDirection bool) string {
	f := &p.f
	if !oneDirection {
		return p.names.of(first(f.device.hostname, f.device.name, f.device.uid, f.device.ip, f.product))
	}
	name := p.names.of(first(f.src.face, f.dst.face, f.product))
	if string(f.direction) == "2" {
		return p.names.egress(name)
	}
	return name
}

// first returns the first text that is not empty.
func first(texts ...[]byte) []byte {
	for _, t := range texts {
		if len(t) > 0 {
			return t
		}
	}
	return nil
}

// times reads when the flow was: from its start to its end, or the event's time.
func (p *ocsf) times(rec *flowmath.Record) error {
	f := &p.f
	start, okStart, errStart := p.time(f.start, f.startText)
	end, okEnd, errEnd := p.time(f.end, f.endText)
	at, okAt, errAt := p.time(f.time, f.timeText)
	if err := errors.Join(errStart, errEnd, errAt); err != nil {
		return err
	}
	if !okEnd {
		end, okEnd = at, okAt
	}
	switch {
	case !okStart && !okEnd:
		return errors.New("time is missing")
	case !okStart && f.duration != nil:
		length, err := parseCount(f.duration)
		if err != nil || length > int64(flowmath.MaxDuration/time.Millisecond) {
			return fmt.Errorf("duration: %q is no number of milliseconds", clip(string(f.duration)))
		}
		start = end.Add(-time.Duration(length) * time.Millisecond)
	case !okStart:
		start = end
	case !okEnd:
		end = start
	}
	rec.Start, rec.Duration = start, end.Sub(start)
	return nil
}

// time reads a time that is there as a number, as text or as both.
func (p *ocsf) time(number, text []byte) (time.Time, bool, error) {
	switch {
	case number != nil:
		t, err := parseTime(number)
		return t, err == nil, err
	case text != nil:
		t, err := zonedTime(text, p.zone)
		return t, err == nil, err
	}
	return time.Time{}, false, nil
}
