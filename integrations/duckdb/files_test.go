//go:build duckdb

package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

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
			integrations.Invalid, "it has no #fields line",
		},
		"a log of other columns": {
			ZeekTSV, nil, func(folder string) { write(t, folder+"/conn.log", "#fields\tts\tuid\n1.0\tC1\n") },
			integrations.Invalid, `the files have no column "id.orig_h"`,
		},
		"a name with a wildcard": {
			ZeekTSV, nil, func(folder string) { write(t, folder+"/conn[1].log", "#fields\tts\n") },
			integrations.Unavailable, "contains a wildcard character",
		},
		"a file that is not Parquet": {Parquet, nil, func(folder string) { write(t, folder+"/a.parquet", "nonsense, nothing but nonsense") }, integrations.Unavailable, "a.parquet"},
		"columns of other names":     {Parquet, nil, func(folder string) { copyOut(t, folder, "SELECT 1 AS a") }, integrations.Invalid, `no column "ts"`},
		"addresses that are not text": {Parquet, nil, func(folder string) {
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

// A sensor that sees only incoming traffic is no proof that nothing goes out.
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
	// It sent an hour before the window: the sensor sees it, and now it is silent.
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

// Files that were last written before the window are not opened again.
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
	v, err := s.look(t.Context(), time.Time{}, time.Time{})
	if err != nil || len(v.files) != 0 {
		t.Errorf("it found %v: %v", v, err)
	}
	if err := query(t, s, "FROM read_text("+text(filepath.Join(elsewhere, "conn.log"))+")"); err == nil {
		t.Error("it read outside of its folder")
	}
}
