package flowmath

import (
	"cmp"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// SteadyWithin is how soon after the present a sensor whose clock is ahead
	// has a record, where all of its records are ahead and not single ones: a
	// sensor that is silent for longer is stale anyway.
	SteadyWithin = 3 * incident.LagTolerance
	// MaxFastClocks bounds the sensors that an answer names for their clocks.
	MaxFastClocks = 20
)

// Moment is when a store is asked, by this machine's clock, and the end of the
// time that it is asked about. What it holds counts up to the earlier of the
// two: a record of the future proves nothing, and what was recorded long after
// a window does not show that anybody looked at it.
type Moment struct{ Now, To time.Time }

// Until is the latest end of a record that counts.
func (m Moment) Until() time.Time {
	at := m.Now
	if m.To.Before(at) {
		at = m.To
	}
	return at.Add(incident.ClockTolerance)
}

// Future is the time beyond which a record cannot be of the present.
func (m Moment) Future() time.Time { return m.Now.Add(incident.ClockTolerance) }

// Reach returns the moment up to which a record shows that its sensor was at
// work, or false where it shows nothing: it is of the future, or began after
// what counts.
func (m Moment) Reach(start, end time.Time) (time.Time, bool) {
	until := m.Until()
	switch {
	case end.After(m.Future()) || start.After(until):
		return time.Time{}, false
	case end.After(until):
		return until, true
	default:
		return end, true
	}
}

// Fast describes a sensor by the first and the last of its records that end
// beyond [Moment.Future].
func (m Moment) Fast(sensor string, first, newest time.Time) incident.FastClock {
	return incident.FastClock{
		Sensor: sensor, Newest: newest.UTC(), Ahead: newest.Sub(m.Now), Steady: first.Before(m.Future().Add(SteadyWithin)),
	}
}

// Clocks gathers from records how fresh a store is: what each sensor recorded
// last, and which sensors are ahead.
type Clocks struct {
	Moment
	sensors map[string]*clock
}

// clock is what one sensor's records say of the time.
type clock struct{ reach, first, last time.Time }

// Record takes note of one record.
func (c *Clocks) Record(sensor string, start, end time.Time) {
	if c.sensors == nil {
		c.sensors = map[string]*clock{}
	}
	at := c.sensors[sensor]
	if at == nil {
		at = &clock{}
		c.sensors[sensor] = at
	}
	if reach, ok := c.Reach(start, end); ok && reach.After(at.reach) {
		at.reach = reach
	}
	if !end.After(c.Future()) {
		return
	}
	if at.first.IsZero() || end.Before(at.first) {
		at.first = end
	}
	if end.After(at.last) {
		at.last = end
	}
}

// Span returns the newest record that counts, and the sensors that are ahead.
// Of a sensor whose clock is ahead steadily nothing counts.
func (c *Clocks) Span() Span {
	s := Span{Records: int64(len(c.sensors))}
	for name, at := range c.sensors {
		if !at.last.IsZero() {
			fast := c.Fast(name, at.first, at.last)
			s.Fast = append(s.Fast, fast)
			if fast.Steady {
				continue
			}
		}
		if at.reach.After(s.Newest) {
			s.Newest = at.reach.UTC()
		}
	}
	s.Fast = SortFast(s.Fast)
	return s
}

// SortFast sorts the sensors that are ahead, the farthest first, and keeps so
// many as are named.
func SortFast(fast []incident.FastClock) []incident.FastClock {
	slices.SortFunc(fast, func(a, b incident.FastClock) int {
		return cmp.Or(cmp.Compare(b.Ahead, a.Ahead), cmp.Compare(a.Sensor, b.Sensor))
	})
	return fast[:min(len(fast), MaxFastClocks)]
}

// Findings says what is wrong with the clocks of a store, at a moment. That one
// sensor of several is ahead is a warning; where no sensor tells of the present
// it fails. Cure is what to do, beside setting clocks, where a store as a whole
// is ahead.
func (s Span) Findings(store string, now time.Time, cure string) []integrations.Finding {
	var found []integrations.Finding
	_, stale := incident.Lag(s.Newest, now)
	for _, c := range s.Fast {
		f := integrations.Finding{
			What: store + ": " + c.String() + ": its records of the future prove nothing", OK: !stale, Warning: !stale,
			Fix: "set the clock of that sensor, by NTP",
		}
		if c.Steady {
			f.What = store + ": " + c.String() + ", in all that it records: of no time is known what it saw"
			if stale && cure != "" {
				f.Fix += "; " + cure
			}
		}
		found = append(found, f)
	}
	return append(found, s.longer(store)...)
}
