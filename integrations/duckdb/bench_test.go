//go:build duckdb

package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

func begin() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

// generate writes flows of 5,000 hosts over 14 days, sorted by time, as one
// Parquet file. DuckDB's own hash is the random number: one seed, one file. Of 100,000
// flows one takes up to an hour.
func generate(b *testing.B, folder string, rows, seed int) string {
	b.Helper()
	file := filepath.Join(folder, "flows.parquet")
	_, err := free(b).Exec(fmt.Sprintf(`COPY (SELECT %[1]d + i * (1209600.0 / %[2]d) AS ts,
			CASE WHEN r %% 100000 = 0 THEN (r >> 20) %% 3600 ELSE (r %% 3000) / 1000 END::DOUBLE AS duration,
			'10.1.' || (h // 256) || '.' || (h %% 256) AS "id.orig_h", (1024 + (r >> 8) %% 60000)::INTEGER AS "id.orig_p",
			'198.51.' || (r >> 12) %% 16 || '.' || (r >> 16) %% 256 AS "id.resp_h", CASE WHEN r %% 10 < 4 THEN 53 ELSE 443 END AS "id.resp_p",
			CASE WHEN r %% 10 < 4 THEN 'udp' ELSE 'tcp' END AS proto, 'SF' AS conn_state,
			((r >> 24) %% 4000)::BIGINT AS orig_bytes, ((r >> 24) %% 4000 + 160)::BIGINT AS orig_ip_bytes, 4::BIGINT AS orig_pkts,
			((r >> 32) %% 60000)::BIGINT AS resp_bytes, ((r >> 32) %% 60000 + 160)::BIGINT AS resp_ip_bytes, 4::BIGINT AS resp_pkts
			FROM (SELECT i, hash(i, %[3]d) AS r, hash(i, %[3]d + 1) %% 5000 AS h FROM range(%[2]d) t(i)) ORDER BY i)
		TO %[4]s (FORMAT parquet, COMPRESSION zstd)`, begin().Unix(), rows, seed, text(file)))
	if err != nil {
		b.Fatal(err)
	}
	return file
}

// BenchmarkParquet measures queries over ten million flows. For the query of one
// host and hour it also reports the ratio to the time of plain SQL, measured in
// turns.
func BenchmarkParquet(b *testing.B) {
	const rows = 10_000_000
	folder := b.TempDir()
	file := generate(b, folder, rows, 1)
	if info, err := os.Stat(file); err == nil {
		b.Logf("%d flows in %d MB", rows, info.Size()>>20)
	}
	s := store(b, folder, Parquet, nil)
	to := begin().AddDate(0, 0, 7)
	q := integrations.TrafficQuery{IPs: []string{"10.1.3.4"}, From: to.Add(-time.Hour), To: to, Top: 20}
	if _, err := s.Traffic(b.Context(), q); err != nil { // reads what the file holds, once
		b.Fatal(err)
	}
	plain := fmt.Sprintf(`SELECT "id.resp_h", "id.resp_p", proto, sum(orig_ip_bytes) AS bytes, sum(orig_pkts), count(*), min(ts), max(ts)
		FROM read_parquet(%s) WHERE "id.orig_h" = ? AND ts >= ? AND ts < ? GROUP BY ALL ORDER BY bytes DESC LIMIT 20`, text(file))
	b.Run("traffic-hour", func(b *testing.B) {
		var ours, theirs time.Duration
		for b.Loop() {
			at := time.Now()
			if _, err := s.Traffic(b.Context(), q); err != nil {
				b.Fatal(err)
			}
			ours += time.Since(at)
			b.StopTimer()
			at = time.Now()
			found, err := s.db.QueryContext(b.Context(), plain, q.IPs[0], q.From.Unix(), q.To.Unix())
			if err != nil {
				b.Fatal(err)
			}
			for found.Next() {
			}
			if err := found.Close(); err != nil {
				b.Fatal(err)
			}
			theirs += time.Since(at)
			b.StartTimer()
		}
		b.ReportMetric(float64(theirs.Microseconds())/1e3/float64(b.N), "plain-ms/op")
		b.ReportMetric(float64(ours)/float64(theirs), "x-plain")
	})
	run := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("series-day", func() error {
		_, err := s.Series(b.Context(), integrations.TrafficQuery{IPs: q.IPs, From: to.AddDate(0, 0, -1), To: to})
		return err
	})
	run("baseline-14d", func() error {
		_, err := s.Baseline(b.Context(), integrations.BaselineQuery{IPs: q.IPs, To: begin().AddDate(0, 0, 14), Days: 14, Window: 15 * time.Minute})
		return err
	})
	run("hosts-hour", func() error {
		_, err := s.Hosts(b.Context(), integrations.HostsQuery{From: q.From, To: q.To, Top: 20})
		return err
	})
	run("survey-hour", func() error {
		_, err := s.Survey(b.Context(), q.From, q.To)
		return err
	})
	run("look", func() error {
		_, err := s.look(b.Context(), q.From, q.To)
		return err
	})
	h, err := flowmath.HostOf("bench", q.IPs)
	if err != nil {
		b.Fatal(err)
	}
	v, err := s.look(b.Context(), q.From, q.To)
	if err != nil {
		b.Fatal(err)
	}
	run("summed-by-duckdb", func() error {
		_, _, err := v.sums(b.Context(), h, q)
		return err
	})
}
