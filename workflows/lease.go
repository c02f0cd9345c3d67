package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The time limits and retries of a lease.
const (
	// applyWithin is how long a containment is tried.
	applyWithin = 2 * time.Minute
	readTimeout = 30 * time.Second
	undoTimeout = time.Minute
	// undoAlarm is how long an undo has not worked when former holders are told, once. An
	// attempt takes up to undoTimeout, so that people know within about a minute. It is
	// tried without end: a network that is not given back is an outage of our making.
	undoAlarm = 40 * time.Second
	undoPause = 5 * time.Minute
	// undoAlarmTries is after how many failed attempts a lease tells that began before
	// changeTellUndo.
	undoAlarmTries = 5
	// confirmFast is how often the device is read at first, confirmSlow later:
	// a host that is offline may take days.
	confirmFast   = 2 * time.Second
	confirmSlow   = time.Minute
	confirmWithin = 2 * time.Minute
	// releaseWithin is how long a release waits for the undo before it answers
	// how far it came.
	releaseWithin = 2 * time.Minute
	// maxLease bounds how far a lease can be extended from now: a longer need is
	// no emergency measure any more (NIST SP 800-61r2 calls two weeks temporary).
	maxLease = 14 * 24 * time.Hour
	// requestsKept bounds the requests that are remembered as given up, and those
	// of former holders; each is of use for seconds.
	requestsKept = 50
)

// Lease holds one containment: apply, confirm, hold, undo, confirm. Its id
// names action, integration and target, so the engine itself guarantees that
// there is one at a time. It has no parent workflow: it outlives its cases.
// Cancelling its workflow gives it back.
func Lease(ctx workflow.Context, in protocol.LeaseInput) (incident.Lease, error) {
	cancelled := ctx.Done()
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	l := newLeaseKeeper(in)
	if err := l.listen(ctx, cancelled); err != nil {
		return incident.Lease{}, err
	}
	for over := false; !over; {
		switch l.lease.Phase {
		case incident.Applying:
			l.apply(ctx)
		case incident.Holding, incident.Confirmed:
			l.confirm(ctx)
			l.hear(ctx)
			l.watch(ctx)
			l.hold(ctx)
		case incident.Undoing:
			l.undo(ctx)
		case incident.GivenBack, incident.LeaseFailed:
			over = !l.heldAgain(ctx)
		}
		if !over && suggested(ctx) {
			return *l.lease, l.continueAsNew(ctx)
		}
	}
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && !l.reading() })
	l.list(ctx)
	return *l.lease, nil
}

// suggested reports whether the engine finds the history long enough.
func suggested(ctx workflow.Context) bool { return workflow.GetInfo(ctx).GetContinueAsNewSuggested() }

// leaseKeeper is one lease while it runs.
type leaseKeeper struct {
	lease *incident.Lease
	inbox inbox
	// queue is the task queue of the integration, if it has one of its own.
	queue string
	// asking are the holders that wait for the containment to be applied;
	// leaving are former holders that are told when it is over.
	asking  []incident.Holder
	leaving []protocol.Leaving
	// rate is a stricter limit that is to be applied, in bits per second.
	rate int64
	// changing counts the beginnings and ends of what lifts it for a moment.
	changing int
	// failures counts the times that it could not be applied; problem says why
	// the last was.
	failures int
	problem  error
	// givenUp are requests that nobody waits for any more; until refuses one of
	// them may still come. once are the requests of former holders.
	givenUp []string
	refuses time.Time
	once    []string
	// told reports whether people were told that the undo does not work.
	told bool
	// confirming, hearing and watching report whether the device is being read
	// concurrently, yield whether this run ends.
	confirming, hearing, watching, yield bool
}

func newLeaseKeeper(in protocol.LeaseInput) *leaseKeeper {
	l := &leaseKeeper{
		lease: in.Lease, queue: in.Queue, leaving: in.Leaving, givenUp: in.GivenUp, refuses: in.Refuses, once: in.Held,
		told: in.Told,
	}
	if l.lease == nil {
		l.lease = &incident.Lease{
			ID: in.ID, Use: in.Use, Order: in.Order, Phase: incident.Applying,
			Undo: fmt.Sprintf("lift %s of %s through %s", in.Order.Action, in.Order.Target.Name(), in.Use),
		}
	}
	return l
}

func (l *leaseKeeper) stands() bool {
	return l.lease.Phase == incident.Holding || l.lease.Phase == incident.Confirmed
}

// over reports whether it is not in place any more, and is not being undone.
func (l *leaseKeeper) over() bool {
	return l.lease.Phase == incident.GivenBack || l.lease.Phase == incident.LeaseFailed
}

// reading reports whether the device is being read concurrently.
func (l *leaseKeeper) reading() bool { return l.confirming || l.hearing || l.watching }

func (l *leaseKeeper) held() bool { return len(l.lease.Holders) > 0 }

// hold waits until the last holder is gone, a stricter limit is asked for, or
// the run should yield.
func (l *leaseKeeper) hold(ctx workflow.Context) {
	for l.held() {
		next := l.nextEnd()
		if left := next.Sub(workflow.Now(ctx)); left > 0 {
			_, _ = await(ctx, left, func() bool {
				return !l.held() || !l.nextEnd().Equal(next) || l.rate != 0 || l.short() || l.loose() || suggested(ctx)
			})
		}
		l.expire(ctx)
		switch {
		case !l.held():
		case l.short() && l.rate == 0:
			l.renew(ctx)
		case l.loose() && l.rate == 0:
			if l.loosen(ctx); l.lease.Phase == incident.Applying {
				return
			}
		case l.rate != 0:
			l.lease.Phase = incident.Applying
			return
		case suggested(ctx):
			return
		}
	}
	l.lease.Phase = incident.Undoing
	l.list(ctx)
}

// nextEnd is when the first holder's time is up.
func (l *leaseKeeper) nextEnd() time.Time {
	next := l.lease.Holders[0].Until
	for _, h := range l.lease.Holders {
		if h.Until.Before(next) {
			next = h.Until
		}
	}
	return next
}

// until is the end of the last holder.
func (l *leaseKeeper) until() {
	l.lease.Until = time.Time{}
	for _, h := range l.lease.Holders {
		l.lease.Until = maxTime(l.lease.Until, h.Until)
	}
}

// leaseExpired is why a holder is gone whose time was up.
const leaseExpired = "the lease expired"

func (l *leaseKeeper) expire(ctx workflow.Context) {
	l.drop(ctx, func(h incident.Holder) bool { return !h.Until.After(workflow.Now(ctx)) }, leaseExpired, "")
}

// drop removes holders. They are told at once when others still need the
// containment, else when it was undone.
func (l *leaseKeeper) drop(ctx workflow.Context, which func(incident.Holder) bool, why, by string) {
	gone := l.take(which)
	if len(gone) == 0 {
		return
	}
	if !l.held() {
		l.see(gone, why, by)
		l.lease.Problem = ""
		return
	}
	l.send(ctx, gone, protocol.LeaseChange{
		Kind: incident.EvGivenBack, Detail: fmt.Sprintf("%s; still held by %s", why, otherCases(len(l.lease.Holders))), By: by, Expired: why == leaseExpired,
	})
}

// see notes former holders, to be told when it is over.
func (l *leaseKeeper) see(gone []incident.Holder, why, by string) {
	for _, h := range gone {
		l.leaving = append(l.leaving, protocol.Leaving{Holder: h, Why: why, By: by, Expired: why == leaseExpired})
	}
}

// take removes holders and returns them.
func (l *leaseKeeper) take(which func(incident.Holder) bool) []incident.Holder {
	var gone []incident.Holder
	l.lease.Holders = slices.DeleteFunc(l.lease.Holders, func(h incident.Holder) bool {
		if which(h) {
			gone = append(gone, h)
			l.once = remember(l.once, h.Request)
			return true
		}
		return false
	})
	l.until()
	return gone
}

func same(a, b incident.Holder) bool { return a.Case == b.Case && a.Step == b.Step }

// heldAgain reports, once everybody was answered and no request that was given up
// can come any more, whether a case has come to hold the lease that is over; it is
// applied anew then.
func (l *leaseKeeper) heldAgain(ctx workflow.Context) bool {
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) || l.held() })
	for left := l.refuses.Sub(workflow.Now(ctx)); left > 0 && !l.held(); left = l.refuses.Sub(workflow.Now(ctx)) {
		l.list(ctx)
		_, _ = await(ctx, left, l.held)
	}
	if !l.held() {
		return false
	}
	l.lease.Phase, l.lease.Adopted, l.lease.Problem, l.lease.Agent = incident.Applying, false, "", ""
	l.lease.Counts, l.lease.Drifted = false, ""
	l.lease.AppliedAt, l.lease.ConfirmedAt, l.lease.EndedAt = time.Time{}, time.Time{}, time.Time{}
	return true
}

// tellAll sends a change of the lease to every holder's case.
func (l *leaseKeeper) tellAll(ctx workflow.Context, kind incident.EventKind, detail, by string) {
	l.tell(ctx, l.lease.Holders, kind, detail, by)
}

func (l *leaseKeeper) tell(ctx workflow.Context, holders []incident.Holder, kind incident.EventKind, detail, by string) {
	l.send(ctx, holders, protocol.LeaseChange{Kind: kind, Detail: detail, By: by})
}

// send sends a change to the cases of holders, each with the lease and the holder.
func (l *leaseKeeper) send(ctx workflow.Context, holders []incident.Holder, change protocol.LeaseChange) {
	for _, h := range slices.Clone(holders) {
		change.Lease, change.Step, change.Request = l.lease.ID, h.Step, h.Request
		change.At, change.Until = workflow.Now(ctx), l.lease.Until
		if change.Kind == incident.EvExtended {
			change.Until = h.Until
		}
		// A case that has ended needs no message.
		_ = workflow.SignalExternalWorkflow(ctx, h.Case, "", protocol.LeaseSignal, change).Get(ctx, nil)
	}
}

// tellGone sends a change of the lease to former holders, each with why it left.
func (l *leaseKeeper) tellGone(ctx workflow.Context, gone []protocol.Leaving, change protocol.LeaseChange) {
	detail := change.Detail
	for _, g := range slices.Clone(gone) {
		change.Detail, change.By, change.Expired = g.Why+"; "+detail, g.By, g.Expired
		l.send(ctx, []incident.Holder{g.Holder}, change)
	}
}

// list brings the list of leases up to date.
func (l *leaseKeeper) list(ctx workflow.Context) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, attribute(protocol.AttrStatus).ValueSet(string(l.lease.Phase))); err != nil {
		workflow.GetLogger(ctx).Error("the list of leases was not brought up to date", "lease", l.lease.ID, "error", err)
	}
}

// continueAsNew goes on in a new run with all that the lease knows.
func (l *leaseKeeper) continueAsNew(ctx workflow.Context) error {
	l.yield = true
	_ = workflow.Await(ctx, func() bool { return !l.reading() && workflow.AllHandlersFinished(ctx) })
	l.inbox.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, Lease, protocol.LeaseInput{
		ID: l.lease.ID, Use: l.lease.Use, Order: l.lease.Order, Queue: l.queue, Lease: l.lease,
		Leaving: l.leaving, GivenUp: l.givenUp, Refuses: l.refuses, Held: l.once, Told: l.told,
	})
}
