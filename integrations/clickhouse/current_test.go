package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// folderVariable names the folder into which the current ClickHouse engine was
// installed, as .ci/npm pins it, by
//
//	npm ci --ignore-scripts --prefix FOLDER
const folderVariable = "STANCH_CHDB"

// startCurrent starts the engine behind an HTTP interface: in the folder that
// the variable names, or in the user's cache.
func startCurrent() (*server, func()) {
	folder := os.Getenv(folderVariable)
	if cache, err := os.UserCacheDir(); err == nil && folder == "" {
		folder = filepath.Join(cache, "stanch", "chdb")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return &server{absent: true}, func() {}
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "chdb")); err != nil {
		return &server{absent: true}, func() {}
	}
	s := &server{}
	if s.web, err = servertest.FreePort(); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "chdb", "serve.js"), folder, strconv.Itoa(s.web))
	cmd.Env = append(os.Environ(), "TZ=Europe/Berlin")
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	stop := func() {
		cancel()
		_ = cmd.Wait()
	}
	s.admin, err = driver.Open(&driver.Options{Protocol: driver.HTTP, Addr: []string{fmt.Sprintf("127.0.0.1:%d", s.web)}, MaxOpenConns: 2})
	if err == nil {
		err = s.await(ctx)
	}
	if err != nil {
		stop()
		panic(fmt.Sprintf("start the engine: %v\n%s", err, said.String()))
	}
	return s, stop
}

// through returns a store that queries the engine, which is reached over HTTP only.
func (s *server) through(tb testing.TB, store *Store) {
	tb.Helper()
	o := store.config.connection()
	o.Protocol, o.Addr = driver.HTTP, []string{fmt.Sprintf("127.0.0.1:%d", s.web)}
	conn, err := driver.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	_ = store.conn.Close()
	store.conn = conn
}

// TestCurrentEngine runs the queries of Debian's server against the current engine,
// on the same records, and expects the same results.
func TestCurrentEngine(t *testing.T) {
	today := currentLayouts()
	for i, l := range append(today, layouts()...) {
		t.Run(l.name, func(t *testing.T) {
			o := openerOf(l)
			o.on = current.ready(t)
			h := contract.FlowsHarness{
				Knobs:    contract.Knobs{Kind: "clickhouse", Unbreakable: "an engine in a process of the test's own"},
				OpenSeen: o.openSeen,
			}
			l.harness(&h)
			contract.Flows(t, h)
			contract.Hunter(t, h)
			contract.Surveyor(t, h)
		})
		if i >= len(today) {
			continue
		}
		t.Run(l.name+" in sums", func(t *testing.T) {
			few, many := openerOf(l), openerOf(l)
			few.on, many.on, many.summed = current.ready(t), current.ready(t), true
			contract.SumsAgree(t, few.openSeen, many.openSeen)
			h := contract.FlowsHarness{
				Knobs:    contract.Knobs{Kind: "clickhouse", Unbreakable: "an engine in a process of the test's own"},
				OpenSeen: many.openSeen,
			}
			l.harness(&h)
			contract.Flows(t, h)
		})
	}
}

// TestTextIsAnAddressInEverySpelling reads a column of text, one by one and in
// sums.
func TestTextIsAnAddressInEverySpelling(t *testing.T) {
	four, six := contract.Spelled()
	for _, summed := range []bool{false, true} {
		o := openerOf(currentLayouts()[2])
		o.on, o.summed = current.ready(t), summed
		contract.Spellings(t, o.openSeen, four, six, []string{"", "-", "unknown", "10.20.4.", "999.20.4.43", "1:2:3", "2001:db8:20::42::1"})
	}
}

func TestInvalidAddressIsReported(t *testing.T) {
	o := openerOf(currentLayouts()[2])
	o.on = current.ready(t)
	lost := contract.Second(time.Minute, 9_000_000, 10)
	lost.SrcIP = "unknown"
	store := o.open(t, []contract.Seen{lost, contract.Second(2*time.Minute, 5000, 10), contract.Second(-time.Minute, 1, 1)})
	q := contract.Quarter()
	survey, err := store.Survey(t.Context(), q.From, q.To)
	if err != nil || survey.Damaged != 1 {
		t.Errorf("the survey counts %d invalid addresses (%v), want 1", survey.Damaged, err)
	}
	var said []string
	for _, f := range store.Probe(t.Context()) {
		if !f.OK {
			said = append(said, f.What)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "1 addresses of the last hour") {
		t.Errorf("the probe reports %q, want the invalid address", said)
	}
}

// currentLayouts are tables of types that Debian's server does not have.
func currentLayouts() []layout {
	plain := func(rows func(contract.Seen) [][]any, addresses ...int) func(contract.Seen) [][]any {
		return func(f contract.Seen) [][]any {
			made := rows(f)
			for _, row := range made {
				for _, i := range addresses {
					b := [16]byte([]byte(row[i].(string)))
					row[i] = netip.AddrFrom16(b).String()
				}
			}
			return made
		}
	}
	akvorado, goflow2, custom := layouts()[0], layouts()[1], layouts()[2]
	akvorado.name, akvorado.rows = "akvorado of today", plain(akvorado.rows, 2, 4, 5)
	akvorado.create = `CREATE TABLE %s.flows (TimeReceived DateTime CODEC(DoubleDelta, LZ4), SamplingRate UInt64, ExporterAddress LowCardinality(IPv6),
		ExporterName LowCardinality(String), SrcAddr IPv6, DstAddr IPv6, SrcPort UInt16, DstPort UInt16, EType UInt32, Proto UInt32, Bytes UInt64, Packets UInt64)
		ENGINE = MergeTree() PARTITION BY toYYYYMMDDhhmmss(toStartOfInterval(TimeReceived, INTERVAL 25920 second)) ORDER BY (TimeReceived, ExporterAddress)`
	goflow2.name = "goflow2 of today"
	goflow2.create = `CREATE TABLE %s.flows_raw (date Date, time_inserted_ns DateTime64(9), time_received_ns DateTime64(9), time_flow_start_ns DateTime64(9),
		sequence_num UInt32, sampling_rate UInt64, sampler_address FixedString(16), src_addr FixedString(16), dst_addr FixedString(16),
		src_as UInt32, dst_as UInt32, etype UInt32, proto UInt32, src_port UInt32, dst_port UInt32, bytes UInt64, packets UInt64)
		ENGINE = MergeTree() PARTITION BY date ORDER BY time_received_ns`
	goflow2.rows = func(f contract.Seen) [][]any {
		var rows [][]any
		for _, h := range halves(f) {
			end := nanos(f.Start.Add(f.Duration))
			rows = append(rows, []any{
				f.Start.Format(time.DateOnly), end, end, nanos(f.Start), uint32(1), uint64(f.Sampling), raw(exporters()[f.Sensor]), raw(h.src), raw(h.dst),
				uint32(0), uint32(0), uint32(0x800), proto(f.Transport), uint32(h.sport), uint32(h.dport), uint64(h.bytes), uint64(h.packets),
			})
		}
		return rows
	}
	custom.name = "custom as text"
	custom.create = `CREATE TABLE %s.netlog (begun DateTime64(3), ended Nullable(DateTime64(3)), src LowCardinality(Nullable(String)), dst String,
		sport Nullable(UInt16), dport UInt16, transport LowCardinality(String), sent Nullable(Int64), answered Nullable(Int64), packets Nullable(Int64),
		probe Nullable(String), sampling Nullable(UInt32)) ENGINE = MergeTree() PARTITION BY toDate(begun) ORDER BY begun`
	custom.rows = func(f contract.Seen) [][]any {
		spelled := f
		spelled.SrcIP, spelled.DstIP = "::", "::"
		row := customRows(spelled)[0]
		row[0], row[1], row[2], row[3] = nanos(f.Start)[:14], nanos(f.Start.Add(f.Duration))[:14], f.SrcIP, f.DstIP
		return [][]any{row}
	}
	return []layout{akvorado, goflow2, custom}
}

// nanos is a time as DateTime64 reads it.
func nanos(at time.Time) string { return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()) }
