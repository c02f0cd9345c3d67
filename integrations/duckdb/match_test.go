//go:build duckdb

package duckdb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestHostIsFoundInEverySpelling(t *testing.T) {
	four, six := contract.Spelled()
	for _, records := range []int{defaultRecords, 1} {
		h := harness(ZeekTSV, tsv, func(c *Config) { named(c); c.Records = records })
		// A line with an invalid address is damaged and counted, see [damaged].
		contract.Spellings(t, h.OpenSeen, four, six, nil)
	}
}

func TestOnlySomeRecordsCount(t *testing.T) {
	const lines = `{"ts":1772445000.0,"uid":"a","id.orig_h":"192.0.2.10","id.orig_p":5,"id.resp_h":"198.51.100.1","id.resp_p":443,"proto":"tcp","orig_ip_bytes":5000,"orig_pkts":5,"resp_ip_bytes":5,"resp_pkts":1,"action":"ACCEPT","side":0}
{"ts":1772445001.0,"uid":"b","id.orig_h":"192.0.2.10","id.orig_p":6,"id.resp_h":"198.51.100.1","id.resp_p":443,"proto":"tcp","orig_ip_bytes":9000000,"orig_pkts":9000,"resp_ip_bytes":5,"resp_pkts":1,"action":"REJECT'","side":1}
{"ts":1772446000.0,"uid":"c","id.orig_h":"192.0.2.99","id.orig_p":6,"id.resp_h":"198.51.100.1","id.resp_p":443,"proto":"tcp","orig_ip_bytes":1,"orig_pkts":1,"resp_ip_bytes":5,"resp_pkts":1,"side":0}
`
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "conn.log"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1772445000, 0)
	for name, change := range map[string]func(*Config){
		"only":    func(c *Config) { c.Only = contract.Match(t, "side", "0") },
		"without": func(c *Config) { c.Without = contract.Match(t, "action", "REJECT'", "DENY") },
	} {
		for _, records := range []int{defaultRecords, 1} {
			s := store(t, folder, ZeekJSON, func(c *Config) { change(c); c.Records = records })
			got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.10"}, From: at.Add(-time.Minute), To: at.Add(time.Minute), Top: 3})
			if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
				t.Errorf("%s, %d records: bytes_out is %v (%v), want 5000", name, records, got.BytesOut, err)
			}
			for _, f := range s.Probe(t.Context()) {
				if !f.OK && strings.Contains(f.What, "no new record has it") {
					t.Errorf("%s: the probe complains %q", name, f.What)
				}
			}
		}
	}
	found := store(t, folder, ZeekJSON, func(c *Config) { c.Without = contract.Match(t, "action", "REJECT' OR true --") }).Probe(t.Context())
	if len(found) == 0 || found[0].OK || !strings.Contains(found[0].What, "no new record has it") {
		t.Errorf("the probe says %+v, want the value that does not occur", found)
	}
}
