package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// counters measure what an interface has sent, by its own counter. They know nothing of
// cases or containments.
type counters struct {
	// read returns how many bytes it has sent.
	read   func(context.Context) (int64, error)
	failed chan error

	mu       sync.Mutex
	readings []reading
}

// reading is what the counter said at a time.
type reading struct {
	at    time.Time
	bytes int64
}

var _ meter = (*counters)(nil)

func newCounters(read func(context.Context) (int64, error)) *counters {
	return &counters{read: read, failed: make(chan error, 1)}
}

// run reads the counter until the context ends.
func (c *counters) run(ctx context.Context) {
	ticker := time.NewTicker(exportEvery)
	defer ticker.Stop()
	for {
		bytes, err := c.read(ctx)
		if err != nil {
			if ctx.Err() == nil {
				c.failed <- fmt.Errorf("read what the gateway has sent: %w", err)
			}
			return
		}
		c.add(reading{time.Now(), bytes})
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *counters) add(r reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readings = append(c.readings, r)
}

func (c *counters) all() []reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.readings)
}

func (c *counters) broken() <-chan error { return c.failed }

// recent returns the last rates, each over [meterOver], and the time of the last reading.
func (c *counters) recent() ([]int64, time.Time) {
	all := c.all()
	const apart = int(meterOver / exportEvery)
	var rates []int64
	for i := apart; i < len(all); i++ {
		rates = append(rates, between(all[i-apart], all[i]))
	}
	if len(all) == 0 {
		return nil, time.Time{}
	}
	return rates[max(0, len(rates)-keptRates):], all[len(all)-1].at
}

// measure returns the rate between the first and the last reading within a time.
func (c *counters) measure(_ context.Context, from, to time.Time) (incident.Value[int64], error) {
	within := slices.DeleteFunc(c.all(), func(r reading) bool { return r.at.Before(from) || r.at.After(to) })
	if len(within) < 2 {
		return incident.NotKnown[int64]("the counter was not read twice in that time"), nil
	}
	return incident.Known(between(within[0], within[len(within)-1]), incident.Computed), nil
}

// between is the rate between two readings, in bits per second.
func between(a, b reading) int64 {
	if took := b.at.Sub(a.at).Seconds(); took > 0 {
		return int64(float64(b.bytes-a.bytes) * 8 / took)
	}
	return 0
}

// chart is what was measured from the first reading on, a rate for each second, with the
// moments.
func (c *counters) chart(moments []moment) term.Chart {
	all := c.all()
	if len(all) == 0 {
		return term.Chart{}
	}
	out := term.Chart{Every: time.Second}
	last := all[0]
	for _, r := range all {
		// A reading may come late: then it stands for several seconds.
		for behind := r.at.Sub(all[0].at) / time.Second; len(out.Rates) < int(behind); {
			out.Rates = append(out.Rates, between(last, r))
			if len(out.Rates) == int(behind) {
				last = r
			}
		}
	}
	for _, m := range moments {
		out.Moments = append(out.Moments, term.Moment{After: m.at.Sub(all[0].at), Text: m.text})
	}
	return out
}

// moment is when something happened.
type moment struct {
	at   time.Time
	text string
}
