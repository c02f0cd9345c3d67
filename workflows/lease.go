package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The time limits and retries of a lease.
const (
	// applyWithin is how long a containment is tried.
	applyWithin = 2 * time.Minute
	readTimeout = 30 * time.Second
	undoTimeout = time.Minute
	// undoAlarm is after how many failed attempts holders are told that an undo
	// keeps failing. It is tried for ever: a network that is not given back is
	// an outage of our making.
	undoAlarm = 5
	undoPause = 5 * time.Minute
	// confirmFast is how often the device is read at first, confirmSlow later:
	// a host that is offline may take days.
	confirmFast   = 2 * time.Second
	confirmSlow   = time.Minute
	confirmWithin = 2 * time.Minute
)

// Lease holds one containment: apply, confirm, hold, undo, confirm. Its id
// names action, integration and target, so the engine itself guarantees that
// there is one at a time. It is the child of nobody: it outlives its cases.
func Lease(ctx workflow.Context, in activities.LeaseInput) (incident.Lease, error) {
	l := &leaseKeeper{lease: in.Lease}
	if l.lease == nil {
		l.lease = &incident.Lease{
			ID: in.ID, Use: in.Use, Order: in.Order, Phase: incident.Applying,
			Undo: fmt.Sprintf("lift %s of %s through %s", in.Order.Action, in.Order.Target.Name(), in.Use),
		}
	}
	if err := l.listen(ctx); err != nil {
		return incident.Lease{}, err
	}
	for {
		// A lease that nobody comes to hold was started by a refused request.
		held, _ := workflow.AwaitWithTimeout(ctx, applyWithin, func() bool { return len(l.lease.Holders) > 0 })
		if !held {
			return l.end(ctx)
		}
		if !l.stands() && !l.apply(ctx) {
			return l.end(ctx)
		}
		l.confirm(ctx)
		l.hold(ctx)
		if len(l.lease.Holders) > 0 {
			return *l.lease, l.continueAsNew(ctx, in)
		}
		l.undo(ctx)
		_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) || len(l.lease.Holders) > 0 })
		if len(l.lease.Holders) == 0 {
			return l.end(ctx)
		}
	}
}

// leaseKeeper is one lease while it runs; the lease is all of its state.
type leaseKeeper struct {
	lease *incident.Lease
	// leaving are former holders that are told when it is over.
	leaving []incident.Holder
	// problem is why the containment could not be applied.
	problem error
	// confirming tells that the device is being read beside the rest.
	confirming bool
	yield      bool
}

func (l *leaseKeeper) stands() bool {
	return l.lease.Phase == incident.Holding || l.lease.Phase == incident.Confirmed
}

func (l *leaseKeeper) await(ctx workflow.Context, done func() bool) { _ = workflow.Await(ctx, done) }

func (l *leaseKeeper) listen(ctx workflow.Context) error {
	workflow.Go(ctx, func(ctx workflow.Context) {
		ch := workflow.GetSignalChannel(ctx, activities.LeaveSignal)
		for {
			var leave activities.LeaveRequest
			ch.Receive(ctx, &leave)
			l.drop(ctx, func(h incident.Holder) bool { return h.Case == leave.Case && h.Step == leave.Step }, "the case gave it back", "")
		}
	})
	if err := workflow.SetUpdateHandlerWithOptions(ctx, activities.HoldUpdate, l.join,
		workflow.UpdateHandlerOptions{Validator: l.mayJoin}); err != nil {
		return fmt.Errorf("listen for holders: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, activities.ExtendUpdate, l.extend,
		workflow.UpdateHandlerOptions{Validator: l.mayExtend}); err != nil {
		return fmt.Errorf("listen for extensions: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, activities.ReleaseUpdate, l.release,
		workflow.UpdateHandlerOptions{Validator: l.mayRelease}); err != nil {
		return fmt.Errorf("listen for releases: %w", err)
	}
	err := workflow.SetQueryHandler(ctx, activities.LeaseQuery, func() (incident.Lease, error) { return *l.lease, nil })
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	return nil
}

func (l *leaseKeeper) mayJoin(_ workflow.Context, req activities.HoldRequest) error {
	switch {
	case req.Order.Target.IsZero():
		return refuse(RefusedInvalid, "the order has no target")
	case activities.LeaseID(req.Use, req.Order) != l.lease.ID:
		return refuse(RefusedInvalid, "the order is for another lease")
	case req.Holder.Case == "" || req.Holder.Until.IsZero():
		return refuse(RefusedInvalid, "a holder needs a case and an end")
	}
	return nil
}

// join adds a holder and answers when the containment was accepted.
func (l *leaseKeeper) join(ctx workflow.Context, req activities.HoldRequest) (incident.Lease, error) {
	l.drop(ctx, func(h incident.Holder) bool { return h.Case == req.Holder.Case && h.Step == req.Holder.Step }, "", "")
	if l.lease.Phase == incident.Undoing {
		l.await(ctx, func() bool { return l.lease.Phase != incident.Undoing })
	}
	if l.lease.Phase == incident.GivenBack {
		l.lease.Phase = incident.Applying
	}
	l.lease.Holders = append(l.lease.Holders, req.Holder)
	l.until()
	l.await(ctx, func() bool { return l.stands() || l.problem != nil })
	if l.problem != nil {
		return incident.Lease{}, l.problem
	}
	return *l.lease, nil
}

// until is the end of the last holder.
func (l *leaseKeeper) until() {
	l.lease.Until = time.Time{}
	for _, h := range l.lease.Holders {
		l.lease.Until = maxTime(l.lease.Until, h.Until)
	}
}

// apply makes the containment stand and tells whether it does. When it cannot
// be known whether an attempt had an effect, what may stand is lifted.
func (l *leaseKeeper) apply(ctx workflow.Context) bool {
	l.lease.Phase = incident.Applying
	l.lease.Order.Until = l.lease.Until
	out, err := do(ctx, activities.Apply, applyWithin, activities.LeaseIn{Use: l.lease.Use, Order: l.lease.Order})
	if err == nil {
		l.lease.Phase, l.lease.Adopted, l.lease.Receipt = incident.Holding, out.Adopted, out.Receipt
		if l.lease.AppliedAt.IsZero() {
			l.lease.Before = out.Before
		}
		l.lease.AppliedAt = workflow.Now(ctx)
		if out.Stands {
			l.lease.Phase, l.lease.ConfirmedAt = incident.Confirmed, l.lease.AppliedAt
		}
		return true
	}
	kind, known := activities.ErrorKind(err)
	l.problem = temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("%s of %s through %s: %s", l.lease.Order.Action, l.lease.Order.Target.Name(), l.lease.Use, reason(err)),
		string(kind), nil)
	if !known || kind.Retryable() {
		l.lift(ctx)
	}
	l.lease.Phase, l.lease.Problem, l.lease.EndedAt = incident.LeaseFailed, reason(err), workflow.Now(ctx)
	return false
}

// confirm reads the device, beside the rest, until the containment stands: the
// second level of proof.
func (l *leaseKeeper) confirm(ctx workflow.Context) {
	if l.confirming || l.lease.Phase != incident.Holding {
		return
	}
	l.confirming = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { l.confirming = false }()
		late := false
		for l.lease.Phase == incident.Holding && !l.yield {
			standing, err := do(ctx, activities.Read, readTimeout, activities.LeaseIn{Use: l.lease.Use, Order: l.lease.Order})
			if err == nil && standing.Stands {
				if l.lease.Phase == incident.Holding {
					l.lease.Phase, l.lease.ConfirmedAt = incident.Confirmed, workflow.Now(ctx)
					l.tellAll(ctx, incident.EvConfirmed, "read back from the device", "")
				}
				return
			}
			every := confirmFast
			if workflow.Now(ctx).Sub(l.lease.AppliedAt) > confirmWithin {
				every = confirmSlow
				if !late {
					late = true
					l.tellAll(ctx, incident.EvNotConfirmed, notConfirmed(standing, err), "")
				}
			}
			_, _ = workflow.AwaitWithTimeout(ctx, every, func() bool { return l.lease.Phase != incident.Holding || l.yield })
		}
	})
}

func notConfirmed(standing incident.Standing, err error) string {
	switch {
	case err != nil:
		return "accepted, but the device could not be read: " + reason(err)
	case standing.Pending:
		return "accepted, but the device has not carried it out: " + standing.Detail
	default:
		return "accepted, but it does not stand on the device"
	}
}

// hold waits until the last holder is gone or the run should yield.
func (l *leaseKeeper) hold(ctx workflow.Context) {
	for len(l.lease.Holders) > 0 {
		next := l.lease.Holders[0].Until
		for _, h := range l.lease.Holders {
			if h.Until.Before(next) {
				next = h.Until
			}
		}
		count, until := len(l.lease.Holders), l.lease.Until
		yield := func() bool { return workflow.GetInfo(ctx).GetContinueAsNewSuggested() }
		if left := next.Sub(workflow.Now(ctx)); left > 0 {
			_, err := workflow.AwaitWithTimeout(ctx, left, func() bool {
				return len(l.lease.Holders) != count || !l.lease.Until.Equal(until) || yield()
			})
			if err != nil || yield() {
				return
			}
			continue
		}
		l.drop(ctx, func(h incident.Holder) bool { return !h.Until.After(workflow.Now(ctx)) }, "the lease expired", "")
	}
}

// drop takes holders away. They are told at once when others still need the
// containment, else when it was undone.
func (l *leaseKeeper) drop(ctx workflow.Context, which func(incident.Holder) bool, why, by string) {
	var gone []incident.Holder
	l.lease.Holders = slices.DeleteFunc(l.lease.Holders, func(h incident.Holder) bool {
		if which(h) {
			gone = append(gone, h)
			return true
		}
		return false
	})
	if len(gone) == 0 || why == "" {
		return
	}
	l.until()
	if len(l.lease.Holders) == 0 {
		l.leaving = append(l.leaving, gone...)
		l.lease.Problem = ""
		return
	}
	l.tell(ctx, gone, incident.EvGivenBack, fmt.Sprintf("%s; it stands on for %d other", why, len(l.lease.Holders)), by)
}

// undo gives the network back, once. What was adopted is left as it was found.
func (l *leaseKeeper) undo(ctx workflow.Context) {
	l.lease.Phase = incident.Undoing
	detail := "it stood before us and was left as it was"
	if !l.lease.Adopted {
		detail = l.lift(ctx)
	}
	l.lease.Phase, l.lease.EndedAt = incident.GivenBack, workflow.Now(ctx)
	l.tell(ctx, l.leaving, incident.EvGivenBack, detail, "")
	l.leaving = nil
}

// lift undoes until it has worked and the device says so. A cancelled lease
// gives back as well: the context is a disconnected one.
func (l *leaseKeeper) lift(ctx workflow.Context) string {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	in := activities.LeaseIn{Use: l.lease.Use, Order: l.lease.Order}
	for attempt := 1; ; attempt++ {
		receipt, err := do(ctx, activities.Undo, undoTimeout, in)
		if err == nil {
			var standing incident.Standing
			standing, err = do(ctx, activities.Read, readTimeout, in)
			if err == nil && (!standing.Stands || standing.Key != in.Order.Key) {
				l.lease.Problem = ""
				return "given back: " + cmp.Or(receipt.Detail, "lifted, and the device says so")
			}
		}
		l.lease.Problem = "the undo has not worked yet"
		if err != nil {
			l.lease.Problem += ": " + reason(err)
		}
		if attempt == undoAlarm {
			l.tell(ctx, l.leaving, incident.EvUndoFailing, fmt.Sprintf("%s, after %d attempts; it is tried on", l.lease.Problem, attempt), "")
		}
		pause := min(time.Duration(attempt)*confirmFast, undoPause)
		_ = workflow.Sleep(ctx, pause)
	}
}

func (l *leaseKeeper) mayExtend(ctx workflow.Context, req activities.ExtendRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case !l.stands() || len(l.lease.Holders) == 0:
		return refuse(RefusedNotPending, "the lease does not stand: it is %s", l.lease.Phase)
	case !req.Until.After(l.lease.Until):
		return refuse(RefusedInvalid, "the lease stands until %s already", l.lease.Until.UTC().Format(time.RFC3339))
	case req.Until.Sub(workflow.Now(ctx)) > maxLease:
		return refuse(RefusedInvalid, "a lease stands for at most %s from now", incident.FormatDuration(maxLease))
	}
	return nil
}

// maxLease bounds how far a lease can be extended from now: a longer need is no
// emergency measure any more (NIST SP 800-61r2 calls two weeks temporary).
const maxLease = 14 * 24 * time.Hour

// extend moves every holder's end.
func (l *leaseKeeper) extend(ctx workflow.Context, req activities.ExtendRequest) (incident.Lease, error) {
	for i := range l.lease.Holders {
		l.lease.Holders[i].Until = maxTime(l.lease.Holders[i].Until, req.Until)
	}
	l.until()
	l.tellAll(ctx, incident.EvExtended, fmt.Sprintf("%s extended the lease until %s: %s", req.By, req.Until.UTC().Format(time.RFC3339), req.Reason), req.By)
	return *l.lease, nil
}

func (l *leaseKeeper) mayRelease(_ workflow.Context, req activities.ReleaseRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case len(l.lease.Holders) == 0:
		return refuse(RefusedNotPending, "the lease is being given back already")
	}
	return nil
}

// release drops every holder and answers when the network was given back.
func (l *leaseKeeper) release(ctx workflow.Context, req activities.ReleaseRequest) (incident.Lease, error) {
	l.drop(ctx, func(incident.Holder) bool { return true }, req.By+" released it: "+req.Reason, req.By)
	l.await(ctx, func() bool { return l.lease.Phase == incident.GivenBack || l.lease.Phase == incident.LeaseFailed })
	return *l.lease, nil
}

// tellAll tells every holder's case what became of the lease.
func (l *leaseKeeper) tellAll(ctx workflow.Context, kind incident.EventKind, detail, by string) {
	l.tell(ctx, l.lease.Holders, kind, detail, by)
}

func (l *leaseKeeper) tell(ctx workflow.Context, holders []incident.Holder, kind incident.EventKind, detail, by string) {
	for _, h := range slices.Clone(holders) {
		change := activities.LeaseChange{
			Lease: l.lease.ID, Step: h.Step, Kind: kind, At: workflow.Now(ctx), Until: l.lease.Until, Detail: detail, By: by,
		}
		// A case that has ended needs no telling.
		_ = workflow.SignalExternalWorkflow(ctx, h.Case, "", activities.LeaseSignal, change).Get(ctx, nil)
	}
}

// end closes the lease when every caller was answered.
func (l *leaseKeeper) end(ctx workflow.Context) (incident.Lease, error) {
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && !l.confirming })
	return *l.lease, nil
}

func (l *leaseKeeper) continueAsNew(ctx workflow.Context, in activities.LeaseInput) error {
	l.yield = true
	_ = workflow.Await(ctx, func() bool { return !l.confirming && workflow.AllHandlersFinished(ctx) })
	in.Lease = l.lease
	return workflow.NewContinueAsNewError(ctx, Lease, in)
}
