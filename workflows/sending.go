package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// readings is how often what is counted is read before the end of a containment.
	readings = 3
	// quietParts is into how many parts the time is cut in which nothing must be dropped.
	quietParts = 4
	// slackAfter is for how long after the watch a rule that counts for it may be there.
	slackAfter = time.Minute
)

// evidence is what speaks for a host still sending.
type evidence struct {
	// above reports whether a source has it at the rate from which on it counts, strong
	// whether two have, and known whether any could tell.
	above, strong, known bool
	rate                 int64
	by                   string
}

// String says it for people.
func (e evidence) String() string {
	return fmt.Sprintf("the host still sends %s (%s)", incident.FormatRate(e.rate), e.by)
}

// take adds what a source measured.
func (e *evidence) take(rate, above int64, by string) {
	e.known = true
	if rate < above {
		return
	}
	e.strong = e.above
	e.above = true
	if rate > e.rate {
		e.rate = rate
	}
	if e.by != "" {
		e.by += ", "
	}
	e.by += by
}

// offered looks what a host offers to send while it is contained. A limiter that counts
// says it whatever the flow store sees, which may be what the limiter lets through.
func (r *responder) offered(ctx workflow.Context, i int) evidence {
	var e evidence
	from := workflow.Now(ctx)
	// What was counted long ago says nothing about now.
	r.state.Case.Steps[i].Held.Last = nil
	for n := range readings {
		if n > 0 {
			_, _ = await(ctx, measureAtLeast, func() bool { return r.yield || !r.kept(i) })
		}
		if r.yield || !r.kept(i) {
			return e
		}
		if !r.countRate(ctx, i, time.Time{}, &e) || e.above {
			break
		}
	}
	if e.above || r.yield || !r.kept(i) {
		return e
	}
	s := r.state.Case.Steps[i]
	from = maxTime(from.Add(-2*measureAtLeast), maxTime(s.AcceptedAt, s.ConfirmedAt))
	r.flowRate(ctx, i, from, 2*measureAtLeast, &e)
	return e
}

// countRate reads what is counted of a step's traffic, and takes the rate since the
// reading before. It reports whether anything counts, as far as that is known.
func (r *responder) countRate(ctx workflow.Context, i int, until time.Time, e *evidence) (counts bool) {
	c, read := r.countOf(ctx, i, until)
	s := &r.state.Case.Steps[i]
	if c == nil || s.Held == nil {
		return !read
	}
	before := s.Held.Last
	s.Held.Last = c
	if rate, known := c.RateSince(before); known && c.At.Sub(before.At) >= measureAtLeast/2 {
		e.take(rate, s.Held.Above, s.Use+"'s counters")
	}
	return true
}

// countOf reads what is counted of a step's traffic, and reports whether it could be read;
// nil where nothing counts it.
func (r *responder) countOf(ctx workflow.Context, i int, until time.Time) (c *incident.Count, read bool) {
	s := r.state.Case.Steps[i]
	order := r.order(i)
	order.Key, order.Until = s.Lease, s.Until
	by := do[activities.CountIn, activities.CountOut]
	if !until.IsZero() && since(ctx, changeLookOften) {
		by = ask
	}
	out, err := by(ctx, r.in.Pin.Queue(s.Use, string(s.Action)), countTimeout, activities.Count,
		activities.CountIn{Use: s.Use, Order: order, Until: until})
	if err != nil {
		workflow.GetLogger(ctx).Warn("what a host sends could not be counted", "step", s.Name, "error", err)
		return nil, false
	}
	return out.Count, true
}

// flowRate takes what the flow store measures over the last window since a time.
func (r *responder) flowRate(ctx workflow.Context, i int, from time.Time, window time.Duration, e *evidence) {
	m := r.measure(ctx, i, from, workflow.Now(ctx), window, false)
	if s := r.state.Case.Steps[i]; m.why == "" && s.Held != nil {
		e.take(m.rate, s.Held.Above, "the flow store "+m.store)
	}
}

// quietAt is when what the limiter dropped is to be read, to give it back early; zero is
// never.
func (r *responder) quietAt(i int) time.Time {
	s := r.state.Case.Steps[i]
	if s.QuietFor == 0 || s.Held.Uncounted || s.Held.Early || r.asksOn(i) {
		return time.Time{}
	}
	last := maxTime(s.AcceptedAt, s.Held.QuietRead)
	return last.Add(s.QuietFor / quietParts)
}

// lookQuiet gives a containment back early whose limiter has dropped nothing for as long as
// the playbook says. One that does not count never tells.
func (r *responder) lookQuiet(ctx workflow.Context, i int) {
	c, read := r.countOf(ctx, i, time.Time{})
	s := &r.state.Case.Steps[i]
	if r.yield || !r.kept(i) || s.Status != incident.StepStanding {
		return
	}
	now, before := workflow.Now(ctx), s.Held.QuietCount
	s.Held.QuietRead = now
	switch {
	case !read:
		// That it could not be read is not that it dropped nothing.
		s.Held.Quiet = now
	case c == nil && s.Held.QuietCount == nil:
		s.Held.Uncounted = true
		r.event(ctx, incident.EvWatched, s.Name, "%s is not given back early: %s does not count what it drops", s.Name, s.Use)
	case c == nil || before == nil || c.Counters.DroppedPackets != before.DroppedPackets || c.Counters.DroppedBytes != before.DroppedBytes:
		s.Held.Quiet = now
		if c != nil {
			s.Held.QuietCount = &c.Counters
		}
	case now.Sub(s.Held.Quiet) >= s.QuietFor:
		s.Held.Early, s.Held.End = true, incident.EndQuiet
		r.event(ctx, incident.EvWatched, s.Name, "%s: %s dropped nothing for %s, it is given back early", s.Name, s.Use,
			incident.FormatDuration(now.Sub(s.Held.Quiet)))
		_ = r.leave(ctx, s.Lease, s.Name, "")
	}
}

// tellConnected writes down, concurrently, whether the EDR still knows connections of the
// process that was named. It is said for people: nothing follows from it.
func (r *responder) tellConnected(ctx workflow.Context, i int) {
	e, ok := r.in.Pin.Enrichment(incident.ProcessFact)
	pid, known := r.state.Case.Facts.Process.PID.Get()
	if !ok || !known || r.state.Case.Plan.Target == nil {
		return
	}
	step, now := r.state.Case.Steps[i].Name, workflow.Now(ctx)
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		out, err := do(ctx, r.in.Pin.Queue(e.Use, incident.ProcessFact), measureTimeout, activities.Connected, activities.ConnectedIn{
			Use: e.Use, Target: *r.state.Case.Plan.Target, PID: pid, From: now.Add(-time.Minute), To: now,
		})
		switch {
		case err != nil:
			r.event(ctx, incident.EvEnriched, step, "Whether process %d still has connections is not known: %s: %s", pid, e.Use, activities.Reason(err))
		case out.Connections == 0:
			r.event(ctx, incident.EvEnriched, step, "%s knows no connection of process %d of the last minute", e.Use, pid)
		default:
			r.event(ctx, incident.EvEnriched, step, "%s knows connections of process %d of the last minute: %d", e.Use, pid, out.Connections)
		}
	})
}
