package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const (
	// maxOngoing bounds how many flows are remembered that go on.
	maxOngoing = 1 << 15
	// azureInterval is how often Azure writes counts of a flow that goes on.
	azureInterval = 5 * time.Minute
)

// azure reads the flow tuples of Azure. Those of one flow are its beginning, without counts, and then what was sent
// since the tuple before, up to its end.
type azure struct {
	jsonByLine
	// category is that of the records.
	category string
	// sensor and mac name the log and the interface of the record that is read.
	sensor, mac []byte
	name        string
	// ongoing has the time of each flow's last tuple. It says only where in time the counts of the next belong.
	ongoing map[azureFlow]int64
	names   names
}

type azureFlow struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16
	transport        string
	sensor           string
}

// tuple is what Azure writes of a flow, as text. Counts are nil where there are none.
type tuple struct {
	at, src, dst, srcPort, dstPort, protocol []byte
	denied                                   bool
	// state is B, C or E; empty in version 1, which has no counts and says only that the flow began.
	state                  []byte
	packets, bytes         []byte
	backPackets, backBytes []byte
}

// Parse implements [Parser]: an object is a record, or a message with several.
func (p *azure) Parse(object []byte, e *Entry) error {
	var category, flows []byte
	var records value
	p.sensor, p.mac = nil, nil
	rest, err := members(object, func(key []byte, v value) error {
		switch string(key) {
		case "records":
			records = v
		case "category":
			category = v.text
		case "macAddress":
			p.mac = v.text
		case "resourceId", "flowLogResourceID":
			p.sensor = v.text
		case "properties", "flowRecords":
			flows = v.text
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	case records.array():
		return elements(records.text, func(v value) error {
			e.tell(p.Parse(v.text, e))
			return nil
		})
	case category != nil && string(category) != p.category:
		return fmt.Errorf("%w: a record of %s", ErrNoFlow, clip(string(category)))
	case flows == nil:
		return errors.New("the record has no flows")
	}
	p.setName()
	return p.tuples(flows, e)
}

// setName names the sensor: two interfaces at the ends of a flow see it both, and so do two logs of one interface.
func (p *azure) setName() {
	log := p.sensor
	if i := bytes.LastIndexByte(log, '/'); i >= 0 {
		log = log[i+1:]
	}
	p.name = p.names.of(bytes.TrimSpace(append(append(bytes.Clone(log), ' '), p.mac...)))
}

// tuples reads the flow tuples, however deep they are in the object.
func (p *azure) tuples(object []byte, e *Entry) error {
	_, err := members(object, func(key []byte, v value) error {
		switch {
		case string(key) == "mac" && v.isText && !bytes.Equal(p.mac, v.text):
			p.mac = v.text
			p.setName()
		case string(key) == "flowTuples" && v.array():
			return elements(v.text, func(v value) error {
				e.tell(p.tuple(v.bytes(), e))
				return nil
			})
		case v.array():
			return elements(v.text, func(v value) error {
				if !v.object {
					return nil
				}
				return p.tuples(v.text, e)
			})
		}
		return nil
	})
	return err
}

func (p *azure) tuple(text []byte, e *Entry) error {
	var fields [16][]byte
	n := 0
	for f := range bytes.SplitSeq(text, []byte{','}) {
		if n == len(fields) {
			break
		}
		fields[n] = f
		n++
	}
	t := tuple{at: fields[0], src: fields[1], dst: fields[2], srcPort: fields[3], dstPort: fields[4], protocol: fields[5]}
	counts := fields[9:13]
	switch {
	case n == 8:
		t.denied = string(fields[7]) == "D"
		counts = make([][]byte, 4)
	case n == 13 && p.category == azureVNet:
		t.denied, t.state = string(fields[7]) == "D", fields[7]
	case n == 13:
		t.denied, t.state = string(fields[7]) == "D", fields[8]
	default:
		return fmt.Errorf("a flow tuple of %d fields", n)
	}
	for i, into := range []*[]byte{&t.packets, &t.bytes, &t.backPackets, &t.backBytes} {
		if len(counts[i]) > 0 {
			*into = counts[i]
		}
	}
	return p.flow(&t, e)
}

// flow adds the records of a tuple: one of each direction, so that further ones of the flow add up.
func (p *azure) flow(t *tuple, e *Entry) error {
	if t.denied {
		return fmt.Errorf("%w: denied", ErrNoFlow)
	}
	var rec flowmath.Record
	at, err := azureTime(t.at)
	if err != nil {
		return err
	}
	if err := endpoints(&rec, t.src, t.srcPort, t.dst, t.dstPort, azureProtocol(t.protocol)); err != nil {
		return err
	}
	rec.Sampling, rec.Single, rec.Sensor = 1, true, p.name
	flow := azureFlow{rec.Src, rec.Dst, rec.SrcPort, rec.DstPort, rec.Transport, p.name}
	before, known := p.ongoing[flow]
	switch string(t.state) {
	case "": // version 1
		rec.Start, rec.Orig, rec.Resp = at, flowmath.Unseen(), flowmath.Unseen()
		e.Records = append(e.Records, rec, reversed(rec))
		return nil
	case "B":
		p.goesOn(flow, at.UnixNano())
		return fmt.Errorf("%w: the beginning of a flow", ErrNoFlow)
	case "C":
		if !known {
			before = at.Add(-azureInterval).UnixNano()
		}
		p.goesOn(flow, at.UnixNano())
	case "E":
		if !known {
			before = at.UnixNano()
		}
		delete(p.ongoing, flow)
	default:
		return fmt.Errorf("unknown state %q of a flow", clip(string(t.state)))
	}
	rec.Start = time.Unix(0, min(before, at.UnixNano())).UTC()
	rec.Duration = at.Sub(rec.Start)
	return p.counts(t, rec, e)
}

// counts adds what each end sent since the tuple before. An end that sent nothing since has no record.
func (p *azure) counts(t *tuple, rec flowmath.Record, e *Entry) error {
	there, err := side(nil, t.bytes, t.packets)
	if err != nil {
		return err
	}
	back, err := side(nil, t.backBytes, t.backPackets)
	if err != nil {
		return err
	}
	n := len(e.Records)
	if there.IPBytes != 0 || there.Packets != 0 {
		rec.Orig, rec.Resp = there, flowmath.Unseen()
		e.Records = append(e.Records, rec)
	}
	if back.IPBytes != 0 || back.Packets != 0 {
		rec.Orig, rec.Resp = back, flowmath.Unseen()
		e.Records = append(e.Records, reversed(rec))
	}
	if len(e.Records) == n {
		return fmt.Errorf("%w: nothing was sent since the tuple before", ErrNoFlow)
	}
	return nil
}

// goesOn remembers the time of a flow's tuple. Who can open many flows makes others be forgotten, and then the
// place of their counts is known to the interval only.
func (p *azure) goesOn(flow azureFlow, at int64) {
	if len(p.ongoing) >= maxOngoing {
		clear(p.ongoing)
	}
	if p.ongoing == nil {
		p.ongoing = map[azureFlow]int64{}
	}
	p.ongoing[flow] = at
}

// azureTime reads seconds or, in the logs of virtual networks, milliseconds.
func azureTime(b []byte) (time.Time, error) {
	n, ok := parseDigits(b)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is not a time", clip(string(b)))
	}
	const endOfSeconds = 100_000_000_000
	if n >= endOfSeconds {
		return time.UnixMilli(n).UTC(), nil
	}
	return time.Unix(n, 0).UTC(), nil
}

func azureProtocol(b []byte) []byte {
	switch string(b) {
	case "T":
		return []byte("tcp")
	case "U":
		return []byte("udp")
	}
	return b
}
