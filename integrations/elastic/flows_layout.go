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

// Layout is the program that wrote the records, which sets the meaning of fields.
type Layout string

// The closed set of layouts.
const (
	// Packetbeat reports a flow every few seconds with all that it counted so
	// far; the last report is the flow.
	Packetbeat Layout = "packetbeat"
	// NetFlow is a record for each direction, or of both, as the router sends.
	NetFlow Layout = "netflow"
	// Zeek writes a connection when it has ended.
	Zeek Layout = "zeek"
)

// The fields of the Elastic Common Schema.
const (
	timeField = "@timestamp"

	sourceIP, sourcePort           = "source.ip", "source.port"
	destinationIP, destinationPort = "destination.ip", "destination.port"
	sourceBytes, sourcePackets     = "source.bytes", "source.packets"
	destinationBytes               = "destination.bytes"
	destinationPackets             = "destination.packets"
	transport, dataset             = "network.transport", "event.dataset"
	eventStart, eventEnd           = "event.start", "event.end"
	eventDuration                  = "event.duration"
	flowID, flowFinal              = "flow.id", "flow.final"
	samplingInterval               = "netflow.sampling_interval"
)

// layout is what is specific to one writer's records.
type layout struct {
	datasets []string
	sensor   string
	// startStamp reports whether the stamp is the flow's beginning; else it is its
	// end, or the time of the report.
	startStamp bool
	// repeats reports whether a flow has several documents, of which the last counts.
	repeats bool
	// singles reports whether a record may be of one direction only.
	singles bool
	// sampling is the field of the sampling rate; the counters are of the
	// sampled packets.
	sampling string
	// unsaid is the rate of sensors that report 0, 0 where it is unknown.
	unsaid int64
	// only and without choose the documents that count.
	only, without []integrations.Match
}

func layouts() map[Layout]layout {
	return map[Layout]layout{
		Packetbeat: {datasets: []string{"flow", "network_traffic.flow"}, sensor: "agent.name", repeats: true},
		NetFlow:    {datasets: []string{"netflow.log"}, sensor: "observer.ip", singles: true, sampling: samplingInterval},
		Zeek:       {datasets: []string{"zeek.connection"}, sensor: "observer.name", startStamp: true},
	}
}

// records selects the flow records, of all hosts and times.
func (l layout) records() query {
	all := []query{{Terms: map[string]any{dataset: l.datasets}}, {Exists: &field{Field: sourceIP}}}
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
		return stamped(from.Add(-longest), to)
	}
	return stamped(from, to.Add(longest))
}

// fields are the fields of a record that are read.
func (l layout) fields() []field {
	const nanos = "strict_date_optional_time_nanos"
	list := []field{{timeField, nanos}, {eventStart, nanos}, {eventEnd, nanos}}
	for _, name := range []string{
		eventDuration, sourceIP, sourcePort, destinationIP, destinationPort, transport,
		sourceBytes, sourcePackets, destinationBytes, destinationPackets, l.sensor,
	} {
		list = append(list, field{Field: name})
	}
	if l.repeats {
		list = append(list, field{Field: flowID}, field{Field: flowFinal})
	}
	if l.sampling != "" {
		list = append(list, field{Field: l.sampling})
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
	stamp, ok := h.time(timeField)
	if !ok {
		return start, end, false
	}
	lasted := time.Duration(max(0, h.count(eventDuration)))
	start, began := h.time(eventStart)
	end, ended := h.time(eventEnd)
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
	src, err := netip.ParseAddr(h.text(sourceIP))
	if err != nil {
		return fail("source address")
	}
	dst, err := netip.ParseAddr(h.text(destinationIP))
	if err != nil {
		return fail("destination address")
	}
	r = flowmath.Record{
		Start: start, Duration: max(0, end.Sub(start)), Src: src.Unmap(), Dst: dst.Unmap(),
		SrcPort: uint16(max(0, h.count(sourcePort))), DstPort: uint16(max(0, h.count(destinationPort))),
		Transport: flowmath.TransportName(h.text(transport)),
		Orig:      flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: h.count(sourceBytes), Packets: h.count(sourcePackets)},
		Resp:      flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: h.count(destinationBytes), Packets: h.count(destinationPackets)},
		Sampling:  1, Sensor: h.text(l.sensor),
	}
	if r.Transport == "" {
		r.Transport = "unknown"
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

// hits reads the documents, which come newest first; of several of one flow the
// newest is used.
func (l layout) hits(op string, hits []hit) ([]flowmath.Record, error) {
	records := make([]flowmath.Record, 0, len(hits))
	seen := map[string]bool{}
	for _, h := range hits {
		if id := h.text(flowID); l.repeats && id != "" {
			key := h.text(l.sensor) + "\n" + id
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		r, err := l.record(h)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		records = append(records, r)
	}
	return records, nil
}
