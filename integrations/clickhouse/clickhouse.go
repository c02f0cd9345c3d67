// Package clickhouse reads flows from a table in ClickHouse: that of Akvorado,
// that of goflow2's example, or any other of which the columns are named. It
// only reads, and has the server enforce that.
package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Config is the store's part of stanch.yaml.
type Config struct {
	Address  string              `yaml:"address,required" doc:"host:port of the native protocol, 9000, or 9440 with TLS."`
	Database string              `yaml:"database" doc:"Database of the table."`
	User     string              `yaml:"user" doc:"User that may SELECT from the table."`
	Password integrations.Secret `yaml:"password" doc:"The user's password."`
	TLS      bool                `yaml:"tls" doc:"Whether the connection is encrypted, with the system's certificates."`

	Schema    string  `yaml:"schema" enum:"akvorado,goflow2,custom" doc:"Whose table it is: akvorado, goflow2 (that of its ClickHouse example), or custom, which names its columns."`
	Table     string  `yaml:"table" doc:"Name of the table; none: flows for akvorado, flows_raw for goflow2."`
	Columns   Columns `yaml:"columns" doc:"Which column holds what, for schema custom."`
	TimeUnit  string  `yaml:"time_unit" enum:"s,ms,us,ns" doc:"What columns of times that are numbers count in since 1970: s, ms, us or ns."`
	Direction string  `yaml:"direction" enum:"both,one" doc:"For schema custom. one: a row covers what the source sent, as NetFlow and sFlow export it. both: a row covers both directions of a flow."`

	Only    []integrations.Match `yaml:"only" doc:"Rows count where each of these columns has one of its values."`
	Without []integrations.Match `yaml:"without" doc:"Rows do not count where one of these columns has one of its values."`

	Sampling         int           `yaml:"sampling" doc:"Sampling rate, one packet in n, of sensors that report 0, that is, none; 1 is every packet. 0: their volume is unknown."`
	Longest          time.Duration `yaml:"longest" doc:"How long a record can last, or be under way, at most."`
	MaxExecutionTime time.Duration `yaml:"max_execution_time" doc:"How long the server may work on one query."`
	MaxRowsToRead    int           `yaml:"max_rows_to_read" doc:"How many rows the server may read for one query; 0 is any number."`
	MaxRows          int           `yaml:"max_rows" doc:"How many peers and ports of one host are read one by one, the largest first; the sums are of all."`
}

// Columns are names of columns. Those that may be left out are empty.
type Columns struct {
	Start      string `yaml:"start" doc:"When the flow began: DateTime, DateTime64 or a number of time_unit."`
	End        string `yaml:"end" doc:"When it ended. None: a record is a moment."`
	Received   string `yaml:"received" doc:"When the record arrived, if the table is ordered by that: it saves reading the whole table."`
	SrcIP      string `yaml:"src_ip" doc:"Address of the source: IPv6, IPv4, FixedString(16), UInt32 for IPv4, or, from ClickHouse 23 on, String."`
	DstIP      string `yaml:"dst_ip" doc:"Address of the destination."`
	SrcPort    string `yaml:"src_port" doc:"Port of the source."`
	DstPort    string `yaml:"dst_port" doc:"Port of the destination."`
	Transport  string `yaml:"transport" doc:"Protocol, as its number or a name."`
	BytesOut   string `yaml:"bytes_out" doc:"What the source sent; NULL or below zero: not seen."`
	BytesIn    string `yaml:"bytes_in" doc:"What the destination sent, with direction both."`
	PacketsOut string `yaml:"packets_out" doc:"Packets that the source sent."`
	PacketsIn  string `yaml:"packets_in" doc:"Packets that the destination sent, with direction both."`
	Sensor     string `yaml:"sensor" doc:"Who saw the flow. A flow that several saw counts once."`
	Sampling   string `yaml:"sampling" doc:"n where the sensor saw one packet in n; bytes and packets are multiplied by it."`

	FlowDirection string `yaml:"flow_direction" doc:"At which side of its interfaces the sensor saw the flow, as NetFlow's DIRECTION says it: 1, egress, out or outbound, else ingress. A flow that a router recorded at both counts once."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "clickhouse",
		Summary:    "Flow store in ClickHouse: Akvorado, goflow2, or any table of flows.",
		Implements: (*Store)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "SELECT from the table", Why: "flows are read, never written; sessions are read-only where the user's profile leaves that open"},
			{Name: "SELECT from system.columns", Why: "the columns are looked up before they are queried"},
		},
		Example:   "flows: { kind: clickhouse, address: 'flows.example:9000', schema: akvorado, user: stanch, password_file: /run/secrets/flows }",
		NewConfig: func() any { return defaults() },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return newStore(c) }),
	}
}

const opOpen = "open the flow store"

func defaults() *Config {
	return &Config{
		Database: "default", User: "default", Schema: "akvorado", TimeUnit: "ns", Direction: "one",
		Longest: time.Hour, MaxExecutionTime: 30 * time.Second, MaxRows: 10_000,
	}
}

// presets are the columns of tables that are widely used.
func (c *Config) preset() (table string, columns Columns) {
	switch c.Schema {
	case "akvorado":
		return "flows", Columns{
			Start: "TimeReceived", SrcIP: "SrcAddr", DstIP: "DstAddr", SrcPort: "SrcPort", DstPort: "DstPort", Transport: "Proto",
			BytesOut: "Bytes", PacketsOut: "Packets", Sensor: "ExporterAddress", Sampling: "SamplingRate",
		}
	case "goflow2":
		return "flows_raw", Columns{
			Start: "time_flow_start", End: "time_flow_end", Received: "time_received", SrcIP: "src_addr", DstIP: "dst_addr",
			SrcPort: "src_port", DstPort: "dst_port", Transport: "proto", BytesOut: "bytes", PacketsOut: "packets",
			Sensor: "sampler_address", Sampling: "sampling_rate",
		}
	default:
		return "", c.Columns
	}
}

// goflow2Nanos are the columns of goflow2's example since it keeps nanoseconds,
// from version 2 on. It does not keep when a flow ended: a record arrives soon
// after that.
func goflow2Nanos() Columns {
	return Columns{
		Start: "time_flow_start_ns", End: "time_received_ns", Received: "time_received_ns", SrcIP: "src_addr", DstIP: "dst_addr",
		SrcPort: "src_port", DstPort: "dst_port", Transport: "proto", BytesOut: "bytes", PacketsOut: "packets",
		Sensor: "sampler_address", Sampling: "sampling_rate",
	}
}

// Store queries one table. It is safe for concurrent use. The first use looks up
// the table, so a server that is down is reported then.
type Store struct {
	config  Config
	columns Columns
	conn    driver.Conn
	// few is how many flows of a host are read one by one at most.
	few int
	// longer records flows that last longer than the configured maximum.
	longer flowmath.Longer

	mu    sync.Mutex
	table *table
}

func newStore(c *Config) (*Store, error) {
	s := &Store{config: *c, few: min(c.MaxRows, flowmath.FewRecords), longer: flowmath.Longer{Limit: c.Longest}}
	var usual string
	if usual, s.columns = c.preset(); s.config.Table == "" {
		s.config.Table = usual
	}
	if c.Schema != "custom" {
		s.config.Direction = "one"
	}
	if err := s.check(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "%w", err)
	}
	conn, err := driver.Open(c.connection())
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "the connection's settings are refused")
	}
	s.conn = conn
	return s, nil
}

// connection is how the server is reached.
func (c *Config) connection() *driver.Options {
	o := &driver.Options{
		Addr:        []string{c.Address},
		Auth:        driver.Auth{Database: c.Database, Username: c.User, Password: c.Password.Reveal()},
		DialTimeout: 10 * time.Second, ReadTimeout: c.MaxExecutionTime + 30*time.Second,
		MaxOpenConns: 4, MaxIdleConns: 2, ConnMaxLifetime: time.Hour,
		ClientInfo: driver.ClientInfo{Products: []struct{ Name, Version string }{{Name: "stanch"}}},
	}
	if c.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o
}

func (s *Store) check() error {
	c := &s.config
	// A connection string is not quoted, for it may hold a password.
	if host, _, err := net.SplitHostPort(c.Address); err != nil || strings.ContainsAny(host, "@/?") {
		return errors.New("address is not host:port of the native protocol, such as flows.example:9000")
	}
	switch {
	case c.Schema != "custom" && c.Columns != Columns{}:
		return fmt.Errorf("columns are for schema custom, not %s", c.Schema)
	case c.Sampling < 0 || c.Sampling > flowmath.MaxSampling:
		return fmt.Errorf("sampling is %d: must be between 0 and %d", c.Sampling, flowmath.MaxSampling)
	case c.Longest < time.Minute || c.Longest > 31*24*time.Hour:
		return fmt.Errorf("longest is %s: must be between 1m and 744h", c.Longest)
	case c.MaxExecutionTime < time.Second:
		return fmt.Errorf("max_execution_time is %s: must be at least 1s", c.MaxExecutionTime)
	case c.MaxRowsToRead < 0:
		return fmt.Errorf("max_rows_to_read is %d: must not be negative", c.MaxRowsToRead)
	case c.MaxRows < 100 || c.MaxRows > 1_000_000:
		return fmt.Errorf("max_rows is %d: must be between 100 and 1000000", c.MaxRows)
	case !identifier(c.Table):
		return fmt.Errorf("invalid table name %q", c.Table)
	case !identifier(c.Database):
		return fmt.Errorf("invalid database name %q", c.Database)
	}
	if err := integrations.CheckMatches(c.Only, c.Without, identifier); err != nil {
		return err
	}
	for _, column := range s.columns.list() {
		switch {
		case column.name == "" && column.required:
			return fmt.Errorf("columns.%s is empty", column.setting)
		case column.name != "" && !identifier(column.name):
			return fmt.Errorf("columns.%s: invalid column name %q", column.setting, column.name)
		}
	}
	return nil
}

// identifier reports whether a name can be one of a table or column. Names must
// exist, and are quoted wherever they are used.
func identifier(name string) bool {
	if name == "" || len(name) > 127 {
		return false
	}
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "") + "`" }

// Close closes the connections.
func (s *Store) Close() error { return s.conn.Close() }

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	name := s.config.Database + "." + s.config.Table
	t, err := s.open(ctx)
	if err != nil {
		return []integrations.Finding{{
			What: fmt.Sprintf("read the table %s: %v", name, err),
			Fix:  "check the address (host:port of the native protocol), the user and its rights, and the names of the table and its columns",
		}}
	}
	now := time.Now()
	found := s.probeMatches(ctx, t)
	span, err := s.span(ctx, t, now)
	switch {
	case err != nil:
		return append(found, integrations.Finding{What: fmt.Sprintf("read the newest record of %s: %v", name, err), Fix: "raise max_execution_time or max_rows_to_read"})
	case span.Records == 0:
		return append(found, integrations.Finding{What: fmt.Sprintf("the table %s is empty", name), Fix: "let the collector write into it"})
	}
	found = append(found, integrations.Finding{What: fmt.Sprintf("the newest record of %s is of %s", name, span.NewestText()), OK: true})
	found = append(found, span.Findings("the table "+name, now, "")...)
	switch n, err := s.unread(ctx, t, span.Newest.Add(-time.Hour), span.Newest.Add(time.Second)); {
	case err != nil:
		found = append(found, integrations.Finding{
			What: fmt.Sprintf("read the addresses of the last hour of %s: %v", name, failed(ctx, "read the addresses", err)), Fix: "raise max_execution_time or max_rows_to_read",
		})
	case n > 0:
		found = append(found, integrations.Finding{
			What: fmt.Sprintf("%d addresses of the last hour of %s are invalid: answers lack them", n, name), Fix: "have the collector write addresses",
		})
	}
	if t.locked {
		found = append(found, integrations.Finding{
			What: "the user's profile has readonly = 1, so no limits can be set on queries",
			Fix:  "set max_execution_time in the profile, or use readonly = 2",
		})
	}
	return found
}
