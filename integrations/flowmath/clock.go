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

// Moment is the time of a query, by this machine's clock, and the end of the time
// that is queried. Records count up to the earlier of the two: a record of the
// future proves nothing, and records of long after a window do not prove that a
// sensor was watching during it.
type Moment struct{ Now, To time.Time }

// Until is the latest end of a record that counts.
func (m Moment) Until() time.Time {
	at := m.Now
	if m.To.Before(at) {
		at = m.To
	}
	return at.Add(incident.ClockTolerance)
}

// Future is the time after which a record cannot be of the present.
func (m Moment) Future() time.Time { return m.Now.Add(incident.ClockTolerance) }

// Reach returns the moment up to which a record proves that its sensor was
// running, or false where it proves nothing: it is of the future, or began after
// the time that counts.
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
// after [Moment.Future].
func (m Moment) Fast(sensor string, first, newest time.Time) incident.FastClock {
	return incident.FastClock{
		Sensor: sensor, Newest: newest.UTC(), Ahead: newest.Sub(m.Now), Steady: first.Before(m.Future().Add(SteadyWithin)),
	}
}

// Clocks gathers from records how fresh a store is: the last record of each
// sensor, and which sensors' clocks are ahead.
type Clocks struct {
	Moment
	sensors map[string]*clock
}

// clock is the times of one sensor's records.
type clock struct{ reach, first, last time.Time }

// Record adds one record.
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

// Span returns the newest record that counts, and the sensors whose clocks are
// ahead. Records of a sensor whose clock is ahead steadily do not count.
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

// SortFast sorts the sensors whose clocks are ahead, the farthest first, and keeps
// [MaxFastClocks].
func SortFast(fast []incident.FastClock) []incident.FastClock {
	slices.SortFunc(fast, func(a, b incident.FastClock) int {
		return cmp.Or(cmp.Compare(b.Ahead, a.Ahead), cmp.Compare(a.Sensor, b.Sensor))
	})
	return fast[:min(len(fast), MaxFastClocks)]
}

// Findings returns what is wrong with the clocks of a store, at a moment. One
// sensor of several that is ahead is a warning; a store without a sensor of the
// present fails. Cure is what else to do, as well as setting clocks, where a store
// as a whole is ahead.
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
