package postgres

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// statement is one query under construction: values are always parameters, names
// always those that were quoted when the table was looked up.
type statement struct {
	t    *table
	args []any
	// from and to are the window; newest ends the flows that go on.
	from, to, newest time.Time
	// local names the condition that an address is the host's, for a column.
	local func(column string) string
	// only is the host's address where it has one, so that it is not computed
	// for every row.
	only string
	// sent selects only rows that count what the host sent.
	sent bool
	// asWritten leaves the hosts' addresses as they are in the rows.
	asWritten bool
	// inside are the networks of the hosts.
	inside string
	// raw leaves the peers' addresses as they are in the rows.
	raw bool
	// stays are the networks to which nothing leaves, where only what leaves counts.
	stays string
	// apart reports whether the addresses are of different hosts.
	apart bool
	// most bounds the rows, of each side, to those in which most was sent.
	most string
}

// arg adds a parameter and returns its placeholder.
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

// clockChange is more than clocks are ever put back or forward.
const clockChange = 3 * time.Hour

// began is the condition that a flow began in [from, to); the zero time is no
// bound. It is on the column that has the index.
func (q *statement) began(from, to time.Time) string {
	start := q.t.columns["start"]
	var all []string
	bound := func(operator string, at time.Time, slack time.Duration) {
		if at.IsZero() {
			return
		}
		all = append(all, fmt.Sprintf("%s %s %s", start, operator, q.time(at)))
		if q.t.written != "" {
			wall := at.Add(slack).In(q.t.zone).Format("2006-01-02 15:04:05.999999")
			all = append(all, fmt.Sprintf("%s %s %s::text::timestamp", q.t.written, operator, q.arg(wall)))
		}
	}
	bound(">=", from, -clockChange)
	bound("<", to, clockChange)
	return strings.Join(all, " AND ")
}

// newestFirst is the order of the index, backwards.
func (q *statement) newestFirst() string { return cmp.Or(q.t.written, q.t.columns["start"]) + " DESC" }

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

// during is the condition that a flow overlaps the window.
func (q *statement) during() string {
	start, raw := q.t.columns["start"], q.t.columns["end"]
	from := q.time(q.from)
	if raw == "" {
		return q.began(q.from, q.to)
	}
	open := ""
	if q.newest.After(q.from) {
		open = fmt.Sprintf(" OR %s IS NULL", raw)
	}
	return fmt.Sprintf("%s AND (%s > %s OR %s >= %s%s)", q.began(q.from.Add(-q.t.longest), q.to), raw, from, start, from, open)
}

// part is the expressions for the end of a flow and for the part of it that
// is in the window. Most flows are in it as a whole, so that is checked first.
func (q *statement) part() (end, share string) {
	start, raw := q.t.columns["start"], q.t.columns["end"]
	if raw == "" && q.t.columns["sampling"] != "" {
		return start, fmt.Sprintf("CASE WHEN %s = 0 THEN NULL ELSE 1::float8 END", q.t.columns["sampling"])
	}
	if raw == "" {
		return start, "1::float8"
	}
	from, to := q.time(q.from), q.time(q.to)
	end = fmt.Sprintf("GREATEST(%s, COALESCE(%s, %s))", start, raw, q.time(q.newest))
	share = fmt.Sprintf("CASE WHEN %[1]s >= %[3]s AND %[2]s <= %[4]s THEN 1 ELSE COALESCE(%[5]s / NULLIF(%[6]s, 0), 1) END", start, raw, from, to,
		q.seconds(fmt.Sprintf("LEAST(%s, %s)", end, to), fmt.Sprintf("GREATEST(%s, %s)", start, from)), q.seconds(end, start))
	if column := q.t.columns["sampling"]; column != "" {
		// An unknown number of bytes has no part.
		share = fmt.Sprintf("CASE WHEN %s = 0 THEN NULL ELSE %s END", column, share)
	}
	return end, share
}

// counters is what one end sent, as expressions over a row: bytes, the lowest
// and the highest that the counters allow, and packets, each NULL where it was
// not counted. Raw are the bytes as they are in the row, wire those with headers.
type counters struct{ bytes, low, high, packets, raw, rawPackets, wire string }

// empty is the condition that the side counted nothing, zero that a counter that
// no packet leaves at 0 is 0, and contradicted that packets were counted, and no
// bytes on the wire. They follow [flowmath.Record].
func (c counters) empty() string {
	return fmt.Sprintf("NOT COALESCE(%s, 0) > 0 AND NOT COALESCE(%s, 0) > 0", c.raw, c.rawPackets)
}

func (c counters) zero() string { return fmt.Sprintf("(%s = 0 OR %s = 0)", c.wire, c.rawPackets) }

func (c counters) contradicted() string {
	return fmt.Sprintf("COALESCE(%s, 0) > 0 AND NOT COALESCE(%s, 0) > 0 AND (%s) IS NOT NULL", c.rawPackets, c.raw, c.wire)
}

// saw is the condition that what the source sent was seen, of a record that is
// not blank: a host that opened a flow that was answered has sent something.
func (c counters) saw(received string) string {
	seen := fmt.Sprintf("COALESCE(%s, 0) > 0", c.raw)
	if c.wire != "NULL::bigint" {
		return "(" + seen + ")"
	}
	return fmt.Sprintf("(%s OR COALESCE(%s, 0) > 0 OR COALESCE(%s, -1) = 0 AND NOT COALESCE(%s, 0) > 0)", seen, c.rawPackets, c.raw, received)
}

// counted is the condition of most records, which is checked first: some bytes
// were counted, and their meaning is known.
func (t *table) counted(mine, theirs counters) string {
	bytes := fmt.Sprintf("(COALESCE(%s, 0) > 0 OR COALESCE(%s, 0) > 0)", mine.raw, theirs.raw)
	if column := t.columns["sampling"]; column != "" {
		bytes += fmt.Sprintf(" AND NOT COALESCE(%s, 1) = 0", column)
	}
	return bytes
}

// blank is why a record has no volume, as a [flowmath.Blank].
func (t *table) blank(mine, theirs counters) string {
	rate := ""
	if column := t.columns["sampling"]; column != "" {
		rate = fmt.Sprintf("WHEN %s = 0 THEN %d ", column, flowmath.NoRate)
	}
	return fmt.Sprintf("CASE %sWHEN %s AND %s AND COALESCE(%s OR %s, false) THEN %d ELSE 0 END", rate,
		mine.empty(), theirs.empty(), mine.zero(), theirs.zero(), flowmath.NoPackets)
}

// side returns the counters of the ending out or in.
func (t *table) side(ending string) counters {
	wire, payload, packets := t.columns["bytes_"+ending], t.columns["payload_"+ending], t.columns["packets_"+ending]
	times := ""
	if column := t.columns["sampling"]; column != "" {
		times = fmt.Sprintf(" * GREATEST(%s, 1)", column)
	}
	plain := func(column, times string) string {
		if column == "" {
			return "NULL::float8"
		}
		return fmt.Sprintf("CASE WHEN %[1]s >= 0 THEN %[1]s::float8%[2]s END", column, times)
	}
	c := counters{packets: plain(packets, times), raw: cmp.Or(wire, payload, "NULL::bigint"), rawPackets: cmp.Or(packets, "NULL::bigint")}
	c.wire = cmp.Or(wire, "NULL::bigint")
	if packets != "" {
		// An exporter that leaves the packets out may be stored as 0.
		c.packets = fmt.Sprintf("CASE WHEN %[1]s > 0 OR %[1]s = 0 AND NOT COALESCE(%[2]s, 0) > 0 THEN %[1]s::float8%[3]s END", packets, c.raw, times)
	}
	if wire != "" && payload != "" {
		c.raw = fmt.Sprintf("GREATEST(%s, %s)", wire, payload)
		if packets != "" {
			c.packets = fmt.Sprintf("CASE WHEN %[1]s > 0 OR %[1]s = 0 AND NOT COALESCE(%[2]s, 0) > 0 THEN %[1]s::float8%[3]s END", packets, c.raw, times)
		}
		return c.both(plain(wire, t.perByte+times), plain(payload, t.perByte+times), plain(packets, ""), times)
	}
	c.bytes = plain(cmp.Or(wire, payload), t.perByte+times)
	c.low, c.high = c.bytes, c.bytes
	return c
}

// both follows [flowmath.Side.Volume]: the counter of the wire is used where it
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
// other is left out. Counters that a row does not have are NULL.
func (q *statement) flows() string {
	both := []string{q.seen("src", "dst", "out", "in")}
	if !q.sent || !q.t.single {
		both = append(both, q.seen("dst", "src", "in", "out"))
	}
	return "(" + strings.Join(both, "\nUNION ALL\n") + ")"
}

// seen selects the flows as seen from one of the two columns of addresses.
func (q *statement) seen(local, remote, mine, theirs string) string {
	col := q.t.columns
	lip, rip := col[local+"_ip"], col[remote+"_ip"]
	lport, rport := portOf(col[local+"_port"]), portOf(col[remote+"_port"])
	source := local == "src"
	sent, received := q.t.side(mine), q.t.side(theirs)
	opened, port, oneWay := strconv.FormatBool(source), portOf(col["dst_port"]), "0"
	var measured string
	switch {
	case q.t.single:
		opened = q.opens(lport, rport)
		port = fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", opened, rport, lport)
		none := counters{"0::float8", "0::float8", "0::float8", "0::float8", "NULL::bigint", "NULL::bigint", "NULL::bigint"}
		if received = q.t.side("out"); source {
			sent, received = q.t.side("out"), none
			measured = sent.saw("0") + "::int"
			oneWay = "1 - " + measured
		} else {
			sent, measured = none, "0"
		}
	case source:
		measured = sent.saw(received.raw) + "::int"
		oneWay = "1 - " + measured
	default:
		measured = fmt.Sprintf("(NOT (%s))::int", sent.contradicted())
		oneWay = "1 - " + measured
	}
	counted := q.t.counted(sent, received)
	blank := fmt.Sprintf("CASE WHEN %s THEN 0 ELSE %s END", counted, q.t.blank(sent, received))
	measured, oneWay = fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s > 0 THEN 0 ELSE %s END", counted, measured, q.t.blank(sent, received), measured),
		fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s > 0 THEN 1 ELSE %s END", counted, oneWay, q.t.blank(sent, received), oneWay)
	end, share := q.part()
	sampled := "false"
	if col["sampling"] != "" {
		sampled = col["sampling"] + " > 1"
	}
	return fmt.Sprintf(`SELECT %s AS local, %s AS peer, %s AS lport, %s AS rport, %s AS port, %s AS proto, %s AS opened,
		%s AS sent, %s AS received, %s AS packets, %s AS low, %s AS high,
		%s AS measured, %s AS oneway, %s AS blank, %s AS sampled, %s AS sensor, %s AS s, %s AS e, %s AS w
		FROM %s`,
		q.own(lip), q.peer(rip), lport, rport, port, col["transport"], opened,
		sent.bytes, received.bytes, sent.packets, sent.low, sent.high,
		measured, oneWay, blank, sampled, cmp.Or(col["sensor"], "NULL::text"), col["start"], end, share, q.rows(lip, rip, sent.bytes))
}

// rows is the table's rows of the host and the window. Where they are bounded
// that is done before anything is computed from them.
func (q *statement) rows(lip, rip, sent string) string {
	// Conditions are evaluated in this order: few rows pass that on time.
	rows := fmt.Sprintf("%s WHERE %s AND %s AND %s", q.table(), q.local(lip), q.during(), q.outside(rip))
	if q.most == "" {
		return rows
	}
	return fmt.Sprintf("(SELECT * FROM %s ORDER BY %s DESC NULLS LAST, %s LIMIT %s) r", rows, sent, q.newestFirst(), q.most)
}

// own is the host's address.
func (q *statement) own(column string) string {
	switch {
	case q.asWritten:
		return column
	case q.only == "":
		return q.t.address.canonical(column)
	case q.t.address.written():
		return q.arg(q.only) + "::text"
	default:
		return q.arg(q.only) + "::text::inet"
	}
}

// peer is the far end's address, canonical unless [statement.raw].
func (q *statement) peer(column string) string {
	if q.raw {
		return column
	}
	return q.t.address.canonical(column)
}

// outside is the condition for the far end that leaves out traffic within the
// host. A row without a far end was sent nevertheless.
func (q *statement) outside(column string) string {
	if q.stays != "" {
		return fmt.Sprintf("COALESCE(NOT %s <<= ANY(%s), false)", q.t.address.host(column), q.stays)
	}
	if q.apart {
		return "true"
	}
	return fmt.Sprintf("(%s) IS NOT TRUE", q.local(column))
}

func portOf(column string) string { return fmt.Sprintf("COALESCE(%s, 0)::int", column) }

// opens follows [flowmath.Opens].
func (q *statement) opens(lport, rport string) string {
	asked := q.arg(q.t.asked) + "::int[]"
	return fmt.Sprintf("CASE WHEN (%[1]s = ANY(%[3]s)) <> (%[2]s = ANY(%[3]s)) THEN %[2]s = ANY(%[3]s) ELSE %[2]s <= %[1]s END",
		lport, rport, asked)
}
