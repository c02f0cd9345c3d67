package postgres

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

const readerPassword = "hunter2-is-secret"

// layout is a table as some collector would make it.
type layout struct {
	name    string
	create  string // with %s for the schema
	columns []string
	config  func(*Config)
	rows    func(contract.Seen) [][]any
}

func openerOf(l layout) *opener { return &opener{layout: l, doors: map[integrations.Flows]opened{}} }

const exampleTable = `CREATE TABLE %[1]s.flows (
	start_time timestamptz NOT NULL, end_time timestamptz, src_ip inet NOT NULL, dst_ip inet NOT NULL,
	src_port integer NOT NULL, dst_port integer NOT NULL, transport text NOT NULL,
	bytes_out bigint, bytes_in bigint, packets_out bigint, packets_in bigint, sensor text NOT NULL, sampling integer NOT NULL);
	CREATE INDEX ON %[1]s.flows (src_ip, start_time);
	CREATE INDEX ON %[1]s.flows (dst_ip, start_time);
	CREATE INDEX ON %[1]s.flows (start_time)`

func seen(n int64) any {
	if n < 0 {
		return nil
	}
	return n
}

// localRows writes times in Kathmandu's local time.
func localRows(f contract.Seen) [][]any {
	wall := func(at time.Time) any {
		return at.In(time.FixedZone("+0545", 5*3600+45*60)).Format("2006-01-02 15:04:05.999999")
	}
	return [][]any{{
		wall(f.Start), wall(f.Start.Add(f.Duration)), f.SrcIP, f.DstIP, f.SrcPort, f.DstPort, f.Transport,
		seen(f.BytesOut), seen(f.BytesIn), seen(f.PacketsOut), f.Sensor, f.Sampling,
	}}
}

func layouts() []layout {
	return []layout{
		{
			name: "example", create: exampleTable,
			columns: []string{
				"start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "transport", "bytes_out", "bytes_in",
				"packets_out", "sensor", "sampling",
			},
			config: func(*Config) {},
			rows: func(f contract.Seen) [][]any {
				return [][]any{{
					f.Start, f.Start.Add(f.Duration), f.SrcIP, f.DstIP, f.SrcPort, f.DstPort, f.Transport,
					seen(f.BytesOut), seen(f.BytesIn), seen(f.PacketsOut), f.Sensor, f.Sampling,
				}}
			},
		},
		{
			name: "netflow",
			create: `CREATE TABLE %s.flows ("First" bigint, "Last" bigint, src text, dst text, sport integer, dport integer, proto smallint,
				octets bigint, pkts bigint, exporter inet, rate integer)`,
			columns: []string{"First", "Last", "src", "dst", "sport", "dport", "proto", "octets", "pkts", "exporter", "rate"},
			config: func(c *Config) {
				c.Direction, c.Units.Time = "one", "ms"
				c.Columns = Columns{
					Start: "First", End: "Last", SrcIP: "src", DstIP: "dst", SrcPort: "sport", DstPort: "dport", Transport: "proto",
					BytesOut: "octets", PacketsOut: "pkts", Sensor: "exporter", Sampling: "rate",
				}
			},
			rows: netflowRows,
		},
		{
			name: "zeek",
			create: `CREATE TABLE %s.flows (ts double precision, duration double precision, orig_h inet, resp_h inet, orig_p integer, resp_p integer,
				proto text, orig_bytes bigint, orig_ip_bytes bigint, resp_ip_bytes bigint, orig_pkts bigint, node text, sampling smallint)`,
			columns: []string{
				"ts", "duration", "orig_h", "resp_h", "orig_p", "resp_p", "proto", "orig_bytes", "orig_ip_bytes", "resp_ip_bytes",
				"orig_pkts", "node", "sampling",
			},
			config: func(c *Config) {
				c.Columns = Columns{
					Start: "ts", Duration: "duration", SrcIP: "orig_h", DstIP: "resp_h", SrcPort: "orig_p", DstPort: "resp_p", Transport: "proto",
					PayloadOut: "orig_bytes", BytesOut: "orig_ip_bytes", BytesIn: "resp_ip_bytes", PacketsOut: "orig_pkts",
					Sensor: "node", Sampling: "sampling",
				}
			},
			rows: func(f contract.Seen) [][]any {
				payload := seen(f.BytesOut)
				if f.BytesOut >= 0 {
					payload = max(0, f.BytesOut-28*f.PacketsOut)
				}
				return [][]any{{
					float64(f.Start.UnixMicro()) / 1e6, f.Duration.Seconds(), f.SrcIP, f.DstIP, f.SrcPort, f.DstPort, f.Transport, payload,
					seen(f.BytesOut), seen(f.BytesIn), seen(f.PacketsOut), f.Sensor, f.Sampling,
				}}
			},
		},
		{
			name: "plain",
			create: `CREATE TABLE %s.flows (began timestamp, lasted interval, a varchar(45), b varchar(45), ap integer, bp integer, proto integer,
				kib_out double precision, kib_in double precision, pkts numeric, probe integer, rate integer)`,
			columns: []string{"began", "lasted", "a", "b", "ap", "bp", "proto", "kib_out", "kib_in", "pkts", "probe", "rate"},
			config: func(c *Config) {
				c.Units.Bytes = "kibibytes"
				c.Columns = Columns{
					Start: "began", Duration: "lasted", SrcIP: "a", DstIP: "b", SrcPort: "ap", DstPort: "bp", Transport: "proto",
					BytesOut: "kib_out", BytesIn: "kib_in", PacketsOut: "pkts", Sensor: "probe", Sampling: "rate",
				}
			},
			rows: func(f contract.Seen) [][]any {
				kib := func(n int64) any {
					if n < 0 {
						return -1.0
					}
					return float64(n) / 1024
				}
				return [][]any{{
					f.Start.UTC(), f.Duration, f.SrcIP, f.DstIP, f.SrcPort, f.DstPort, map[string]int{"udp": 17, "tcp": 6}[f.Transport],
					kib(f.BytesOut), kib(f.BytesIn), f.PacketsOut, probes()[f.Sensor], f.Sampling,
				}}
			},
		},
		{
			name: "local",
			create: `CREATE TABLE %[1]s.flows (start_time timestamp NOT NULL, end_time timestamp, src_ip inet, dst_ip inet, src_port integer, dst_port integer,
				transport text, bytes_out bigint, bytes_in bigint, packets_out bigint, packets_in bigint, sensor text, sampling integer);
				CREATE INDEX ON %[1]s.flows (start_time)`,
			columns: []string{
				"start_time", "end_time", "src_ip", "dst_ip", "src_port", "dst_port", "transport", "bytes_out", "bytes_in",
				"packets_out", "sensor", "sampling",
			},
			config: func(c *Config) { c.TimeZone = "Asia/Kathmandu" },
			rows:   localRows,
		},
	}
}

// probes are the numbers of sensors in a table that has no names.
func probes() map[string]int { return map[string]int{"north": 1, "south": 2, "west": 3, "test": 4} }

// exporters are the addresses by which a collector identifies sensors.
func exporters() map[string]string {
	return map[string]string{"north": "198.18.0.1", "south": "198.18.0.2", "west": "198.18.0.3", "test": "198.18.0.4"}
}

// netflowRows writes a flow as an exporter does: a record for each direction
// that it saw.
func netflowRows(f contract.Seen) [][]any {
	proto := map[string]int{"udp": 17, "tcp": 6}[f.Transport]
	exporter := exporters()[f.Sensor]
	begin, end := f.Start.UnixMilli(), f.Start.Add(f.Duration).UnixMilli()
	var rows [][]any
	if f.BytesOut >= 0 {
		rows = append(rows, []any{begin, end, f.SrcIP, f.DstIP, f.SrcPort, f.DstPort, proto, f.BytesOut, f.PacketsOut, exporter, f.Sampling})
	}
	if f.BytesIn >= 0 {
		rows = append(rows, []any{begin, end, f.DstIP, f.SrcIP, f.DstPort, f.SrcPort, proto, f.BytesIn, 1, exporter, f.Sampling})
	}
	return rows
}

// opened is the harness's record of a store that it opened.
type opened struct {
	*servertest.Door
	role string
}

type opener struct {
	layout
	// summed has the server sum all records.
	summed bool
	mu     sync.Mutex
	doors  map[integrations.Flows]opened
}

func (o *opener) open(tb testing.TB, records []contract.Seen) *Store {
	s := running(tb)
	n := s.made.Add(1)
	schema, role := fmt.Sprintf("s%d", n), fmt.Sprintf("r%d", n)
	s.exec(tb, fmt.Sprintf(`CREATE SCHEMA %[1]s; CREATE ROLE %[2]s LOGIN PASSWORD '%[3]s'; GRANT USAGE ON SCHEMA %[1]s TO %[2]s`,
		schema, role, readerPassword))
	s.exec(tb, fmt.Sprintf(o.create, schema))
	s.exec(tb, fmt.Sprintf(`GRANT SELECT ON %s.flows TO %s`, schema, role))
	var rows [][]any
	for _, r := range records {
		rows = append(rows, o.rows(r)...)
	}
	s.mu.Lock()
	_, err := s.admin.CopyFrom(tb.Context(), pgx.Identifier{schema, "flows"}, o.columns, pgx.CopyFromRows(rows))
	s.mu.Unlock()
	if err != nil {
		tb.Fatal(err)
	}
	d := servertest.NewDoor(tb, s.port)
	c := defaults()
	c.DSN, c.Table = integrations.Secret(s.dsn(role, readerPassword, d.Port())), schema+".flows"
	o.config(c)
	store, err := newStore(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	if o.summed {
		store.few = 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.doors[store] = opened{d, role}
	return store
}

func (o *opener) openSeen(tb testing.TB, records []contract.Seen) integrations.Flows {
	return o.open(tb, records)
}

func (o *opener) breakIt(tb testing.TB, f integrations.Flows, fault contract.Fault) {
	o.mu.Lock()
	is := o.doors[f]
	o.mu.Unlock()
	is.Door.Break(fault)
	if fault == contract.Deny {
		running(tb).exec(tb, fmt.Sprintf(`ALTER ROLE %[1]s NOLOGIN;
			SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%[1]s'`, is.role))
	}
}

func harness(t *testing.T, l layout, summed bool) contract.FlowsHarness {
	running(t)
	o := openerOf(l)
	o.summed = summed
	h := contract.FlowsHarness{
		Knobs: contract.Knobs{Kind: "postgres", Secrets: []string{readerPassword}, Skip: map[string]string{
			"throttled says when to come back": "PostgreSQL never says when to come back",
		}},
		OpenSeen: o.openSeen,
		Break:    func(f integrations.Flows, fault contract.Fault) { o.breakIt(t, f, fault) },
	}
	switch l.name {
	case "netflow":
		h.Halves, h.Named = true, exporters()
	case "plain":
		h.Named = map[string]string{}
		for sensor, n := range probes() {
			h.Named[sensor] = strconv.Itoa(n)
		}
	}
	return h
}

func TestContract(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			h := harness(t, l, false)
			contract.Flows(t, h)
			contract.Hunter(t, h)
			contract.Surveyor(t, h)
			contract.Census(t, h)
		})
	}
}

// TestSummedContract has the server sum everything.
func TestSummedContract(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) { contract.Flows(t, harness(t, l, true)) })
	}
}
