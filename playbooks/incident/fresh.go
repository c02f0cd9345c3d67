package incident

import "time"

// LagTolerance is how far a flow store's newest record may be before a moment
// without the store being stale then: sensors write a flow when it has ended, or
// once in so many minutes.
const LagTolerance = 5 * time.Minute

// ClockTolerance is how far after a moment a record may end and still be of
// that moment. Clocks that are kept by NTP differ by less than a second, and
// exporters that reckon from their uptime, or round to minutes, by up to a
// minute; twice that leaves room for both. It is less than half of LagTolerance:
// what a wrong clock can hide is shorter than what a slow sensor may.
const ClockTolerance = 2 * time.Minute

// Lag returns how far a store's newest record is before a moment, and whether
// the store is stale then. A stale store knows nothing of the time after that
// record; it was not quiet.
func Lag(newest, at time.Time) (lag time.Duration, stale bool) {
	lag = max(0, at.Sub(newest))
	return lag, lag > LagTolerance
}

// FastClock is a sensor that recorded flows of the future: its clock is ahead.
// Such records prove nothing.
type FastClock struct {
	Sensor string `json:"sensor"`
	// Newest is the latest time of a record, Ahead how far that is after the
	// moment at which the store was asked.
	Newest time.Time     `json:"newest"`
	Ahead  time.Duration `json:"ahead"`
	// Steady reports whether the records go on after that moment without a gap: what
	// the sensor wrote of other times is of other times, too. Else only some
	// records are wrong.
	Steady bool `json:"steady,omitempty"`
}

// String names the sensor and how far its clock is ahead.
func (c FastClock) String() string {
	name := "the clock of sensor " + c.Sensor
	if c.Sensor == "" {
		name = "the clock of a sensor without a name"
	}
	return name + " is ahead by " + FormatDuration(c.Ahead)
}
