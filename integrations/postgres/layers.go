package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// ends are the columns that make a flow of one host.
const ends = "local, peer, lport, rport, proto, opened"

// counted is a subquery of the host's flows with their shares of the window.
// Where it is needed, each 5-tuple counts once: of several sensors' counts of it
// the largest is used, and the two directions of records of one direction are one
// flow.
func (q *statement) counted(once bool) string {
	if !q.merged(once) {
		q.raw = true
		low, high := "low * w", "high * w"
		if !q.t.twice() {
			// The same expression is summed once.
			low, high = "sent * w", "sent * w"
		}
		return fmt.Sprintf(`(SELECT %s, port, sent * w AS sent, received * w AS received, packets * w AS packets, %s AS low, %s AS high,
			1 AS flows, measured, oneway, blank, sampled, measured = 1 AND packets IS NULL AS uncounted, sensor, s, e FROM %s f)`,
			ends, low, high, q.flows())
	}
	flows := "count(*)"
	if q.t.single {
		flows = q.starts()
	}
	return fmt.Sprintf(`(SELECT %[1]s, port, max(sent) AS sent, max(received) AS received, max(packets) AS packets,
		min(low) FILTER (WHERE measured > 0) AS low, max(high) FILTER (WHERE measured > 0) AS high,
		max(flows) AS flows, max(measured) AS measured, CASE WHEN max(measured) > 0 THEN 0 ELSE max(oneway) END AS oneway,
		CASE WHEN max(measured) > 0 THEN 0 ELSE max(blank) END AS blank, bool_or(sampled) AS sampled, bool_or(uncounted) AS uncounted, NULL::text AS sensor, min(s) AS s, max(e) AS e
		FROM (SELECT %[1]s, port, sensor, sum(sent * w) AS sent, sum(received * w) AS received, sum(packets * w) AS packets,
			sum(low * w) AS low, sum(high * w) AS high, %[2]s AS flows, max(measured) AS measured, max(oneway) AS oneway,
			max(blank) AS blank, bool_or(sampled) AS sampled, bool_or(measured = 1 AND packets IS NULL) AS uncounted, min(s) AS s, max(e) AS e
			FROM %[3]s f GROUP BY %[1]s, port, sensor) t
		GROUP BY %[1]s, port)`, ends, flows, q.flows())
}

// merged reports whether flows are merged before they are summed.
func (q *statement) merged(once bool) bool { return once || q.t.single }

// starts counts the flows of a group of records of one direction, of which a long
// flow has many: it is the number of minutes with a record.
func (q *statement) starts() string {
	minute := fmt.Sprintf("GREATEST(0, floor(%s / %g))", q.seconds("s", q.time(q.from)), 60*max(q.t.perSecond, 1))
	return fmt.Sprintf(`GREATEST(count(DISTINCT %[1]s) FILTER (WHERE measured > 0), count(DISTINCT %[1]s) FILTER (WHERE measured = 0))`, minute)
}

// twice reports whether bytes have two counters.
func (t *table) twice() bool {
	return t.columns["bytes_out"] != "" && t.columns["payload_out"] != "" ||
		t.columns["bytes_in"] != "" && t.columns["payload_in"] != ""
}

// several is the condition, over a group, that more than one sensor saw it.
func (q *statement) several() string {
	switch q.t.types["sensor"] {
	case "":
		return "false"
	case "text", "character varying":
		return `COALESCE(min(sensor COLLATE "C") <> max(sensor COLLATE "C"), false)`
	default:
		return "COALESCE(min(sensor) <> max(sensor), false)"
	}
}

// sentSomething is the condition that the host sent something in a flow, or
// that it must have, having opened it.
const sentSomething = "opened AND measured + oneway > 0 OR sent > 0 OR packets > 0"

// sums are the columns that an answer is made of, see line. A row that was not
// merged is one flow, and measured unless it is one-way.
func (q *statement) sums(once bool) string {
	flows, measured, oneWay, several := "count(*)", "sum(measured)", "count(*) - sum(measured)", q.several()
	sentFlows := fmt.Sprintf("count(*) FILTER (WHERE %s)", strings.Replace(sentSomething, "AND measured + oneway > 0", "", 1))
	if q.merged(once) {
		flows, oneWay, several = "sum(flows)", "sum(oneway)", "false"
		sentFlows = fmt.Sprintf("sum(flows) FILTER (WHERE %s)", sentSomething)
	}
	return fmt.Sprintf(`sum(sent), sum(received), sum(packets), sum(low), sum(high), (%s)::bigint, (%s)::bigint, (%s)::bigint, (%s)::bigint,
		min(rport) FILTER (WHERE NOT opened), max(rport) FILTER (WHERE NOT opened), bool_or(sampled), bool_or(uncounted), max(blank), %s, %s, %s`,
		flows, measured, oneWay, sentFlows, q.nanos("min(s)"), q.nanos("max(e)"), several)
}

// text is an address as text.
func (t *table) text(column string) string {
	if t.address.written() {
		return column
	}
	return "host(" + column + ")"
}

// sensor is a sensor's name as text.
func (t *table) sensor(column string) string {
	switch t.types["sensor"] {
	case "":
		return "''"
	case "inet":
		return fmt.Sprintf("COALESCE(host(%s), '')", column)
	default:
		return fmt.Sprintf("COALESCE(%s::text, '')", column)
	}
}

// peers is the peer of counted flows: computed for each group, and for each flow
// only where flows are merged.
func (q *statement) peers(once bool) string {
	if q.merged(once) {
		return "peer"
	}
	return q.t.address.canonical("peer")
}

// services selects the largest services of the host, one line more than most.
func (q *statement) services(most int, once bool) string {
	return fmt.Sprintf(`SELECT '', %s, port, proto::text, opened, %s
		FROM %s x GROUP BY peer, port, proto, opened ORDER BY sum(sent) DESC NULLS LAST, sum(packets) DESC NULLS LAST, peer, port, proto, opened LIMIT %s`,
		q.t.text(q.peers(once)), q.sums(once), q.counted(once), q.arg(most+1))
}

// largest selects the largest service of each host.
func (q *statement) largest(once bool) string {
	return fmt.Sprintf(`SELECT DISTINCT ON (local) %s, %s, port, proto::text, opened, %s
		FROM %s x WHERE %s GROUP BY local, peer, port, proto, opened
		ORDER BY local, sum(sent) DESC NULLS LAST, sum(packets) DESC NULLS LAST, peer, port, proto, opened`,
		q.t.text("local"), q.t.text(q.peers(once)), q.sums(once), q.counted(once), sentSomething)
}

// totals selects the sums of all services, of each address or of all of them
// together, and the number of peers.
func (q *statement) totals(each, once bool) string {
	local, group := "''", ""
	if each {
		local, group = q.t.text("local"), "GROUP BY local"
	}
	return fmt.Sprintf(`SELECT %s, count(DISTINCT %s) FILTER (WHERE %s), %s FROM %s x %s`,
		local, q.peers(once), sentSomething, q.sums(once), q.counted(once), group)
}

// sample selects the largest flows, more than are returned where several records
// are one flow. Only the selected ones are converted to text, not all.
func (q *statement) sample() string {
	most := flowmath.SampleFlows
	if q.t.single || q.t.columns["sensor"] != "" {
		most *= 3
	}
	q.most = q.arg(most)
	return fmt.Sprintf("%s ORDER BY sent DESC NULLS LAST, s DESC LIMIT %s", q.views(), q.most)
}

// few selects the flows of the host, one more than most.
func (q *statement) few(most int) string { return fmt.Sprintf("%s LIMIT %s", q.views(), q.arg(most+1)) }

// views selects flows one by one.
func (q *statement) views() string {
	return fmt.Sprintf(`SELECT %s, lport, %s, rport, proto::text, opened, %s, %s, COALESCE(sent, 0), COALESCE(received, 0), COALESCE(packets, -1),
		COALESCE(low, 0), COALESCE(high, 0), measured, oneway, blank, sampled, %s FROM %s f`,
		q.t.text("local"), q.t.text("peer"), q.nanos("s"), q.nanos("e"), q.t.sensor("sensor"), q.flows())
}

// rank selects the hosts that sent most. A flow that several sensors saw counts
// several times here: the order among the largest is decided by [totals].
func (q *statement) rank(most int) string {
	q.asWritten = true
	host := q.t.address.canonical("local")
	return fmt.Sprintf(`SELECT host, array_agg(written) FROM (SELECT %s AS host, local::text AS written, %s AS own, sent
			FROM (SELECT local, sum(sent * w) AS sent FROM %s f GROUP BY local) g) h
		WHERE own GROUP BY host ORDER BY sum(sent) DESC NULLS LAST, host LIMIT %s`,
		q.t.text(host), q.t.address.inside(host, q.inside), q.flows(), q.arg(most))
}

// survey selects the sensors.
func (q *statement) survey() string {
	return fmt.Sprintf(`SELECT %s, count(*), max(rate), max(measured) = 0, count(*) FILTER (WHERE blank = %d), count(*) FILTER (WHERE blank = %d), %s
		FROM %s f GROUP BY sensor ORDER BY count(*) DESC LIMIT %s`,
		q.t.sensor("sensor"), flowmath.NoPackets, flowmath.NoRate, q.nanos("max(e)"), q.records(), q.arg(flowmath.MaxSensors))
}

// records is a subquery of all records of the window, as seen from the source.
func (q *statement) records() string {
	rate := "1"
	if column := q.t.columns["sampling"]; column != "" {
		rate = fmt.Sprintf("GREATEST(COALESCE(%s, 1), 0)", column)
	}
	seen := q.seen("src", "dst", "out", "in")
	return "(" + strings.Replace(seen, "SELECT ", "SELECT "+rate+"::bigint AS rate, ", 1) + ")"
}

// odd selects the addresses that are not written plainly, with the number of rows
// of each, among the rows that begin in the window, where addresses are text.
func (q *statement) odd() string {
	when := q.began(q.from, q.to) + " LIMIT " + q.arg(maxLooked)
	of := func(column string) string {
		return fmt.Sprintf("(SELECT %s::text AS address FROM %s WHERE %s)", column, q.table(), when)
	}
	return fmt.Sprintf(`SELECT COALESCE(address, ''), count(*) FROM (%s UNION ALL %s) a WHERE address !~ '^%s$' OR address IS NULL
		GROUP BY address ORDER BY count(*) DESC, address LIMIT %s`, of(q.t.columns["src_ip"]), of(q.t.columns["dst_ip"]), dotted, q.arg(maxOdd))
}

// disagreement selects what all counters allow, each flow once.
func (q *statement) disagreement() string {
	return fmt.Sprintf(`SELECT COALESCE(sum(low), 0), COALESCE(sum(high), 0) FROM %s x`, q.counted(true))
}

// halves selects the sensors that, in records of one direction, saw no flow from both
// ends.
func (q *statement) halves() string {
	where := q.during()
	col := q.t.columns
	sensor := q.t.router
	src, dst := q.t.address.canonical(col["src_ip"]), q.t.address.canonical(col["dst_ip"])
	a := fmt.Sprintf("(%s, %s)", src, portOf(col["src_port"]))
	b := fmt.Sprintf("(%s, %s)", dst, portOf(col["dst_port"]))
	return fmt.Sprintf(`SELECT sensor FROM (SELECT %[1]s AS sensor, bool_or(%[2]s < %[3]s) AND bool_or(%[2]s >= %[3]s) AS whole
		FROM %[4]s WHERE %[5]s GROUP BY 1, %[6]s, LEAST(%[7]s, %[8]s), GREATEST(%[7]s, %[8]s), LEAST(%[9]s, %[10]s), GREATEST(%[9]s, %[10]s)) t
		GROUP BY sensor HAVING NOT bool_or(whole)`, sensor, a, b, q.table(), where, col["transport"],
		src, dst, portOf(col["src_port"]), portOf(col["dst_port"]))
}

// windows selects what was sent in each of n windows, by host where there are several.
func (q *statement) windows(length time.Duration, n int, once bool) string {
	host, by := "", "b"
	if q.apart {
		host, by = q.t.text("local")+", ", "local, b"
	}
	l := q.arg(length.Seconds()*max(q.t.perSecond, 1)) + "::float8"
	last, from := q.arg(n-1)+"::int", q.time(q.from)
	const part = "sent * CASE WHEN measured = 0 THEN NULL WHEN x1 <= x0 THEN 1 ELSE (LEAST(x1, (b + 1) * l) - GREATEST(x0, b * l)) / (x1 - x0) END"
	parts := fmt.Sprintf(`(SELECT *, %[1]s AS l, generate_series(GREATEST(0, floor(x0 / %[1]s))::int,
			LEAST(%[2]s, (CASE WHEN x1 > x0 THEN ceil(x1 / %[1]s) - 1 ELSE floor(x0 / %[1]s) END)::int)) AS b
		FROM (SELECT *, %[3]s AS x0, %[4]s AS x1 FROM %[5]s f) g)`, l, last, q.seconds("s", from), q.seconds("e", from), q.flows())
	if !once {
		return fmt.Sprintf(`SELECT %sb, COALESCE(sum(%s), 0), sum(measured)::bigint, sum(oneway)::bigint, %s FROM %s p GROUP BY %s`, host, part, q.several(), parts, by)
	}
	return fmt.Sprintf(`SELECT %[4]sb, COALESCE(sum(sent), 0), sum(measured)::bigint, sum(oneway)::bigint, false
		FROM (SELECT b, local, max(sent) AS sent, max(measured) AS measured, CASE WHEN max(measured) > 0 THEN 0 ELSE max(oneway) END AS oneway
			FROM (SELECT b, %[1]s, sensor, sum(%[2]s) AS sent, max(measured) AS measured, max(oneway) AS oneway
				FROM %[3]s p GROUP BY b, %[1]s, sensor) t
			GROUP BY b, %[1]s) u GROUP BY %[5]s`, ends, part, parts, host, by)
}

// before selects whether there is a record of the host that began in the window;
// with sent, one in which the host is the source.
func (q *statement) before() string {
	when := q.began(q.from, q.to)
	exists := func(column string) string {
		return fmt.Sprintf("EXISTS (SELECT 1 FROM %s WHERE %s AND %s)", q.table(), q.local(column), when)
	}
	if q.sent {
		return "SELECT " + exists(q.t.columns["src_ip"])
	}
	return "SELECT " + exists(q.t.columns["src_ip"]) + " OR " + exists(q.t.columns["dst_ip"])
}
