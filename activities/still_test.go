package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// tallied is a product that can count, and notes for how long it was asked to.
type tallied struct {
	opened
	lasts []time.Duration
}

func (c *tallied) CountOnly(_ context.Context, _ incident.Order, lasts time.Duration) error {
	c.lasts = append(c.lasts, lasts)
	return nil
}

func (c *tallied) Counted(context.Context, incident.Order) (incident.Counters, error) {
	return incident.Counters{PassedBytes: 7}, nil
}

// A rule that only counts is asked for where nothing limits, until the end of the watch, and
// for a day at most.
func TestARuleCountsWhereNothingLimits(t *testing.T) {
	now := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	limiter := incident.Counters{PassedBytes: 5, DroppedBytes: 9}
	for name, tt := range map[string]struct {
		reading incident.Reading
		until   time.Duration
		counts  time.Duration
		want    *incident.Count
	}{
		"in a watch":          {until: 16 * time.Minute, counts: 16 * time.Minute, want: &incident.Count{At: now, Counters: incident.Counters{PassedBytes: 7}}},
		"in a watch of a day": {until: 24*time.Hour + time.Minute, counts: 24 * time.Hour, want: &incident.Count{At: now, Counters: incident.Counters{PassedBytes: 7}}},
		"while it limits":     {reading: incident.Reading{Stands: true, Counters: &limiter}, until: time.Minute, want: &incident.Count{At: now, Counters: limiter, Limiter: true}},
		"without a watch":     {},
	} {
		t.Run(name, func(t *testing.T) {
			product := &tallied{opened: opened{before: tt.reading}}
			a := &Activities{Set: integrations.NewSet(), Now: func() time.Time { return now }}
			a.Set.Add("gateway", integrations.Spec{Kind: "tallied"}, product)
			in := CountIn{Use: "gateway", Order: incident.Order{Key: "ours", Action: incident.RateLimit}}
			if tt.until > 0 {
				in.Until = now.Add(tt.until)
			}
			out, err := a.count(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if (out.Count == nil) != (tt.want == nil) || out.Count != nil && *out.Count != *tt.want {
				t.Errorf("counted %+v, want %+v", out.Count, tt.want)
			}
			asked := tt.counts > 0
			if asked != (len(product.lasts) == 1) || asked && product.lasts[0] != tt.counts {
				t.Errorf("asked to count for %s, want %s", product.lasts, tt.counts)
			}
		})
	}
}
