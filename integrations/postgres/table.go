package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// column is one setting below columns.
type column struct {
	setting, name string
	required      bool
	types         []string
}

// The types that a column may be of, by information_schema's names.
func (c *Columns) list() []column {
	numbers := []string{"bigint", "integer", "smallint", "numeric", "double precision", "real"}
	times := []string{"timestamp with time zone", "timestamp without time zone", "bigint", "integer", "numeric", "double precision"}
	addresses := []string{"inet", "cidr", "text", "character varying", "character"}
	words := []string{"text", "character varying", "smallint", "integer", "bigint", "numeric"}
	return []column{
		{"start", c.Start, true, times},
		{"end", c.End, false, times},
		{"duration", c.Duration, false, append([]string{"interval"}, numbers...)},
		{"src_ip", c.SrcIP, true, addresses},
		{"dst_ip", c.DstIP, true, addresses},
		{"src_port", c.SrcPort, true, numbers},
		{"dst_port", c.DstPort, true, numbers},
		{"transport", c.Transport, true, words},
		{"bytes_out", c.BytesOut, false, numbers},
		{"bytes_in", c.BytesIn, false, numbers},
		{"payload_out", c.PayloadOut, false, numbers},
		{"payload_in", c.PayloadIn, false, numbers},
		{"packets_out", c.PacketsOut, false, numbers},
		{"packets_in", c.PacketsIn, false, numbers},
		{"sensor", c.Sensor, false, append([]string{"inet"}, words...)},
		{"flow_direction", c.FlowDirection, false, append([]string{"boolean"}, words...)},
		{"sampling", c.Sampling, false, numbers},
	}
}

// table is the description of the table that was read from the server: names,
// quoted, and types.
type table struct {
	name string
	// columns holds the quoted name of each setting, or nothing.
	columns map[string]string
	types   map[string]string
	// single reports whether a row covers one direction.
	single bool
	// perSecond is how many units of time are a second; 0 means
	// timestamps, whose differences are seconds.
	perSecond float64
	// local reports whether the column of the start has no zone.
	local bool
	// written is the column of the start as it is in the table, which has the
	// index, where times are of the zone, and start and end are computed.
	written string
	zone    *time.Location
	// perByte is what a counter of bytes is multiplied by.
	perByte string
	longest time.Duration
	address address
	// only and without choose the rows that count.
	only, without []integrations.Match
	// router is a sensor's name without its direction.
	router string
	// asked are the ports of amplification services.
	asked []int32
}

// open reads the description of the table, once: every name must exist, with a
// type that can be read.
func (s *Store) open(ctx context.Context) (*table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		return s.table, nil
	}
	schema, name, found := strings.Cut(s.config.Table, ".")
	if !found {
		schema, name = "public", s.config.Table
	}
	rows, err := s.pool.Query(ctx, `SELECT column_name::text, data_type::text FROM information_schema.columns
		WHERE table_schema = $1 AND table_name = $2`, schema, name)
	if err != nil {
		return nil, failed(ctx, opOpen, err)
	}
	there := map[string]string{}
	var column, kind string
	if _, err := pgx.ForEachRow(rows, []any{&column, &kind}, func() error { there[column] = kind; return nil }); err != nil {
		return nil, failed(ctx, opOpen, err)
	}
	if len(there) == 0 {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "there is no table %q that the role may read", s.config.Table)
	}
	t, err := s.config.table(pgx.Identifier{schema, name}.Sanitize(), there)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "%w", err)
	}
	s.table = t
	return t, nil
}

func (c *Config) table(name string, there map[string]string) (*table, error) {
	t := &table{
		name: name, columns: map[string]string{}, types: map[string]string{},
		single: c.Direction == "one", longest: c.Longest, perByte: perByte(c.Units.Bytes), asked: flowmath.AskedPorts(),
	}
	for _, column := range c.Columns.list() {
		if column.name == "" || t.single && strings.HasSuffix(column.setting, "_in") {
			continue
		}
		kind, ok := there[column.name]
		if !ok {
			return nil, fmt.Errorf("table %q has no column %q that the role may read (columns.%s)", c.Table, column.name, column.setting)
		}
		if !slices.Contains(column.types, kind) {
			return nil, fmt.Errorf("column %q of table %q has type %s; columns.%s must be one of %s", column.name, c.Table, kind,
				column.setting, strings.Join(column.types, ", "))
		}
		t.columns[column.setting] = pgx.Identifier{column.name}.Sanitize()
		t.types[column.setting] = kind
	}
	if end, ok := t.types["end"]; ok && end != t.types["start"] {
		return nil, fmt.Errorf("columns %q and %q of table %q are of different types", c.Columns.Start, c.Columns.End, c.Table)
	}
	if t.types["src_ip"] != t.types["dst_ip"] {
		return nil, fmt.Errorf("the two columns of addresses of table %q are of different types", c.Table)
	}
	if err := t.choose(c, there); err != nil {
		return nil, err
	}
	t.address = address{kind: t.types["src_ip"]}
	if !strings.HasPrefix(t.types["start"], "timestamp") {
		t.perSecond = perSecond(c.Units.Time)
	}
	if column := t.columns["sampling"]; column != "" && c.Sampling > 0 {
		t.columns["sampling"] = fmt.Sprintf("(CASE WHEN %[1]s = 0 THEN %[2]d ELSE %[1]s END)", column, c.Sampling)
	}
	if err := t.inZone(c.TimeZone); err != nil {
		return nil, err
	}
	if t.columns["duration"] != "" {
		t.columns["end"] = t.endOf(c.Units.Duration)
	}
	return t, nil
}

// inZone has times without a zone read as of the configured one. For UTC nothing
// is computed, for the sessions are in UTC too.
func (t *table) inZone(name integrations.Zone) error {
	zone, err := name.Location()
	if err != nil {
		return err
	}
	t.local = t.types["start"] == "timestamp without time zone"
	switch {
	case name == "" || name == "UTC":
		return nil
	case !t.local:
		return fmt.Errorf("time_zone is for timestamps without a zone, and the column %s has type %s", t.columns["start"], t.types["start"])
	}
	t.zone, t.written = zone, t.columns["start"]
	for _, setting := range []string{"start", "end"} {
		if t.columns[setting] != "" {
			t.columns[setting] = fmt.Sprintf("(%s AT TIME ZONE '%s')", t.columns[setting], name)
			t.types[setting] = "timestamp with time zone"
		}
	}
	return nil
}

// choose sets which rows count, by columns that must exist, and by which column a
// router's two directions are distinguished.
func (t *table) choose(c *Config, there map[string]string) error {
	for setting, list := range map[string][]integrations.Match{"only": c.Only, "without": c.Without} {
		for _, m := range list {
			if _, ok := there[m.Column.String()]; !ok {
				return fmt.Errorf("table %q has no column %q that the role may read (%s)", c.Table, m.Column, setting)
			}
		}
	}
	t.only, t.without = c.Only, c.Without
	t.router = t.sensor(t.columns["sensor"])
	if direction := t.columns["flow_direction"]; direction != "" {
		t.columns["sensor"] = fmt.Sprintf("(%s || CASE WHEN lower(%s::text) IN (%s) THEN '%s' ELSE '' END)", t.router, direction,
			"'"+strings.Join(flowmath.EgressWords(), "', '")+"'", flowmath.Egress)
		t.types["sensor"] = "text"
	}
	return nil
}

// endOf is the expression for the end of a flow with a known duration.
func (t *table) endOf(unit string) string {
	start, duration := t.columns["start"], t.columns["duration"]
	numeric := t.types["duration"] != "interval"
	switch {
	case t.perSecond == 0 && numeric:
		return fmt.Sprintf("(%s + %s * interval '1 second' / %g)", start, duration, perSecond(unit))
	case t.perSecond == 0:
		return fmt.Sprintf("(%s + %s)", start, duration)
	case numeric:
		return fmt.Sprintf("(%s + (%s * %g::float8)::%s)", start, duration, t.perSecond/perSecond(unit), t.types["start"])
	default:
		return fmt.Sprintf("(%s + (date_part('epoch', %s) * %g::float8)::%s)", start, duration, t.perSecond, t.types["start"])
	}
}

func perSecond(unit string) float64 {
	switch unit {
	case "ms":
		return 1e3
	case "us":
		return 1e6
	case "ns":
		return 1e9
	default:
		return 1
	}
}

func perByte(unit string) string {
	switch unit {
	case "bits":
		return " / 8.0"
	case "kilobytes":
		return " * 1000.0"
	case "kibibytes":
		return " * 1024.0"
	default:
		return ""
	}
}
