package clickhouse

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// The size of the benchmarks' tables, up to 10 million.
var flows = flag.Int("flows", 1_000_000, "flows in the table of a benchmark")

const benchHost = "10.1.0.7"

// benchEnd is a moment ago, as it is when a store is queried because of an alert.
func benchEnd() time.Time { return time.Now().UTC().Truncate(15 * time.Minute) }

// busy is one host that sent all flows within 15 minutes; estate is 5000 hosts
// over 14 days, one of which sent a hundredth of all. Both are Akvorado's, of
// one exporter that sees one packet in a hundred.
const (
	insert = `INSERT INTO {database}.flows SELECT toDateTime({when}), 100, unhex('00000000000000000000FFFFC6120001'), 'edge',
		toFixedString(unhex(concat('00000000000000000000FFFF0A01', {who})), 16),
		toFixedString(unhex(concat('00000000000000000000FFFFC633', hex(toUInt8(rand(2) % 16)), hex(toUInt8(rand(3) % 250)))), 16),
		1024 + rand(4) % 60000, 443, 2048, 6, rand(5) % 8000, 1 + rand(6) % 7 FROM numbers({n})`
	busyTime, busyHost     = "{end} - 900 + rand(1) % 900", "'0007'"
	estateTime, estateHost = "{end} - 1209600 + rand(1) % 1209600", "if(number % 100 = 0, '0007', concat(hex(toUInt8(rand(7) % 20)), hex(toUInt8(rand(8) % 250))))"
)

// The same queries written by hand: both directions, each 5-tuple once, several
// exporters' counts of it, the newest record, and the largest flows.
const (
	own       = "toFixedString(unhex('00000000000000000000FFFF0A010007'), 16)"
	bareFlows = `(SELECT SrcAddr = ` + own + ` AS forth, if(forth, DstAddr, SrcAddr) AS peer, if(forth, SrcPort, DstPort) AS own,
			if(forth, DstPort, SrcPort) AS port, Proto, ExporterAddress AS exporter, toFloat64(Bytes) * SamplingRate AS n, toFloat64(Packets) * SamplingRate AS p,
			TimeReceived AS at, SamplingRate AS rate
		FROM %[1]s.flows WHERE TimeReceived >= toDateTime(%[2]d) AND TimeReceived < toDateTime(%[3]d) AND (SrcAddr = ` + own + `) != (DstAddr = ` + own + `))`
	bareTraffic = `SELECT peer, port, Proto, sum(sent), sum(got), sum(packets), sum(lowest), toInt64(count()), max(rates), min(first), max(last) FROM (
			SELECT peer, own, port, Proto, max(sent1) AS sent, min(sent1) AS lowest, max(got1) AS got, max(p1) AS packets, max(rate1) AS rates,
				min(first1) AS first, max(last1) AS last
			FROM (SELECT peer, own, port, Proto, exporter, sumIf(n, forth) AS sent1, sumIf(n, NOT forth) AS got1, sumIf(p, forth) AS p1,
				max(rate) AS rate1, min(at) AS first1, max(at) AS last1
				FROM ` + bareFlows + ` GROUP BY peer, own, port, Proto, exporter)
			GROUP BY peer, own, port, Proto)
		GROUP BY peer, port, Proto ORDER BY sum(sent) DESC LIMIT 10000`
	bareSample   = `SELECT peer, own, port, Proto, n, p, at, exporter FROM ` + bareFlows + ` ORDER BY n DESC, at DESC LIMIT 1500`
	bareNewest   = `SELECT max(TimeReceived), count(%[2]d) FROM %[1]s.flows WHERE TimeReceived >= toDateTime(%[3]d) - 3600`
	bareBaseline = `SELECT quantilesExact(0.5, 0.95, 0.99)(n), max(n), toInt64(count()), max(several) FROM (
		SELECT intDiv(toUnixTimestamp(TimeReceived) - %[2]d, 900) AS b, sum(toFloat64(Bytes) * SamplingRate) AS n, min(ExporterAddress) != max(ExporterAddress) AS several
		FROM %[1]s.flows WHERE SrcAddr = ` + own + ` AND TimeReceived >= toDateTime(%[2]d) AND TimeReceived < toDateTime(%[3]d) GROUP BY b)`
	simplest = `SELECT DstAddr, DstPort, Proto, sum(Bytes * SamplingRate) AS n, sum(Packets * SamplingRate), count() FROM %[1]s.flows
		WHERE SrcAddr = ` + own + ` AND TimeReceived >= toDateTime(%[2]d) AND TimeReceived < toDateTime(%[3]d) GROUP BY DstAddr, DstPort, Proto ORDER BY n DESC LIMIT 20`
)

func fill(b *testing.B, when, who string) (*Store, string) {
	s := running(b)
	o := openerOf(layouts()[0])
	through := o.open(b, nil)
	c := through.config
	c.Columns, c.Address = Columns{}, fmt.Sprintf("127.0.0.1:%d", s.port)
	end := strconv.FormatInt(benchEnd().Unix(), 10)
	for begun := 0; begun < *flows; begun += 1_000_000 {
		n := min(1_000_000, *flows-begun)
		s.exec(b, strings.NewReplacer("{end}", end, "{database}", c.Database, "{who}", who, "{n}", strconv.Itoa(n)).Replace(strings.Replace(insert, "{when}", when, 1)))
	}
	return opened(b, &c), c.Database
}

// byHand runs a query written by hand and reads every row.
func byHand(b *testing.B, database string, from, to time.Time, queries ...string) time.Duration {
	b.Helper()
	begun := time.Now()
	for _, q := range queries {
		rows, err := running(b).admin.Query(context.Background(), fmt.Sprintf(q, database, from.Unix(), to.Unix()))
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begun)
}

func BenchmarkTraffic(b *testing.B) {
	for name, data := range map[string][2]string{"one host sent all": {busyTime, busyHost}, "one of 5000 hosts": {estateTime, estateHost}} {
		b.Run(name, func(b *testing.B) {
			s, database := fill(b, data[0], data[1])
			q := integrations.TrafficQuery{IPs: []string{benchHost}, From: benchEnd().Add(-15 * time.Minute), To: benchEnd(), Top: 20}
			servertest.Compare(b, func() error { _, err := s.Traffic(b.Context(), q); return err },
				func() time.Duration {
					return byHand(b, database, q.From, q.To, bareNewest, bareTraffic, bareSample)
				},
				func() time.Duration { return byHand(b, database, q.From, q.To, simplest) })
		})
	}
}

func BenchmarkBaseline(b *testing.B) {
	s, database := fill(b, estateTime, estateHost)
	q := integrations.BaselineQuery{IPs: []string{benchHost}, To: benchEnd(), Days: 14, Window: 15 * time.Minute}
	from := benchEnd().AddDate(0, 0, -14)
	servertest.Compare(b, func() error { _, err := s.Baseline(b.Context(), q); return err },
		func() time.Duration { return byHand(b, database, from, q.To, bareNewest, bareBaseline) },
		func() time.Duration { return byHand(b, database, from, q.To, simplest) })
}
