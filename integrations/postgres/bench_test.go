package postgres

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// The size of the benchmarks' tables, up to 10 million.
var flows = flag.Int("flows", 1_000_000, "flows in the table of a benchmark")

const benchHost = "10.1.0.7"

func benchEnd() time.Time { return time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC) }

// busy is one host that sent all flows within 15 minutes; estate is 5000 hosts
// over 14 days, one of which sent a hundredth of all.
const (
	busy = `INSERT INTO %[1]s.flows SELECT at, at + random() * interval '3 seconds', '10.1.0.7', dst, sport, 443, 'tcp', out, out * 10, 1 + out / 1200, 5, 'north', 1
		FROM (SELECT timestamptz '2026-03-14 23:45:00Z' + random() * interval '895 seconds' AS at,
			inet '198.51.100.0' + (random() * 4000)::int AS dst, (1024 + random() * 60000)::int AS sport, (random() * 8000)::bigint AS out
			FROM generate_series(1, %[2]d)) g`
	estate = `INSERT INTO %[1]s.flows SELECT at, at + random() * interval '3 seconds', src, dst, sport, 443, 'tcp', out, out * 10, 1 + out / 1200, 5, 'north', 1
		FROM (SELECT timestamptz '2026-03-01 00:00:00Z' + random() * interval '14 days' AS at,
			CASE WHEN i %% 100 = 0 THEN inet '10.1.0.7' ELSE inet '10.1.0.0' + (random() * 5000)::int END AS src,
			inet '198.51.100.0' + (random() * 4000)::int AS dst, (1024 + random() * 60000)::int AS sport, (random() * 8000)::bigint AS out
			FROM generate_series(1, %[2]d) i) g`
)

// The same queries written by hand: both directions, a share of flows across the
// window's edge, one-way flows, the sensors, and the largest flows.
const (
	bareFlows = `SELECT src_ip AS own, dst_ip AS peer, dst_port AS port, transport, true AS opened, bytes_out AS sent, bytes_in AS received, packets_out AS packets,
			sensor, sampling, start_time AS s, end_time AS e
		FROM %[1]s.flows WHERE src_ip = $1 AND start_time >= $2::timestamptz - interval '1 day' AND start_time < $3 AND end_time > $2
		UNION ALL SELECT dst_ip, src_ip, dst_port, transport, false, bytes_in, bytes_out, packets_in, sensor, sampling, start_time, end_time
		FROM %[1]s.flows WHERE dst_ip = $1 AND start_time >= $2::timestamptz - interval '1 day' AND start_time < $3 AND end_time > $2`
	bareTraffic = `SELECT host(peer), port, transport, opened, sum(sent * sampling * w), sum(received * sampling * w), sum(packets * sampling * w), count(*),
			count(sent), min(s), max(e), min(sensor) <> max(sensor), max(sampling)
		FROM (SELECT *, CASE WHEN s >= $2 AND e <= $3 THEN 1 ELSE date_part('epoch', LEAST(e, $3) - GREATEST(s, $2)) / date_part('epoch', e - s) END AS w
			FROM (` + bareFlows + `) f) g GROUP BY peer, port, transport, opened ORDER BY 5 DESC LIMIT 10000`
	bareSample   = `SELECT * FROM (` + bareFlows + `) f ORDER BY sent DESC, s DESC LIMIT 500`
	bareNewest   = `SELECT max(start_time), min(start_time) FROM %[1]s.flows`
	bareBaseline = `SELECT count(*), sum(n), percentile_cont(0.5) WITHIN GROUP (ORDER BY n), percentile_cont(0.95) WITHIN GROUP (ORDER BY n),
			percentile_cont(0.99) WITHIN GROUP (ORDER BY n), max(n), bool_or(several)
		FROM (SELECT b, sum(sent * sampling * CASE WHEN e <= s THEN 1 ELSE
				date_part('epoch', LEAST(e, at + interval '15 minutes') - GREATEST(s, at)) / date_part('epoch', e - s) END) AS n,
				min(sensor) <> max(sensor) AS several
			FROM (SELECT *, $2::timestamptz + b * interval '15 minutes' AS at FROM (
				SELECT *, generate_series(GREATEST(0, floor(date_part('epoch', s - $2) / 900))::int, LEAST(1343, floor(date_part('epoch', e - $2) / 900))::int) AS b
				FROM (` + bareFlows + `) f) g) h GROUP BY b) i`
	naive = `SELECT host(dst_ip), dst_port, transport, sum(bytes_out), sum(packets_out), count(*) FROM %[1]s.flows
		WHERE src_ip = $1 AND start_time >= $2 AND start_time < $3 GROUP BY dst_ip, dst_port, transport ORDER BY 4 DESC LIMIT 20`
	naiveBaseline = `SELECT count(*), percentile_cont(0.99) WITHIN GROUP (ORDER BY n), max(n) FROM (
		SELECT floor(date_part('epoch', start_time) / 900), sum(bytes_out) AS n FROM %[1]s.flows
		WHERE src_ip = $1 AND start_time >= $2 AND start_time < $3 GROUP BY 1) g`
)

func fill(b *testing.B, insert string) (*Store, string) {
	o := openerOf(layouts()[0])
	s := running(b)
	store := o.open(b, nil)
	schema := fmt.Sprintf("s%d", s.made.Load())
	s.exec(b, fmt.Sprintf(insert, schema, *flows))
	s.exec(b, "ANALYZE "+schema+".flows")
	// Straight to the server, like the bare queries.
	c := store.config
	c.DSN = integrations.Secret(s.dsn(o.doors[store].role, readerPassword, s.port))
	direct, err := newStore(&c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = direct.Close() })
	return direct, schema
}

// bare runs a query written by hand and reads every row.
func bare(b *testing.B, schema string, from, to time.Time, queries ...string) time.Duration {
	b.Helper()
	begun := time.Now()
	for _, q := range queries {
		args := []any{benchHost, from, to}
		if q == bareNewest {
			args = nil
		}
		rows, err := running(b).admin.Query(context.Background(), fmt.Sprintf(q, schema), args...)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (int, error) {
			values, err := row.Values()
			return len(values), err
		}); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begun)
}

func BenchmarkTraffic(b *testing.B) {
	for name, insert := range map[string]string{"one host sent all": busy, "one of 5000 hosts": estate} {
		b.Run(name, func(b *testing.B) {
			s, schema := fill(b, insert)
			q := integrations.TrafficQuery{IPs: []string{benchHost}, From: benchEnd().Add(-15 * time.Minute), To: benchEnd(), Top: 20}
			servertest.Compare(b, func() error { _, err := s.Traffic(b.Context(), q); return err },
				func() time.Duration { return bare(b, schema, q.From, q.To, bareNewest, bareTraffic, bareSample) },
				func() time.Duration { return bare(b, schema, q.From, q.To, naive) })
		})
	}
}

func BenchmarkBaseline(b *testing.B) {
	s, schema := fill(b, estate)
	q := integrations.BaselineQuery{IPs: []string{benchHost}, To: benchEnd(), Days: 14, Window: 15 * time.Minute}
	from := benchEnd().AddDate(0, 0, -14)
	servertest.Compare(b, func() error { _, err := s.Baseline(b.Context(), q); return err },
		func() time.Duration { return bare(b, schema, from, q.To, bareNewest, bareBaseline) },
		func() time.Duration { return bare(b, schema, from, q.To, naiveBaseline) })
}

func BenchmarkHosts(b *testing.B) {
	s, _ := fill(b, estate)
	q := integrations.HostsQuery{From: benchEnd().Add(-24 * time.Hour), To: benchEnd(), Top: 20}
	for b.Loop() {
		if _, err := s.Hosts(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
