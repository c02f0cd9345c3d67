package clickhouse

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

const readerPassword = "hunter2-is-secret"

// layout is a table as some collector makes it, with the types that the oldest
// server of the tests has: FixedString(16) in place of IPv6, DateTime in place
// of DateTime64.
type layout struct {
	name    string
	create  string // with %s for the database
	table   string
	config  func(*Config)
	rows    func(contract.Seen) [][]any
	harness func(*contract.FlowsHarness)
}

func layouts() []layout {
	return []layout{
		{
			name: "akvorado", table: "flows",
			create: `CREATE TABLE %s.flows (TimeReceived DateTime, SamplingRate UInt64, ExporterAddress FixedString(16), ExporterName String,
				SrcAddr FixedString(16), DstAddr FixedString(16), SrcPort UInt16, DstPort UInt16, EType UInt32, Proto UInt32, Bytes UInt64, Packets UInt64)
				ENGINE = MergeTree() PARTITION BY toYYYYMMDD(TimeReceived) ORDER BY (TimeReceived, ExporterAddress)`,
			config: func(c *Config) { c.Schema = "akvorado" },
			rows:   akvoradoRows,
			harness: func(h *contract.FlowsHarness) {
				h.Halves, h.Moments, h.Named = true, true, exporters()
			},
		},
		{
			name: "goflow2", table: "flows_raw",
			create: `CREATE TABLE %s.flows_raw (date Date, type Int32, time_received DateTime, sequence_num UInt32, sampling_rate UInt64,
				sampler_address FixedString(16), time_flow_start DateTime, time_flow_end DateTime, bytes UInt64, packets UInt64,
				src_addr FixedString(16), dst_addr FixedString(16), etype UInt32, proto UInt32, src_port UInt32, dst_port UInt32)
				ENGINE = MergeTree() PARTITION BY date ORDER BY time_received`,
			config: func(c *Config) { c.Schema = "goflow2" },
			rows:   goflowRows,
			harness: func(h *contract.FlowsHarness) {
				h.Halves, h.Named = true, exporters()
			},
		},
		{
			name: "custom", table: "netlog",
			create: `CREATE TABLE %s.netlog (begun UInt64, ended UInt64, src FixedString(16), dst FixedString(16), sport UInt16, dport UInt16,
				transport String, sent Nullable(Int64), answered Nullable(Int64), packets Nullable(Int64), probe String, sampling UInt32)
				ENGINE = MergeTree() PARTITION BY intDiv(begun, 86400000) ORDER BY begun`,
			config: func(c *Config) {
				c.Schema, c.Table, c.TimeUnit, c.Direction, c.Longest = "custom", "netlog", "ms", "both", 24*time.Hour
				c.Columns = Columns{
					Start: "begun", End: "ended", SrcIP: "src", DstIP: "dst", SrcPort: "sport", DstPort: "dport", Transport: "transport",
					BytesOut: "sent", BytesIn: "answered", PacketsOut: "packets", Sensor: "probe", Sampling: "sampling",
				}
			},
			rows:    customRows,
			harness: func(*contract.FlowsHarness) {},
		},
	}
}

func exporters() map[string]string {
	return map[string]string{"north": "198.18.0.1", "south": "198.18.0.2", "west": "198.18.0.3", "test": "198.18.0.4"}
}

// mapped is an address as Akvorado stores it, raw as goflow2 does.
func mapped(ip string) string {
	b := netip.MustParseAddr(ip).As16()
	return string(b[:])
}

func raw(ip string) string {
	b := make([]byte, 16)
	copy(b, netip.MustParseAddr(ip).AsSlice())
	return string(b)
}

// half is one direction of a flow.
type half struct {
	src, dst     string
	sport, dport int
	bytes        int64
	packets      int64
}

func halves(f contract.Seen) []half {
	var list []half
	if f.BytesOut >= 0 {
		list = append(list, half{f.SrcIP, f.DstIP, f.SrcPort, f.DstPort, f.BytesOut, f.PacketsOut})
	}
	if f.BytesIn >= 0 {
		list = append(list, half{f.DstIP, f.SrcIP, f.DstPort, f.SrcPort, f.BytesIn, 1})
	}
	return list
}

func proto(transport string) uint32 { return map[string]uint32{"udp": 17, "tcp": 6}[transport] }

// akvoradoRows cuts a flow into what an exporter reports each second.
func akvoradoRows(f contract.Seen) [][]any {
	n := max(1, int64(f.Duration/time.Second))
	var rows [][]any
	for _, h := range halves(f) {
		for i := range n {
			rows = append(rows, []any{
				f.Start.Add(f.Duration * time.Duration(i+1) / time.Duration(n)), uint64(f.Sampling), mapped(exporters()[f.Sensor]), f.Sensor,
				mapped(h.src), mapped(h.dst), uint16(h.sport), uint16(h.dport), uint32(0x800), proto(f.Transport),
				uint64(h.bytes*(i+1)/n - h.bytes*i/n), uint64(h.packets*(i+1)/n - h.packets*i/n),
			})
		}
	}
	return rows
}

func goflowRows(f contract.Seen) [][]any {
	var rows [][]any
	end := f.Start.Add(f.Duration)
	for _, h := range halves(f) {
		rows = append(rows, []any{
			end.Format(time.DateOnly), int32(4), end, uint32(1), uint64(f.Sampling), raw(exporters()[f.Sensor]), f.Start, end, uint64(h.bytes), uint64(h.packets),
			raw(h.src), raw(h.dst), uint32(0x800), proto(f.Transport), uint32(h.sport), uint32(h.dport),
		})
	}
	return rows
}

func customRows(f contract.Seen) [][]any {
	seen := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	return [][]any{{
		uint64(f.Start.UnixMilli()), uint64(f.Start.Add(f.Duration).UnixMilli()), mapped(f.SrcIP), mapped(f.DstIP),
		uint16(f.SrcPort), uint16(f.DstPort), f.Transport, seen(f.BytesOut), seen(f.BytesIn), seen(f.PacketsOut), f.Sensor, uint32(f.Sampling),
	}}
}

type opener struct {
	layout
	// on is where the table is made.
	on *server
	// summed has the server sum all records.
	summed bool
	mu     sync.Mutex
	doors  map[integrations.Flows]*servertest.Door
}

func openerOf(l layout) *opener {
	return &opener{layout: l, on: shared, doors: map[integrations.Flows]*servertest.Door{}}
}

func (o *opener) open(tb testing.TB, records []contract.Seen) *Store {
	tb.Helper()
	s := o.on.ready(tb)
	s.admit(tb, true)
	database := fmt.Sprintf("d%d", s.made.Add(1))
	s.exec(tb, "CREATE DATABASE "+database)
	s.exec(tb, fmt.Sprintf(o.create, database))
	var rows [][]any
	for _, r := range records {
		rows = append(rows, o.rows(r)...)
	}
	s.load(tb, database+"."+o.table, rows)
	d := servertest.NewDoor(tb, s.port)
	c := defaults()
	c.Address, c.Database, c.User, c.Password = fmt.Sprintf("127.0.0.1:%d", d.Port()), database, "reader", readerPassword
	o.config(c)
	store := opened(tb, c)
	if s.port == 0 {
		s.through(tb, store)
	}
	if o.summed {
		store.few = 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.doors[store] = d
	return store
}

func opened(tb testing.TB, c *Config) *Store {
	tb.Helper()
	store, err := newStore(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return store
}

func (o *opener) openSeen(tb testing.TB, records []contract.Seen) integrations.Flows {
	return o.open(tb, records)
}

func (o *opener) breakIt(tb testing.TB, f integrations.Flows, fault contract.Fault) {
	o.mu.Lock()
	door := o.doors[f]
	o.mu.Unlock()
	if fault == contract.Deny {
		running(tb).admit(tb, false)
		door.Break(contract.Down) // an open connection was accepted before
	}
	door.Break(fault)
}

func harness(t *testing.T, l layout, summed bool) contract.FlowsHarness {
	running(t)
	o := openerOf(l)
	o.summed = summed
	h := contract.FlowsHarness{
		Knobs: contract.Knobs{Kind: "clickhouse", Secrets: []string{readerPassword}, Skip: map[string]string{
			"throttled says when to come back": "ClickHouse never says when to come back",
		}},
		OpenSeen: o.openSeen,
		Break:    func(f integrations.Flows, fault contract.Fault) { o.breakIt(t, f, fault) },
	}
	l.harness(&h)
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

// TestSummedContract has the server sum up everything.
func TestSummedContract(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) { contract.Flows(t, harness(t, l, true)) })
	}
}
