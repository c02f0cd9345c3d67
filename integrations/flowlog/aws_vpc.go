package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// formatAWSVPC is the text that AWS writes into S3, and that CloudWatch keeps.
func formatAWSVPC() Format {
	return Format{
		Name: "aws-vpc", Title: "AWS VPC flow logs",
		Doc: "A flow log of a VPC, a subnet or an interface (or of a transit gateway) as text, as it is delivered to S3, gzip or not. " +
			"The names of the fields in its first line say their order; without them it is that of version 2, or the layout that is given.\n\n" +
			"A record is of one direction and of what one interface saw in an interval. With `pkt-srcaddr` and `pkt-dstaddr` a host behind " +
			"a NAT gateway is seen as itself, and with `flow-direction` an interface that passes packets on counts them once; add them to the " +
			"log's format. Without the former, the gateway's interface has what its hosts sent a second time, with the gateway as its destination. What was rejected did not leave. `NODATA` is quiet; `SKIPDATA` is a gap, of which nothing is known. " +
			"Without `action` rejected traffic counts as if it had left. The times are whole seconds, an interval up to ten minutes.",
		Layout: "AWS's names of the fields in their order, as in the log's format: `${version} ${srcaddr} ${dstaddr} …` or `version srcaddr dstaddr …`. " +
			"It needs an address of both ends (`srcaddr` or `pkt-srcaddr`, `dstaddr` or `pkt-dstaddr`), `start` and `end`.",
		Exit: incident.ExitCloud, Frame: ByLine, Begins: beginsAWSVPC,
		New: func(o Options) (Parser, error) { return newAWSVPC(o.Layout) },
	}
}

// vpcField is a field that is read; the others' values are passed over.
type vpcField uint8

const (
	vpcOther vpcField = iota
	vpcInterface
	vpcSrc
	vpcDst
	vpcPacketSrc
	vpcPacketDst
	vpcSrcPort
	vpcDstPort
	vpcProtocol
	vpcPackets
	vpcBytes
	vpcStart
	vpcEnd
	vpcAction
	vpcStatus
	vpcDirection
	vpcFields
)

func vpcFieldOf(name string) vpcField {
	switch name {
	case "interface-id", "tgw-attachment-id":
		return vpcInterface
	case "srcaddr":
		return vpcSrc
	case "dstaddr":
		return vpcDst
	case "pkt-srcaddr":
		return vpcPacketSrc
	case "pkt-dstaddr":
		return vpcPacketDst
	case "srcport":
		return vpcSrcPort
	case "dstport":
		return vpcDstPort
	case "protocol":
		return vpcProtocol
	case "packets":
		return vpcPackets
	case "bytes":
		return vpcBytes
	case "start":
		return vpcStart
	case "end":
		return vpcEnd
	case "action":
		return vpcAction
	case "log-status":
		return vpcStatus
	case "flow-direction":
		return vpcDirection
	}
	return vpcOther
}

const vpcVersion2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"

// awsVPC reads the lines of a flow log.
type awsVPC struct {
	columns []vpcField
	// wrong is why no line can be read: of a header that lacks what is needed.
	wrong  error
	values [vpcFields][]byte
	names  names
}

func newAWSVPC(layout string) (*awsVPC, error) {
	if layout == "" {
		layout = vpcVersion2
	}
	p := &awsVPC{}
	return p, p.setLayout(layout)
}

func (p *awsVPC) setLayout(layout string) error {
	p.columns, p.wrong = p.columns[:0], nil
	var has [vpcFields]bool
	for _, name := range strings.Fields(layout) {
		if inner, ok := strings.CutPrefix(name, "${"); ok {
			name = strings.TrimSuffix(inner, "}")
		}
		if !vpcName([]byte(name)) {
			p.wrong = fmt.Errorf("invalid field name %q", clip(name))
			return p.wrong
		}
		f := vpcFieldOf(name)
		p.columns, has[f] = append(p.columns, f), true
	}
	if !has[vpcSrc] && !has[vpcPacketSrc] || !has[vpcDst] && !has[vpcPacketDst] || !has[vpcStart] || !has[vpcEnd] {
		p.wrong = errors.New("the layout lacks srcaddr, dstaddr, start or end")
	}
	return p.wrong
}

// vpcName reports whether the text may be the name of a field: no value of a record has letters
// and hyphens alone that are all small, but for a few.
func vpcName(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return len(b) > 1
}

// vpcHeader reports whether the line is of names of fields, and of the ends among them.
func vpcHeader(line []byte) bool {
	if len(line) == 0 || line[0] < 'a' || line[0] > 'z' {
		return false
	}
	src, dst := false, false
	for name := range bytes.SplitSeq(line, []byte{' '}) {
		if len(name) > 0 && !vpcName(name) {
			return false
		}
		f := vpcFieldOf(string(name))
		src = src || f == vpcSrc || f == vpcPacketSrc
		dst = dst || f == vpcDst || f == vpcPacketDst
	}
	return src && dst
}

func beginsAWSVPC(head []byte) bool {
	line := firstLine(head)
	if vpcHeader(line) {
		return true
	}
	// Version 2 in the default order.
	fields := bytes.Fields(line)
	if len(fields) != 14 || string(fields[0]) != "2" || !bytes.HasPrefix(fields[2], []byte("eni-")) {
		return false
	}
	return vpcStatusKnown(fields[13])
}

func vpcStatusKnown(status []byte) bool {
	return string(status) == "OK" || string(status) == "NODATA" || string(status) == "SKIPDATA"
}

// Header implements [Parser]: every file begins with one, and files are put together.
func (p *awsVPC) Header(line []byte) (bool, error) {
	line = bytes.TrimPrefix(line, byteOrderMark)
	if !vpcHeader(line) {
		return false, nil
	}
	return true, p.setLayout(string(line))
}

// Whole implements [Parser]: the status at the end is of three that are no beginning of another.
func (p *awsVPC) Whole(line []byte) bool {
	return p.wrong == nil && len(p.columns) > 0 && p.columns[len(p.columns)-1] == vpcStatus && p.split(line) == nil &&
		vpcStatusKnown(p.values[vpcStatus])
}

func (p *awsVPC) split(line []byte) error {
	p.values = [vpcFields][]byte{}
	rest := bytes.TrimRight(line, " \r\n")
	for i, column := range p.columns {
		f, after, more := bytes.Cut(rest, []byte{' '})
		if more != (i < len(p.columns)-1) {
			return fmt.Errorf("%d fields, want %d", bytes.Count(line, []byte{' '})+1, len(p.columns))
		}
		if string(f) != "-" {
			p.values[column] = f
		}
		rest = after
	}
	return nil
}

// Parse implements [Parser].
func (p *awsVPC) Parse(line []byte, e *Entry) error { return p.parse(line, "", e) }

// parse reads one line; sensor names who saw it where the line does not.
func (p *awsVPC) parse(line []byte, sensor string, e *Entry) error {
	if p.wrong != nil {
		return p.wrong
	}
	if err := p.split(line); err != nil {
		return err
	}
	v := &p.values
	if v[vpcInterface] != nil {
		sensor = p.names.of(v[vpcInterface])
	}
	if status := v[vpcStatus]; status != nil && string(status) != "OK" {
		return p.silent(status, sensor, e)
	}
	switch action := v[vpcAction]; string(action) {
	case "", "ACCEPT":
	case "REJECT":
		return fmt.Errorf("%w: rejected", ErrNoFlow)
	default:
		return fmt.Errorf("unknown action %q", clip(string(action)))
	}
	rec := e.Record()
	if err := p.record(rec, sensor); err != nil {
		e.drop()
		return err
	}
	return nil
}

// silent reads an interval without records.
func (p *awsVPC) silent(status []byte, sensor string, e *Entry) error {
	switch string(status) {
	case "NODATA":
		return fmt.Errorf("%w: no traffic in the interval", ErrNoFlow)
	case "SKIPDATA":
		from, length, err := p.interval()
		if err != nil {
			return err
		}
		e.Gaps = append(e.Gaps, flowmath.Gap{From: from, To: from.Add(length), Sensor: sensor, Why: "SKIPDATA"})
		return nil
	}
	return fmt.Errorf("unknown log-status %q", clip(string(status)))
}

func (p *awsVPC) interval() (time.Time, time.Duration, error) {
	start, ok := parseDigits(p.values[vpcStart])
	end, okEnd := parseDigits(p.values[vpcEnd])
	const most = 1 << 33 // seconds; the year 2242
	if !ok || !okEnd || start > most || end > most || end < start {
		return time.Time{}, 0, fmt.Errorf("%q to %q is no interval in seconds", clip(string(p.values[vpcStart])), clip(string(p.values[vpcEnd])))
	}
	return time.Unix(start, 0).UTC(), time.Duration(end-start) * time.Second, nil
}

func (p *awsVPC) record(rec *flowmath.Record, sensor string) error {
	v := &p.values
	var err error
	if rec.Start, rec.Duration, err = p.interval(); err != nil {
		return err
	}
	// The interface's own address stands in srcaddr where it passes on what others sent.
	src, dst := v[vpcSrc], v[vpcDst]
	passed := false
	if v[vpcPacketSrc] != nil {
		passed = src != nil && !bytes.Equal(src, v[vpcPacketSrc])
		src = v[vpcPacketSrc]
	}
	if v[vpcPacketDst] != nil {
		dst = v[vpcPacketDst]
	}
	protocol := v[vpcProtocol]
	if protocol == nil {
		protocol = []byte("ip")
	}
	if err := endpoints(rec, src, v[vpcSrcPort], dst, v[vpcDstPort], protocol); err != nil {
		return err
	}
	if rec.Orig, err = side(nil, v[vpcBytes], v[vpcPackets]); err != nil {
		return err
	}
	rec.Resp, rec.Single, rec.Sampling, rec.Sensor = flowmath.Unseen(), true, 1, sensor
	if direction := v[vpcDirection]; string(direction) == "egress" || direction == nil && passed {
		// An interface that passes packets on has a record of both sides of itself.
		rec.Sensor = p.names.egress(sensor)
	}
	return nil
}
