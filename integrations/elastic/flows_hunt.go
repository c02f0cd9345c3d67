package elastic

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hosts implements [integrations.Hunter]. The candidates, twice as many as were
// asked for, come from a terms aggregation in the order of a sum. That is
// approximate where an index has several shards: a host that is large in total
// and small in every shard can be missed, and for such an order the cluster
// returns no bound of the error (doc_count_error_upper_bound is -1). So every
// shard is asked for far more hosts than are wanted. What the candidates sent
// is queried one by one, and is not approximate.
func (s *Store) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	const op = "read the hosts with the most egress"
	own, most, err := flowmath.HostsBounds(op, q)
	if err != nil {
		return nil, err
	}
	span, err := s.span(ctx, q.To)
	if err != nil || span.Records == 0 {
		return nil, err
	}
	candidates, err := s.candidates(ctx, op, q, own, 2*most)
	if err != nil {
		return nil, err
	}
	one := integrations.TrafficQuery{From: q.From, To: q.To, Top: 1}
	var hosts []incident.HostTraffic
	for _, a := range candidates {
		t, err := s.traffic(ctx, op, flowmath.Host{Addrs: []netip.Addr{a}}, one, span)
		if err != nil {
			return nil, err
		}
		if flows, _ := t.Flows.Get(); flows > 0 {
			hosts = append(hosts, flowmath.HostTraffic(a, t))
		}
	}
	return flowmath.RankHosts(hosts, most), nil
}

// candidates are the own hosts that may have sent most.
func (s *Store) candidates(ctx context.Context, op string, q integrations.HostsQuery, own flowmath.Networks, most int) ([]netip.Addr, error) {
	const perShard = 10
	var hosts []netip.Addr
	known := map[netip.Addr]bool{}
	for _, e := range s.layout.ends() {
		out, err := s.ask(ctx, op, request{
			Query: allOf(append([]query{s.layout.records(), s.layout.within(q.From, q.To, s.config.Longest), anyOf(inNetworks(e.own, own)...)}, e.with...)...),
			Aggs: map[string]agg{"groups": {
				Terms: &terms{Field: e.own, Size: most, ShardSize: perShard * most, Order: map[string]string{"sent": "desc"}},
				Aggs:  s.layout.counters(e),
			}},
		})
		if err != nil {
			return nil, err
		}
		for _, b := range out.Aggregations["groups"].Buckets {
			var text string
			if err := json.Unmarshal(b.Key, &text); err != nil {
				return nil, integrations.Errorf(integrations.Unavailable, op, "a group has no address")
			}
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, integrations.Errorf(integrations.Unavailable, op, "a group has no address")
			}
			if a = a.Unmap(); !known[a] {
				known[a] = true
				hosts = append(hosts, a)
			}
		}
	}
	return hosts, nil
}

// Survey implements [integrations.Surveyor]. When the cluster sums, records count
// at their time stamp, and sensors are not compared.
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "survey the flow records"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	span, err := s.span(ctx, to)
	if err != nil || span.Records == 0 {
		return incident.Survey{}, err
	}
	missing, err := s.allGaps(ctx, op, from, to)
	if err != nil {
		return incident.Survey{}, err
	}
	survey, err := s.survey(ctx, op, from, to, span)
	if err != nil {
		return incident.Survey{}, err
	}
	flowmath.LackingSurvey(&survey, missing)
	return survey, nil
}

func (s *Store) survey(ctx context.Context, op string, from, to time.Time, span flowmath.Span) (incident.Survey, error) {
	records, few, err := s.records(ctx, op, query{Exists: &field{Field: destinationIP}}, from, to)
	if err != nil {
		return incident.Survey{}, err
	}
	if !few {
		return s.census(ctx, op, from, to, span)
	}
	tally := flowmath.NewTally(from, to)
	var sensors flowmath.Sensors
	names := map[uint64]string{}
	for i := range records {
		n := sensors.Number(records[i].Sensor)
		names[n] = records[i].Sensor
		tally.Record(&records[i], n)
	}
	return tally.Survey(span, func(sensor uint64) string { return names[sensor] }), nil
}

// census counts the records by sensor.
func (s *Store) census(ctx context.Context, op string, from, to time.Time, span flowmath.Span) (incident.Survey, error) {
	e := s.layout.ends()[0]
	q := allOf(s.layout.records(), s.layout.stamped(from, to), query{Exists: &field{Field: destinationIP}})
	if s.layout.id != "" {
		q = allOf(q, s.layout.last)
	}
	measured := map[string]bool{}
	sensors := map[string]incident.Sensor{}
	err := s.groups(ctx, op, q, e, nil, func(k key, rate int64, b bucket) error {
		name := k.text("sensor")
		at := sensors[name]
		at.Name, at.Records, at.Sampling = name, at.Records+b.Documents, max(at.Sampling, rate)
		if last := time.UnixMilli(b.Last.int64()).UTC(); last.After(at.Newest) {
			at.Newest = last
		}
		measured[name] = measured[name] || rate > 0 && b.Measured.Documents > 0
		if rate == 0 {
			at.NoRate += b.Documents
		} else {
			at.NoPackets += b.empty()
		}
		sensors[name] = at
		return nil
	})
	if err != nil {
		return incident.Survey{}, err
	}
	list := make([]incident.Sensor, 0, len(sensors))
	for name, at := range sensors {
		at.OneWay = !measured[name]
		list = append(list, at)
	}
	return flowmath.Survey(span, list, 0, 0), nil
}
