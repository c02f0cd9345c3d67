package elastic

import (
	"context"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// gaps returns the times in [from, to) of which sensors that see the host say that they have no
// records. Of a host that no sensor has seen, those of all count.
func (s *Store) gaps(ctx context.Context, op string, h flowmath.Host, from, to time.Time) ([]flowmath.Gap, error) {
	if len(s.layout.skipped) == 0 {
		return nil, nil
	}
	found, err := s.allGaps(ctx, op, from, to)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	heard := to.Add(-flowmath.Hearing)
	if from.Before(heard) {
		heard = from
	}
	seen := map[string]bool{}
	q := allOf(s.layout.records(), s.layout.stamped(heard, to.Add(s.config.Longest)), s.layout.hostQuery(h))
	err = s.groups(ctx, op, q, s.layout.ends()[0], nil, func(k key, _ int64, _ bucket) error {
		seen[k.text("sensor")] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(g flowmath.Gap) bool {
		return len(seen) > 0 && g.Sensor != "" && !seen[g.Sensor]
	}), nil
}

// allGaps returns the gaps of all sensors.
func (s *Store) allGaps(ctx context.Context, op string, from, to time.Time) ([]flowmath.Gap, error) {
	if len(s.layout.skipped) == 0 {
		return nil, nil
	}
	q := append([]query{oneOf(dataset, s.layout.datasets), s.layout.stamped(from, to.Add(s.config.Longest))}, s.layout.skipped...)
	out, err := s.ask(ctx, op, request{
		Size: s.config.Records, Query: allOf(q...), Fields: s.layout.fields(), TrackTotalHits: s.config.Records + 1,
		Sort: []map[string]order{{s.layout.time: {Order: "asc", Unmapped: "date"}}},
	})
	if err != nil {
		return nil, err
	}
	if out.Hits.Total.Value > int64(len(out.Hits.Hits)) {
		return nil, integrations.Errorf(integrations.Invalid, op, "sensors say more than %d times that they have no records: ask for a shorter time", s.config.Records)
	}
	var found []flowmath.Gap
	for _, hit := range out.Hits.Hits {
		start, end, ok := s.layout.times(hit)
		if !ok {
			return nil, integrations.Errorf(integrations.Unavailable, op, "a record of skipped data has no time")
		}
		if start.Before(to) && end.After(from) {
			found = append(found, flowmath.Gap{From: start, To: end, Sensor: hit.text(s.layout.sensor), Why: "it skipped data"})
		}
	}
	return found, nil
}
