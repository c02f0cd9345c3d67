//go:build duckdb

package duckdb

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Zeek writes a long connection again as it grows, into a log of its own, and once
// more when it has ended. It counts once, whether its flows are read or summed.
func TestAConnectionThatGrowsCountsOnce(t *testing.T) {
	begin := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	for _, log := range []struct {
		name    string
		minutes []int64
	}{{"conn_long", []int64{10, 20}}, {"conn", []int64{25}}} {
		text := "#separator \\x09\n#unset_field\t-\n#path\t" + log.name +
			"\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\torig_pkts\torig_ip_bytes\tresp_bytes\tresp_pkts\tresp_ip_bytes\n"
		for _, m := range log.minutes {
			text += fmt.Sprintf("%d.000000\tC1\t10.20.4.47\t50000\t198.51.100.7\t443\ttcp\t%d.000000\t%d\t%d\t%d\t1000\t100\t5000\n",
				begin.Unix(), m*60, m*1_000_000, m*800, m*1_032_000)
		}
		write(t, filepath.Join(folder, log.name+".log"), text)
	}
	for name, change := range map[string]func(*Config){"read": nil, "summed": func(c *Config) { c.Records = 1 }} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, store(t, folder, ZeekTSV, change), "10.20.4.47", begin, begin.Add(time.Hour))
			const sent = 25 * 1_032_000
			if n, ok := got.Traffic.BytesOut.Get(); !ok || n != sent {
				t.Errorf("it sent %v, want %d", got.Traffic.BytesOut, sent)
			}
			if c, ok := got.Traffic.Coverage.Get(); !ok || c != string(incident.BothWays) {
				t.Errorf("coverage is %v, want %s", got.Traffic.Coverage, incident.BothWays)
			}
			var sum int64
			for _, p := range got.Series {
				sum += p.BytesOut
			}
			if sum < sent-100 || sum > sent {
				t.Errorf("the series adds up to %d, want %d", sum, sent)
			}
			if len(got.Hosts) != 1 || got.Hosts[0].BytesOut != incident.Known[int64](sent, incident.FromFlows) {
				t.Errorf("the hosts are %+v, want one that sent %d", got.Hosts, sent)
			}
		})
	}
}
