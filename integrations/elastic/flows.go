package elastic

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// hostQuery selects what the addresses sent or received.
func (l layout) hostQuery(h flowmath.Host) query {
	var any []query
	for _, e := range l.ends() {
		any = append(any, e.from(h.Strings()))
	}
	return anyOf(any...)
}

// sentQuery selects what the addresses sent, by what was counted of it.
func (l layout) sentQuery(h flowmath.Host) query {
	var any []query
	for _, e := range l.ends() {
		if e.source {
			any = append(any, allOf(e.from(h.Strings()), positive(e.sent)))
		}
	}
	return anyOf(any...)
}

// records returns the records of a query that may overlap [from, to), or false
// when there are more than are read one by one.
func (s *Store) records(ctx context.Context, op string, q query, from, to time.Time) ([]flowmath.Record, bool, error) {
	q = allOf(s.layout.records(), s.layout.within(from, to, s.config.Longest), q)
	count, err := s.ask(ctx, op, request{Query: q, TrackTotalHits: s.config.Records + 1})
	switch {
	case err != nil:
		return nil, false, err
	case count.Hits.Total.Value > int64(s.config.Records):
		return nil, false, nil
	case count.Hits.Total.Value == 0:
		return nil, true, nil
	}
	out, err := s.ask(ctx, op, request{
		Size: s.config.Records, Query: q, Fields: s.layout.fields(), TrackTotalHits: s.config.Records + 1,
		Sort: []map[string]order{{s.layout.time: {Order: "desc", Unmapped: "date"}}},
	})
	if err != nil {
		return nil, false, err
	}
	if out.Hits.Total.Value != int64(len(out.Hits.Hits)) {
		// More have come since they were counted.
		return nil, false, nil
	}
	records, err := s.layout.hits(op, out.Hits.Hits)
	return records, true, err
}

// views returns the flows of a host that overlap [from, to), each once, or
// false when there are too many.
func (s *Store) views(ctx context.Context, op string, h flowmath.Host, from, to time.Time) ([]flowmath.View, bool, error) {
	records, few, err := s.records(ctx, op, s.layout.hostQuery(h), from, to)
	if err != nil || !few {
		return nil, false, err
	}
	var sensors flowmath.Sensors
	return flowmath.Distinct(viewsOf(records, h, &sensors, from, to)), true, nil
}

// viewsOf returns the records as seen from the host, without the traffic between
// its own addresses.
func viewsOf(records []flowmath.Record, h flowmath.Host, sensors *flowmath.Sensors, from, to time.Time) []flowmath.View {
	var views []flowmath.View
	for i := range records {
		r := &records[i]
		source, destination := h.Has(r.Src), h.Has(r.Dst)
		if source == destination {
			continue
		}
		v := flowmath.ViewOf(r, source, sensors.Number(r.Sensor))
		if v.Overlaps(from.UnixNano(), to.UnixNano()) {
			views = append(views, v)
		}
	}
	return views
}

// Traffic implements [integrations.Flows].
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	span, err := s.span(ctx, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	return s.traffic(ctx, op, h, q, span)
}

func (s *Store) traffic(ctx context.Context, op string, h flowmath.Host, q integrations.TrafficQuery, span flowmath.Span) (incident.Traffic, error) {
	sum := flowmath.NewSummary(q)
	if span.Records == 0 {
		return sum.Traffic(h, span), nil
	}
	views, few, err := s.views(ctx, op, h, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	if few {
		for i := range views {
			sum.View(&views[i])
		}
	} else if views, err = s.summarize(ctx, op, h, q, sum); err != nil {
		return incident.Traffic{}, err
	}
	if err := s.listen(ctx, sum, h, q.To); err != nil {
		return incident.Traffic{}, err
	}
	missing, err := s.gaps(ctx, op, h, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	t := sum.Traffic(h, span)
	sum.Sample(&t, views, span)
	flowmath.Lacking(&t, missing)
	return t, nil
}

// listen checks whether the exporters see what the host sends at all, where the
// window has none of it: then what it received does not prove that it was silent.
func (s *Store) listen(ctx context.Context, sum *flowmath.Summary, h flowmath.Host, to time.Time) error {
	if !sum.Unheard() {
		return nil
	}
	const op = "look for what the host sent"
	out, err := s.ask(ctx, op, request{TrackTotalHits: 1, Query: allOf(
		s.layout.records(), s.layout.stamped(to.Add(-flowmath.Hearing), to.Add(s.config.Longest)),
		s.layout.sentQuery(h),
	)})
	if err == nil && out.Hits.Total.Value == 0 {
		sum.Deaf()
	}
	return err
}

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows].
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

// windowReader queries the cluster for one window.
type windowReader struct {
	*Store
	op string
}

func (s *Store) reader(ctx context.Context, op string, _, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	span, err := s.span(ctx, to)
	return &windowReader{s, op}, span, err
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	older, err := s.ask(ctx, s.op, request{TrackTotalHits: 1, Query: allOf(
		s.layout.records(), s.layout.stamped(time.Unix(0, 0), at), s.layout.hostQuery(h),
	)})
	if err != nil {
		return false, err
	}
	return older.Hits.Total.Value > 0, nil
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, windows *flowmath.Windows) error {
	missing, err := s.gaps(ctx, s.op, h, windows.From(), windows.To())
	if err != nil {
		return err
	}
	for _, g := range missing {
		windows.Lack(g)
	}
	views, few, err := s.views(ctx, s.op, h, windows.From(), windows.To())
	if err != nil {
		return err
	}
	if !few {
		return s.histogram(ctx, s.op, h, windows)
	}
	for i := range views {
		windows.View(&views[i])
	}
	return nil
}

// largest returns the flows in which the host sent most.
func (s *Store) largest(ctx context.Context, op string, h flowmath.Host, q integrations.TrafficQuery) ([]flowmath.View, error) {
	var sensors flowmath.Sensors
	var views []flowmath.View
	for _, end := range s.layout.ends() {
		out, err := s.ask(ctx, op, request{
			Size: flowmath.SampleFlows, Query: s.sums(h, end, q.From, q.To), Fields: s.layout.fields(), TrackTotalHits: 1,
			Sort: []map[string]order{{end.sent: {Order: "desc", Missing: "_last", Unmapped: "long"}}},
		})
		if err != nil {
			return nil, err
		}
		records, err := s.layout.hits(op, out.Hits.Hits)
		if err != nil {
			return nil, err
		}
		views = append(views, viewsOf(records, h, &sensors, q.From, q.To)...)
	}
	return flowmath.Distinct(views), nil
}
