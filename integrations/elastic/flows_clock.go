package elastic

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const (
	// latest is how many of the records stamped last are read for the one
	// that ended last, someFuture how many of those of the future: of the nearest
	// and of the farthest.
	latest     = 20
	someFuture = 200
)

// span finds the newest record that counts for a time that ends at to. It first
// queries records of the future: the records of their sensors may not count.
func (s *Store) span(ctx context.Context, to time.Time) (flowmath.Span, error) {
	const op = "read the newest record"
	clocks := flowmath.Clocks{Moment: flowmath.Moment{Now: time.Now(), To: to}}
	var records int64
	future := s.layout.stamped(clocks.Future(), time.Time{})
	for _, way := range []string{"desc", "asc"} {
		n, err := s.gather(ctx, op, &clocks, future, way, someFuture)
		if err != nil {
			return flowmath.Span{}, err
		}
		if records += n; n == 0 {
			break
		}
	}
	q := s.layout.stamped(time.Time{}, clocks.Until().Add(time.Nanosecond))
	for _, fast := range clocks.Span().Fast {
		switch {
		case !fast.Steady:
		case fast.Sensor == "":
			q = allOf(q, query{Exists: &field{Field: s.layout.sensor}})
		default:
			q = allOf(q, not(query{Term: map[string]any{s.layout.sensor: fast.Sensor}}))
		}
	}
	n, err := s.gather(ctx, op, &clocks, q, "desc", latest)
	if err != nil {
		return flowmath.Span{}, err
	}
	if records += n; records == 0 {
		any, err := s.ask(ctx, op, request{Query: s.layout.records(), TrackTotalHits: 1})
		if err != nil {
			return flowmath.Span{}, err
		}
		records = any.Hits.Total.Value
	}
	span := clocks.Span()
	if span.Records = min(records, 1); records > 0 {
		span.Limit = s.config.Longest
		span.Longer = s.longer.Find(clocks.Now, func() (time.Duration, error) { return s.lasting(ctx) })
	}
	return span, nil
}

// gather reads the records of a query that are stamped first or last, and returns
// how many it read.
func (s *Store) gather(ctx context.Context, op string, clocks *flowmath.Clocks, q query, way string, most int) (int64, error) {
	out, err := s.ask(ctx, op, request{
		Size: most, Query: allOf(s.layout.records(), q), Fields: s.layout.fields(), TrackTotalHits: 1,
		Sort: []map[string]order{{s.layout.time: {Order: way, Unmapped: "date"}}},
	})
	if err != nil {
		return 0, err
	}
	var bad error
	n := int64(0)
	for _, h := range out.Hits.Hits {
		r, err := s.layout.record(h)
		if err != nil {
			bad = err
			continue
		}
		n++
		clocks.Record(r.Sensor, r.Start, r.End())
	}
	if n == 0 && bad != nil {
		return 0, integrations.Errorf(integrations.Unavailable, op, "%w", bad)
	}
	return n, nil
}

// lasting returns the longest duration among flows that lasted longer than the
// configured maximum.
func (s *Store) lasting(ctx context.Context) (time.Duration, error) {
	const op = "look for long flows"
	limit := map[string]limit{eventDuration: {Above: new(s.config.Longest.Nanoseconds())}}
	out, err := s.ask(ctx, op, request{
		Size: 1, Query: allOf(s.layout.records(), query{Range: limit}), Fields: s.layout.fields(), TrackTotalHits: 1,
		Sort: []map[string]order{{eventDuration: {Order: "desc", Unmapped: "long"}}},
	})
	if err != nil || len(out.Hits.Hits) == 0 {
		return 0, err
	}
	r, err := s.layout.record(out.Hits.Hits[0])
	return r.Duration, err
}
