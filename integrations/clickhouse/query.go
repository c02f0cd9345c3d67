package clickhouse

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// statement is one question while it is written: values only ever go in as
// parameters, names only as they were looked up in the table. It is written for
// every version since 18.16, so it nests where newer ones have WITH.
type statement struct {
	t        *table
	args     []any
	from, to time.Time
	// side tells, over a row, that the source is the host; where chooses rows,
	// and host, over what was chosen, whose they are.
	side, where, host string
}

// arg adds a parameter and returns its place.
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
	return fmt.Sprintf("%s IN (%s)", column, strings.Join(forms, ", "))
}

// one asks for one host. What its addresses send to each other leaves nothing.
func (q *statement) one(addrs []netip.Addr) {
	src, dst := q.in(q.col("src_ip"), addrs), q.in(q.col("dst_ip"), addrs)
	q.side, q.where, q.host = "("+src+")", fmt.Sprintf("(%s) != (%s)", src, dst), "1"
}

// sender asks for what one host sent, of records of one direction.
func (q *statement) sender(addrs []netip.Addr) {
	if !q.t.single {
		q.one(addrs)
		return
	}
	q.side, q.host = "1", "1"
	q.where = fmt.Sprintf("%s AND NOT (%s)", q.in(q.col("src_ip"), addrs), q.in(q.col("dst_ip"), addrs))
}

// each asks for several hosts: a flow between two of them counts for both.
func (q *statement) each(addrs []netip.Addr) {
	q.side = "arrayJoin([1, 0])"
	q.where = fmt.Sprintf("(%s OR %s)", q.in(q.col("src_ip"), addrs), q.in(q.col("dst_ip"), addrs))
	q.host = q.in("local", addrs)
}

// networks asks for every address of the networks.
func (q *statement) networks(own flowmath.Networks) {
	within := func(column string) string {
		var any []string
		for _, p := range own {
			any = append(any, q.t.address.within(column, p, q.arg))
		}
		return "(" + strings.Join(any, " OR ") + ")"
	}
	q.side = "arrayJoin([1, 0])"
	q.where = fmt.Sprintf("(%s OR %s)", within(q.col("src_ip")), within(q.col("dst_ip")))
	q.host = within("local")
}

// everybody asks for all records, as seen from their sources.
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

// between is the condition that a column lies in [from, to], roughly.
func (q *statement) between(setting string, from, to time.Time) string {
	column := q.col(setting)
	if column == "" {
		return "1"
	}
	return fmt.Sprintf("%s >= %s AND %s <= %s", column, q.time(setting, from), column, q.time(setting, to))
}

// ordered is the setting by whose column the table is ordered, as far as is
// known.
func (t *table) ordered() string {
	if t.columns["received"] != "" {
		return "received"
	}
	return "start"
}

// clocks is how far the clock of a collector may be behind that of a sensor.
const clocks = 5 * time.Minute

// during chooses the rows of the window: first by what the table may be ordered
// by, then exactly.
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

// counter is a counter as a number, -1 where it is not there.
func (q *statement) counter(setting string) string {
	if q.col(setting) == "" {
		return "toFloat64(-1)"
	}
	return fmt.Sprintf("toFloat64(ifNull(%s, -1))", q.col(setting))
}

// rate is what counters are multiplied by.
func (q *statement) rate() string {
	if q.col("sampling") == "" {
		return "1"
	}
	return fmt.Sprintf("toInt64(greatest(toInt64(ifNull(%s, 1)), 1))", q.col("sampling"))
}

// share is the part of a flow that lies in the window.
func (q *statement) share() string {
	if q.col("end") == "" {
		return "1"
	}
	from, to := "toInt64("+q.arg(q.from.UnixNano())+")", "toInt64("+q.arg(q.to.UnixNano())+")"
	return fmt.Sprintf("if(s >= %[1]s AND e <= %[2]s, 1, (least(e, %[2]s) - greatest(s, %[1]s)) / (e - s))", from, to)
}

// opens follows [flowmath.Opens].
func (q *statement) opens() string {
	ports := make([]string, len(q.t.asked))
	for i, p := range q.t.asked {
		ports[i] = strconv.Itoa(int(p))
	}
	asked := "(" + strings.Join(ports, ", ") + ")"
	return fmt.Sprintf("if((lport IN %[1]s) != (rport IN %[1]s), rport IN %[1]s, rport <= lport)", asked)
}

// flows is a subquery of the chosen flows, one row each, as seen from the host.
func (q *statement) flows() string {
	counters := `if(out, own, -1) AS mine, if(out, -1, own) AS theirs, if(out, ownPackets, -1) AS minePackets,
		out AND mine >= 0 AS measured0, out AND mine < 0 AS oneway0`
	opened := q.opens()
	if !q.t.single {
		opened = "out"
		counters = fmt.Sprintf(`if(out, own, %[1]s) AS mine, if(out, %[1]s, own) AS theirs, if(out, ownPackets, %[2]s) AS minePackets,
			out AND (mine < 0 OR mine = 0 AND minePackets <= 0 AND theirs > 0) AS oneway0, NOT oneway0 AS measured0`,
			q.counter("bytes_in"), q.counter("packets_in"))
	}
	end, sensor := "s", "''"
	if q.col("end") != "" {
		end = fmt.Sprintf("greatest(s, %s)", q.nanos("end"))
	}
	if q.col("sensor") != "" {
		sensor = q.col("sensor")
	}
	text := fmt.Sprintf(`SELECT %s AS out, if(out, %s, %s) AS local, if(out, %s, %s) AS peer,
		toUInt16(if(out, %s, %s)) AS lport, toUInt16(if(out, %s, %s)) AS rport, %s AS proto, %s AS opened,
		%s AS s, %s AS e, %s AS w, %s AS rate0, %s AS own, %s AS ownPackets, %s,
		greatest(mine, 0) * rate0 AS sent0, greatest(theirs, 0) * rate0 AS received0, greatest(minePackets, 0) * rate0 AS packets0,
		rate0 > 1 AS sampled0, measured0 AND minePackets < 0 AS uncounted0, %s AS sensor0
		FROM %s WHERE %s AND %s`,
		q.side, q.col("src_ip"), q.col("dst_ip"), q.col("dst_ip"), q.col("src_ip"),
		q.col("src_port"), q.col("dst_port"), q.col("dst_port"), q.col("src_port"), q.col("transport"), opened,
		q.nanos("start"), end, q.share(), q.rate(), q.counter("bytes_out"), q.counter("packets_out"), counters,
		sensor, q.t.name, q.where, q.during())
	if q.host == "1" {
		return "(" + text + ")"
	}
	return fmt.Sprintf("(SELECT * FROM (%s) WHERE %s)", text, q.host)
}
