package defendfake

import "time"

// window counts requests within a fixed time.
type window struct {
	since time.Time
	n     int
}

// over counts a request, and returns how long it is until the next is taken if
// there were more than most.
func (w *window) over(now time.Time, length time.Duration, most int) time.Duration {
	if most == 0 {
		return 0
	}
	if now.Sub(w.since) >= length {
		w.since, w.n = now, 0
	}
	w.n++
	if w.n <= most {
		return 0
	}
	return max(length-now.Sub(w.since), time.Millisecond)
}
