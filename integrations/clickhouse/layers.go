package clickhouse

import (
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// ends are the columns that make a flow of one host.
const ends = "local, peer, lport, rport, proto, opened"

// counted is a subquery of the host's flows with their shares of the window,
// each 5-tuple once: of several sensors' counts of it the largest is used,
// and the two directions of records of one direction are one flow.
func (q *statement) counted() string { return q.countedWith("", "") }

// countedWith is [statement.counted] with further columns, made of those of each sensor.
func (q *statement) countedWith(each, all string) string {
	flows := q.flows("local", "peer", "lport", "rport", "proto", "opened", "s", "e", "w", "sent0", "received0", "packets0", "measured0", "oneway0",
		"blank0", "sampled0", "uncounted0", "sensor0")
	return fmt.Sprintf(`(SELECT %[1]s, max(sent1) AS sent, max(received1) AS received, max(packets1) AS packets,
		minIf(sent1, measured1 > 0) AS low, maxIf(sent1, measured1 > 0) AS high, max(flows1) AS flows, max(measured1) AS measured,
		if(measured > 0, 0, max(oneway1)) AS oneway, if(measured > 0, 0, max(blank1)) AS blank, max(sampled1) AS sampled, max(uncounted1) AS uncounted, min(s1) AS first, max(e1) AS last%[5]s
		FROM (SELECT %[1]s, sensor0, sum(sent0 * w) AS sent1, sum(received0 * w) AS received1, sum(packets0 * w) AS packets1, %[2]s AS flows1,
			max(measured0) AS measured1, max(oneway0) AS oneway1, max(blank0) AS blank1, max(sampled0) AS sampled1, max(uncounted0) AS uncounted1,
			min(s) AS s1, max(e) AS e1%[4]s
			FROM %[3]s GROUP BY %[1]s, sensor0)
		GROUP BY %[1]s)`, ends, q.begun(), flows, each, all)
}

// slot is how long records of one direction are taken for one flow.
func slot(from, to time.Time) time.Duration { return max(time.Minute, to.Sub(from)/62) }

// begun counts the flows of a group. A long flow has many records of one
// direction: for these it is the number of minutes with a record, or of 63rd
// parts of a window that is longer.
func (q *statement) begun() string {
	if !q.t.single {
		return "toUInt64(count())"
	}
	slot := slot(q.from, q.to)
	place := fmt.Sprintf("bitShiftLeft(toUInt64(1), toUInt64(intDiv(greatest(s - toInt64(%s), 0), %s)))", q.arg(q.from.UnixNano()), q.arg(int64(slot)))
	return fmt.Sprintf("toUInt64(length(bitmaskToArray(groupBitOr(%s))))", place)
}

const sentSomething = "(sent > 0 OR packets > 0 OR (opened AND measured + oneway > 0))"

// sums are the columns that an answer is made of, see line.
const sums = `sum(sent) AS sent2, sum(received), sum(packets) AS packets2, sum(low), sum(high),
	toInt64(sum(flows)) AS flows2, toInt64(sum(measured)), toInt64(sum(oneway)), toInt64(sumIf(flows, ` + sentSomething + `)),
	toInt32(min(rport)), toInt32(max(rport)), toUInt8(max(sampled)), toUInt8(max(uncounted)), toUInt8(max(blank)), toInt64(min(first)), toInt64(max(last))`

// services selects the largest services of the host, one line more than most.
func (q *statement) services(most int) string {
	return fmt.Sprintf(`SELECT %s, %s, toInt32(if(opened, rport, lport)) AS port, toString(proto), toUInt8(opened), %s
		FROM %s GROUP BY local, peer, port, proto, opened
		ORDER BY sent2 DESC, packets2 DESC, peer, port, proto, opened LIMIT %s`,
		q.t.address.text("local"), q.t.address.text("peer"), sums, q.counted(), q.arg(most+1))
}

// largest selects the largest service of each host.
func (q *statement) largest() string {
	return fmt.Sprintf(`SELECT %s, %s, toInt32(if(opened, rport, lport)) AS port, toString(proto), toUInt8(opened), %s
		FROM %s WHERE %s GROUP BY local, peer, port, proto, opened
		ORDER BY local, sent2 DESC, packets2 DESC, peer, port, proto, opened LIMIT 1 BY local`,
		q.t.address.text("local"), q.t.address.text("peer"), sums, q.counted(), sentSomething)
}

// totals selects the sums of all services, of each address or of all of them
// together, and the number of peers.
func (q *statement) totals(each bool) string {
	local, group := "''", ""
	if each {
		local, group = q.t.address.text("local"), "GROUP BY local"
	}
	return fmt.Sprintf(`SELECT %s, toInt64(uniqExactIf(peer, %s)), %s FROM %s %s`, local, sentSomething, sums, q.counted(), group)
}

// sample selects the largest flows, more than are returned, as several
// records are one flow.
func (q *statement) sample() string {
	return fmt.Sprintf("%s ORDER BY measured0 DESC, sent0 DESC, s DESC LIMIT %s", q.views(), q.arg(3*flowmath.SampleFlows))
}

// few selects the flows of the host, one more than most.
func (q *statement) few(most int) string { return fmt.Sprintf("%s LIMIT %s", q.views(), q.arg(most+1)) }

// views selects flows one by one.
func (q *statement) views() string {
	flows := q.flows("local", "peer", "lport", "rport", "proto", "opened", "s", "e", "sent0", "received0", "packets0", "measured0", "oneway0",
		"blank0", "sampled0", "uncounted0", "sensor0")
	return fmt.Sprintf(`SELECT %s, toInt32(lport), %s, toInt32(rport), toString(proto), toUInt8(opened), s, e, sent0, received0,
		if(uncounted0, -1, packets0), toUInt8(measured0), toUInt8(oneway0), toUInt8(blank0), toUInt8(sampled0), %s
		FROM %s`,
		q.t.address.text("local"), q.t.address.text("peer"), q.t.sensor("sensor0"), flows)
}

// sensor is a sensor's name as text; an address is shown as one.
func (t *table) sensor(column string) string {
	if t.sided {
		return column
	}
	if t.types["sensor"] == "FixedString(16)" {
		return "hex(" + column + ")"
	}
	return "toString(" + column + ")"
}

// rank selects the hosts that sent most. A flow that several sensors saw counts
// several times here: the order among the largest is decided by their totals.
func (q *statement) rank(most int) string {
	return fmt.Sprintf(`SELECT %s, sum(sent0 * w) AS sent1 FROM %s GROUP BY local ORDER BY sent1 DESC, local LIMIT %s`,
		q.t.address.text("local"), q.flows("sent0", "w", "local"), q.arg(most))
}

// survey selects the sensors.
func (q *statement) survey() string {
	return fmt.Sprintf(`SELECT %s, toInt64(count()) AS records, toInt64(max(rate0)), toUInt8(max(measured0) = 0),
		toInt64(countIf(blank0 = %d)), toInt64(countIf(blank0 = %d)), toInt64(max(e))
		FROM %s GROUP BY sensor0 ORDER BY records DESC LIMIT %s`, q.t.sensor("sensor0"), flowmath.NoPackets, flowmath.NoRate,
		q.flows("sensor0", "rate0", "measured0", "blank0", "e"), q.arg(flowmath.MaxSensors))
}

// unread counts the invalid addresses of the window's rows, where they are text.
func (q *statement) unread() string {
	none := address{kind: "IPv6"}.none()
	return fmt.Sprintf("SELECT toInt64(countIf(a = %[1]s) + countIf(b = %[1]s)) FROM (SELECT %[2]s AS a, %[3]s AS b, %[4]s AS s%[5]s FROM %[6]s WHERE %[7]s AND %[8]s)",
		none, q.col("src_ip"), q.col("dst_ip"), q.nanos("start"), q.endOf(), q.t.name, q.during(), q.counts())
}

// endOf is the column of the end, for a condition on the window.
func (q *statement) endOf() string {
	expression, _ := q.column("e")
	if q.col("end") == "" {
		return ""
	}
	return ", " + expression + " AS e"
}

// disagreement selects what all counters allow, each flow once.
func (q *statement) disagreement() string {
	return fmt.Sprintf(`SELECT sum(low), sum(high) FROM %s`, q.counted())
}

// halves selects the sensors that, in records of one direction, saw no flow from both
// ends.
func (q *statement) halves() string {
	return fmt.Sprintf(`SELECT %s FROM (
			SELECT router0, max(forth) AND max(NOT forth) AS whole
			FROM (SELECT router0, proto, (local, lport) < (peer, rport) AS forth, if(forth, local, peer) AS a, if(forth, lport, rport) AS ap,
				if(forth, peer, local) AS b, if(forth, rport, lport) AS bp FROM %s)
			GROUP BY router0, proto, a, ap, b, bp)
		GROUP BY router0 HAVING max(whole) = 0`, "router0", q.flows("router0", "local", "peer", "lport", "rport", "proto"))
}

// windows selects what was sent in each of n windows, by host where there are several.
func (q *statement) windows(length time.Duration, n int, once bool) string {
	host, by := "", "b"
	if q.host != "1" {
		host, by = q.t.address.text("local")+", ", "local, b"
	}
	from, l, final := "toInt64("+q.arg(q.from.UnixNano())+")", "toInt64("+q.arg(int64(length))+")", "toInt64("+q.arg(n-1)+")"
	columns := []string{"s", "e", "sent0", "measured0", "oneway0", "sensor0"}
	if once {
		columns = append(columns, "local", "peer", "lport", "rport", "proto", "opened")
	}
	flows := q.flows(columns...)
	parts := fmt.Sprintf(`(SELECT *, intDiv(s - %[1]s, %[2]s) AS b, sent0 AS part FROM %[3]s)`, from, l, flows)
	if q.col("end") != "" {
		parts = fmt.Sprintf(`(SELECT *, sent0 * if(e <= s, 1, (least(e, %[1]s + (b + 1) * %[2]s) - greatest(s, %[1]s + b * %[2]s)) / (e - s)) AS part
			FROM (SELECT *, arrayJoin(arrayMap(x -> x + b0, range(toUInt64(b1 - b0 + 1)))) AS b
				FROM (SELECT *, greatest(intDiv(s - %[1]s, %[2]s), 0) AS b0,
					greatest(b0, least(%[3]s, if(e > s, intDiv(e - %[1]s - 1, %[2]s), b0))) AS b1 FROM %[4]s)))`, from, l, final, flows)
	}
	if !once {
		several := "toUInt8(min(sensor0) != max(sensor0))"
		if q.col("sensor") == "" {
			several = "toUInt8(0)"
		}
		return fmt.Sprintf(`SELECT %stoInt64(b), sum(part), toInt64(sum(measured0)), toInt64(sum(oneway0)), %s FROM %s GROUP BY %s`, host, several, parts, by)
	}
	return fmt.Sprintf(`SELECT %[3]stoInt64(b), sum(sent), toInt64(sum(measured)), toInt64(sum(oneway)), toUInt8(0)
		FROM (SELECT b, %[1]s, max(sent1) AS sent, max(measured1) AS measured, if(measured > 0, 0, max(oneway1)) AS oneway
			FROM (SELECT b, %[1]s, sensor0, sum(part) AS sent1, max(measured0) AS measured1, max(oneway0) AS oneway1
				FROM %[2]s GROUP BY b, %[1]s, sensor0)
			GROUP BY b, %[1]s)
		GROUP BY %[4]s`, ends, parts, host, by)
}

// before selects whether the host was seen in the day before the window, from the
// rows of that day.
func (q *statement) before() string {
	return fmt.Sprintf(`SELECT toInt64(count()) FROM (SELECT 1 FROM %s LIMIT 1)`, q.flows("s"))
}
