package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

const (
	// looksOften is into how many looks a watch is cut where a counter is read, lookSoonest
	// the shortest pause between them: a flood that comes back is to be held within seconds,
	// and a long watch must not cost the engine more than a short one.
	looksOften  = 200
	lookSoonest = 4 * time.Second
	// confirmSoon is when a counter is read again that spoke for a host still sending. What
	// the flow store said takes it longer to confirm.
	confirmSoon = 3 * time.Second
)

// watchLooks are those at a host that is watched.
type watchLooks struct {
	began, until time.Time
	// counts reports whether something may count what the host sends, and often whether it
	// has, and so is read often.
	counts, often bool
	// asked is when the flow store was asked last, pause for how long it is not asked then
	// where a counter is read often.
	asked time.Time
	pause time.Duration
	// confirm is how long after the last look what spoke for it is to be confirmed.
	confirm time.Duration
}

// longest is the longest pause between two looks.
func (l *watchLooks) longest() time.Duration {
	if !l.often {
		return lookLongest
	}
	return min(max(l.until.Sub(l.began)/looksOften, lookSoonest), lookLongest)
}

// look measures what a host sends, every being how long ago the look before was. Where a
// counter is read often the flow store is asked more seldom, and whenever there is
// something to confirm.
func (r *responder) look(ctx workflow.Context, i int, l *watchLooks, every time.Duration) (e evidence) {
	l.confirm = measureAtLeast
	if l.counts {
		l.counts = r.countRate(ctx, i, l.until.Add(slackAfter), &e)
	}
	held := r.state.Case.Steps[i].Held
	if r.yield || !r.kept(i) || !r.state.Case.Steps[i].Watched() {
		return e
	}
	l.often = l.counts && held.Last != nil && since(ctx, changeLookOften)
	now, counted := workflow.Now(ctx), e.above
	if l.often && counted {
		l.confirm = confirmSoon
	}
	window := every
	if l.often && !counted && held.Suspect.IsZero() {
		if now.Sub(l.asked) < l.pause {
			return e
		}
		if !l.asked.IsZero() {
			window = now.Sub(l.asked)
		}
		l.pause = min(max(l.pause*3/2, measureAtLeast), lookLongest)
	}
	l.asked = now
	r.flowRate(ctx, i, maxTime(l.began, held.Suspect), max(window, measureAtLeast), &e)
	return e
}
