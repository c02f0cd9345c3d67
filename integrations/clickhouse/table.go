package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// column is one setting below columns.
type column struct {
	setting, name string
	required      bool
	// kinds are the types that can be read, without their wrapping.
	kinds []string
}

func (c *Columns) list() []column {
	numbers := []string{"UInt8", "UInt16", "UInt32", "UInt64", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64"}
	times := []string{"DateTime", "DateTime64", "UInt32", "UInt64", "Int64"}
	addresses := []string{"IPv6", "IPv4", "FixedString(16)", "UInt32", "String"}
	words := append([]string{"String", "IPv6", "IPv4", "FixedString", "Enum8", "Enum16"}, numbers...)
	return []column{
		{"start", c.Start, true, times},
		{"end", c.End, false, times},
		{"received", c.Received, false, times},
		{"src_ip", c.SrcIP, true, addresses},
		{"dst_ip", c.DstIP, true, addresses},
		{"src_port", c.SrcPort, true, numbers},
		{"dst_port", c.DstPort, true, numbers},
		{"transport", c.Transport, true, append([]string{"String", "Enum8", "Enum16"}, numbers...)},
		{"bytes_out", c.BytesOut, true, numbers},
		{"bytes_in", c.BytesIn, false, numbers},
		{"packets_out", c.PacketsOut, false, numbers},
		{"packets_in", c.PacketsIn, false, numbers},
		{"sensor", c.Sensor, false, words},
		{"flow_direction", c.FlowDirection, false, append([]string{"Bool"}, words...)},
		{"sampling", c.Sampling, false, numbers},
	}
}

// textSince is the first version of which every release reads text as an address
// without failing on invalid text.
const textSince = 23

// table is the description of the table that was read from the server.
type table struct {
	name string
	// columns holds the quoted name of each setting, or nothing; types the type
	// of each, without Nullable and LowCardinality.
	columns map[string]string
	types   map[string]string
	// nullable are the settings whose column may hold NULL.
	nullable map[string]bool
	address  address
	// only and without choose the rows that count.
	only, without []integrations.Match
	// router is the sensor's column as it is, without the direction.
	router string
	// sided reports whether a router's two directions are two sensors.
	sided bool
	// release is the first number of the server's version, such as 26.
	release int
	single  bool
	// perSecond is how many units of a time that is a number are a second.
	perSecond int64
	longest   time.Duration
	// sampling is the rate of sensors that do not say theirs, 0 where that is not
	// known.
	sampling int
	asked    []int32
	// settings go with every query; a user whose profile allows none is locked.
	settings map[string]any
	locked   bool
}

// open reads the description of the table, once: every name must exist, with a
// type that can be read.
func (s *Store) open(ctx context.Context) (*table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		return s.table, nil
	}
	t := &table{
		name: quoted(s.config.Database) + "." + quoted(s.config.Table), columns: map[string]string{}, types: map[string]string{}, nullable: map[string]bool{},
		single: s.config.Direction == "one", perSecond: perSecond(s.config.TimeUnit), longest: s.config.Longest, sampling: s.config.Sampling, asked: flowmath.AskedPorts(),
	}
	limits, err := s.limits(ctx, t)
	if err != nil {
		return nil, failed(ctx, opOpen, err)
	}
	rows, err := s.query(ctx, t, `SELECT name, type FROM system.columns WHERE database = ? AND table = ?`, s.config.Database, s.config.Table)
	if err != nil {
		return nil, failed(ctx, opOpen, err)
	}
	there := map[string]string{}
	err = each(rows, func() error {
		var name, kind string
		err := rows.Scan(&name, &kind)
		there[name] = kind
		return err
	})
	if err != nil {
		return nil, failed(ctx, opOpen, err)
	}
	if len(there) == 0 {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "there is no table %q in database %q that the user may read",
			s.config.Table, s.config.Database)
	}
	if err := s.look(t, there); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "%w", err)
	}
	t.settings = limits
	s.table = t
	return t, nil
}

func (s *Store) look(t *table, there map[string]string) error {
	columns := s.columns
	if _, ok := there[goflow2Nanos().Start]; ok && s.config.Schema == "goflow2" {
		columns = goflow2Nanos()
	}
	for _, column := range columns.list() {
		if column.name == "" || t.single && strings.HasSuffix(column.setting, "_in") {
			continue
		}
		kind, ok := there[column.name]
		if !ok {
			return fmt.Errorf("table %q has no column %q that the user may read (columns.%s)", s.config.Table, column.name, column.setting)
		}
		t.nullable[column.setting] = strings.Contains(kind, "Nullable(")
		kind = bare(kind)
		if !slices.ContainsFunc(column.kinds, func(k string) bool { return kind == k || strings.HasPrefix(kind, k+"(") }) {
			return fmt.Errorf("column %q of table %q has type %s; columns.%s must be one of %s", column.name, s.config.Table, there[column.name],
				column.setting, strings.Join(column.kinds, ", "))
		}
		t.columns[column.setting], t.types[column.setting] = t.filled(column.setting, quoted(column.name), kind), kind
	}
	if err := s.choose(t, there); err != nil {
		return err
	}
	if t.types["src_ip"] != t.types["dst_ip"] {
		return fmt.Errorf("the two columns of addresses of table %q are of different types", s.config.Table)
	}
	t.address = addressOf(t.types["src_ip"], s.config.Schema)
	if t.address.kind == "String" && t.release < textSince {
		return fmt.Errorf("columns %q and %q of table %q are text, which ClickHouse reads as addresses from version %d on; the server's is %d",
			columns.SrcIP, columns.DstIP, s.config.Table, textSince, t.release)
	}
	for _, setting := range []string{"src_ip", "dst_ip"} {
		t.columns[setting] = t.address.read(t.columns[setting])
	}
	return nil
}

// filled is the expression of a column that may hold NULL where the answer needs
// a value: the invalid address, a port of 0, an end that is the start. A NULL
// among counters means that it was not counted, and one for a start that there is
// no record.
func (t *table) filled(setting, column, kind string) string {
	if !t.nullable[setting] {
		return column
	}
	switch setting {
	case "src_ip", "dst_ip":
		return fmt.Sprintf("ifNull(%s, %s)", column, address{kind: kind}.none())
	case "src_port", "dst_port":
		return fmt.Sprintf("ifNull(%s, 0)", column)
	case "transport", "sensor", "flow_direction":
		return fmt.Sprintf("ifNull(toString(%s), '')", column)
	case "end":
		return fmt.Sprintf("ifNull(%s, %s)", column, t.columns["start"])
	default:
		return column
	}
}

// bare returns a type without its wrapping.
func bare(kind string) string {
	for _, wrap := range []string{"LowCardinality(", "Nullable("} {
		if rest, ok := strings.CutPrefix(kind, wrap); ok {
			kind = strings.TrimSuffix(rest, ")")
		}
	}
	return kind
}

// limits returns the settings that the user may set.
func (s *Store) limits(ctx context.Context, t *table) (map[string]any, error) {
	var readonly, version string
	t.locked = true
	if err := s.one(ctx, t, `SELECT value, version() FROM system.settings WHERE name = 'readonly'`, nil, &readonly, &version); err != nil {
		return nil, err
	}
	release, _, _ := strings.Cut(version, ".")
	t.release, _ = strconv.Atoi(release) // a release without a number counts as the oldest
	if t.locked = readonly == "1"; t.locked {
		return nil, nil
	}
	limits := map[string]any{
		"max_execution_time": int(s.config.MaxExecutionTime / time.Second),
		"max_result_rows":    max(2*s.config.MaxRows, flowmath.MaxWindows),
	}
	if s.config.MaxRowsToRead > 0 {
		limits["max_rows_to_read"] = s.config.MaxRowsToRead
	}
	if readonly == "0" {
		limits["readonly"] = 1
	}
	return limits, nil
}

func perSecond(unit string) int64 {
	switch unit {
	case "s":
		return 1
	case "ms":
		return 1e3
	case "us":
		return 1e6
	default:
		return 1e9
	}
}
