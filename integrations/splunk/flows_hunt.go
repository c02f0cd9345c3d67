package splunk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hosts implements [integrations.Hunter]. The candidates are twice as many as were asked
// for, for their order is by events whole and of all sensors.
func (s *Flows) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
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
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	hosts, err := s.detail(ctx, op, candidates, q, span)
	if err != nil {
		return nil, err
	}
	return flowmath.RankHosts(hosts, most), nil
}

// candidates are the own hosts that may have sent most.
func (s *Flows) candidates(ctx context.Context, op string, q integrations.HostsQuery, own flowmath.Networks, most int) ([]netip.Addr, error) {
	var hosts []netip.Addr
	source, destination := ends()
	for _, e := range []end{source, destination} {
		rank := tstats{sums: []string{"sum(" + e.sent + ") AS sent"}, by: []string{e.own, e.ownIP}, then: ranking(e, own, most)}
		rank.from, rank.to = s.within(q.From, q.To)
		rows, err := s.search(ctx, op, rank)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			a, ok := flowmath.AddressIn(r.text("ip"))
			if ok && own.Has(a) && !slices.Contains(hosts, a) {
				hosts = append(hosts, a)
			}
		}
	}
	return hosts, nil
}

// ranking keeps the addresses of networks that sent most, in the spelling that most have:
// of one that is spelled otherwise another host's place may be taken.
func ranking(e end, own flowmath.Networks, most int) string {
	inside := make([]string, len(own))
	for i, n := range own {
		inside[i] = fmt.Sprintf(`cidrmatch("%s", ip)`, n)
	}
	return fmt.Sprintf(`| eval ip=if('%[1]s'="%[3]s", '%[2]s', '%[1]s') | eval ip=replace(trim(ip), "(?i)^::ffff:", "") | where %[4]s`+
		` | eval sent=coalesce(sent, 0) | stats sum(sent) AS sent BY ip | sort %[5]d - sent`,
		e.ownIP, e.own, unsaid, strings.Join(inside, " OR "), most)
}

// detail sums what each of the hosts sent: from their events where these are few, and else
// from Splunk's sums.
func (s *Flows) detail(ctx context.Context, op string, addrs []netip.Addr, q integrations.HostsQuery, span flowmath.Span) ([]incident.HostTraffic, error) {
	records, few, err := s.records(ctx, op, []string{ofHosts(addrs)}, q.From, q.To)
	if err != nil {
		return nil, err
	}
	var lines []line
	if !few {
		lines, err = s.lines(ctx, op, addrs, q.From, q.To)
	}
	if n := len(addrs) / 2; errors.Is(err, errTooMany) && n > 0 {
		first, err := s.detail(ctx, op, addrs[:n], q, span)
		if err != nil {
			return nil, err
		}
		second, err := s.detail(ctx, op, addrs[n:], q, span)
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	var hosts []incident.HostTraffic
	for _, a := range addrs {
		h := flowmath.Host{Addrs: []netip.Addr{a}}
		sum := flowmath.NewSummary(integrations.TrafficQuery{IPs: h.Strings(), From: q.From, To: q.To, Top: 1})
		var numbers flowmath.Sensors
		for _, v := range flowmath.Distinct(viewsOf(records, h, &numbers, q.From, q.To)) {
			sum.View(&v)
		}
		var sensors flowmath.BySensor
		for _, l := range lines {
			if l.host == a {
				sensors.Add(l.sensor, l.Exchange)
			}
		}
		for _, x := range sensors.Exchanges() {
			sum.Exchange(x)
		}
		t := sum.Traffic(h, span)
		if flows, _ := t.Flows.Get(); flows > 0 {
			hosts = append(hosts, flowmath.HostTraffic(a, t))
		}
	}
	return hosts, nil
}

// Survey implements [integrations.Surveyor]. When Splunk sums, events count at their time,
// and sensors are not compared.
func (s *Flows) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "survey the events"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	span, err := s.span(ctx, to)
	if err != nil || span.Records == 0 {
		return incident.Survey{}, err
	}
	records, few, err := s.records(ctx, op, nil, from, to)
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

// census counts the events by sensor.
func (s *Flows) census(ctx context.Context, op string, from, to time.Time, span flowmath.Span) (incident.Survey, error) {
	sensors := map[string]incident.Sensor{}
	measured := map[string]bool{}
	err := s.groups(ctx, op, from, to, func(c class) (where, by []string) {
		if !c.source {
			return nil, nil // each event has a source
		}
		return []string{}, nil
	}, func(g group) error {
		name := g.text(fieldSensor)
		at := sensors[name]
		at.Name, at.Records, at.Sampling = name, at.Records+g.sum("count"), 1
		if last, ok := g.time("last"); ok && last.After(at.Newest) {
			at.Newest = last
		}
		if g.blank() {
			at.NoPackets += g.sum("count")
		}
		measured[name] = measured[name] || g.measured
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
