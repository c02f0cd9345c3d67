package incident

import "time"

// LagTolerance is how far a flow store's newest record may lie before a moment
// without the store being stale then: sensors write a flow when it has ended, or
// once in so many minutes.
const LagTolerance = 5 * time.Minute

// Lag tells how far a store's newest record lies before a moment, and whether
// the store is stale then. A stale store knows nothing of what came after that
// record; it was not quiet.
func Lag(newest, at time.Time) (lag time.Duration, stale bool) {
	lag = max(0, at.Sub(newest))
	return lag, lag > LagTolerance
}
