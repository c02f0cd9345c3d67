package nfdump

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// recordFormat has nfdump print one record a line. It is the one kind of output
// whose fields hold in every version: JSON changed its names, and the names of
// its counters were mixed up in one release; CSV is to be removed. Times are written
// out: of those in seconds since 1970, version 1.7.1 has the end without its tenths.
const recordFormat = "fmt:%ts,%te,%pr,%sa,%da,%sp,%dp,%ipkt,%ibyt,%opkt,%obyt,%ra,%dir"

// The fields of recordFormat.
const (
	fieldStart = iota
	fieldEnd
	fieldProtocol
	fieldSource
	fieldDestination
	fieldSourcePort
	fieldDestinationPort
	fieldPackets
	fieldBytes
	fieldPacketsBack
	fieldBytesBack
	fieldRouter
	fieldDirection
	recordFields
)

// nothing is the one line that nfdump prints when it has no record to print.
const nothing = "No matching flows"

// split divides a line into its fields, without the spaces that align them.
func split(line []byte, into [][]byte) error {
	n := 0
	for field := range bytes.SplitSeq(line, []byte(",")) {
		if n == len(into) {
			return fmt.Errorf("%.80q has more than %d fields", line, len(into))
		}
		into[n] = bytes.TrimSpace(field)
		n++
	}
	if n < len(into) {
		return fmt.Errorf("%.80q has %d fields, not %d", line, n, len(into))
	}
	return nil
}

// parseRecord reads one line of recordFormat. A record without any counter, such
// as a firewall's event that a connection begins, is a flow that was not counted.
func parseRecord(line []byte, r *flowmath.Record) (bool, error) {
	var f [recordFields][]byte
	if err := split(line, f[:]); err != nil {
		return false, err
	}
	var n counts
	start, end := n.instant(f[fieldStart]), n.instant(f[fieldEnd])
	*r = flowmath.Record{
		Start: start, Duration: max(0, end.Sub(start)),
		Src: n.address(f[fieldSource]), Dst: n.address(f[fieldDestination]),
		SrcPort: n.port(f[fieldSourcePort]), DstPort: n.port(f[fieldDestinationPort]),
		Transport: flowmath.TransportName(string(f[fieldProtocol])),
		Orig:      flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: n.count(f[fieldBytes]), Packets: n.count(f[fieldPackets])},
		Resp:      flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: n.count(f[fieldBytesBack]), Packets: n.count(f[fieldPacketsBack])},
		Sampling:  1, Sensor: sensorName(f[fieldRouter], f[fieldDirection]),
	}
	if n.err != nil {
		return false, fmt.Errorf("record %.200q: %w", line, n.err)
	}
	there, back := r.Orig.IPBytes > 0 || r.Orig.Packets > 0, r.Resp.IPBytes > 0 || r.Resp.Packets > 0
	switch {
	case !there && back:
		r.OneWay = true
	case !back:
		// Most exporters write a record for each direction.
		r.Resp, r.Single = flowmath.Unseen(), true
	}
	if err := r.Check(); err != nil {
		return false, fmt.Errorf("record %.200q: %w", line, err)
	}
	return true, nil
}

// egress is the ending of the names of sensors that see outgoing traffic.
const egress = " egress"

// sensorName returns the name of a record's sensor. A router that exports both
// incoming and outgoing traffic sees one flow twice: its two sides are two sensors.
func sensorName(router, direction []byte) string {
	if string(direction) == "E" {
		return string(router) + egress
	}
	return string(router)
}

// counts reads fields and keeps the first error.
type counts struct{ err error }

func (c *counts) fail(what string, field []byte) {
	if c.err == nil {
		c.err = fmt.Errorf("invalid %s %.40q", what, field)
	}
}

func (c *counts) count(field []byte) int64 {
	n, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil || n < 0 {
		c.fail("count", field)
		return 0
	}
	return n
}

// port reads a port. ICMP has none: nfdump prints its type and code there.
func (c *counts) port(field []byte) uint16 {
	if bytes.ContainsRune(field, '.') {
		return 0
	}
	n, err := strconv.ParseUint(string(field), 10, 16)
	if err != nil {
		c.fail("port", field)
	}
	return uint16(n)
}

func (c *counts) address(field []byte) netip.Addr {
	a, err := netip.ParseAddr(string(field))
	if err != nil {
		c.fail("address", field)
	}
	return a.Unmap()
}

// instant reads a time in UTC with its milliseconds. A record that has none is of 1970.
func (c *counts) instant(field []byte) time.Time {
	if string(field) == "0000-00-00 00:00:00.000" {
		return time.Unix(0, 0).UTC()
	}
	t, err := time.Parse("2006-01-02 15:04:05.000", string(field))
	if err != nil {
		c.fail("time", field)
	}
	return t
}

// filter is an expression for nfdump, made of addresses and networks only.
type filter string

// hostFilter selects what the addresses sent, or what they received, too.
func hostFilter(addrs []netip.Addr, sentOnly bool) filter {
	word := "ip "
	if sentOnly {
		word = "src ip "
	}
	terms := make([]string, len(addrs))
	for i, a := range addrs {
		terms[i] = word + a.WithZone("").String()
	}
	return filter(strings.Join(terms, " or "))
}

func networkFilter(direction string, networks flowmath.Networks) filter {
	terms := make([]string, len(networks))
	for i, n := range networks {
		terms[i] = direction + " net " + n.Masked().String()
	}
	return filter(strings.Join(terms, " or "))
}

// timeWindow is the argument of -t: records that begin and end within, to the
// second. Without an end it is open.
func timeWindow(from, to time.Time) string {
	const layout = "2006/01/02.15:04:05"
	// nfdump has no times before 1970.
	first := time.Unix(0, 0).UTC().AddDate(0, 0, 1)
	if from.Before(first) {
		from = first
	}
	if to.IsZero() {
		return from.UTC().Format(layout)
	}
	return from.UTC().Format(layout) + "-" + to.Add(time.Second-1).UTC().Format(layout)
}

// broken returns the error of a line that is not in the requested format.
func broken(op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	return integrations.Errorf(integrations.Unavailable, op, "unexpected output of nfdump: %w", err)
}

// router is the address of the router that a sensor belongs to.
func router(sensor string) string { return strings.TrimSuffix(sensor, egress) }

// sensor is a sensor's name as it is shown to people.
func (s *Store) sensor(seen string) string {
	if name, ok := s.config.Sensors[router(seen)]; ok {
		return name + strings.TrimPrefix(seen, router(seen))
	}
	return seen
}
