package splunk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// row is one row of a search's answer.
type row map[string]cell

// cell is a value, which Splunk writes as a text. Several values are none: it cannot be
// known which of them is the event's.
type cell string

// UnmarshalJSON implements [json.Unmarshaler].
func (c *cell) UnmarshalJSON(text []byte) error {
	var s string
	switch {
	case len(text) > 0 && (text[0] == '[' || text[0] == '{'), string(text) == "null":
	case json.Unmarshal(text, &s) != nil:
		s = string(text)
	}
	*c = cell(s)
	return nil
}

// text is a field's value, empty where the event has none.
func (r row) text(field string) string {
	if v := string(r[field]); v != unsaid {
		return v
	}
	return ""
}

// count is a field's whole number, or [flowmath.NotSeen].
func (r row) count(field string) int64 {
	text := r.text(field)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return max(n, flowmath.NotSeen)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1<<62 {
		return flowmath.NotSeen
	}
	return int64(f)
}

// sum is a sum, 0 where no event has the field.
func (r row) sum(field string) int64 { return max(0, r.count(field)) }

// port is a port, 0 where there is none.
func (r row) port(field string) uint16 {
	n := r.count(field)
	if n < 0 || n > math.MaxUint16 {
		return 0
	}
	return uint16(n)
}

// time is a field's time.
func (r row) time(field string) (time.Time, bool) { return instant(r.text(field)) }

// instant reads a time: seconds since 1970 with a fraction, or a date with its zone.
func instant(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if seconds, err := strconv.ParseInt(whole, 10, 64); err == nil {
		const digits = 9
		fraction = (fraction + strings.Repeat("0", digits))[:digits]
		nanos, err := strconv.ParseUint(fraction, 10, 64)
		return time.Unix(seconds, int64(nanos)).UTC(), err == nil
	}
	t, err := time.Parse(time.RFC3339, text)
	return t.UTC(), err == nil
}

// lasting is a duration in seconds; without one, or with one that cannot be read, the flow
// is a moment.
func (r row) lasting(field string) time.Duration {
	f, err := strconv.ParseFloat(r.text(field), 64)
	if err != nil || !(f > 0) {
		return 0
	}
	return time.Duration(min(f*float64(time.Second), math.MaxInt64/2))
}

// left reports whether what the row is of left: its action refused nothing.
func (r row) left() bool { return !slices.Contains(refusals(), strings.ToLower(r.text(fieldAction))) }

// end is one end of an event, taken as the host's: its fields and those of the other.
type end struct {
	own, ownIP, peer, peerIP        string
	sent, received, packets, answer string
	source                          bool
}

// ends are the source and the destination.
func ends() (source, destination end) {
	source = end{fieldSrc, fieldSrcIP, fieldDest, fieldDestIP, fieldBytesOut, fieldBytesIn, fieldPacketsOut, fieldPacketsIn, true}
	destination = end{fieldDest, fieldDestIP, fieldSrc, fieldSrcIP, fieldBytesIn, fieldBytesOut, fieldPacketsIn, fieldPacketsOut, false}
	return source, destination
}

// address is an end's address: the field that holds addresses only comes first. An end that
// is known by its name alone is ::, like any other.
func (r row) address(ip, name string) netip.Addr {
	for _, field := range []string{ip, name} {
		if a, ok := flowmath.AddressIn(r.text(field)); ok {
			return a
		}
	}
	return netip.IPv6Unspecified()
}

// one has a row for each event: all that is read of an event is what it is grouped by. Two
// that are the same in all of that are one flow.
func (s *Flows) one() tstats {
	return tstats{
		sums: []string{"min(_time) AS first"},
		by: []string{
			fieldSrc, fieldSrcIP, fieldSrcPort, fieldDest, fieldDestIP, fieldDestPort, fieldTransport, fieldBytesOut, fieldBytesIn,
			fieldPacketsOut, fieldPacketsIn, fieldDuration, fieldSensor, fieldAction, "_time span=1s",
		},
	}
}

// records returns the flows of a search that may overlap [from, to), or false when there
// are more than are read one by one.
func (s *Flows) records(ctx context.Context, op string, where []string, from, to time.Time) ([]flowmath.Record, bool, error) {
	q := s.one()
	q.where, q.then = where, fmt.Sprintf("| head %d", s.config.Records+1)
	q.from, q.to = s.within(from, to)
	rows, err := s.search(ctx, op, q)
	if err != nil || len(rows) > s.config.Records {
		return nil, false, err
	}
	records, err := s.read(op, rows)
	return records, true, err
}

// read reads the rows of events. One that cannot be true is an error: it would be missing
// from the answer.
func (s *Flows) read(op string, rows []row) ([]flowmath.Record, error) {
	records := make([]flowmath.Record, 0, len(rows))
	for _, r := range rows {
		if !r.left() {
			continue
		}
		record, err := s.record(r)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		records = append(records, record)
	}
	return records, nil
}

func (s *Flows) record(r row) (flowmath.Record, error) {
	at, ok := r.time("first")
	if !ok {
		return flowmath.Record{}, errors.New("an event has no time")
	}
	lasted := r.lasting(fieldDuration)
	if s.config.Stamp == AtEnd {
		at = at.Add(-lasted)
	}
	record := flowmath.Record{
		Start: at, Duration: lasted, Src: r.address(fieldSrcIP, fieldSrc), Dst: r.address(fieldDestIP, fieldDest),
		SrcPort: r.port(fieldSrcPort), DstPort: r.port(fieldDestPort), Transport: r.transport(),
		Orig:     flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: r.count(fieldBytesOut), Packets: r.count(fieldPacketsOut)},
		Resp:     flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: r.count(fieldBytesIn), Packets: r.count(fieldPacketsIn)},
		Sampling: 1, Sensor: r.text(fieldSensor),
	}
	there, back := record.Orig.IPBytes > 0 || record.Orig.Packets > 0, record.Resp.IPBytes > 0 || record.Resp.Packets > 0
	record.OneWay = !there && back
	if err := record.Check(); err != nil {
		return record, fmt.Errorf("implausible event: %w", err)
	}
	return record, nil
}

func (r row) transport() string {
	if name := flowmath.TransportName(r.text(fieldTransport)); name != "" {
		return name
	}
	return unsaid
}

// viewsOf returns the records as seen from the host, without the traffic between its own
// addresses.
func viewsOf(records []flowmath.Record, h flowmath.Host, sensors *flowmath.Sensors, from, to time.Time) []flowmath.View {
	var views []flowmath.View
	for i := range records {
		r := &records[i]
		source := h.Has(r.Src)
		if source == h.Has(r.Dst) {
			continue
		}
		v := flowmath.ViewOf(r, source, sensors.Number(r.Sensor))
		if !source && r.Resp.IPBytes < 0 {
			// The destination's bytes are not there: that it sent none is not said.
			v.Measured, v.OneWay = false, true
		}
		if v.Overlaps(from.UnixNano(), to.UnixNano()) {
			views = append(views, v)
		}
	}
	return views
}
