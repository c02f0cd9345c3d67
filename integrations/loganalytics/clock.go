package loganalytics

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const (
	// ahead is how far into the future records are looked for, and kept how far back, which
	// is what the service keeps at most for queries of this kind.
	ahead = 10 * 365 * 24 * time.Hour
	kept  = 730 * 24 * time.Hour
	// recent is how far back records are read whose sensor's clock is ahead now.
	recent = 2 * time.Hour
)

// span finds the newest record that counts for a time that ends at to: by its own times, and
// not by when it was written. Records that were not written yet are not there: what a slow
// sensor saw lately may be missing though another one's records are fresh.
func (s *Store) span(ctx context.Context, to time.Time) (flowmath.Span, error) {
	m := flowmath.Moment{Now: s.now(), To: to}
	span := flowmath.Span{}
	steady, err := s.fast(ctx, m, &span)
	if err != nil {
		return span, err
	}
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 31 * 24 * time.Hour} {
		found, err := s.newest(ctx, m, back, steady, &span)
		if err != nil {
			return span, err
		}
		if found {
			break
		}
	}
	if span.Records == 0 {
		if err := s.any(ctx, m, &span); err != nil {
			return span, err
		}
	}
	if span.Records > 0 && !s.layout.grows {
		span.Limit = s.config.Longest
		span.Longer = s.longer.Find(m.Now, func() (time.Duration, error) { return s.lasting(ctx, m) })
	}
	return span, nil
}

const opNewest = "read the newest flow"

// stamped begins a query of all flows whose records are stamped in [first, last).
func (s *Store) stamped(first, last time.Time) *statement {
	st := &statement{l: s.layout, first: first, last: last}
	st.pipeline = st.l.flows(st.l.counting(first, last))
	return st
}

// fast puts into the span which sensors' clocks are ahead, and returns the names of those of
// which every record is.
func (s *Store) fast(ctx context.Context, m flowmath.Moment, span *flowmath.Span) ([]string, error) {
	st := s.stamped(m.Now.Add(-recent), m.Now.Add(ahead))
	st.where("Ended > " + datetime(m.Future()))
	st.summarize([]string{"First = min(Ended)", "Last = max(Ended)"}, "Sensor")
	st.largest(maxLines, "Last desc")
	var steady []string
	err := asker{s, opNewest}.rows(ctx, st, func(r *reader) {
		span.Records = 1
		c := m.Fast(r.text("Sensor"), r.at("First"), r.at("Last"))
		span.Fast = append(span.Fast, c)
		if c.Steady {
			steady = append(steady, c.Sensor)
		}
	})
	span.Fast = flowmath.SortFast(span.Fast)
	return steady, err
}

// newest looks for the newest record that ended so long before the time at most, without
// those of the sensors.
func (s *Store) newest(ctx context.Context, m flowmath.Moment, back time.Duration, steady []string, span *flowmath.Span) (bool, error) {
	until := m.Until()
	first, last := s.layout.stamps(until.Add(-back), until, s.config.Longest)
	st := s.stamped(first, last)
	st.where(fmt.Sprintf("Begun <= %s and Ended <= %s", datetime(until), datetime(m.Future())))
	if len(steady) > 0 {
		st.where("not(Sensor in " + texts(steady) + ")")
	}
	st.then("extend", "Reach = min_of(Ended, "+datetime(until)+")")
	st.summarize([]string{"Newest = max(Reach)"}, "Sensor")
	st.largest(1, "Newest desc")
	found := false
	err := asker{s, opNewest}.rows(ctx, st, func(r *reader) {
		found, span.Records, span.Newest = true, 1, r.at("Newest")
	})
	return found, err
}

// any puts into the span whether there is any record.
func (s *Store) any(ctx context.Context, m flowmath.Moment, span *flowmath.Span) error {
	first, last := m.Now.Add(-kept), m.Now.Add(ahead)
	st := &statement{l: s.layout, pipeline: s.layout.counting(first, last), first: first, last: last}
	st.few(1).then("summarize", "Records = count()")
	return asker{s, opNewest}.rows(ctx, st, func(r *reader) { span.Records = r.whole("Records") })
}

// lasting returns the longest duration among the flows of the day before.
func (s *Store) lasting(ctx context.Context, m flowmath.Moment) (time.Duration, error) {
	st := s.stamped(m.Until().Add(-24*time.Hour), m.Until().Add(s.config.Longest))
	st.then("extend", "Lasted = tolong((Ended - Begun) / 1ms)")
	st.then("top", strconv.Itoa(1)+" by Lasted desc").then("project", "Lasted")
	var longest time.Duration
	err := asker{s, "look for long flows"}.rows(ctx, st, func(r *reader) {
		longest = time.Duration(r.whole("Lasted")) * time.Millisecond
	})
	return longest, err
}
