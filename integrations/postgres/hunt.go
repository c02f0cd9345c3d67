package postgres

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hosts implements [integrations.Hunter].
func (s *Store) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	const op = "read the hosts"
	own, most, err := flowmath.HostsBounds(op, q)
	if err != nil {
		return nil, err
	}
	base, span, err := s.ask(ctx, q.From, q.To)
	if err != nil {
		return nil, err
	}
	st := base.again()
	st.networks(own)
	// The order among the largest is settled by their own sums.
	query := st.rank(2 * most)
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, failed(ctx, op, err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, failed(ctx, op, err)
	}
	ranked := make([]netip.Addr, 0, len(texts))
	for _, text := range texts {
		if a := parseAddr(text); own.Has(a) {
			ranked = append(ranked, a)
		}
	}
	hosts, err := s.detail(ctx, base, ranked, span)
	if err != nil {
		return nil, failed(ctx, op, err)
	}
	return flowmath.RankHosts(hosts, most), nil
}

// detail sums what each of the hosts sent.
func (s *Store) detail(ctx context.Context, base *statement, ranked []netip.Addr, span flowmath.Span) ([]incident.HostTraffic, error) {
	if len(ranked) == 0 {
		return []incident.HostTraffic{}, nil
	}
	once := false
	ask := func() ([]line, error) {
		st := base.again()
		st.hosts(ranked)
		query := st.totals(true, once)
		return s.totals(ctx, query, st.args)
	}
	totals, err := ask()
	if err == nil && several(totals) {
		once = true
		totals, err = ask()
	}
	if err != nil {
		return nil, err
	}
	st := base.again()
	st.hosts(ranked)
	query := st.largest(once)
	lines, err := s.services(ctx, query, st.args)
	if err != nil {
		return nil, err
	}
	list := make([]incident.HostTraffic, 0, len(totals))
	for i := range totals {
		h := flowmath.Host{Addrs: []netip.Addr{parseAddr(totals[i].local)}}
		sum := flowmath.NewSummary(integrations.TrafficQuery{IPs: h.Strings(), From: base.from, To: base.to, Top: 1})
		if n := slices.IndexFunc(lines, func(l line) bool { return l.local == totals[i].local }); n >= 0 {
			sum.Exchange(lines[n].exchange(base))
		}
		sum.Total(totals[i].exchange(base), totals[i].destinations)
		if err := s.listen(ctx, base, h, sum); err != nil {
			return nil, err
		}
		list = append(list, flowmath.HostTraffic(h.Addrs[0], sum.Traffic(h, span)))
	}
	return list, nil
}

// Survey implements [integrations.Surveyor].
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "read the survey"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	base, span, err := s.ask(ctx, from, to)
	if err != nil {
		return incident.Survey{}, err
	}
	sensors, err := s.sensors(ctx, base)
	if err != nil {
		return incident.Survey{}, failed(ctx, op, err)
	}
	var low, high float64
	if len(sensors) > 1 || base.t.twice() {
		st := base.again()
		st.everybody()
		st.sent = true
		query := st.disagreement()
		if err := s.pool.QueryRow(ctx, query, st.args...).Scan(&low, &high); err != nil {
			return incident.Survey{}, failed(ctx, op, err)
		}
	}
	if base.t.single && len(sensors) > 0 {
		if err := s.halves(ctx, base, sensors); err != nil {
			return incident.Survey{}, failed(ctx, op, err)
		}
	}
	survey := flowmath.Survey(span, sensors, flowmath.Whole(low), flowmath.Whole(high))
	if survey.Damaged, err = s.lost(ctx, base); err != nil {
		return incident.Survey{}, failed(ctx, op, err)
	}
	return survey, nil
}

func (s *Store) sensors(ctx context.Context, base *statement) ([]incident.Sensor, error) {
	st := base.again()
	st.everybody()
	query := st.survey()
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (incident.Sensor, error) {
		var sensor incident.Sensor
		var newest int64
		err := row.Scan(&sensor.Name, &sensor.Records, &sensor.Sampling, &sensor.OneWay, &sensor.NoPackets, &sensor.NoRate, &newest)
		sensor.Newest = time.Unix(0, newest).UTC()
		return sensor, err
	})
}

// halves marks the sensors that saw no flow from both ends.
func (s *Store) halves(ctx context.Context, base *statement, sensors []incident.Sensor) error {
	st := base.again()
	query := st.halves()
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return err
	}
	blind, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for i := range sensors {
		sensors[i].OneWay = sensors[i].OneWay || slices.Contains(blind, strings.TrimSuffix(sensors[i].Name, flowmath.Egress))
	}
	return nil
}
