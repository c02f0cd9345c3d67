package clickhouse

import (
	"context"
	"net/netip"
	"slices"
	"time"

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
	t, span, err := s.ask(ctx, q.To)
	if err != nil {
		return nil, err
	}
	ranked, err := s.rank(ctx, t, own, q, 2*most)
	if err != nil {
		return nil, failed(ctx, op, err)
	}
	hosts, err := s.detail(ctx, t, ranked, q, span)
	if err != nil {
		return nil, failed(ctx, op, err)
	}
	return flowmath.RankHosts(hosts, most), nil
}

// rank returns the hosts of the networks that sent most. The order among the
// largest is settled by their own sums.
func (s *Store) rank(ctx context.Context, t *table, own flowmath.Networks, q integrations.HostsQuery, most int) ([]netip.Addr, error) {
	st := &statement{t: t, from: q.From, to: q.To}
	st.networks(own)
	query := st.rank(most)
	a, err := s.query(ctx, t, query, st.args...)
	if err != nil {
		return nil, err
	}
	var ranked []netip.Addr
	err = each(a, func() error {
		var text string
		var sent float64
		if err := a.Scan(&text, &sent); err != nil {
			return err
		}
		addr, err := t.address.parse(text)
		if own.Has(addr) {
			ranked = append(ranked, addr)
		}
		return err
	})
	return ranked, err
}

// detail sums what each of the hosts sent.
func (s *Store) detail(ctx context.Context, t *table, ranked []netip.Addr, q integrations.HostsQuery, span flowmath.Span) ([]incident.HostTraffic, error) {
	if len(ranked) == 0 {
		return []incident.HostTraffic{}, nil
	}
	st := &statement{t: t, from: q.From, to: q.To}
	st.each(ranked)
	query := st.totals(true)
	totals, err := s.totals(ctx, t, query, st.args)
	if err != nil {
		return nil, err
	}
	st = &statement{t: t, from: q.From, to: q.To}
	st.each(ranked)
	query = st.largest()
	lines, err := s.services(ctx, t, query, st.args)
	if err != nil {
		return nil, err
	}
	list := make([]incident.HostTraffic, 0, len(totals))
	for i := range totals {
		var top *line
		if n := slices.IndexFunc(lines, func(l line) bool { return l.local == totals[i].local }); n >= 0 {
			top = &lines[n]
		}
		h, err := s.host(ctx, t, &totals[i], top, q, span)
		if err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, nil
}

func (s *Store) host(ctx context.Context, t *table, total, top *line, q integrations.HostsQuery, span flowmath.Span) (incident.HostTraffic, error) {
	a, err := t.address.parse(total.local)
	if err != nil {
		return incident.HostTraffic{}, err
	}
	h := flowmath.Host{Addrs: []netip.Addr{a}}
	sum := flowmath.NewSummary(integrations.TrafficQuery{IPs: h.Strings(), From: q.From, To: q.To, Top: 1})
	if top != nil {
		e, err := top.exchange(t, q.From, q.To)
		if err != nil {
			return incident.HostTraffic{}, err
		}
		sum.Exchange(e)
	}
	e, err := total.exchange(t, q.From, q.To)
	if err != nil {
		return incident.HostTraffic{}, err
	}
	sum.Total(e, total.destinations)
	if err := s.listen(ctx, t, h, q.From, sum); err != nil {
		return incident.HostTraffic{}, err
	}
	return flowmath.HostTraffic(a, sum.Traffic(h, span)), nil
}

// Survey implements [integrations.Surveyor].
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "read the survey"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	t, span, err := s.ask(ctx, to)
	if err != nil {
		return incident.Survey{}, err
	}
	survey, err := s.survey(ctx, t, from, to, span)
	if err != nil {
		return incident.Survey{}, failed(ctx, op, err)
	}
	return survey, nil
}

func (s *Store) survey(ctx context.Context, t *table, from, to time.Time, span flowmath.Span) (incident.Survey, error) {
	blind, err := s.halves(ctx, t, from, to)
	if err != nil {
		return incident.Survey{}, err
	}
	st := &statement{t: t, from: from, to: to}
	st.everybody()
	query := st.survey()
	a, err := s.query(ctx, t, query, st.args...)
	if err != nil {
		return incident.Survey{}, err
	}
	var sensors []incident.Sensor
	err = each(a, func() error {
		var sensor incident.Sensor
		var name string
		var silent uint8
		var newest int64
		if err := a.Scan(&name, &sensor.Records, &sensor.Sampling, &silent, &sensor.NoPackets, &sensor.NoRate, &newest); err != nil {
			return err
		}
		sensor.OneWay = silent > 0 || slices.Contains(blind, name)
		sensor.Name, sensor.Newest = t.named(name), time.Unix(0, newest).UTC()
		sensors = append(sensors, sensor)
		return nil
	})
	if err != nil {
		return incident.Survey{}, err
	}
	var low, high float64
	if len(sensors) > 1 {
		st = &statement{t: t, from: from, to: to}
		st.everybody()
		query = st.disagreement()
		if err := s.one(ctx, t, query, st.args, &low, &high); err != nil {
			return incident.Survey{}, err
		}
	}
	return flowmath.Survey(span, sensors, flowmath.Whole(low), flowmath.Whole(high)), nil
}

// named is a sensor's name for people.
func (t *table) named(text string) string {
	kind := t.types["sensor"]
	if kind != "FixedString(16)" && kind != "IPv6" {
		return text
	}
	if a, err := addressOf(kind, "").parse(text); err == nil {
		return a.String()
	}
	return text
}

// halves returns the sensors that saw no flow from both ends, where records are
// of one direction.
func (s *Store) halves(ctx context.Context, t *table, from, to time.Time) ([]string, error) {
	if !t.single {
		return nil, nil
	}
	st := &statement{t: t, from: from, to: to}
	st.everybody()
	query := st.halves()
	a, err := s.query(ctx, t, query, st.args...)
	if err != nil {
		return nil, err
	}
	var names []string
	err = each(a, func() error {
		var name string
		err := a.Scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}
