package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// lookLongest is the longest pause between two looks at a host that is watched; the
	// first come sooner.
	lookLongest = 30 * time.Second
	// alertPatience is how long an alert waits for the watch to hold the host again
	// before it is decided about.
	alertPatience = 15 * time.Second
)

// watching reports whether a host is watched since a containment of it was given back.
func (r *responder) watching() bool {
	return r.state.Closing == nil && slices.ContainsFunc(r.state.Case.Steps, incident.StepState.Watched)
}

// watchSince begins to watch a host whose containment was given back by the clock, or early
// because nothing was dropped. What a person gave back stays given back.
func (r *responder) watchSince(ctx workflow.Context, i int, change protocol.LeaseChange) {
	s := &r.state.Case.Steps[i]
	if change.Kind != incident.EvGivenBack || s.Held == nil || s.Hold == nil || s.Held.Above == 0 || s.Held.Over || r.state.Closing != nil || s.AcceptedAt.IsZero() || !r.ofThisDevice(i) ||
		!change.Expired && !(s.Held.Early && change.By == "") {
		return
	}
	if r.asksOn(i) {
		s.Held.Over = true
		r.nobodyDecided(ctx, *s)
		return
	}
	s.Held.WatchUntil, s.Held.Suspect, s.Held.Last = s.EndedAt.Add(s.Hold.Watch), time.Time{}, nil
	s.Held.Told, s.Held.End = false, ""
	r.event(ctx, incident.EvWatched, s.Name, "%s: watched until %s, and held again if it sends %s or more", s.Name,
		s.Held.WatchUntil.UTC().Format(time.RFC3339), incident.FormatRate(s.Held.Above))
}

// endHeld notes that people ended a containment that might have been held again.
func (r *responder) endHeld(i int, change protocol.LeaseChange) {
	s := &r.state.Case.Steps[i]
	if change.Kind == incident.EvGivenBack && s.Held != nil && (r.state.Closing != nil || change.By != "") {
		s.Held.End = incident.EndPeople
	}
}

// onlyWatches notes that the case does nothing any more but watch.
func (r *responder) onlyWatches(ctx workflow.Context) {
	if r.watching() && !r.contained() && r.state.Next >= len(r.state.Case.Steps) && r.pending() < 0 && r.extending() < 0 {
		r.status(ctx, incident.Watching)
	}
}

// watchAfter looks at a host, often at first, until it is held again or was quiet for the
// whole watch. An alert that comes meanwhile has it looked at at once.
func (r *responder) watchAfter(ctx workflow.Context, i int) {
	held := func() *incident.Held { return r.state.Case.Steps[i].Held }
	over := func() bool { return r.yield || !r.kept(i) || !r.state.Case.Steps[i].Watched() }
	began, until := r.state.Case.Steps[i].EndedAt, held().WatchUntil
	l := watchLooks{began: began, until: until}
	l.counts = r.countRate(ctx, i, until.Add(slackAfter), &evidence{})
	for every := measureAtLeast; !over(); every = min(every*3/2, l.longest()) {
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 {
			r.watchedEnough(ctx, i)
			return
		}
		alerts := r.state.Case.AlertCount
		alerted, err := await(ctx, min(every, left), func() bool { return over() || r.state.Case.AlertCount != alerts })
		if over() || err != nil {
			return
		}
		if alerted && r.state.Latest != nil && r.state.Latest.Status == incident.Firing {
			// It speaks for it, and something that measures must confirm it.
			held().Suspect, every = workflow.Now(ctx), measureAtLeast
			if _, err := await(ctx, measureAtLeast, over); over() || err != nil {
				return
			}
		}
		e := r.look(ctx, i, &l, every)
		if over() {
			return
		}
		held().Told = held().Told || e.known
		switch {
		case e.above && (e.strong || !held().Suspect.IsZero()):
			r.holdAgain(ctx, i, e)
			return
		case e.above:
			held().Suspect, every = workflow.Now(ctx), l.confirm*2/3
		case e.known:
			held().Suspect = time.Time{}
		}
	}
}

// watchedEnough ends a watch in which the host was not held again. That nothing could tell
// what it sends is not that it sent nothing.
func (r *responder) watchedEnough(ctx workflow.Context, i int) {
	s := &r.state.Case.Steps[i]
	s.Held.WatchUntil, s.Held.End = time.Time{}, incident.EndQuiet
	if s.Held.Told {
		r.event(ctx, incident.EvWatched, s.Name, "%s: the host was not seen to send %s or more while it was watched", s.Name, incident.FormatRate(s.Held.Above))
		return
	}
	s.Held.End = incident.EndCannotTell
	text := s.Name + ": cannot tell whether the host still sends since it was given back: neither the flow store nor a counter says so"
	r.event(ctx, incident.EvWatched, s.Name, "%s", text)
	r.page(ctx, s.Name, text)
}

// holdAgain takes a containment once more that was given back, for twice as long, by the way
// that every containing step goes. What the plan does not let stand any longer is asked.
func (r *responder) holdAgain(ctx workflow.Context, i int, e evidence) {
	s := &r.state.Case.Steps[i]
	s.Held.WatchUntil, s.Held.Suspect = time.Time{}, time.Time{}
	next := incident.Held{Round: s.Held.Round + 1, Length: 2 * s.Held.Length, Since: s.Held.Since, Above: s.Held.Above, Of: s.Held.Of}
	left := s.Held.Since.Add(s.Hold.AtMost).Sub(workflow.Now(ctx))
	planned := s.PlannedStep
	if left < shortest(*s) {
		r.askAgain(ctx, i, next, e)
		return
	}
	next.Length = min(next.Length, left)
	planned.TTL = next.Length
	r.event(ctx, incident.EvHeldAgain, s.Name, "%s is held again, round %d for %s: %s", s.Name, next.Round, incident.FormatDuration(next.Length), e)
	r.state.Anew = false
	r.interpose(planned)
	r.state.Case.Steps[r.interposedAt()].Held = &next
	r.tellConnected(ctx, i)
}

// shortest is how short a round may be: with less left, its bound is used up.
func shortest(s incident.StepState) time.Duration { return min(s.Held.Length/10, time.Minute) }

// askAgain has people asked whether a containment is taken once more that has been in place
// for as long as the plan lets it.
func (r *responder) askAgain(ctx workflow.Context, i int, next incident.Held, e evidence) {
	s := r.state.Case.Steps[i]
	s.Held.End = incident.EndUsedUp
	because := fmt.Sprintf("%s: %s, and its hold_at_most of %s is used up", s.Name, e, incident.FormatDuration(s.Hold.AtMost))
	spec, ok := r.letStand(i)
	if !ok {
		r.page(ctx, s.Name, because+"; the playbook names nobody to ask")
		return
	}
	next.Length, next.Since = s.TTL, time.Time{}
	r.event(ctx, incident.EvHeldBack, s.Name, "%s", because)
	r.state.Anew = false
	r.interpose(s.PlannedStep)
	r.interpose(incident.PlannedStep{Name: "approve " + spec.Name, Approve: spec.Name, Because: because})
	gate, again := &r.state.Case.Steps[r.interposedAt()], &r.state.Case.Steps[r.interposedAt()+1]
	gate.StandsIn, again.StandsIn, again.Held = false, false, &next
}

// endWatches ends every watch: what is decided now takes its place.
func (r *responder) endWatches() {
	for i := range r.state.Case.Steps {
		if s := &r.state.Case.Steps[i]; s.Watched() {
			s.Held.WatchUntil = time.Time{}
			if r.state.Closing != nil {
				s.Held.End = incident.EndPeople
			}
		}
	}
}

// unbind lets the next decision of a case that holds nothing and only watches be any: an
// alert that would have opened another case is decided as that one would have been.
func (r *responder) unbind() {
	if r.state.Decided && r.watching() && !r.contained() && r.state.Next >= len(r.state.Case.Steps) {
		r.state.Anew = true
	}
}
