package clickhouse

import (
	"context"
	"slices"
	"strings"
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
	sums, span, err := s.sums(ctx, op, q.From, q.To)
	if err != nil {
		return nil, err
	}
	return sums.Hosts(ctx, own, most, span)
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
		sensor.OneWay = silent > 0 || slices.Contains(blind, strings.TrimSuffix(name, flowmath.Egress))
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
	survey := flowmath.Survey(span, sensors, flowmath.Whole(low), flowmath.Whole(high))
	survey.Damaged, err = s.unread(ctx, t, from, to)
	return survey, err
}

// unread counts the invalid addresses, where they are text: other types hold
// addresses only.
func (s *Store) unread(ctx context.Context, t *table, from, to time.Time) (int64, error) {
	if t.address.kind != "String" {
		return 0, nil
	}
	st := &statement{t: t, from: from, to: to}
	query := st.unread()
	var n int64
	err := s.one(ctx, t, query, st.args, &n)
	return n, err
}

// named is a sensor's name as it is shown to people.
func (t *table) named(text string) string {
	kind := t.types["sensor"]
	if kind != "FixedString(16)" && kind != "IPv6" {
		return text
	}
	router, leaves := strings.CutSuffix(text, flowmath.Egress)
	a, err := addressOf(kind, "").parse(router)
	switch {
	case err != nil:
		return text
	case leaves:
		return a.String() + flowmath.Egress
	default:
		return a.String()
	}
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
