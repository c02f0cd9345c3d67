//go:build duckdb

package duckdb

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// store opens a folder with the defaults as changed by change.
func store(tb testing.TB, folder string, format Format, change func(*Config)) *Store {
	tb.Helper()
	spec := Spec()
	config, ok := spec.NewConfig().(*Config)
	if !ok {
		tb.Fatalf("the configuration is a %T", spec.NewConfig())
	}
	config.Folder, config.Format = folder, format
	if change != nil {
		change(config)
	}
	opened, err := spec.Open(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	s, ok := opened.(*Store)
	if !ok {
		tb.Fatalf("it opened a %T", opened)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func write(tb testing.TB, file, text string) {
	tb.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// tsv writes records as Zeek does, with two columns that a site added.
func tsv(tb testing.TB, folder string, records []contract.Seen) {
	var b strings.Builder
	b.WriteString("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p" +
		"\tid.resp_h\tid.resp_p\tproto\tduration\torig_pkts\torig_ip_bytes\tresp_ip_bytes\tsampling\tsensor\n")
	for i, r := range records {
		count := func(n int64) string {
			if n < 0 {
				return "-"
			}
			return fmt.Sprint(n)
		}
		fmt.Fprintf(&b, "%d.%06d\tC%d\t%s\t%d\t%s\t%d\t%s\t%.6f\t%s\t%s\t%s\t%d\t%s\n", r.Start.Unix(), r.Start.Nanosecond()/1000, i,
			r.SrcIP, r.SrcPort, r.DstIP, r.DstPort, r.Transport, r.Duration.Seconds(), count(r.PacketsOut), count(r.BytesOut), count(r.BytesIn),
			r.Sampling, r.Sensor)
	}
	b.WriteString("#close\t2026-03-02-10-00-00\n")
	write(tb, filepath.Join(folder, "conn.10:00:00-11:00:00.log"), b.String())
}

func named(c *Config) { c.Columns.Sampling, c.Columns.Sensor = "sampling", "sensor" }

// zeekJSON writes Zeek's JSON.
func zeekJSON(tb testing.TB, folder string, records []contract.Seen) {
	var b strings.Builder
	for _, r := range records {
		out := fmt.Sprintf(`"orig_ip_bytes":%d,"orig_pkts":%d,`, r.BytesOut, r.PacketsOut)
		if r.BytesOut < 0 {
			out = ""
		}
		fmt.Fprintf(&b, `{"_path":"conn","ts":%d.%06d,"id.orig_h":%q,"id.orig_p":%d,"id.resp_h":%q,"id.resp_p":%d,"proto":%q,"duration":%.6f,%s"resp_ip_bytes":%d,"sampling":%d,"sensor":%q}`+"\n",
			r.Start.Unix(), r.Start.Nanosecond()/1000, r.SrcIP, r.SrcPort, r.DstIP, r.DstPort, r.Transport, r.Duration.Seconds(), out, r.BytesIn,
			r.Sampling, r.Sensor)
	}
	write(tb, filepath.Join(folder, "conn.log"), b.String())
}

// exported writes goflow2's JSON: a record for each direction that was seen.
func exported(tb testing.TB, folder string, records []contract.Seen) {
	var b strings.Builder
	one := func(r contract.Seen, src, dst string, srcPort, dstPort int, bytes, packets int64) {
		fmt.Fprintf(&b, `{"type":"SFLOW_5","sampler_address":%q,"sampling_rate":%d,"time_flow_start_ns":%d,"time_flow_end_ns":%d,"bytes":%d,"packets":%d,`+
			`"src_addr":%q,"dst_addr":%q,"etype":"IPv4","proto":%q,"src_port":%d,"dst_port":%d}`+"\n",
			r.Sensor, r.Sampling, r.Start.UnixNano(), r.Start.Add(r.Duration).UnixNano(), bytes, packets, src, dst, strings.ToUpper(r.Transport), srcPort, dstPort)
	}
	for _, r := range records {
		if r.BytesOut >= 0 {
			one(r, r.SrcIP, r.DstIP, r.SrcPort, r.DstPort, r.BytesOut, r.PacketsOut)
		}
		if r.BytesIn > 0 {
			one(r, r.DstIP, r.SrcIP, r.DstPort, r.SrcPort, r.BytesIn, 1)
		}
	}
	write(tb, filepath.Join(folder, "goflow2.json"), b.String())
}

// unanswered leaves one record of each flow in a format of one direction: a
// survey counts records.
func unanswered(records []contract.Seen) []contract.Seen {
	one := slices.Clone(records)
	for i := range one {
		if one[i].BytesOut >= 0 {
			one[i].BytesIn = 0
		}
	}
	return one
}

// parquet writes what a TSV log holds as Parquet, with columns of other types.
func parquet(tb testing.TB, folder string, records []contract.Seen) {
	work := tb.TempDir()
	tsv(tb, work, records)
	from := store(tb, work, ZeekTSV, named)
	v, err := from.look(tb.Context(), time.Time{}, time.Time{})
	if err != nil {
		tb.Fatal(err)
	}
	if len(records) == 0 {
		return
	}
	db := free(tb)
	_, err = db.Exec("COPY (SELECT make_timestamp_ns(round(ts * 1e6)::BIGINT * 1000) AS ts, * EXCLUDE (ts) FROM " + v.parts[0].source + ") TO " +
		text(filepath.Join(folder, "flows.parquet")) + " (FORMAT parquet)")
	if err != nil {
		tb.Fatal(err)
	}
}

// free is a DuckDB without restrictions on reading and writing.
func free(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

func harness(format Format, lay func(testing.TB, string, []contract.Seen), change func(*Config)) contract.FlowsHarness {
	open := func(t testing.TB, records []contract.Seen) integrations.Flows {
		folder := t.TempDir()
		lay(t, folder, records)
		return store(t, folder, format, change)
	}
	return contract.FlowsHarness{
		Knobs:    contract.Knobs{Kind: "duckdb", Unbreakable: "a local file"},
		OpenSeen: open,
	}
}

func TestContract(t *testing.T) {
	for _, c := range []struct {
		format Format
		lay    func(testing.TB, string, []contract.Seen)
		change func(*Config)
	}{
		{ZeekTSV, tsv, named}, {ZeekJSON, zeekJSON, named}, {GoFlow2, exported, nil}, {Parquet, parquet, named},
	} {
		t.Run(string(c.format), func(t *testing.T) {
			h := harness(c.format, c.lay, c.change)
			contract.Flows(t, h)
			contract.Hunter(t, h)
			contract.Surveyor(t, harness(c.format, func(tb testing.TB, folder string, records []contract.Seen) {
				if c.format == GoFlow2 {
					records = unanswered(records)
				}
				c.lay(tb, folder, records)
			}, c.change))
		})
	}
}
