package postgres

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// statement is one question while it is written: values only ever go in as
// parameters, names only as they were quoted when the table was looked at.
type statement struct {
	t    *table
	args []any
	// from and to are the window; newest ends the flows that go on.
	from, to, newest time.Time
	// local names the condition that an address is the host's, for a column.
	local func(column string) string
	// sent asks only for rows that tell what the host sent.
	sent bool
	// apart tells that the addresses are of different hosts.
	apart bool
}

// arg adds a parameter and returns its place.
func (q *statement) arg(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

// time adds a time as a parameter of the column's own type, so that an index on
// it can be used.
func (q *statement) time(at time.Time) string {
	kind := q.t.types["start"]
	switch {
	case q.t.perSecond == 0 && kind == "timestamp without time zone":
		return q.arg(at.UTC()) + "::timestamp"
	case q.t.perSecond == 0:
		return q.arg(at.UTC()) + "::timestamptz"
	}
	units := float64(at.Unix())*q.t.perSecond + float64(at.Nanosecond())/1e9*q.t.perSecond
	if kind == "double precision" || kind == "numeric" {
		return q.arg(units) + "::" + kind
	}
	// A whole number, exact also in nanoseconds.
	perNano := int64(time.Second) / int64(q.t.perSecond)
	return q.arg(at.UnixNano()/perNano) + "::bigint"
}

// host makes addresses the host's.
func (q *statement) host(addrs []netip.Addr) {
	kind, text := "inet", make([]string, len(addrs))
	for i, a := range addrs {
		text[i] = a.String()
	}
	if q.t.types["src_ip"] != "inet" {
		kind = "text"
	}
	place := q.arg(text)
	q.local = func(column string) string { return fmt.Sprintf("%s = ANY(%s::text[]::%s[])", column, place, kind) }
}

// hosts makes each of the addresses a host of its own: what they send to each
// other counts.
func (q *statement) hosts(addrs []netip.Addr) {
	q.host(addrs)
	q.apart = true
}

// networks makes every address of the networks a host's.
func (q *statement) networks(own flowmath.Networks) {
	text := make([]string, len(own))
	for i, p := range own {
		text[i] = p.String()
	}
	place := q.arg(text)
	q.apart = true
	q.local = func(column string) string { return fmt.Sprintf("%s::inet <<= ANY(%s::text[]::inet[])", column, place) }
}

// everybody makes every source a host.
func (q *statement) everybody() {
	q.apart = true
	q.local = func(column string) string { return column + " IS NOT NULL" }
}

// seconds is the difference of two times, in units of the column.
func (q *statement) seconds(a, b string) string {
	if q.t.perSecond == 0 {
		return fmt.Sprintf("date_part('epoch', %s - %s)", a, b)
	}
	return fmt.Sprintf("(%s - %s)::float8", a, b)
}

// nanos is a time as nanoseconds since 1970.
func (q *statement) nanos(a string) string {
	switch q.t.perSecond {
	case 0:
		return fmt.Sprintf("(date_part('epoch', %s) * 1000000)::bigint * 1000", a)
	case 1e9:
		return a + "::bigint"
	default:
		return fmt.Sprintf("(%s * %g)::bigint", a, 1e9/q.t.perSecond)
	}
}

// during is the condition that a flow overlaps the window, and the expression
// for its end.
func (q *statement) during() (where, end string) {
	start := q.t.columns["start"]
	from, to := q.time(q.from), q.time(q.to)
	if q.t.columns["end"] == "" {
		return fmt.Sprintf("%[1]s >= %[2]s AND %[1]s < %[3]s", start, from, to), start
	}
	end = fmt.Sprintf("GREATEST(%s, COALESCE(%s, %s))", start, q.t.columns["end"], q.time(q.newest))
	return fmt.Sprintf("%[1]s >= %[2]s AND %[1]s < %[3]s AND (%[4]s > %[5]s OR %[1]s >= %[5]s)", start,
		q.time(q.from.Add(-q.t.longest)), to, end, from), end
}

// counters is what one end sent, as expressions over a row: bytes, the lowest
// and the highest that the counters allow, packets, and whether the bytes were
// counted at all.
type counters struct{ bytes, low, high, packets, counted string }

// side returns the counters of the ending out or in.
func (t *table) side(ending string) counters {
	plain := func(setting, times string) string {
		if column := t.columns[setting+ending]; column != "" {
			return fmt.Sprintf("CASE WHEN %[1]s >= 0 THEN %[1]s::float8%[2]s END", column, times)
		}
		return "NULL::float8"
	}
	sampled := ""
	if column := t.columns["sampling"]; column != "" {
		sampled = fmt.Sprintf(" * GREATEST(%s, 1)", column)
	}
	wire, payload := plain("bytes_", t.perByte+sampled), plain("payload_", t.perByte+sampled)
	c := counters{packets: plain("packets_", sampled)}
	switch {
	case t.columns["payload_"+ending] == "":
		c.bytes, c.counted = wire, notNull(t.columns["bytes_"+ending])
	case t.columns["bytes_"+ending] == "":
		c.bytes, c.counted = payload, notNull(t.columns["payload_"+ending])
	default:
		c.counted = "(" + notNull(t.columns["bytes_"+ending]) + " OR " + notNull(t.columns["payload_"+ending]) + ")"
		return c.both(wire, payload, plain("packets_", ""), sampled)
	}
	c.low, c.high = c.bytes, c.bytes
	return c
}

func notNull(column string) string {
	if column == "" {
		return "false"
	}
	return fmt.Sprintf("COALESCE(%s >= 0, false)", column)
}

// both follows [flowmath.Side.Volume]: the counter of the wire stands where it
// holds the payload, the payload where that many packets can have carried it.
func (c counters) both(wire, payload, packets, sampled string) counters {
	c.bytes = fmt.Sprintf(`CASE WHEN (%[1]s) IS NULL THEN %[2]s WHEN (%[2]s) IS NULL OR (%[1]s) >= (%[2]s) THEN %[1]s
		WHEN (%[3]s) IS NULL OR (%[2]s) <= 65536 * (%[3]s)%[4]s THEN %[2]s ELSE %[1]s END`, wire, payload, packets, sampled)
	c.low = fmt.Sprintf(`CASE WHEN (%[1]s) > (%[2]s) + 120 * GREATEST(1, (%[3]s))%[4]s THEN (%[2]s) + 120 * GREATEST(1, (%[3]s))%[4]s
		ELSE COALESCE(%[1]s, %[2]s) END`, wire, payload, packets, sampled)
	c.high = fmt.Sprintf("GREATEST(%s, %s)", wire, payload)
	return c
}

// flows is a subquery of the host's flows in the window, one row each, as seen
// from the host. Where the host has several addresses, what they send to each
// other is left out.
func (q *statement) flows() string {
	where, end := q.during()
	both := []string{q.seen("src", "dst", "out", "in", where, end)}
	if !q.sent || !q.t.single {
		both = append(both, q.seen("dst", "src", "in", "out", where, end))
	}
	return "(" + strings.Join(both, "\nUNION ALL\n") + ")"
}

// seen selects the flows as seen from one of the two columns of addresses.
func (q *statement) seen(local, remote, mine, theirs, where, end string) string {
	col := q.t.columns
	lip, rip := col[local+"_ip"], col[remote+"_ip"]
	lport, rport := portOf(col[local+"_port"]), portOf(col[remote+"_port"])
	source := local == "src"
	sent, received := q.t.side(mine), q.t.side(theirs)
	opened, measured, oneWay := strconv.FormatBool(source), "1", "0"
	switch {
	case q.t.single:
		opened = q.opens(lport, rport)
		none := counters{"0::float8", "0::float8", "0::float8", "0::float8", "false"}
		if received = q.t.side("out"); source {
			sent, received = q.t.side("out"), none
			measured = fmt.Sprintf("(%s)::int", sent.counted)
			oneWay = fmt.Sprintf("(NOT %s)::int", sent.counted)
		} else {
			sent, measured = none, "0"
		}
	case source:
		// Whoever opened a flow that was answered has sent something.
		blind := fmt.Sprintf("(NOT %s OR COALESCE(%s, 0) = 0 AND COALESCE(%s, 0) = 0 AND COALESCE(%s, 0) > 0)",
			sent.counted, sent.bytes, sent.packets, received.bytes)
		measured, oneWay = fmt.Sprintf("(NOT %s)::int", blind), fmt.Sprintf("%s::int", blind)
	}
	sensor, sampled, uncounted := "NULL::text", "false", fmt.Sprintf("(%s) IS NULL AND (%s)::int = 1", sent.packets, measured)
	if col["sensor"] != "" {
		sensor = col["sensor"]
	}
	if col["sampling"] != "" {
		sampled = col["sampling"] + " > 1"
	}
	share := "1::float8"
	if end != col["start"] {
		from, to := q.time(q.from), q.time(q.to)
		share = fmt.Sprintf("CASE WHEN %[1]s >= %[3]s AND %[2]s <= %[4]s THEN 1 ELSE %[5]s / NULLIF(%[6]s, 0) END", col["start"], end, from, to,
			q.seconds(fmt.Sprintf("LEAST(%s, %s)", end, to), fmt.Sprintf("GREATEST(%s, %s)", col["start"], from)), q.seconds(end, col["start"]))
	}
	return fmt.Sprintf(`SELECT %s AS local, %s AS peer, %s AS lport, %s AS rport, %s AS proto, %s AS opened,
		COALESCE(%s, 0) AS sent, COALESCE(%s, 0) AS received, COALESCE(%s, 0) AS packets, COALESCE(%s, 0) AS low, COALESCE(%s, 0) AS high,
		%s AS measured, %s AS oneway, %s AS sampled, %s AS uncounted, %s AS sensor, %s AS s, %s AS e, %s AS w
		FROM %s WHERE %s AND NOT (%s) AND %s`,
		lip, rip, lport, rport, col["transport"], opened,
		sent.bytes, received.bytes, sent.packets, sent.low, sent.high,
		measured, oneWay, sampled, uncounted, sensor, col["start"], end, share,
		q.t.name, q.local(lip), q.own(rip), where)
}

// own is the condition for the far end of what stays within the host.
func (q *statement) own(column string) string {
	if q.apart {
		return "false"
	}
	return q.local(column)
}

func portOf(column string) string { return fmt.Sprintf("COALESCE(%s, 0)::int", column) }

// opens follows [flowmath.Opens].
func (q *statement) opens(lport, rport string) string {
	asked := q.arg(q.t.asked) + "::int[]"
	return fmt.Sprintf("CASE WHEN (%[1]s = ANY(%[3]s)) <> (%[2]s = ANY(%[3]s)) THEN %[2]s = ANY(%[3]s) ELSE %[2]s <= %[1]s END",
		lport, rport, asked)
}
