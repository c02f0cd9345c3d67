//go:build duckdb

package duckdb

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// local writes Parquet with times in Kathmandu's local time, in a column without a
// zone.
func local(tb testing.TB, folder string, records []contract.Seen) {
	work := tb.TempDir()
	parquet(tb, work, records)
	if len(records) == 0 {
		return
	}
	_, err := free(tb).Exec("COPY (SELECT (ts + INTERVAL '5 hours 45 minutes')::TIMESTAMP AS ts, * EXCLUDE (ts) FROM " +
		text(filepath.Join(work, "flows.parquet")) + ") TO " + text(filepath.Join(folder, "flows.parquet")) + " (FORMAT parquet)")
	if err != nil {
		tb.Fatal(err)
	}
}

func TestContractInLocalTime(t *testing.T) {
	contract.Flows(t, harness(Parquet, local, func(c *Config) { named(c); c.TimeZone = "Asia/Kathmandu" }))
}

// Files in local time are ahead as a whole. Doctor reports the remedy, and passes
// once it is applied.
func TestFilesInLocalTimeFailUntilTheirZoneIsSaid(t *testing.T) {
	var records []contract.Seen
	for ago := time.Minute; ago < 12*time.Hour; ago += time.Minute {
		f := contract.Second(0, 1000, 100)
		f.Start = time.Now().Add(-ago)
		records = append(records, f)
	}
	for zone, ok := range map[integrations.Zone]bool{"": false, "Asia/Kathmandu": true} {
		folder := t.TempDir()
		local(t, folder, records)
		s := store(t, folder, Parquet, func(c *Config) { named(c); c.TimeZone = zone })
		var fails, cured bool
		found := s.Probe(t.Context())
		for _, f := range found {
			if strings.Contains(f.What, "the clock of sensor north is ahead by 5h4") {
				fails, cured = !f.OK, strings.Contains(f.Fix, "set time_zone to it")
			}
		}
		if fails == ok || cured == ok {
			t.Errorf("with the zone %q the probe says %+v", zone, found)
		}
		now := time.Now()
		got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.111"}, From: now.Add(-15 * time.Minute), To: now})
		if n, known := got.BytesOut.Get(); err != nil || known != ok || n != 0 {
			t.Errorf("with the zone %q bytes_out of a quiet host is %v: %v", zone, got.BytesOut, err)
		}
	}
	if _, err := Open(Config{Folder: t.TempDir(), Format: Parquet, Records: 1, Memory: 64, Threads: 1, TimeZone: "Europe/Berlinn"}); err == nil ||
		!strings.Contains(fmt.Sprint(err), "not in the zone database") {
		t.Errorf("an invalid zone is refused with %v", err)
	}
}

// Above that number of flows DuckDB sums, with the same results for counters that
// are empty.
func TestSummedCountersThatSayNothing(t *testing.T) {
	for _, blank := range []contract.Seen{{Sampling: 1}, {Sampling: 0, Flow: contract.Second(0, 1000, 0).Flow}} {
		var records []contract.Seen
		for i := range 5 {
			f := contract.Second(time.Duration(i+1)*time.Minute, blank.BytesOut, 0)
			f.PacketsOut, f.Sampling = blank.PacketsOut, blank.Sampling
			records = append(records, f)
		}
		for _, most := range []int{1, 100} {
			h := harness(ZeekTSV, tsv, func(c *Config) { named(c); c.Records = most })
			got, err := h.OpenSeen(t, records).Traffic(t.Context(), contract.Quarter())
			coverage, _ := got.Coverage.Get()
			if err != nil || got.BytesOut.IsKnown() || got.BytesIn.IsKnown() || coverage != "one_way" {
				t.Errorf("with %d flows one by one, bytes_out is %v, bytes_in %v, coverage %s: %v", most, got.BytesOut, got.BytesIn, coverage, err)
			}
		}
	}
}

func TestConfiguredRate(t *testing.T) {
	contract.ConfiguredRate(t, func(t testing.TB, rate int, records []contract.Seen) integrations.Flows {
		return harness(GoFlow2, exported, func(c *Config) { c.Sampling = rate }).OpenSeen(t, records)
	})
}
