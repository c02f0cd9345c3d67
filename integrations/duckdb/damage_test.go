//go:build duckdb

package duckdb

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An unfinished line is being written, and is not damaged.
func TestDamagedLinesAreCounted(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	const tsvHead = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_ip_bytes\tresp_ip_bytes\n"
	tsvLine := func(src string) string {
		return fmt.Sprintf("%d.5\t%s\t50000\t198.51.100.1\t443\ttcp\t1.0\t1000\t10\n", now.Unix()-60, src)
	}
	jsonLine := func(src string) string {
		return fmt.Sprintf(`{"ts":%d.5,"id.orig_h":%q,"id.orig_p":50000,"id.resp_h":"198.51.100.1","id.resp_p":443,"proto":"tcp","orig_ip_bytes":1000}`+"\n", now.Unix()-60, src)
	}
	goflowLine := func(src string) string {
		return fmt.Sprintf(`{"time_flow_start_ns":%d,"time_flow_end_ns":%[1]d,"bytes":9,"packets":1,"src_addr":%q,"dst_addr":"198.51.100.1","proto":"UDP","src_port":1,"dst_port":53}`+"\n",
			now.Add(-time.Minute).UnixNano(), src)
	}
	packed := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	good, long := "192.0.2.10", strings.Repeat("x", 3*maxHead)
	for name, c := range map[string]struct {
		format Format
		files  map[string]string
		want   int64
	}{
		"nothing in TSV": {ZeekTSV, map[string]string{"conn.log": tsvHead + tsvLine(good) + "\n#close\t2026\n"}, 0},
		"in TSV": {ZeekTSV, map[string]string{
			"conn.log":    tsvHead + tsvLine(good) + "nonsense\n" + tsvLine("nobody") + long + "\n" + tsvLine("2001:db8::1") + "177244",
			"conn.log.gz": packed(tsvHead + "\tnonsense\n" + tsvLine(good)),
			"dns.log":     "#fields\tts\nnonsense\n",
		}, 4},
		"in Zeek's JSON": {ZeekJSON, map[string]string{"conn.log": jsonLine(good) + jsonLine(good)[:40] + "\n" + jsonLine("") + "nonsense\n\n" + jsonLine(good) + jsonLine(good)[:40]}, 3},
		"in goflow2's":   {GoFlow2, map[string]string{"flows.json": goflowLine(good) + "nonsense\n" + goflowLine("fe80::1%eth0") + `{"type":"IPFIX"}` + "\n"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, text := range c.files {
				write(t, filepath.Join(folder, file), text)
			}
			old := filepath.Join(folder, "conn.old.log")
			if c.format == GoFlow2 {
				old = filepath.Join(folder, "old.json")
			}
			head := ""
			if c.format == ZeekTSV {
				head = tsvHead
			}
			write(t, old, head+"old nonsense\n")
			then := now.AddDate(0, 0, -3)
			if err := os.Chtimes(old, then, then); err != nil {
				t.Fatal(err)
			}
			s := store(t, folder, c.format, nil)
			survey, err := s.Survey(t.Context(), now.Add(-time.Hour), now)
			if err != nil || survey.Damaged != c.want {
				t.Errorf("the survey reports %d damaged lines (%v), want %d", survey.Damaged, err, c.want)
			}
			var said []string
			for _, f := range s.Probe(t.Context()) {
				if !f.OK {
					said = append(said, f.What)
				}
			}
			want := ""
			if c.want > 0 {
				want = fmt.Sprintf("%d lines of the last day's flow logs", c.want)
			}
			if got := strings.Join(said, "; "); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("the probe complains %q, want %q", got, want)
			}
		})
	}
}
