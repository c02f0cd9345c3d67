package elastic

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// records selects the flow records, of all hosts and times.
func (l layout) records() query {
	all := append([]query{oneOf(dataset, l.datasets), {Exists: &field{Field: sourceIP}}}, l.flows...)
	for _, m := range l.only {
		all = append(all, matching(m))
	}
	for _, m := range l.without {
		all = append(all, not(matching(m)))
	}
	return allOf(all...)
}

// matching selects the documents whose field has one of the values.
func matching(m integrations.Match) query {
	return query{Terms: map[string]any{m.Column.String(): m.Texts()}}
}

// within selects the records of flows that may overlap [from, to).
func (l layout) within(from, to time.Time, longest time.Duration) query {
	if l.startStamp {
		return l.stamped(from.Add(-longest), to)
	}
	return l.stamped(from, to.Add(longest))
}

// fields are the fields of a record that are read.
func (l layout) fields() []field {
	const nanos = "strict_date_optional_time_nanos"
	list := []field{{l.time, nanos}, {eventStart, nanos}, {eventEnd, nanos}}
	for _, name := range []string{
		eventDuration, sourceIP, sourcePort, destinationIP, destinationPort, transport, protocolNumber,
		sourceBytes, sourcePackets, destinationBytes, destinationPackets, l.sensor, l.id, l.packetSource, l.packetDestination, l.sampling,
	} {
		if name != "" {
			list = append(list, field{Field: name})
		}
	}
	return list
}

// text is the first value of a field as text.
func (h hit) text(name string) string {
	values := h.Fields[name]
	if len(values) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(values[0], &text) == nil {
		return text
	}
	return string(values[0])
}

// count is the first value of a field, or [flowmath.NotSeen]. Counters arrive
// as numbers, or as text where the mapping has it.
func (h hit) count(name string) int64 {
	text := h.text(name)
	if text == "" {
		return flowmath.NotSeen
	}
	n, err := json.Number(text).Int64()
	if err != nil {
		f, err := json.Number(text).Float64()
		if err != nil || f < 0 || f > 1<<62 {
			return flowmath.NotSeen
		}
		n = int64(f)
	}
	return max(n, flowmath.NotSeen)
}

func (h hit) time(name string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, h.text(name))
	return t.UTC(), err == nil
}

// times returns when a flow began and ended, from the fields that the record has.
func (l layout) times(h hit) (start, end time.Time, ok bool) {
	stamp, ok := h.time(l.time)
	if !ok {
		return start, end, false
	}
	lasted := time.Duration(max(0, h.count(eventDuration)))
	start, began := h.time(eventStart)
	end, ended := h.time(eventEnd)
	if l.stampOnly {
		began, ended = false, false
	}
	switch {
	case began && !ended:
		end = start.Add(lasted)
	case ended && !began:
		start = end.Add(-lasted)
	case !began && l.startStamp:
		start, end = stamp, stamp.Add(lasted)
	case !began:
		start, end = stamp.Add(-lasted), stamp
	}
	return start, end, true
}

// record reads a document. A document that is not a flow is an error: it would
// be missing from the answer.
func (l layout) record(h hit) (flowmath.Record, error) {
	var r flowmath.Record
	fail := func(what string) (flowmath.Record, error) {
		return r, fmt.Errorf("a record has no %s", what)
	}
	start, end, ok := l.times(h)
	if !ok {
		return fail("time")
	}
	from, to := l.addresses(h)
	src, err := netip.ParseAddr(from)
	if err != nil {
		return fail("source address")
	}
	dst, err := netip.ParseAddr(to)
	if err != nil {
		return fail("destination address")
	}
	r = flowmath.Record{
		Start: start, Duration: max(0, end.Sub(start)), Src: src.Unmap(), Dst: dst.Unmap(),
		SrcPort: uint16(max(0, h.count(sourcePort))), DstPort: uint16(max(0, h.count(destinationPort))),
		Transport: flowmath.TransportName(cmp.Or(h.text(transport), h.text(protocolNumber), "unknown")),
		Orig:      flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: h.count(sourceBytes), Packets: h.count(sourcePackets)},
		Resp:      flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: h.count(destinationBytes), Packets: h.count(destinationPackets)},
		Sampling:  1, Sensor: h.text(l.sensor),
	}
	if l.sampling != "" {
		// A record without the field is of a router that does not sample.
		if rate := h.count(l.sampling); rate >= 0 {
			r.Sampling = cmp.Or(rate, l.unsaid)
		}
	}
	there, back := r.Orig.IPBytes > 0 || r.Orig.Packets > 0, r.Resp.IPBytes > 0 || r.Resp.Packets > 0
	switch {
	case !there && back:
		r.OneWay = true
	case !back && l.singles:
		r.Resp, r.Single = flowmath.Unseen(), true
	}
	if err := r.Check(); err != nil {
		return r, fmt.Errorf("implausible record: %w", err)
	}
	return r, nil
}

// addresses are the ends of a record: those of the packets, where it has them.
func (l layout) addresses(h hit) (source, destination string) {
	source, destination = h.text(l.packetSource), h.text(l.packetDestination)
	if source == "" || destination == "" {
		return h.text(sourceIP), h.text(destinationIP)
	}
	return source, destination
}

// hits reads the documents; of several of one flow the last is used.
func (l layout) hits(op string, hits []hit) ([]flowmath.Record, error) {
	records := make([]flowmath.Record, 0, len(hits))
	seen := map[string]int{}
	for _, h := range hits {
		r, err := l.record(h)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		if id := h.text(l.id); id != "" {
			key := fmt.Sprintln(r.Sensor, id, r.Src, r.SrcPort, r.Dst, r.DstPort)
			if i, ok := seen[key]; ok {
				if newer(&r, &records[i]) {
					records[i] = r
				}
				continue
			}
			seen[key] = len(records)
		}
		records = append(records, r)
	}
	return records, nil
}

// newer reports whether a record of a flow is newer than another of it. Both count from the flow's
// beginning; their stamps may be of the same second.
func newer(r, than *flowmath.Record) bool {
	return cmp.Or(r.End().Compare(than.End()), cmp.Compare(r.Duration, than.Duration), cmp.Compare(r.Orig.IPBytes, than.Orig.IPBytes)) > 0
}
