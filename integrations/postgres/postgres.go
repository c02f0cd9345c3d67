// Package postgres reads flows from a table in PostgreSQL, TimescaleDB included.
// It only reads: its sessions are read-only, and a role that may SELECT from the
// one table is enough.
//
// Any table will do that has one row per flow; the settings say which column
// holds what. This one needs no setting but the address:
//
//	CREATE TABLE flows (
//	  start_time  timestamptz NOT NULL,
//	  end_time    timestamptz,           -- NULL: the flow goes on
//	  src_ip      inet NOT NULL,         -- who opened the flow; text will do, too
//	  dst_ip      inet NOT NULL,
//	  src_port    integer NOT NULL,
//	  dst_port    integer NOT NULL,
//	  transport   text NOT NULL,         -- tcp, udp, … or its number
//	  bytes_out   bigint,                -- from src to dst; NULL: not seen
//	  bytes_in    bigint,                -- from dst to src
//	  packets_out bigint,
//	  packets_in  bigint,
//	  sensor      text NOT NULL,         -- who saw it
//	  sampling    integer NOT NULL       -- n where it saw one packet in n
//	);
//	CREATE INDEX ON flows (src_ip, start_time);
//	CREATE INDEX ON flows (dst_ip, start_time);
//	CREATE INDEX ON flows (start_time);
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Config is the store's part of stanch.yaml.
type Config struct {
	DSN      integrations.Secret `yaml:"dsn" doc:"Connection string, postgres://… or key=value pairs; none: the settings host to tls."`
	Host     string              `yaml:"host" doc:"Name or address of the server, or the folder of its socket."`
	Port     int                 `yaml:"port" doc:"Port of the server."`
	Database string              `yaml:"database" doc:"Name of the database."`
	User     string              `yaml:"user" doc:"Role that may SELECT from the table; it needs nothing else."`
	Password integrations.Secret `yaml:"password" doc:"The role's password."`
	TLS      string              `yaml:"tls" enum:"disable,require,verify-ca,verify-full" doc:"How the connection is protected: disable, require, verify-ca or verify-full."`

	Table     string            `yaml:"table" doc:"Table or view of the flows, with its schema if that is not public."`
	Columns   Columns           `yaml:"columns" doc:"Which column holds what."`
	Units     Units             `yaml:"units" doc:"Units of the columns."`
	TimeZone  integrations.Zone `yaml:"time_zone" doc:"The zone of start and end where they are timestamps without one, such as Europe/Berlin: a name of the zone database. An hour that occurs twice, when clocks are put back, is taken as the later one."`
	Direction string            `yaml:"direction" enum:"both,one" doc:"both: a row covers both directions of a flow. one: a row covers what the source sent, as NetFlow and sFlow export it; columns with the ending _in are not read then."`

	Only    []integrations.Match `yaml:"only" doc:"Rows count where each of these columns has one of its values."`
	Without []integrations.Match `yaml:"without" doc:"Rows do not count where one of these columns has one of its values."`

	Sampling         int           `yaml:"sampling" doc:"Sampling rate, one packet in n, of sensors that report 0, that is, none; 1 is every packet. 0: their volume is unknown."`
	Longest          time.Duration `yaml:"longest" doc:"How long a flow can last at most; one that lasts longer is missed by windows that begin later than that after its start."`
	StatementTimeout time.Duration `yaml:"statement_timeout" doc:"How long the server may work on one query."`
	MaxRows          int           `yaml:"max_rows" doc:"How many peers and ports of one host are read one by one, the largest first; the sums are of all."`
}

// Columns are names of columns. Those that may be left out are empty.
type Columns struct {
	Start      string `yaml:"start" doc:"When the flow began: a timestamp, or a number of units.time since 1970."`
	End        string `yaml:"end" doc:"When it ended; NULL: it goes on. Neither end nor duration: a flow is a moment."`
	Duration   string `yaml:"duration" doc:"How long it lasted, in place of end: an interval, or a number of units.duration."`
	SrcIP      string `yaml:"src_ip" doc:"Address of the source: inet, cidr or text."`
	DstIP      string `yaml:"dst_ip" doc:"Address of the destination."`
	SrcPort    string `yaml:"src_port" doc:"Port of the source."`
	DstPort    string `yaml:"dst_port" doc:"Port of the destination."`
	Transport  string `yaml:"transport" doc:"Protocol, as a name or as its number."`
	BytesOut   string `yaml:"bytes_out" doc:"What the source sent, IP headers included; NULL: not seen. Empty: only payload_out is counted."`
	BytesIn    string `yaml:"bytes_in" doc:"What the destination sent."`
	PayloadOut string `yaml:"payload_out" doc:"What the source sent without headers, such as Zeek's orig_bytes."`
	PayloadIn  string `yaml:"payload_in" doc:"What the destination sent without headers."`
	PacketsOut string `yaml:"packets_out" doc:"Packets that the source sent."`
	PacketsIn  string `yaml:"packets_in" doc:"Packets that the destination sent."`
	Sensor     string `yaml:"sensor" doc:"Who saw the flow. A flow that several saw counts once."`
	Sampling   string `yaml:"sampling" doc:"n where the sensor saw one packet in n; bytes and packets are multiplied by it."`

	FlowDirection string `yaml:"flow_direction" doc:"At which side of its interfaces the sensor saw the flow, as NetFlow's DIRECTION says it: 1, egress, out or outbound, else ingress. A flow that a router recorded at both counts once."`
}

// Units are what numbers count in.
type Units struct {
	Time     string `yaml:"time" enum:"s,ms,us,ns" doc:"Of start and end, where they are numbers: s, ms, us or ns."`
	Duration string `yaml:"duration" enum:"s,ms,us,ns" doc:"Of duration, where it is a number: s, ms, us or ns."`
	Bytes    string `yaml:"bytes" enum:"bytes,bits,kilobytes,kibibytes" doc:"Of all counters of bytes: bytes, bits, kilobytes or kibibytes."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "postgres",
		Summary:    "Flow store in a PostgreSQL or TimescaleDB table: NetFlow, IPFIX, sFlow or Zeek, one row per flow.",
		Implements: (*Store)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "CONNECT to the database, USAGE of the schema", Why: "to reach the table"},
			{Name: "SELECT from the table", Why: "flows are read, never written; sessions are read-only"},
		},
		Example: "flows: { kind: postgres, host: flows.example, database: netflow, user: stanch_ro, password_file: /run/secrets/flows, " +
			"table: netflow.flows, columns: { start: first_seen, end: last_seen, sensor: exporter, sampling: rate } }",
		NewConfig: func() any { return defaults() },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return newStore(c) }),
	}
}

const opOpen = "open the flow store"

func defaults() *Config {
	return &Config{
		Port: 5432, TLS: "verify-full", Table: "flows", TimeZone: "UTC", Direction: "both",
		Columns: Columns{
			Start: "start_time", End: "end_time", SrcIP: "src_ip", DstIP: "dst_ip", SrcPort: "src_port", DstPort: "dst_port",
			Transport: "transport", BytesOut: "bytes_out", BytesIn: "bytes_in", PacketsOut: "packets_out", PacketsIn: "packets_in",
			Sensor: "sensor", Sampling: "sampling",
		},
		Units:   Units{Time: "s", Duration: "s", Bytes: "bytes"},
		Longest: 24 * time.Hour, StatementTimeout: 30 * time.Second, MaxRows: 10_000,
	}
}

// Store queries one table. It is safe for concurrent use. The first use looks up
// the table, so a server that is down is reported then.
type Store struct {
	config Config
	pool   *pgxpool.Pool
	// few is how many flows of a host are read one by one at most.
	few int
	// longer records flows that last longer than the configured maximum.
	longer flowmath.Longer

	mu    sync.Mutex
	table *table
}

func newStore(c *Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "%w", err)
	}
	// An error about the string would quote it, and it holds the password.
	pc, err := pgxpool.ParseConfig(c.dsn())
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "dsn is not a connection string such as postgres://user@host/database")
	}
	pc.MaxConns, pc.MaxConnIdleTime = 4, 5*time.Minute
	pc.ConnConfig.ConnectTimeout = 10 * time.Second
	for name, value := range map[string]string{
		"default_transaction_read_only": "on",
		"statement_timeout":             strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10),
		"application_name":              "stanch",
		"timezone":                      "UTC",
		// A plan that is made without the window's times reads the whole table.
		"plan_cache_mode": "force_custom_plan",
		// It costs more than it gains at these sizes.
		"jit": "off",
		// So do workers, for the few flows of most hosts: starting them takes
		// longer than reading those.
		"parallel_setup_cost": "20000",
	} {
		pc.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, opOpen, "the connection's settings are refused")
	}
	return &Store{config: *c, pool: pool, few: min(c.MaxRows, flowmath.FewRecords), longer: flowmath.Longer{Limit: c.Longest}}, nil
}

// dsn returns the connection string.
func (c *Config) dsn() string {
	if c.DSN != "" {
		return c.DSN.Reveal()
	}
	q := url.Values{"sslmode": {c.TLS}, "host": {c.Host}, "port": {strconv.Itoa(c.Port)}}
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(c.User, c.Password.Reveal()), Path: "/" + c.Database, RawQuery: q.Encode(),
	}).String()
}

func (c *Config) check() error {
	if _, err := c.TimeZone.Location(); err != nil {
		return err
	}
	switch {
	case c.DSN == "" && (c.Host == "" || c.Database == "" || c.User == ""):
		return fmt.Errorf("write dsn, or host, database and user")
	case c.DSN != "" && (c.Host != "" || c.Database != "" || c.User != "" || c.Password != ""):
		return fmt.Errorf("write either dsn or host, database, user and password")
	case !strings.HasPrefix(c.Host, "/") && (strings.LastIndex(c.Host, "@") > 0 || strings.ContainsAny(c.Host, "=?") || strings.Contains(c.Host, "://")):
		// It is not quoted, for it may hold a password.
		return errors.New("host must be a name, an address or a folder: write a connection string as dsn")
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("port is %d: must be between 1 and 65535", c.Port)
	case c.Sampling < 0 || c.Sampling > flowmath.MaxSampling:
		return fmt.Errorf("sampling is %d: must be between 0 and %d", c.Sampling, flowmath.MaxSampling)
	case c.Longest < time.Minute || c.Longest > 366*24*time.Hour:
		return fmt.Errorf("longest is %s: must be between a minute and a year", c.Longest)
	case c.StatementTimeout < time.Millisecond:
		return fmt.Errorf("statement_timeout is %s: must be at least 1ms", c.StatementTimeout)
	case c.MaxRows < 100 || c.MaxRows > 1_000_000:
		return fmt.Errorf("max_rows is %d: must be between 100 and 1000000", c.MaxRows)
	case strings.Count(c.Table, ".") > 1:
		return fmt.Errorf("table %q is not schema.table", c.Table)
	case c.Columns.BytesOut == "" && c.Columns.PayloadOut == "":
		return fmt.Errorf("columns need bytes_out or payload_out")
	case c.Columns.End != "" && c.Columns.Duration != "":
		return fmt.Errorf("columns end and duration exclude each other: leave one empty")
	}
	if err := integrations.CheckMatches(c.Only, c.Without, identifier); err != nil {
		return err
	}
	for _, name := range strings.Split(c.Table, ".") {
		if !identifier(name) {
			return fmt.Errorf("invalid table name %q", c.Table)
		}
	}
	for _, column := range c.Columns.list() {
		switch {
		case column.name == "" && column.required:
			return fmt.Errorf("columns.%s is empty", column.setting)
		case column.name != "" && !identifier(column.name):
			return fmt.Errorf("columns.%s: invalid column name %q", column.setting, column.name)
		}
	}
	return nil
}

// identifier reports whether a name can be one of a table or column. Names are
// quoted wherever they are used, and must exist; this refuses obvious mistakes.
func identifier(name string) bool {
	if name == "" || len(name) > 63 {
		return false
	}
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '$' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// Close closes the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	t, err := s.open(ctx)
	if err != nil {
		return []integrations.Finding{{
			What: fmt.Sprintf("read the table %s: %v", s.config.Table, err),
			Fix:  "check the address and the role, GRANT SELECT on the table, and name its columns",
		}}
	}
	now := time.Now()
	found := s.probeMatches(ctx, t)
	span, err := s.span(ctx, t, now)
	switch {
	case err != nil:
		return append(found, integrations.Finding{
			What: fmt.Sprintf("read the newest record of %s: %v", s.config.Table, err), Fix: "make an index that begins with the column of the start",
		})
	case span.Records == 0:
		return append(found, integrations.Finding{What: fmt.Sprintf("the table %s is empty", s.config.Table), Fix: "let the collector write into it"})
	}
	found = append(found, integrations.Finding{What: fmt.Sprintf("the newest record of %s is of %s", s.config.Table, span.NewestText()), OK: true})
	found = append(found, span.Findings("the table "+s.config.Table, now, s.cure(t))...)
	found = append(found, s.probeAddresses(ctx, t, span.Newest)...)
	return append(found, s.probeIndexes(ctx, t)...)
}

// probeIndexes looks for the indexes without which every query reads the
// whole table. A view has none of its own.
func (s *Store) probeIndexes(ctx context.Context, t *table) []integrations.Finding {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT a.attname::text FROM pg_index i
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = $1::regclass`, t.name)
	if err != nil {
		return nil
	}
	leading, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(leading) == 0 {
		return nil
	}
	var found []integrations.Finding
	for _, column := range []string{s.config.Columns.SrcIP, s.config.Columns.DstIP, s.config.Columns.Start} {
		f := integrations.Finding{What: "an index begins with " + column, OK: true}
		if !slices.Contains(leading, column) {
			f = integrations.Finding{
				What: "no index begins with " + column,
				Fix:  fmt.Sprintf("CREATE INDEX ON %s (%s): without it queries read the whole table", s.config.Table, column),
			}
		}
		found = append(found, f)
	}
	return found
}
