package loganalytics

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sums returns how the workspace is asked for [from, to), and what it holds.
func (s *Store) sums(ctx context.Context, op string, from, to time.Time) (*flowmath.Sums, flowmath.Span, error) {
	span, err := s.span(ctx, to)
	if err != nil {
		return nil, span, err
	}
	return &flowmath.Sums{
		Asker: asker{s, op}, From: from, To: to, Few: s.few, MostServices: maxLines,
		Adds:   true,
		Failed: func(err error) error { return err },
	}, span, nil
}

// Traffic implements [integrations.Flows]. A flow counts with its share of the window, by
// time. Of several sensors' counts of one 5-tuple in the window the largest is used.
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	sums, span, err := s.sums(ctx, op, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	if span.Records == 0 {
		return flowmath.NewSummary(q).Traffic(h, span), nil
	}
	t, err := sums.Traffic(ctx, h, q, span)
	if err != nil {
		return incident.Traffic{}, err
	}
	s.layout.limit(&t)
	return t, nil
}

// limit says of a volume that it is the least that was sent, where the table never has all.
// A zero is then no measured one.
func (l layout) limit(t *incident.Traffic) {
	if l.least == "" {
		return
	}
	t.AtLeast = append(t.AtLeast, l.least)
	if n, ok := t.BytesOut.Get(); ok && n == 0 {
		why := "flows: " + l.least
		t.BytesOut, t.PacketsOut = incident.NotKnown[int64](why), incident.NotKnown[int64](why)
		t.Rate, t.Role = incident.NotKnown[int64](why), incident.NotKnown[string](why)
	}
}

// Series implements [integrations.Flows]. Where the table never has all, a minute in which
// nothing was sent is unknown.
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	points, err := flowmath.Series(ctx, "read the series", q, s.reader)
	if s.layout.least != "" {
		points = slices.DeleteFunc(points, func(p incident.Point) bool { return p.BytesOut == 0 })
	}
	return points, err
}

// Baseline implements [integrations.Flows]. A host that was not seen in the day before begins
// with its first record.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

func (s *Store) reader(ctx context.Context, op string, from, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	return s.sums(ctx, op, from, to)
}

// Hosts implements [integrations.Hunter].
func (s *Store) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	const op = "read the hosts with the most egress"
	own, most, err := flowmath.HostsBounds(op, q)
	if err != nil {
		return nil, err
	}
	sums, span, err := s.sums(ctx, op, q.From, q.To)
	if err != nil || span.Records == 0 {
		return nil, err
	}
	return sums.Hosts(ctx, own, most, span)
}

// Survey implements [integrations.Surveyor].
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "survey the flows"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	span, err := s.span(ctx, to)
	if err != nil || span.Records == 0 {
		return incident.Survey{}, err
	}
	a, q := asker{s, op}, flowmath.Question{From: from, To: to}
	var sensors []incident.Sensor
	err = a.rows(ctx, a.statement(q).sensors().largest(flowmath.MaxSensors, "Records desc, Sensor asc"), func(r *reader) {
		sensors = append(sensors, incident.Sensor{
			Name: r.text("Sensor"), Records: r.whole("Records"), Sampling: 1, OneWay: !r.truth("Measured"),
			NoPackets: r.whole("NoPackets"), Newest: r.at("Newest"),
		})
	})
	if err != nil {
		return incident.Survey{}, err
	}
	var low, high int64
	if len(sensors) > 1 {
		st := a.statement(q).counted()
		st.summarize([]string{"Low = sum(Low)", "High = sum(High)"})
		err = a.rows(ctx, st, func(r *reader) {
			low, high = flowmath.Whole(r.float("Low")), flowmath.Whole(r.float("High"))
		})
	}
	survey := flowmath.Survey(span, sensors, low, high)
	if survey.AtLeast == "" {
		survey.AtLeast = s.layout.least
	}
	return survey, err
}

// Senders implements [integrations.Senders]: whom firewalls name with a session, and which
// machine Azure knows behind an address.
func (s *Store) Senders(ctx context.Context, q integrations.SendersQuery) ([]incident.Sender, error) {
	const op = "read the senders"
	if err := flowmath.CheckWindow(op, q.From, q.To); err != nil {
		return nil, err
	}
	h, err := flowmath.HostOf(op, q.IPs)
	if err != nil {
		return nil, err
	}
	a := asker{s, op}
	st := a.statement(flowmath.Question{Addrs: h.Addrs, From: q.From, To: q.To}).senders().
		largest(maxLines, "Last desc, Sensor asc, User asc, Device asc")
	var found []incident.Sender
	err = a.rows(ctx, st, func(r *reader) {
		device := r.text("Device")
		found = append(found, incident.Sender{
			// Traffic analytics writes a machine with its resource group before it.
			IP: r.address("Local").String(), Device: device[strings.LastIndexByte(device, '/')+1:], User: r.text("User"),
			Sensor: r.text("Sensor"), First: r.at("First"), Last: r.at("Last"),
		})
	})
	return found, err
}
