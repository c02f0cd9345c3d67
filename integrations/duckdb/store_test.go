//go:build duckdb

package duckdb

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/integrations/sqlite/flowlog/synthetic"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// known makes an answer comparable: values with their provenance and reasons.
func known(t *testing.T, v any) string {
	t.Helper()
	return strings.ReplaceAll(fmt.Sprintf("%+v", v), " ", "\n")
}

// answers is what a store says of a host in a window.
type answers struct {
	Traffic incident.Traffic
	Series  []incident.Point
	Base    incident.Baseline
	Hosts   []incident.HostTraffic
	Survey  incident.Survey
}

type flowStore interface {
	integrations.Flows
	integrations.Hunter
	integrations.Surveyor
}

func ask(t *testing.T, f flowStore, host string, from, to time.Time) answers {
	t.Helper()
	var a answers
	var errs [5]error
	q := integrations.TrafficQuery{IPs: []string{host}, From: from, To: to, Top: 20}
	a.Traffic, errs[0] = f.Traffic(t.Context(), q)
	a.Series, errs[1] = f.Series(t.Context(), q)
	a.Base, errs[2] = f.Baseline(t.Context(), integrations.BaselineQuery{IPs: q.IPs, To: to, Days: 1, Window: time.Minute})
	a.Hosts, errs[3] = f.Hosts(t.Context(), integrations.HostsQuery{From: from, To: to, Top: 20, Networks: []string{"10.0.0.0/8", "192.168.0.0/16"}})
	a.Survey, errs[4] = f.Survey(t.Context(), from, to)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return a
}

// imported is the embedded store with a log, by which this one is measured.
func imported(t *testing.T, log []byte) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	done, err := s.Import(t.Context(), bytes.NewReader(log), sqlite.ImportOptions{Name: t.Name()})
	if err != nil || done.Bad > 0 {
		t.Fatalf("imported %+v: %v", done, err)
	}
	return s
}

func TestSyntheticTrafficIsAnsweredLikeTheEmbeddedStore(t *testing.T) {
	o := synthetic.Options{Seed: 5, Host: netip.MustParseAddr("10.20.4.42"), Length: 20 * time.Second, Begin: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	// The window cuts flows at both of its ends.
	from, to := o.Begin.Add(3*time.Second), o.Begin.Add(17*time.Second)
	for _, scenario := range synthetic.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			l := synthetic.Log{Note: scenario.Name, UID: "C", Flows: scenario.Flows(o)}
			var log, lines bytes.Buffer
			if err := errors.Join(l.WriteTSV(&log), l.WriteJSON(&lines)); err != nil {
				t.Fatal(err)
			}
			want := known(t, ask(t, imported(t, log.Bytes()), o.Host.String(), from, to))
			folder := t.TempDir()
			write(t, filepath.Join(folder, "conn.log"), log.String())
			write(t, filepath.Join(folder, "conn.json"), lines.String())
			tsv := store(t, folder, ZeekTSV, nil)
			if diff := cmp.Diff(want, known(t, ask(t, tsv, o.Host.String(), from, to))); diff != "" {
				t.Errorf("TSV (-embedded +duckdb):\n%s", diff)
			}
			json := store(t, folder, ZeekJSON, func(c *Config) { c.Files = "*.json" })
			if diff := cmp.Diff(want, known(t, ask(t, json, o.Host.String(), from, to))); diff != "" {
				t.Errorf("JSON (-embedded +duckdb):\n%s", diff)
			}
			db := free(t)
			v, err := tsv.look(t.Context(), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("COPY (FROM " + v.parts[0].source + ") TO " + text(filepath.Join(folder, "flows.parquet"))); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, known(t, ask(t, store(t, folder, Parquet, nil), o.Host.String(), from, to))); diff != "" {
				t.Errorf("Parquet (-embedded +duckdb):\n%s", diff)
			}
		})
	}
}

// TestSumsAreThoseOfTheFlows has DuckDB sum what is otherwise taken flow by flow.
func TestSumsAreThoseOfTheFlows(t *testing.T) {
	o := synthetic.Options{Seed: 9, Host: netip.MustParseAddr("10.20.4.42"), Length: 20 * time.Second, Begin: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	for _, scenario := range synthetic.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			folder := t.TempDir()
			var log bytes.Buffer
			if err := (synthetic.Log{Note: scenario.Name, UID: "C", Flows: scenario.Flows(o)}).WriteTSV(&log); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, "conn.log"), log.String())
			one := ask(t, store(t, folder, ZeekTSV, nil), o.Host.String(), o.Begin, o.Begin.Add(o.Length))
			summed := ask(t, store(t, folder, ZeekTSV, func(c *Config) { c.Records = 1 }), o.Host.String(), o.Begin, o.Begin.Add(o.Length))
			if diff := cmp.Diff(known(t, one), known(t, summed)); diff != "" {
				t.Errorf("(-flow by flow +summed):\n%s", diff)
			}
		})
	}
}

// coarse rounds times: DuckDB reads a float where the embedded store reads digits.
func coarse(a answers) answers {
	const by = 10 * time.Microsecond
	if at, ok := a.Traffic.Freshness.Get(); ok {
		a.Traffic.Freshness = incident.Known(at.Round(by), incident.FromFlows)
	}
	for i := range a.Traffic.Sample {
		f := &a.Traffic.Sample[i]
		f.Start, f.Duration = f.Start.Round(by), f.Duration.Round(by)
	}
	a.Survey.Newest = a.Survey.Newest.Round(by)
	for i := range a.Survey.Sensors {
		a.Survey.Sensors[i].Newest = a.Survey.Sensors[i].Newest.Round(by)
	}
	return a
}

// What the embedded store makes of these is asserted in its own tests.
func TestRealRecordsAreAnsweredLikeTheEmbeddedStore(t *testing.T) {
	for _, c := range []struct {
		name, host string
		format     Format
		from, to   int64
	}{
		{"03_zeek_conn_paired_with_02.tsv", "192.168.56.30", ZeekTSV, 1693975800, 1693976400},
		{"03_zeek_conn_paired_with_02.tsv", "192.168.56.1", ZeekTSV, 1693975800, 1693976400},
		{"06_zeek_conn_apt29_day1_scranton_slice.jsonl", "10.0.1.4", ZeekJSON, 1588206720, 1588206780},
	} {
		t.Run(c.name+" "+c.host, func(t *testing.T) {
			log, err := os.ReadFile(filepath.Join("..", "sqlite", "testdata", c.name))
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			if _, err := z.Write(log); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			// Zeek packs what it rotates.
			write(t, filepath.Join(folder, "conn.log.gz"), packed.String())
			from, to := time.Unix(c.from, 0), time.Unix(c.to, 0)
			want := ask(t, imported(t, log), c.host, from, to)
			got := ask(t, store(t, folder, c.format, func(config *Config) { config.Columns.Sensor = "@system" }), c.host, from, to)
			if diff := cmp.Diff(known(t, coarse(want)), known(t, coarse(got))); diff != "" {
				t.Errorf("(-embedded +duckdb):\n%s", diff)
			}
		})
	}
}

// query runs a statement in the store's own DuckDB.
func query(t *testing.T, s *Store, statement string) error {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), statement)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

func TestDuckDBIsLockedIn(t *testing.T) {
	base := t.TempDir()
	folder := filepath.Join(base, "it's flows")
	for _, dir := range []string{folder, folder + "-other"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "a.csv"), "1\n")
	}
	tsv(t, folder, nil)
	s := store(t, folder, ZeekTSV, nil)
	if _, _, err := s.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := query(t, s, "FROM read_csv("+text(filepath.Join(folder, "a.csv"))+")"); err != nil {
		t.Fatalf("it cannot read its own folder: %v", err)
	}
	for _, statement := range []string{
		"FROM read_csv(" + text(filepath.Join(folder+"-other", "a.csv")) + ")",
		"FROM read_csv(" + text(folder+"/../it's flows-other/a.csv") + ")",
		"FROM read_text('/etc/passwd')",
		"FROM glob('/etc/*')",
		"ATTACH " + text(filepath.Join(base, "new.db")),
		"COPY (SELECT 1) TO " + text(filepath.Join(base, "new.csv")),
		"FROM read_csv('http://127.0.0.1:1/a.csv')",
		"INSTALL httpfs", "LOAD httpfs", "LOAD '/tmp/evil.duckdb_extension'",
		"SET enable_external_access = true", "SET allowed_directories = ['/']", "SET memory_limit = '1TiB'",
		"SET threads = 64", "SET autoinstall_known_extensions = true", "RESET lock_configuration",
	} {
		if err := query(t, s, statement); err == nil {
			t.Errorf("%s: it was done", statement)
		}
	}
	var limit string
	var threads int64
	if err := s.db.QueryRow("SELECT current_setting('memory_limit'), current_setting('threads')").Scan(&limit, &threads); err != nil {
		t.Fatal(err)
	}
	if limit != "1.0 GiB" || threads != 2 {
		t.Errorf("it may take %s and %d threads, want 1.0 GiB and 2", limit, threads)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	folder := t.TempDir()
	tsv(t, folder, nil)
	s := store(t, folder, ZeekTSV, func(c *Config) { c.Memory = minMemory })
	if _, _, err := s.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := query(t, s, "SELECT count(DISTINCT hash(i)::VARCHAR || 'long enough for memory') FROM range(100_000_000) t(i)")
	if err == nil || !strings.Contains(err.Error(), "Out of Memory") {
		t.Errorf("error %v, want one of memory", err)
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	folder := t.TempDir()
	tsv(t, folder, nil)
	s := store(t, folder, ZeekTSV, nil)
	if _, _, err := s.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var n int64
	err := s.db.QueryRowContext(ctx, "SELECT sum(hash(a.range + b.range) % 7) FROM range(10_000_000) a, range(10_000_000) b").Scan(&n)
	if err == nil {
		t.Fatal("the query took a hundred trillion steps before its context ended")
	}
	if ctx.Err() == nil {
		t.Errorf("it failed by itself: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	for want, change := range map[string]func(*Config){
		`folder "logs" is not an absolute path`:                    func(c *Config) { c.Folder = "logs" },
		`folder "/" is everything`:                                 func(c *Config) { c.Folder = "/" },
		`files "../*.log" is a pattern for names, without folders`: func(c *Config) { c.Files = "../*.log" },
		`files "[" is not a pattern`:                               func(c *Config) { c.Files = "[" },
		`format "csv" is none of`:                                  func(c *Config) { c.Format = "csv" },
		`unit "h" is none of`:                                      func(c *Config) { c.Unit = "h" },
		`records is 0`:                                             func(c *Config) { c.Records = 0 },
		`memory is 1 MiB: write 64 to 1048576`:                     func(c *Config) { c.Memory = 1 },
		`threads is 0`:                                             func(c *Config) { c.Threads = 0 },
		`one_direction is for parquet: of zeek_tsv it is known`:    func(c *Config) { c.OneDirection = true },
	} {
		spec := Spec()
		c, ok := spec.NewConfig().(*Config)
		if !ok {
			t.Fatal("no configuration")
		}
		c.Folder, c.Format = folder, ZeekTSV
		change(c)
		_, err := spec.Open(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("error %v, want an invalid one with %s", err, want)
		}
	}
}

func hour() integrations.TrafficQuery {
	to := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	return integrations.TrafficQuery{IPs: []string{"192.0.2.10"}, From: to.Add(-time.Hour), To: to, Top: 5}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		change func(*Config)
		lay    func(folder string)
		kind   integrations.Kind
		want   string
	}{
		"a folder that is not there": {ZeekTSV, func(c *Config) { c.Folder += "/none" }, func(string) {}, integrations.Unavailable, "no such file"},
		"a log without its heading": {
			ZeekTSV, nil, func(folder string) { write(t, folder+"/conn.log", "1.0\tC1\t10.0.0.1\n") },
			integrations.Invalid, "does not begin with a #fields line",
		},
		"a log of other columns": {
			ZeekTSV, nil, func(folder string) { write(t, folder+"/conn.log", "#fields\tts\tuid\n1.0\tC1\n") },
			integrations.Invalid, `the files have no column "id.orig_h"`,
		},
		"a name that stands for others": {
			ZeekTSV, nil, func(folder string) { write(t, folder+"/conn[1].log", "#fields\tts\n") },
			integrations.Unavailable, "holds a character that stands for others",
		},
		"what is no Parquet":     {Parquet, nil, func(folder string) { write(t, folder+"/a.parquet", "nonsense, nothing but nonsense") }, integrations.Unavailable, "a.parquet"},
		"columns of other names": {Parquet, nil, func(folder string) { copyOut(t, folder, "SELECT 1 AS a") }, integrations.Invalid, `no column "ts"`},
		"addresses that are no text": {Parquet, nil, func(folder string) {
			copyOut(t, folder, `SELECT 1.0 AS ts, 16909060 AS "id.orig_h", 'x' AS "id.resp_h", 1 AS orig_bytes`)
		}, integrations.Invalid, "addresses must be text"},
		"no counter": {Parquet, nil, func(folder string) {
			copyOut(t, folder, `SELECT 1.0 AS ts, '10.0.0.1' AS "id.orig_h", 'x' AS "id.resp_h"`)
		}, integrations.Invalid, `neither a column "orig_bytes" nor "orig_ip_bytes"`},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			c.lay(folder)
			s := store(t, folder, c.format, c.change)
			_, err := s.Traffic(t.Context(), hour())
			if err == nil || !strings.Contains(err.Error(), c.want) || integrations.KindOf(err) != c.kind {
				t.Errorf("error %v, want a %s one with %s", err, c.kind, c.want)
			}
			found := s.Probe(t.Context())
			if len(found) != 1 || found[0].OK || found[0].Fix == "" {
				t.Errorf("the probe says %+v", found)
			}
		})
	}
}

func copyOut(t *testing.T, folder, query string) {
	t.Helper()
	if _, err := free(t).Exec("COPY (" + query + ") TO " + text(filepath.Join(folder, "flows.parquet"))); err != nil {
		t.Fatal(err)
	}
}

// TestParquetOfOthers reads what collectors write: other names, other types.
func TestParquetOfOthers(t *testing.T) {
	const at = "2026-03-02 09:30:00"
	for name, c := range map[string]struct {
		fields string
		change func(*Config)
	}{
		"timestamps with a zone": {`TIMESTAMPTZ '` + at + `+00' AS first, TIMESTAMPTZ '` + at + `+00' + INTERVAL 2 SECOND AS last`, func(c *Config) { c.Columns.End = "last" }},
		"timestamps":             {`TIMESTAMP '` + at + `' AS first, INTERVAL 2 SECOND AS took`, func(c *Config) { c.Columns.Duration = "took" }},
		"timestamps in seconds":  {`'` + at + `'::TIMESTAMP_S AS first, 2.0::FLOAT AS took`, func(c *Config) { c.Columns.Duration = "took" }},
		"nanoseconds":            {`epoch_ns(TIMESTAMP '` + at + `') AS first, 2_000_000_000 AS took`, func(c *Config) { c.Columns.Duration = "took" }},
		"milliseconds":           {`epoch_ms(TIMESTAMP '` + at + `')::UBIGINT AS first, epoch_ms(TIMESTAMP '` + at + `') + 2000 AS last`, func(c *Config) { c.Columns.End, c.Unit = "last", "ms" }},
		"seconds":                {`epoch(TIMESTAMP '` + at + `')::UINTEGER AS first, 2::SMALLINT AS took`, func(c *Config) { c.Columns.Duration, c.Unit = "took", "s" }},
		"decimals":               {`epoch(TIMESTAMP '` + at + `')::DECIMAL(20,3) AS first, 2::DECIMAL(9,3) AS took`, func(c *Config) { c.Columns.Duration = "took" }},
		"words":                  {`'` + "2026-03-02T11:30:00+02:00" + `' AS first, '2' AS took`, func(c *Config) { c.Columns.Duration = "took" }},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			copyOut(t, folder, `SELECT `+c.fields+`, '::ffff:192.0.2.10' AS "src ""ip""", '198.51.100.1' AS dst_ip, 50000::UINTEGER AS sp, 53::USMALLINT AS dp,
				17::UTINYINT AS proto_number, 1000::UBIGINT AS octets, 4::UBIGINT AS packets, 10::UINTEGER AS rate`)
			s := store(t, folder, Parquet, func(config *Config) {
				config.OneDirection = true
				config.Columns = Columns{
					Start: "first", Src: `src "ip"`, Dst: "dst_ip", SrcPort: "sp", DstPort: "dp", Transport: "proto_number",
					OrigIPBytes: "octets", OrigPackets: "packets", Sampling: "rate",
				}
				c.change(config)
			})
			got, err := s.Traffic(t.Context(), hour())
			if err != nil {
				t.Fatal(err)
			}
			top, _ := got.Top.Get()
			want := incident.TopFlow{IP: "198.51.100.1", Port: 53, Transport: "udp", Bytes: 10_000, Packets: 40, Flows: 1}
			if len(top) != 1 || top[0] != want || len(got.Sample) != 1 {
				t.Fatalf("the top is %v, want %v", got.Top, want)
			}
			begin := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
			if f := got.Sample[0]; !f.Start.Equal(begin) || f.Duration != 2*time.Second {
				t.Errorf("the flow is of %s at %s, want 2s at %s", f.Duration, f.Start, begin)
			}
			if fresh, _ := got.Freshness.Get(); !fresh.Equal(begin.Add(2 * time.Second)) {
				t.Errorf("the newest record is of %s", got.Freshness)
			}
		})
	}
}

// A sensor that sees only what comes in cannot tell that nothing goes out.
func TestOneDirectionIsNoSilence(t *testing.T) {
	folder := t.TempDir()
	line := func(src, dst string, srcPort, dstPort int, at time.Time) string {
		return fmt.Sprintf(`{"sampler_address":"192.0.2.1","sampling_rate":1,"time_flow_start_ns":%d,"time_flow_end_ns":%d,"bytes":500,"packets":1,"src_addr":%q,"dst_addr":%q,"proto":"TCP","src_port":%d,"dst_port":%d}`+"\n",
			at.UnixNano(), at.UnixNano(), src, dst, srcPort, dstPort)
	}
	q := hour()
	inbound := line("198.51.100.1", "192.0.2.10", 443, 50000, q.To.Add(-time.Minute)) + line("198.51.100.1", "192.0.2.99", 443, 50000, q.To.Add(time.Minute))
	write(t, filepath.Join(folder, "flows.json"), inbound)
	s := store(t, folder, GoFlow2, nil)
	got, err := s.Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got.BytesOut.IsKnown() || got.Coverage.String() != string(incident.OneWay) {
		t.Errorf("bytes_out is %v, coverage %v: want it unknown by a one-way capture", got.BytesOut, got.Coverage)
	}
	// An hour before the window it sent: it is seen, and silent now.
	write(t, filepath.Join(folder, "flows.json"), inbound+line("192.0.2.10", "198.51.100.1", 50000, 443, q.From.Add(-time.Hour)))
	if got, err = s.Traffic(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if n, ok := got.BytesOut.Get(); !ok || n != 0 {
		t.Errorf("bytes_out is %v, want a measured zero", got.BytesOut)
	}
}

// A live log ends in the middle of a line, and one clock is wrong.
func TestDamagedRecordsAreLeftOut(t *testing.T) {
	folder := t.TempDir()
	const head = "#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_ip_bytes\tresp_ip_bytes\n"
	good := func(at time.Time) string {
		return fmt.Sprintf("%d.000000\t192.0.2.10\t50000\t198.51.100.1\t443\ttcp\t1.0\t1000\t10\n", at.Unix())
	}
	q := hour()
	write(t, filepath.Join(folder, "conn.log"), head+good(q.From.Add(time.Minute))+
		"nonsense\n"+
		"1772443800.0\t192.0.2.10\t50000\t198.51.100.1\t443\ttcp\t1.0\t-5\t10\n"+
		"1772443800.0\t192.0.2.10\t99999\t198.51.100.1\t443\ttcp\t1.0\t5\t10\n"+
		"1772442000.0\t192.0.2.10\t50000\tnobody\t443\ttcp\t1.0\t5\t10\n"+
		good(time.Now().AddDate(5, 0, 0))+ // a wrong clock
		"1772443800.0\t192.0.2.10\t500")
	s := store(t, folder, ZeekTSV, nil)
	got, err := s.Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got.BytesOut.Get(); !ok || n != 1000 {
		t.Errorf("bytes_out is %v, want the one good record's", got.BytesOut)
	}
	if fresh, ok := got.Freshness.Get(); !ok || !fresh.Equal(q.From.Add(time.Minute+time.Second)) {
		t.Errorf("the newest record is of %v: a wrong clock was believed", got.Freshness)
	}
}

// What was last written before the window is not opened again.
func TestOldFilesAreNotRead(t *testing.T) {
	folder := t.TempDir()
	q := hour()
	for i := range 6 {
		sub := filepath.Join(folder, fmt.Sprintf("2026-03-%02d", i+1))
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(sub, "conn.log")
		text := fmt.Sprintf("#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_ip_bytes\n%d.0\t192.0.2.10\t1\t198.51.100.1\t443\ttcp\t%d\n",
			q.From.Add(time.Duration(i)*time.Minute).Unix(), i+1)
		written := q.From
		if i == 2 { // neither the first nor the last
			text, written = "nonsense", q.From.Add(-2*time.Hour)
		} else if i < 2 {
			written = q.From.Add(-3 * time.Hour)
		}
		write(t, file, text)
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store(t, folder, ZeekTSV, nil).Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := got.BytesOut.Get(); n != 4+5+6 {
		t.Errorf("bytes_out is %v, want what the later files hold", got.BytesOut)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	tsv(t, elsewhere, nil)
	write(t, filepath.Join(elsewhere, "conn.log"), "nonsense")
	if err := os.Symlink(filepath.Join(elsewhere, "conn.log"), filepath.Join(folder, "conn.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(folder, "current")); err != nil {
		t.Fatal(err)
	}
	s := store(t, folder, ZeekTSV, nil)
	v, err := s.look(t.Context(), time.Time{})
	if err != nil || len(v.files) != 0 {
		t.Errorf("it found %v: %v", v, err)
	}
	if err := query(t, s, "FROM read_text("+text(filepath.Join(elsewhere, "conn.log"))+")"); err == nil {
		t.Error("it read outside of its folder")
	}
}

func TestProbe(t *testing.T) {
	folder := t.TempDir()
	s := store(t, folder, ZeekTSV, nil)
	if got := s.Probe(t.Context()); len(got) != 1 || got[0].OK || !strings.Contains(got[0].What, "none of the 0 files") {
		t.Errorf("of an empty folder it says %+v", got)
	}
	write(t, filepath.Join(folder, "conn.log"), "#fields\tts\tid.orig_h\tid.resp_h\torig_bytes\n1772443800.0\t192.0.2.10\t198.51.100.1\t5\n")
	if got := s.Probe(t.Context()); len(got) != 1 || !got[0].OK || !strings.Contains(got[0].What, "2026-03-02T09:30:00Z") {
		t.Errorf("it says %+v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Traffic(t.Context(), hour()); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("a closed store answers %v", err)
	}
}
