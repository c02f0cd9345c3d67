package splunk

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// recent is how far back the newest event is looked for, year where there is none: a
	// store without an event for so long is as good as empty.
	recent, year = 24 * time.Hour, 366 * 24 * time.Hour
	// history is how far back before a baseline a host is looked for.
	history = 31 * 24 * time.Hour
	// lately is the time before the newest event in which flows may have ended after it.
	lately = 10 * time.Second
)

// span finds the newest event that counts for a time that ends at to, of what answers are
// made of: with summaries alone, the newest that is summarized.
func (s *Flows) span(ctx context.Context, to time.Time) (flowmath.Span, error) {
	const op = "read the newest event"
	clocks := flowmath.Clocks{Moment: flowmath.Moment{Now: time.Now(), To: to}}
	until := clocks.Until().Add(time.Millisecond)
	var past, future []row
	err := httpx.Together(ctx,
		func(ctx context.Context) (err error) {
			past, err = s.stamps(ctx, op, until.Add(-recent), until)
			return err
		},
		func(ctx context.Context) (err error) {
			// An event at the very moment is not of the future.
			future, err = s.stamps(ctx, op, clocks.Future().Add(time.Millisecond), clocks.Future().Add(year))
			return err
		},
	)
	if err == nil && len(past) == 0 {
		past, err = s.stamps(ctx, op, until.Add(-year), until)
	}
	if err == nil && len(past) == 0 {
		// What is stamped after a window may have begun in it.
		past, err = s.stamps(ctx, op, until, until.Add(s.config.Longest))
	}
	if err != nil {
		return flowmath.Span{}, err
	}
	if err := s.note(op, &clocks, append(past, future...)); err != nil {
		return flowmath.Span{}, err
	}
	if s.config.Stamp == AtStart {
		if err := s.ended(ctx, op, &clocks); err != nil {
			return flowmath.Span{}, err
		}
	}
	span := clocks.Span()
	if span.Records = min(span.Records, 1); span.Records > 0 {
		span.Limit = s.config.Longest
		span.Longer = s.longer.Find(clocks.Now, func() (time.Duration, error) { return s.lasting(ctx, to) })
	}
	return span, nil
}

// stamps returns the first and the last event of each sensor.
func (s *Flows) stamps(ctx context.Context, op string, from, to time.Time) ([]row, error) {
	return s.search(ctx, op, tstats{sums: []string{"min(_time) AS first", "max(_time) AS last"}, by: []string{fieldSensor}, from: from, to: to})
}

// note adds sensors' first and last events to the clocks, as moments.
func (s *Flows) note(op string, clocks *flowmath.Clocks, rows []row) error {
	for _, r := range rows {
		for _, name := range []string{"first", "last"} {
			at, ok := r.time(name)
			if !ok {
				return integrations.Errorf(integrations.Unavailable, op, "a sensor's events have no time")
			}
			clocks.Record(r.text(fieldSensor), at, at)
		}
	}
	return nil
}

// ended adds when the newest flows ended, where events are stamped with their beginning.
func (s *Flows) ended(ctx context.Context, op string, clocks *flowmath.Clocks) error {
	newest := clocks.Span().Newest
	if newest.IsZero() {
		return nil
	}
	rows, err := s.search(ctx, op, tstats{
		sums: []string{"max(_time) AS last"}, by: []string{fieldSensor, fieldDuration}, from: newest.Add(-lately), to: newest.Add(time.Millisecond),
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if at, ok := r.time("last"); ok {
			clocks.Record(r.text(fieldSensor), at, at.Add(r.lasting(fieldDuration)))
		}
	}
	return nil
}

// lasting returns the longest duration among flows that lasted longer than the configured
// maximum, of about a time.
func (s *Flows) lasting(ctx context.Context, at time.Time) (time.Duration, error) {
	rows, err := s.search(ctx, "look for long flows", tstats{
		sums: []string{"max(" + fieldDuration + ") AS longest"}, where: []string{fmt.Sprintf("%s>%d", fieldDuration, s.config.Longest/time.Second)},
		from: at.Add(-maxLongest), to: at.Add(maxLongest),
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return rows[0].lasting("longest"), nil
}
