package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// listen registers what a lease answers to: holders that come and go, those who
// extend or release it, and the query of its state.
func (l *leaseKeeper) listen(ctx workflow.Context, cancelled workflow.Channel) error {
	l.inbox = inbox{hear(ctx, protocol.LeaveSignal, l.left), hear(ctx, protocol.ExtendSignal, l.extendHolder)}
	l.inbox.open(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		cancelled.Receive(ctx, nil)
		l.drop(ctx, func(incident.Holder) bool { return true }, "the workflow was cancelled", "")
	})
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.HoldUpdate, l.join,
		workflow.UpdateHandlerOptions{Validator: l.mayJoin}); err != nil {
		return fmt.Errorf("listen for holders: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.ExtendUpdate, l.extend,
		workflow.UpdateHandlerOptions{Validator: l.mayExtend}); err != nil {
		return fmt.Errorf("listen for extensions: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.ReleaseUpdate, l.release,
		workflow.UpdateHandlerOptions{Validator: l.mayRelease}); err != nil {
		return fmt.Errorf("listen for releases: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.FindUpdate, l.find,
		workflow.UpdateHandlerOptions{Validator: l.mayFind}); err != nil {
		return fmt.Errorf("listen for holders that come again: %w", err)
	}
	if err := workflow.SetUpdateHandler(ctx, protocol.GiveUpUpdate, l.giveUp); err != nil {
		return fmt.Errorf("listen for requests that are given up: %w", err)
	}
	if err := workflow.SetUpdateHandler(ctx, protocol.CompareUpdate, l.compareNow); err != nil {
		return fmt.Errorf("listen for who compares: %w", err)
	}
	err := workflow.SetQueryHandler(ctx, protocol.LeaseQuery, func() (incident.Lease, error) { return *l.lease, nil })
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	return nil
}

// left takes in that a case leaves. A request that it gave up is refused from
// then on: it may still be on its way.
func (l *leaseKeeper) left(ctx workflow.Context, leave protocol.LeaveRequest) {
	l.givenUp = remember(l.givenUp, leave.Request)
	l.drop(ctx, func(h incident.Holder) bool { return h.Case == leave.Case && h.Step == leave.Step }, "the case gave it back", "")
}

// remember adds a request to those that a lease remembers.
func remember(requests []string, id string) []string {
	if id == "" || slices.Contains(requests, id) {
		return requests
	}
	requests = append(requests, id)
	return requests[max(0, len(requests)-requestsKept):]
}

// giveUp refuses a request from now on, and releases what it holds.
func (l *leaseKeeper) giveUp(ctx workflow.Context, req protocol.GiveUpRequest) (protocol.GivenUp, error) {
	l.givenUp, l.refuses = remember(l.givenUp, req.ID), maxTime(l.refuses, req.Expires)
	by := func(h incident.Holder) bool { return madeBy(h, req.Case, req.Step, req.ID) }
	held := slices.ContainsFunc(l.lease.Holders, by) ||
		slices.ContainsFunc(l.leaving, func(g protocol.Leaving) bool { return by(g.Holder) })
	l.drop(ctx, by, "the case gave it up", "")
	return protocol.GivenUp{Held: held}, nil
}

// madeBy reports whether a request made somebody a holder. Holders of a lease
// that is older than this are known by case and step alone.
func madeBy(h incident.Holder, workflow, step, request string) bool {
	return h.Case == workflow && h.Step == step && (h.Request == request || h.Request == "")
}

func (l *leaseKeeper) mayFind(_ workflow.Context, req protocol.HoldRequest) error {
	if protocol.LeaseID(req.Use, req.Order) != l.lease.ID {
		return refuse(RefusedInvalid, "the request is for another lease")
	}
	return nil
}

// find answers an attempt that was made before, and whose answer was lost, as it
// would have been answered.
func (l *leaseKeeper) find(ctx workflow.Context, req protocol.HoldRequest) (protocol.Found, error) {
	by := func(h incident.Holder) bool { return madeBy(h, req.Holder.Case, req.Holder.Step, req.ID) }
	if !slices.ContainsFunc(l.lease.Holders, by) {
		if slices.Contains(l.once, req.ID) {
			return protocol.Found{Lease: l.lease}, nil
		}
		return protocol.Found{}, nil
	}
	if !l.stands() || l.rate != 0 {
		l.asking = append(l.asking, req.Holder)
	}
	lease, err := l.settled(ctx, req.Holder)
	return protocol.Found{Lease: &lease}, err
}

func (l *leaseKeeper) mayJoin(ctx workflow.Context, req protocol.HoldRequest) error {
	switch {
	case req.Order.Target.IsZero():
		return refuse(RefusedInvalid, "the order has no target")
	case protocol.LeaseID(req.Use, req.Order) != l.lease.ID:
		return refuse(RefusedInvalid, "the order is for another lease")
	case req.Holder.Case == "" || req.Holder.Until.IsZero():
		return refuse(RefusedInvalid, "a holder needs a case and an end")
	case !(l.over() && !l.held()) && beyond(req.Order.Addresses, l.lease.Order.Addresses):
		return refuse(RefusedInvalid, "the lease is for the addresses %s, the order for %s", strings.Join(l.lease.Order.Addresses, ", "), strings.Join(req.Order.Addresses, ", "))
	case slices.Contains(l.givenUp, req.ID):
		return refuse(RefusedInvalid, "the case has given the request up")
	case !req.Expires.IsZero() && !workflow.Now(ctx).Before(req.Expires):
		return refuse(RefusedInvalid, "the request comes too late: nobody waits for it since %s", req.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// beyond reports whether any of the addresses is not among those that a lease names its
// device by: what stands does not reach it there.
func beyond(addresses, of []string) bool {
	return slices.ContainsFunc(addresses, func(ip string) bool { return !slices.Contains(of, ip) })
}

// join adds a holder and answers when the containment was accepted. Of two
// limits the stricter holds for both.
func (l *leaseKeeper) join(ctx workflow.Context, req protocol.HoldRequest) (incident.Lease, error) {
	if l.over() && !l.held() {
		// The order of a lease that is over does not bind new holders.
		l.lease.Order = req.Order
	}
	l.take(func(h incident.Holder) bool { return same(h, req.Holder) })
	l.lease.Holders = append(l.lease.Holders, req.Holder)
	l.until()
	if rate := req.Order.Rate; rate > 0 && rate < l.lease.Order.Rate && !(l.stands() && l.lease.Adopted) {
		l.rate = rate
	}
	if !l.stands() || l.rate != 0 {
		l.asking = append(l.asking, req.Holder)
	}
	return l.settled(ctx, req.Holder)
}

// settled waits until the containment that a holder asked for was accepted, or
// was not, or the holder is gone.
func (l *leaseKeeper) settled(ctx workflow.Context, holder incident.Holder) (incident.Lease, error) {
	failures := l.failures
	// Its time may be up before it was seen in place, as after an outage: then
	// it is not a holder any more, and hears that it was given back.
	gone := func() bool {
		return !slices.ContainsFunc(l.lease.Holders, func(h incident.Holder) bool { return same(h, holder) })
	}
	_ = workflow.Await(ctx, func() bool { return l.stands() && l.rate == 0 || l.failures != failures || gone() })
	if l.failures != failures {
		return incident.Lease{}, l.problem
	}
	return *l.lease, nil
}

func (l *leaseKeeper) mayExtend(ctx workflow.Context, req protocol.ExtendRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case !l.stands() || !l.held():
		return refuse(RefusedNotPending, "the lease is not active: it is %s", l.lease.State())
	case !req.Until.After(l.lease.Until):
		return refuse(RefusedInvalid, "the lease already lasts until %s", l.lease.Until.UTC().Format(time.RFC3339))
	case req.Until.Sub(workflow.Now(ctx)) > maxLease:
		return refuse(RefusedInvalid, "a lease may last at most %s from now", incident.FormatDuration(maxLease))
	}
	return nil
}

// extendHolder moves the end of the one holder whose case has approved it.
// Others keep theirs.
func (l *leaseKeeper) extendHolder(ctx workflow.Context, ext protocol.HolderExtension) {
	until := ext.Until
	if most := workflow.Now(ctx).Add(maxLease); until.After(most) {
		until = most
	}
	for i := range l.lease.Holders {
		h := &l.lease.Holders[i]
		if h.Case != ext.Case || h.Step != ext.Step || !until.After(h.Until) {
			continue
		}
		h.Until = until
		l.until()
		how := fmt.Sprintf("as %s asked and %s approved", ext.By, ext.Approver)
		if ext.Approver == "" {
			how = "by " + ext.By + ", within what was approved"
		}
		l.tell(ctx, []incident.Holder{*h}, incident.EvExtended, fmt.Sprintf("extended until %s, %s: %s",
			until.UTC().Format(time.RFC3339), how, bounded(ext.Reason, maxReason)), ext.By)
		return
	}
}

// extend moves every holder's end. Cases ask people today; it is kept for the
// histories of earlier versions.
func (l *leaseKeeper) extend(ctx workflow.Context, req protocol.ExtendRequest) (incident.Lease, error) {
	for i := range l.lease.Holders {
		l.lease.Holders[i].Until = maxTime(l.lease.Holders[i].Until, req.Until)
	}
	l.until()
	l.tellAll(ctx, incident.EvExtended, fmt.Sprintf("%s extended the lease until %s: %s",
		req.By, req.Until.UTC().Format(time.RFC3339), bounded(req.Reason, maxReason)), req.By)
	return *l.lease, nil
}

func (l *leaseKeeper) mayRelease(_ workflow.Context, req protocol.ReleaseRequest) error {
	switch {
	case req.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case !l.held():
		return refuse(RefusedNotPending, "the lease is being given back already")
	}
	return nil
}

// release drops every holder and answers when the network was given back, or
// how far that came.
func (l *leaseKeeper) release(ctx workflow.Context, req protocol.ReleaseRequest) (incident.Lease, error) {
	why := fmt.Sprintf("%s released it: %s", req.By, bounded(req.Reason, maxReason))
	holders := slices.Clone(l.lease.Holders)
	l.drop(ctx, func(incident.Holder) bool { return true }, why, req.By)
	if since(ctx, changeTellRelease) {
		l.tell(ctx, holders, incident.EvReleased, why, req.By)
	}
	_, _ = await(ctx, releaseWithin, func() bool {
		return l.held() || l.lease.Phase == incident.GivenBack || l.lease.Phase == incident.LeaseFailed
	})
	return *l.lease, nil
}
