package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func (l *leaseKeeper) in() activities.LeaseIn {
	return activities.LeaseIn{Use: l.lease.Use, Order: l.lease.Order, Case: protocol.FirstCase(l.lease.Holders, l.leaving)}
}

// apply puts the containment in place.
func (l *leaseKeeper) apply(ctx workflow.Context) {
	// A lease that nobody comes to hold was started by a refused request.
	_, _ = await(ctx, applyWithin, func() bool { return l.held() || len(l.leaving) > 0 })
	if !l.held() {
		l.nobody(ctx)
		return
	}
	before := l.lease.Order
	l.lease.Order.Until = l.lease.Until
	if l.rate != 0 {
		l.lease.Order.Rate = l.rate
	}
	l.rate = 0
	out, err := doBefore(ctx, contains, l.queue, applyWithin, activities.Apply, l.in())
	if err != nil {
		l.lease.Order = before
		l.failed(ctx, err)
		return
	}
	if l.lease.AppliedAt.IsZero() {
		l.lease.Before = out.Before
	}
	l.lease.Phase, l.lease.Adopted, l.lease.Receipt, l.lease.Problem = incident.Holding, out.Adopted, out.Receipt, ""
	l.lease.AppliedAt, l.lease.ConfirmedAt, l.lease.Agent = workflow.Now(ctx), time.Time{}, ""
	l.lease.Counts, l.lease.Drifted = out.Counts, ""
	if out.Stands {
		l.lease.Phase, l.lease.ConfirmedAt = incident.Confirmed, workflow.Now(ctx)
	}
	l.asking = nil
	l.list(ctx)
}

// nobody ends a lease that has no holder. What an attempt may have made for
// holders that have left is lifted.
func (l *leaseKeeper) nobody(ctx workflow.Context) {
	if len(l.leaving) > 0 {
		l.lease.Phase = incident.Undoing
		return
	}
	l.lease.Phase, l.lease.Problem, l.lease.EndedAt = incident.LeaseFailed, "no case took it", workflow.Now(ctx)
}

// failed answers those who asked. Others who held it before keep it: the
// attempts go on. Where it cannot be known whether one had an effect, what
// may be in place is lifted.
func (l *leaseKeeper) failed(ctx workflow.Context, err error) {
	kind, known := activities.ErrorKind(err)
	why := activities.Reason(err)
	l.problem = temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s of %s through %s: %s",
		l.lease.Order.Action, l.lease.Order.Target.Name(), l.lease.Use, why), string(kind), nil, why)
	l.failures++
	l.lease.Problem, l.rate = why, 0
	gone := l.take(func(h incident.Holder) bool {
		return l.lease.AppliedAt.IsZero() || slices.ContainsFunc(l.asking, func(a incident.Holder) bool { return same(a, h) })
	})
	l.asking = nil
	l.expire(ctx)
	switch {
	case l.held():
		_ = workflow.Sleep(ctx, confirmFast)
	case known && !kind.Retryable() && l.lease.AppliedAt.IsZero():
		l.lease.Phase, l.lease.EndedAt = incident.LeaseFailed, workflow.Now(ctx)
	default:
		l.see(gone, "it could not be applied for certain", "")
		l.lease.Phase = incident.Undoing
	}
}

// short reports whether the product ends the containment before the lease does. One that
// sits in the network does so at the end that its order names, so that nothing is limited
// for ever where the engine is gone.
func (l *leaseKeeper) short() bool {
	return len(l.lease.Order.Addresses) > 0 && !l.lease.Adopted && l.lease.Until.After(l.lease.Order.Until)
}

// renew tells the product the later end. Until it has heard, it is told again and again.
func (l *leaseKeeper) renew(ctx workflow.Context) {
	in := l.in()
	in.Order.Until = l.lease.Until
	if _, err := doBefore(ctx, contains, l.queue, readTimeout, activities.Renew, in); err == nil {
		l.lease.Order.Until = in.Order.Until
		return
	}
	_, _ = await(ctx, confirmFast, func() bool { return !l.held() || l.rate != 0 || suggested(ctx) })
}

// confirm reads the device, concurrently, until the containment is in place: the
// second level of proof.
func (l *leaseKeeper) confirm(ctx workflow.Context) {
	if l.confirming || l.lease.Phase != incident.Holding {
		return
	}
	l.confirming = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { l.confirming = false }()
		for l.lease.Phase == incident.Holding && !l.yield {
			every := l.look(ctx)
			_, _ = await(ctx, every, func() bool { return l.lease.Phase != incident.Holding || l.yield })
		}
	})
}

// look reads the device once and returns when to read it again. Holders are
// told once that it takes long.
func (l *leaseKeeper) look(ctx workflow.Context) time.Duration {
	standing, err := doBefore(ctx, looks, l.queue, readTimeout, activities.Read, l.in())
	switch {
	case l.lease.Phase != incident.Holding:
	case err == nil && standing.Stands:
		l.lease.Phase, l.lease.ConfirmedAt, l.lease.Problem = incident.Confirmed, workflow.Now(ctx), ""
		l.lease.Counts = standing.Counters != nil
		l.list(ctx)
		l.send(ctx, l.lease.Holders, protocol.LeaseChange{Kind: incident.EvConfirmed, Detail: "read back from the device", Counts: l.lease.Counts})
		l.hear(ctx)
		l.watch(ctx)
	case workflow.Now(ctx).Sub(l.lease.AppliedAt) <= confirmWithin:
	case l.lease.Problem == "":
		l.lease.Problem = notConfirmed(standing, err)
		l.tellAll(ctx, incident.EvNotConfirmed, l.lease.Problem, "")
		return confirmSlow
	default:
		return confirmSlow
	}
	return confirmFast
}

func notConfirmed(standing incident.Reading, err error) string {
	switch {
	case err != nil:
		return "accepted, but the device could not be read: " + activities.Reason(err)
	case standing.Pending:
		return "accepted, but the device has not carried it out: " + foreign(standing.Detail)
	default:
		return "accepted, but not in effect on the device"
	}
}
