package clickhouse

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// statement is one query under construction: values are always parameters, names
// always those that were looked up in the table. It runs on every version since
// 18.16, so it has nested queries where newer ones have WITH.
type statement struct {
	t        *table
	args     []any
	from, to time.Time
	// side is the condition, over a row, that the source is the host; where
	// selects rows, and host is the owner of a selected row.
	side, where, host string
	// far is the condition that the peer of a selected row is outside, where only what leaves counts.
	far string
}

// arg adds a parameter and returns its placeholder.
func (q *statement) arg(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *statement) col(setting string) string { return q.t.columns[setting] }

// in is the condition that a column's address is one of the list.
func (q *statement) in(column string, addrs []netip.Addr) string {
	var forms []string
	for _, a := range addrs {
		forms = append(forms, q.t.address.forms(a, q.arg)...)
	}
	if len(forms) == 0 {
		return "0"
	}
	const few = 4 // a set costs more than so many comparisons
	if len(forms) > few {
		return fmt.Sprintf("%s IN (%s)", column, strings.Join(forms, ", "))
	}
	for i, form := range forms {
		forms[i] = column + " = " + form
	}
	return "(" + strings.Join(forms, " OR ") + ")"
}

// one selects one host. Traffic between its own addresses is left out.
func (q *statement) one(addrs []netip.Addr) {
	src, dst := q.in(q.col("src_ip"), addrs), q.in(q.col("dst_ip"), addrs)
	q.side, q.where, q.host = "("+src+")", fmt.Sprintf("(%s) != (%s)", src, dst), "1"
}

// sender selects what one host sent, of records of one direction.
func (q *statement) sender(addrs []netip.Addr) {
	if !q.t.single {
		q.one(addrs)
		return
	}
	q.side, q.host = "1", "1"
	q.where = q.in(q.col("src_ip"), addrs)
	if len(addrs) > 1 {
		q.where += fmt.Sprintf(" AND NOT (%s)", q.in(q.col("dst_ip"), addrs))
	}
}

// each selects several hosts: a flow between two of them counts for both.
func (q *statement) each(addrs []netip.Addr) {
	q.side = "arrayJoin([1, 0])"
	q.where = fmt.Sprintf("(%s OR %s)", q.in(q.col("src_ip"), addrs), q.in(q.col("dst_ip"), addrs))
	q.host = q.in("local", addrs)
}

// networks selects every address of the networks.
func (q *statement) networks(own flowmath.Networks) {
	q.side = "arrayJoin([1, 0])"
	q.where = fmt.Sprintf("(%s OR %s)", q.within(q.col("src_ip"), own), q.within(q.col("dst_ip"), own))
	q.host = q.within("local", own)
}

// leaving selects every address of the networks, of flows that leave them.
func (q *statement) leaving(own flowmath.Networks) {
	q.networks(own)
	q.far = "NOT " + q.within("peer", own.Staying())
}

// within is the condition that a column's address is in one of the networks.
func (q *statement) within(column string, list flowmath.Networks) string {
	var any []string
	for _, p := range list {
		any = append(any, q.t.address.within(column, p, q.arg))
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// everybody selects all records, as seen from their sources.
func (q *statement) everybody() { q.side, q.where, q.host = "1", "1", "1" }

// nanos is a time as nanoseconds since 1970.
func (q *statement) nanos(setting string) string {
	column, kind := q.col(setting), q.t.types[setting]
	switch {
	case strings.HasPrefix(kind, "DateTime64"):
		return fmt.Sprintf("toUnixTimestamp64Nano(toDateTime64(%s, 9))", column)
	case strings.HasPrefix(kind, "DateTime"):
		return fmt.Sprintf("toInt64(toUnixTimestamp(%s)) * 1000000000", column)
	default:
		return fmt.Sprintf("toInt64(%s) * %d", column, int64(time.Second)/q.t.perSecond)
	}
}

// time is a time in the column's own type, so that the table's order can be
// used. It is rounded down to what the column can hold.
func (q *statement) time(setting string, at time.Time) string {
	switch kind := q.t.types[setting]; {
	case strings.HasPrefix(kind, "DateTime64"):
		return fmt.Sprintf("fromUnixTimestamp64Nano(toInt64(%s))", q.arg(at.UnixNano()))
	case strings.HasPrefix(kind, "DateTime"):
		return fmt.Sprintf("toDateTime(%s)", q.arg(at.Unix()))
	default:
		return q.arg(at.UnixNano() / (int64(time.Second) / q.t.perSecond))
	}
}

// between is the condition that a column is in [from, to], roughly.
func (q *statement) between(setting string, from, to time.Time) string {
	column := q.col(setting)
	if column == "" {
		return "1"
	}
	return fmt.Sprintf("%s >= %s AND %s <= %s", column, q.time(setting, from), column, q.time(setting, to))
}

// ordered is the setting by whose column the table is ordered, if it is known.
func (t *table) ordered() string {
	if t.columns["received"] != "" {
		return "received"
	}
	return "start"
}

// clocks is how far the clock of a collector may be behind that of a sensor.
const clocks = 5 * time.Minute

// during selects the rows of the window: first by the column that the table may be
// ordered by, then exactly.
func (q *statement) during() string {
	from, to := q.arg(q.from.UnixNano()), q.arg(q.to.UnixNano())
	if q.col("end") == "" {
		return strings.Join([]string{
			q.between("start", q.from, q.to), q.between("received", q.from.Add(-clocks), q.to.Add(q.t.longest)),
			"s >= " + from, "s < " + to,
		}, " AND ")
	}
	return strings.Join([]string{
		q.between("start", q.from.Add(-q.t.longest), q.to), q.between("end", q.from.Add(-time.Second), q.to.Add(q.t.longest)),
		q.between("received", q.from.Add(-clocks), q.to.Add(q.t.longest)),
		"s < " + to, fmt.Sprintf("(e > %s OR s >= %s)", from, from),
	}, " AND ")
}

// sure reports whether a column holds a count in every row.
func (q *statement) sure(setting string) bool {
	return strings.HasPrefix(q.t.types[setting], "UInt") && !q.t.nullable[setting]
}

// counter is a counter as a number, -1 where it is missing.
func (q *statement) counter(setting string) string {
	switch {
	case q.col(setting) == "":
		return "toFloat64(-1)"
	case q.sure(setting):
		return fmt.Sprintf("toFloat64(%s)", q.col(setting))
	default:
		return fmt.Sprintf("toFloat64(ifNull(%s, -1))", q.col(setting))
	}
}

// rate is what counters are multiplied by, 0 where it is unknown.
func (q *statement) rate() string {
	column := q.col("sampling")
	switch {
	case column == "":
		return "1"
	case q.sure("sampling"):
		column = fmt.Sprintf("toInt64(%s)", column)
	default:
		column = fmt.Sprintf("toInt64(greatest(toInt64(ifNull(%s, 1)), 0))", column)
	}
	if q.t.sampling > 0 {
		return fmt.Sprintf("if(%[1]s = 0, toInt64(%[2]d), %[1]s)", column, q.t.sampling)
	}
	return column
}

// share is the part of a flow that is in the window.
func (q *statement) share() string {
	if q.col("end") == "" {
		return "1"
	}
	from, to := "toInt64("+q.arg(q.from.UnixNano())+")", "toInt64("+q.arg(q.to.UnixNano())+")"
	return fmt.Sprintf("if(s >= %[1]s AND e <= %[2]s, 1, (least(e, %[2]s) - greatest(s, %[1]s)) / (e - s))", from, to)
}

// asked is the condition that a port is one that [flowmath.Opens] makes an
// exception for. The list is the program's own.
func (q *statement) asked(port string) string {
	ports := make([]string, len(q.t.asked))
	for i, p := range q.t.asked {
		ports[i] = strconv.Itoa(int(p))
	}
	return port + " IN (" + strings.Join(ports, ", ") + ")"
}

// flows is a subquery of the selected flows, one row each, as seen from the host,
// with the requested columns only: others are not computed.
func (q *statement) flows(columns ...string) string {
	need := map[string]bool{"s": true}
	if q.host != "1" {
		columns = append(columns, "local")
	}
	host := q.host
	if q.far != "" {
		columns, host = append(columns, "peer"), host+" AND "+q.far
	}
	if q.col("end") != "" {
		need["e"] = true
	}
	for _, c := range columns {
		q.needs(need, c)
	}
	var list []string
	for _, c := range []string{
		"out", "local", "peer", "lport", "rport", "lasked", "rasked", "proto", "opened", "s", "e", "w", "rate0", "own", "ownPackets", "mine", "theirs",
		"minePackets", "blank0", "oneway0", "measured0", "sent0", "received0", "packets0", "sampled0", "uncounted0", "sensor0", "router0",
	} {
		if need[c] {
			expression, _ := q.column(c)
			list = append(list, expression+" AS "+c)
		}
	}
	text := fmt.Sprintf("SELECT %s FROM %s WHERE %s AND %s AND %s", strings.Join(list, ", "), q.t.name, q.where, q.during(), q.counts())
	if q.host == "1" {
		return "(" + text + ")"
	}
	return fmt.Sprintf("(SELECT * FROM (%s) WHERE %s)", text, host)
}

func (q *statement) needs(need map[string]bool, column string) {
	if need[column] {
		return
	}
	need[column] = true
	_, others := q.column(column)
	for _, o := range others {
		q.needs(need, o)
	}
}

// column is one column of flows and the columns that it is made of. Counters of
// a row are own, those of the host mine and those of its peer theirs.
func (q *statement) column(name string) (expression string, others []string) {
	out := []string{"out"}
	of := func(mine, theirs string) string { return fmt.Sprintf("if(out, %s, %s)", q.col(mine), q.col(theirs)) }
	switch name {
	case "out":
		return q.side, nil
	case "local":
		return of("src_ip", "dst_ip"), out
	case "peer":
		return of("dst_ip", "src_ip"), out
	case "lport":
		return "toUInt16(" + of("src_port", "dst_port") + ")", out
	case "rport":
		return "toUInt16(" + of("dst_port", "src_port") + ")", out
	case "proto":
		return q.col("transport"), nil
	case "lasked":
		return q.asked("lport"), []string{"lport"}
	case "rasked":
		return q.asked("rport"), []string{"rport"}
	case "opened":
		if q.t.single {
			return "if(lasked != rasked, rasked, rport <= lport)", []string{"lasked", "rasked"}
		}
		return "out", out
	case "s":
		return q.nanos("start"), nil
	case "e":
		if q.col("end") == "" {
			return "s", nil
		}
		return fmt.Sprintf("greatest(s, %s)", q.nanos("end")), nil
	case "w":
		return q.share(), nil
	case "rate0":
		return q.rate(), nil
	case "own":
		return q.counter("bytes_out"), nil
	case "ownPackets":
		return q.counter("packets_out"), nil
	case "sensor0":
		if q.col("sensor") == "" {
			return "''", nil
		}
		return q.col("sensor"), nil
	case "router0":
		return q.t.router, nil
	case "sampled0":
		return "rate0 > 1", []string{"rate0"}
	case "sent0":
		return "greatest(mine, 0) * rate0", []string{"mine", "rate0"}
	case "received0":
		return "greatest(theirs, 0) * rate0", []string{"theirs", "rate0"}
	case "packets0":
		return "greatest(minePackets, 0) * rate0", []string{"minePackets", "rate0"}
	case "uncounted0":
		// An exporter that leaves the packets out may be stored as 0.
		return "measured0 AND (minePackets < 0 OR (minePackets = 0 AND mine > 0))", []string{"measured0", "minePackets", "mine"}
	default:
		return q.seen(name)
	}
}

// blank is why a row has no volume, as a [flowmath.Blank].
func (q *statement) blank() (expression string, others []string) {
	counters := []string{"own", "ownPackets"}
	if !q.t.single {
		counters = append(counters, q.counter("bytes_in"), q.counter("packets_in"))
	}
	var none, zero []string
	for _, c := range counters {
		none, zero = append(none, c+" <= 0"), append(zero, c+" = 0")
	}
	empty := fmt.Sprintf("%s AND (%s)", strings.Join(none, " AND "), strings.Join(zero, " OR "))
	return fmt.Sprintf("if(rate0 = 0, %d, if(%s, %d, 0))", flowmath.NoRate, empty, flowmath.NoPackets), []string{"rate0", "own", "ownPackets"}
}

// seen is a column that depends on how many directions a row covers.
func (q *statement) seen(name string) (expression string, others []string) {
	theirs, theirPackets := "-1", "-1"
	if !q.t.single {
		theirs, theirPackets = q.counter("bytes_in"), q.counter("packets_in")
	}
	switch {
	case name == "mine":
		return fmt.Sprintf("if(out, own, %s)", theirs), []string{"out", "own"}
	case name == "theirs":
		return fmt.Sprintf("if(out, %s, own)", theirs), []string{"out", "own"}
	case name == "minePackets":
		return fmt.Sprintf("if(out, ownPackets, %s)", theirPackets), []string{"out", "ownPackets"}
	case name == "blank0":
		return q.blank()
	case name == "oneway0" && q.t.single && q.side == "1":
		// Packets need not be read for it.
		return "NOT measured0", []string{"measured0"}
	case name == "oneway0" && q.t.single:
		return "if(out, mine <= 0 OR rate0 = 0, blank0 > 0)", []string{"out", "mine", "rate0", "blank0"}
	case name == "oneway0":
		// A host that opened a flow has sent something, and so has one that sent packets.
		return "blank0 > 0 OR (mine <= 0 AND (out OR minePackets > 0))", []string{"blank0", "out", "mine", "minePackets"}
	case q.t.single:
		return "out AND mine > 0 AND rate0 > 0", []string{"out", "mine", "rate0"}
	default:
		return "NOT oneway0", []string{"oneway0"}
	}
}
