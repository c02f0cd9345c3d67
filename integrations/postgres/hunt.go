package postgres

import (
	"context"
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
	sums, _, span, err := s.sums(ctx, op, q.From, q.To)
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
