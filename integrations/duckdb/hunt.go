//go:build duckdb

package duckdb

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// together is how many hosts are read at once.
const together = 64

// Hosts implements [integrations.Hunter].
func (s *Store) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	const op = "read the hosts"
	own, most, err := flowmath.HostsBounds(op, q)
	if err != nil {
		return nil, err
	}
	v, err := s.lookAt(ctx, q.From, q.To)
	if err != nil {
		return nil, failed(op, err)
	}
	ranked, err := v.rank(ctx, own, window{q.From, q.To})
	if err != nil {
		return nil, failed(op, err)
	}
	var hosts []incident.HostTraffic
	// The ranking counts a flow once for each sensor, so the order among the
	// largest is decided by the flows themselves.
	for some := range slices.Chunk(ranked[:min(len(ranked), 2*most)], together) {
		found, err := s.traffics(ctx, v, some, q)
		if err != nil {
			return nil, failed(op, err)
		}
		hosts = append(hosts, found...)
	}
	return flowmath.RankHosts(hosts, most), nil
}

// rank returns the own addresses that have flows in a window, those that sent
// most first.
func (v *seen) rank(ctx context.Context, own flowmath.Networks, w window) ([]netip.Addr, error) {
	if len(v.parts) == 0 {
		return nil, nil
	}
	tables := make([]string, 0, 2)
	for _, fromSource := range []bool{true, false} {
		table, _ := v.table(w, nil, fromSource)
		tables = append(tables, ends(table, fromSource))
	}
	rows, err := v.db.QueryContext(ctx, fmt.Sprintf("SELECT local, sum(%s)::BIGINT FROM (%s) GROUP BY ALL",
		share("sent", fmt.Sprint(w.from.UnixNano()), fmt.Sprint(w.to.UnixNano())), strings.Join(tables, " UNION ALL ")))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	sent := map[netip.Addr]int64{}
	for rows.Next() {
		var local string
		var n int64
		if err := rows.Scan(&local, &n); err != nil {
			return nil, err
		}
		if a := address(local); own.Has(a) {
			sent[a] = flowmath.Add(sent[a], n)
		}
	}
	ranked := make([]netip.Addr, 0, len(sent))
	for a := range sent {
		ranked = append(ranked, a)
	}
	slices.SortFunc(ranked, func(a, b netip.Addr) int { return cmp.Or(cmp.Compare(sent[b], sent[a]), a.Compare(b)) })
	return ranked, rows.Err()
}

// traffics returns the traffic of some hosts. Their flows are read together, or
// one host at a time where they are too many.
func (s *Store) traffics(ctx context.Context, v *seen, some []netip.Addr, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	query := integrations.TrafficQuery{From: q.From, To: q.To, Top: 1}
	flows := map[netip.Addr][]flowmath.View{}
	var sensors flowmath.Sensors
	count, all := 0, true
	for _, fromSource := range []bool{true, false} {
		table, args := v.table(window{q.From, q.To}, some, fromSource)
		whole, err := s.records(ctx, v.db, table, args, func(r *flowmath.Record) {
			f := flowmath.ViewOf(r, fromSource, sensors.Number(r.Sensor))
			if f.Local != f.Remote {
				flows[f.Local] = append(flows[f.Local], f)
				count++
			}
		})
		if err != nil {
			return nil, err
		}
		all = all && whole && count <= s.config.Records
	}
	hosts := make([]incident.HostTraffic, 0, len(some))
	for _, a := range some {
		h := flowmath.Host{Addrs: []netip.Addr{a}}
		var t incident.Traffic
		var err error
		if all {
			t, err = s.summed(ctx, v, h, query, flowmath.Distinct(flows[a]))
		} else {
			t, err = s.traffic(ctx, v, h, query)
		}
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, flowmath.HostTraffic(a, t))
	}
	return hosts, nil
}

// Survey implements [integrations.Surveyor]. Where records are of one direction,
// a sensor that saw nothing but answers sees one direction only.
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "read the survey"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	v, err := s.lookAt(ctx, from, to)
	if err != nil {
		return incident.Survey{}, failed(op, err)
	}
	survey, err := s.survey(ctx, v, from, to)
	if err == nil {
		survey.Damaged, err = damaged(ctx, v.db, v.parts)
	}
	if err != nil {
		return incident.Survey{}, failed(op, err)
	}
	flowmath.LackingSurvey(&survey, v.skipped)
	return survey, nil
}

func (s *Store) survey(ctx context.Context, v *seen, from, to time.Time) (incident.Survey, error) {
	if len(v.parts) == 0 {
		return flowmath.Survey(v.bounds.span, nil, 0, 0), nil
	}
	names := map[uint64]string{}
	var sensors flowmath.Sensors
	tally := flowmath.NewTally(from, to)
	table, _ := v.table(window{from, to}, nil, true)
	all, err := s.records(ctx, v.db, table, nil, func(r *flowmath.Record) {
		n := sensors.Number(r.Sensor)
		names[n] = r.Sensor
		if r.Single && !flowmath.Opens(r.SrcPort, r.DstPort, r.Transport) {
			r.OneWay = true
		}
		tally.Record(r, n)
	})
	if err != nil {
		return incident.Survey{}, err
	}
	if all {
		return tally.Survey(v.bounds.span, func(n uint64) string { return names[n] }), nil
	}
	return v.sumSensors(ctx, table)
}

// sumSensors surveys more records than are read one by one. Each sensor's
// counters are then compared with each other, and not with another sensor's.
func (v *seen) sumSensors(ctx context.Context, table string) (incident.Survey, error) {
	rows, err := v.db.QueryContext(ctx, fmt.Sprintf(`SELECT sensor, count(*), max(sampling), NOT bool_or(measured AND (opened OR NOT single)), count(*) FILTER (blank = %d), count(*) FILTER (blank = %d), max(stop), sum(low)::BIGINT, sum(high)::BIGINT
		FROM (%s) GROUP BY sensor`, flowmath.NoPackets, flowmath.NoRate, ends(table, true)))
	if err != nil {
		return incident.Survey{}, err
	}
	defer func() { _ = rows.Close() }()
	var sensors []incident.Sensor
	var low, high int64
	for rows.Next() {
		var sensor incident.Sensor
		var newest, l, h int64
		if err := rows.Scan(&sensor.Name, &sensor.Records, &sensor.Sampling, &sensor.OneWay, &sensor.NoPackets, &sensor.NoRate, &newest, &l, &h); err != nil {
			return incident.Survey{}, err
		}
		sensor.Newest = time.Unix(0, newest).UTC()
		low, high = flowmath.Add(low, l), flowmath.Add(high, h)
		sensors = append(sensors, sensor)
	}
	return flowmath.Survey(v.bounds.span, sensors, low, high), rows.Err()
}
