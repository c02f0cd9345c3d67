//go:build duckdb

package duckdb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// layout is how the files of a store are read.
type layout struct {
	format  Format
	files   string // pattern, unless the configuration has one
	columns Columns
	unit    int64 // nanoseconds
	// sampling is the rate of sensors that do not report theirs, 0 where it is
	// unknown.
	sampling int
	// zone is that of times without one; nil is UTC.
	zone   *time.Location
	sensor string
	// single reports whether each record is of one direction.
	single bool
	// only and without choose the records that count.
	only, without []integrations.Match
}

func layoutOf(c Config) (layout, error) {
	l := layout{sampling: c.Sampling, format: c.Format, sensor: c.Sensor, single: c.OneDirection, only: c.Only, without: c.Without}
	if err := integrations.CheckMatches(c.Only, c.Without, func(string) bool { return true }); err != nil {
		return l, err
	}
	zeek := Columns{
		Start: "ts", Duration: "duration", Src: "id.orig_h", SrcPort: "id.orig_p", Dst: "id.resp_h", DstPort: "id.resp_p",
		Transport: "proto", OrigBytes: "orig_bytes", OrigIPBytes: "orig_ip_bytes", OrigPackets: "orig_pkts",
		RespBytes: "resp_bytes", RespIPBytes: "resp_ip_bytes", RespPackets: "resp_pkts", State: "conn_state", History: "history",
	}
	switch c.Format {
	case ZeekTSV, ZeekJSON:
		l.files, l.columns = "conn*.log*", zeek
	case Parquet:
		l.files, l.columns = "*.parquet", zeek
	case GoFlow2:
		l.files, l.single = "*.json*", true
		l.columns = Columns{
			Start: "time_flow_start_ns", End: "time_flow_end_ns", Src: "src_addr", SrcPort: "src_port", Dst: "dst_addr",
			DstPort: "dst_port", Transport: "proto", OrigIPBytes: "bytes", OrigPackets: "packets", Sampling: "sampling_rate",
			Sensor: "sampler_address",
		}
	case AWSVPC:
		l.files, l.single = "*.parquet", true
		l.columns = awsColumns()
	default:
		return l, fmt.Errorf("invalid format %q: must be one of zeek_tsv, zeek_json, goflow2, parquet, aws_vpc", c.Format)
	}
	named, given := l.columns.list(), c.Columns.list()
	if c.Columns.End != "" {
		l.columns.Duration = c.Columns.Duration
	}
	for i := range given {
		*named[i].name = cmp.Or(*given[i].name, *named[i].name)
	}
	units := map[Unit]int64{"": 1, "ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
	unit, ok := units[c.Unit]
	if !ok {
		return l, fmt.Errorf("invalid unit %q: must be one of s, ms, us, ns", c.Unit)
	}
	l.unit = unit
	zone, err := c.TimeZone.Location()
	if err != nil {
		return l, err
	}
	if zone != time.UTC {
		l.zone = zone
	}
	switch c.Format {
	case GoFlow2:
		l.unit = 1
	case AWSVPC:
		l.unit = int64(time.Second)
	case ZeekTSV, ZeekJSON, Parquet:
	}
	return l, nil
}

// column is one that may be read.
type column struct {
	name *string
	// kind is what the text formats are read as.
	kind string
}

func (c *Columns) list() []column {
	const count, port, words = "BIGINT", "INTEGER", "VARCHAR"
	return []column{
		{&c.Start, "time"},
		{&c.End, "time"},
		{&c.Duration, "span"},
		{&c.Src, words},
		{&c.SrcPort, port},
		{&c.Dst, words},
		{&c.DstPort, port},
		{&c.Transport, words},
		{&c.OrigBytes, count},
		{&c.OrigIPBytes, count},
		{&c.OrigPackets, count},
		{&c.RespBytes, count},
		{&c.RespIPBytes, count},
		{&c.RespPackets, count},
		{&c.State, words},
		{&c.History, words},
		{&c.Sampling, count},
		{&c.Sensor, words},
	}
}

// types are the types that the columns of a text format are read as.
func (l layout) types() map[string]string {
	types := map[string]string{}
	for _, c := range l.columns.list() {
		kind := c.kind
		switch {
		case kind == "time" && l.format == ZeekJSON:
			kind = "VARCHAR" // seconds, or a timestamp in words
		case kind == "time" && l.format == GoFlow2:
			kind = "BIGINT"
		case kind == "time" || kind == "span":
			kind = "DOUBLE"
		}
		if *c.name != "" {
			types[*c.name] = kind
		}
	}
	for _, m := range append(slices.Clip(l.only), l.without...) {
		if _, ok := types[m.Column.String()]; !ok {
			types[m.Column.String()] = "VARCHAR"
		}
	}
	return types
}

// part is a number of files that are read alike.
type part struct {
	layout
	files  []file
	source string // the table function that reads them
	types  map[string]string
}

// needed are the columns that the files must have.
func (p part) needed() []string {
	need := []string{p.columns.Start, p.columns.Src, p.columns.Dst}
	if p.format == AWSVPC {
		need = append(need, p.columns.End, p.columns.Sensor, awsAction, awsStatus)
	}
	return need
}

// columnar reports whether the files are of Parquet.
func (p part) columnar() bool { return p.format == Parquet || p.format == AWSVPC }

// missing returns an error for required columns that the files do not have.
func (p part) missing() error {
	for _, need := range p.needed() {
		if _, ok := p.types[need]; !ok {
			return fmt.Errorf("the files have no column %q: set its name in columns", need)
		}
	}
	for _, m := range append(slices.Clip(p.only), p.without...) {
		if _, ok := p.types[m.Column.String()]; !ok {
			return fmt.Errorf("the files have no column %q of only or without", m.Column)
		}
	}
	for _, address := range []string{p.columns.Src, p.columns.Dst} {
		if p.types[address] != "VARCHAR" {
			return fmt.Errorf("column %q has type %s: addresses must be text", address, p.types[address])
		}
	}
	_, bytes := p.types[p.columns.OrigBytes]
	_, ipBytes := p.types[p.columns.OrigIPBytes]
	if !bytes && !ipBytes {
		return fmt.Errorf("the files have neither a column %q nor %q: set their names in columns", p.columns.OrigBytes, p.columns.OrigIPBytes)
	}
	return nil
}

// column is a column as SQL, or NULL of a type where the files have none.
func (p part) column(column, kind string) string {
	have, ok := p.types[column]
	switch {
	case !ok || column == "":
		return "NULL::" + kind
	case have == kind:
		return name(column)
	default:
		return "try_cast(" + name(column) + " AS " + kind + ")"
	}
}

func isWhole(kind string) bool {
	return strings.HasSuffix(kind, "INT") || strings.HasSuffix(kind, "INTEGER")
}

// nanos is a time or a duration in nanoseconds as SQL.
func (p part) nanos(column string) string {
	if _, ok := p.types[column]; !ok || column == "" {
		return "NULL::BIGINT"
	}
	return p.nanosOf(column, name(column))
}

// nanosOf is an expression of the column's type in nanoseconds.
func (p part) nanosOf(column, expression string) string {
	switch kind := p.types[column]; {
	case isWhole(kind):
		return fmt.Sprintf("try_cast(%s AS BIGINT) * %d", expression, p.unit)
	case strings.HasPrefix(kind, "TIMESTAMP") && p.zone != nil:
		// Its zone is the session's.
		return "epoch_ns((" + expression + ")::TIMESTAMPTZ)"
	case strings.HasPrefix(kind, "TIMESTAMP"):
		return "epoch_ns(" + expression + ")"
	case kind == "INTERVAL":
		return "epoch_us(" + expression + ") * 1000"
	case kind == "VARCHAR":
		return fmt.Sprintf("coalesce(%s, epoch_ns(try_cast(%s AS TIMESTAMPTZ)))", seconds(expression), expression)
	default:
		return seconds(expression)
	}
}

// seconds turns a float of seconds into nanoseconds. A float holds today's time
// to the microsecond and no finer, but a duration finely enough.
func seconds(expression string) string {
	return strings.ReplaceAll("CASE WHEN abs({s}) < 1e6 THEN round({s} * 1e9)::BIGINT WHEN abs({s}) < 9e9 THEN round({s} * 1e6)::BIGINT * 1000 END",
		"{s}", "try_cast("+expression+" AS DOUBLE)")
}

// bound compares a column of times with a time, in a form that lets DuckDB skip
// what it need not read. It may let through a little more. A column that does not
// allow that is not compared.
func (p part) bound(column, operator string, at time.Time) string {
	const every = "true"
	kind, ok := p.types[column]
	if !ok || at.Year() < 1971 || at.Year() > 2200 {
		return every
	}
	slack := -time.Millisecond
	if strings.HasPrefix(operator, "<") {
		slack = time.Millisecond
	}
	at = at.Add(slack).UTC()
	words := at.Format("2006-01-02 15:04:05.000000")
	c := name(column)
	switch {
	case isWhole(kind):
		n := at.UnixNano() / p.unit
		if slack > 0 {
			n++
		}
		return fmt.Sprintf("%s %s %d", c, operator, n)
	case kind == "TIMESTAMP WITH TIME ZONE":
		return fmt.Sprintf("%s %s TIMESTAMPTZ '%s+00'", c, operator, words)
	case strings.HasPrefix(kind, "TIMESTAMP"):
		if p.zone != nil {
			const change = 3 * time.Hour // more than clocks are ever put back or forward
			words = at.Add(time.Duration(slack.Milliseconds()) * change).In(p.zone).Format("2006-01-02 15:04:05.000000")
		}
		return fmt.Sprintf("%s %s '%s'::%s", c, operator, words, kind)
	case kind == "DOUBLE" || strings.HasPrefix(kind, "DECIMAL"):
		return fmt.Sprintf("%s %s %s", c, operator, strconv.FormatFloat(float64(at.UnixMicro())/1e6, 'f', 6, 64))
	default:
		return every
	}
}

// within selects the records that may be in a window, where no flow takes longer
// than longest.
func (p part) within(w window, longest time.Duration) string {
	where := p.bound(p.columns.Start, "<", w.to) + " AND " + p.bound(p.columns.Start, ">=", w.from.Add(-longest))
	if _, ok := p.types[p.columns.End]; ok {
		where += " AND (" + p.bound(p.columns.End, ">=", w.from) + " OR " + name(p.columns.End) + " IS NULL)"
	}
	return where
}

// counts selects the records that count.
func (p part) counts() string {
	all := []string{"true"}
	if p.format == AWSVPC {
		all = []string{awsPassed}
	}
	for _, m := range p.only {
		all = append(all, matches(m))
	}
	for _, m := range p.without {
		all = append(all, "NOT "+matches(m))
	}
	return strings.Join(all, " AND ")
}

// matches is the condition that a column has one of the values; NULL has none.
func matches(m integrations.Match) string {
	values := make([]string, len(m.Is))
	for i, value := range m.Texts() {
		values[i] = text(value)
	}
	return fmt.Sprintf("coalesce(%s::VARCHAR IN (%s), false)", name(m.Column.String()), strings.Join(values, ", "))
}

// plain is an address without what the writers of text add to it: blanks, the mask
// of its network, ::ffff: before IPv4, capital letters.
func plain(column string) string {
	return strings.ReplaceAll(`CASE WHEN regexp_full_match({a}, '[0-9.]+') THEN {a}
		ELSE regexp_replace(lower(trim(split_part({a}, '/', 1))), '^::ffff:([0-9.]+)$', '\1') END`, "{a}", column)
}

// flows is the files as a table of one form: times in nanoseconds, counters
// that were not seen NULL. A record with values outside of the limits is damaged
// and left out.
func (p part) flows(where string) string {
	c := p.columns
	count := func(column string) string { return p.column(column, "BIGINT") }
	fields := []string{
		p.nanos(c.Start) + " AS start", p.nanos(c.End) + " AS at_end", p.nanos(c.Duration) + " AS took",
		plain(p.column(c.Src, "VARCHAR")) + " AS src", "coalesce(" + p.column(c.SrcPort, "INTEGER") + ", 0) AS src_port",
		plain(p.column(c.Dst, "VARCHAR")) + " AS dst", "coalesce(" + p.column(c.DstPort, "INTEGER") + ", 0) AS dst_port",
		"coalesce(" + p.column(c.Transport, "VARCHAR") + ", '') AS transport",
		count(c.OrigBytes) + " AS ob", count(c.OrigIPBytes) + " AS oi", count(c.OrigPackets) + " AS op",
		count(c.RespBytes) + " AS rb", count(c.RespIPBytes) + " AS ri", count(c.RespPackets) + " AS rp",
		fmt.Sprintf("CASE WHEN %[1]s = 0 THEN %[2]d ELSE greatest(0, coalesce(%[1]s, 1)) END AS sampling", count(c.Sampling), p.sampling),
		"coalesce(" + p.column(c.Sensor, "VARCHAR") + ", " + text(p.sensor) + ") AS sensor",
		p.column(c.State, "VARCHAR") + " AS state", p.column(c.History, "VARCHAR") + " AS history",
	}
	return fmt.Sprintf("SELECT *, coalesce(at_end, start + greatest(0, took), start) AS stop, %s AS one_way FROM "+
		"(SELECT %s FROM %s WHERE %s) WHERE start >= 0 AND src IS NOT NULL AND dst IS NOT NULL "+
		"AND src_port BETWEEN 0 AND 65535 AND dst_port BETWEEN 0 AND 65535 AND sampling <= %d "+
		"AND least(ob, oi, op, rb, ri, rp, 0) >= 0 AND greatest(ob, oi, op, rb, ri, rp, 0) <= %d // greatest(1, sampling)",
		oneWay, strings.Join(fields, ", "), p.source, where, flowmath.MaxSampling, int64(flowmath.MaxBytes))
}

// oneWay reports whether the sensor counted nothing that the originator sent,
// though it must have sent something: there are answers, or the history (an
// upper-case letter, or ^ where Zeek swapped the ends) shows packets that
// were seen and not counted.
const oneWay = `(coalesce(op, 0) <= 0 AND coalesce(ob, 0) <= 0 AND coalesce(oi, 0) <= 0
	AND (coalesce(rp, 0) > 0 OR coalesce(rb, 0) > 0 OR coalesce(ri, 0) > 0 OR coalesce(state = 'SHR', false)
		OR coalesce(regexp_matches(history, '[A-Z^]'), false)))`
