package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// needed is the lowest of the limits that the holders are for, in bits per second; zero where
// that is not known of one of them.
func (l *leaseKeeper) needed() int64 {
	if !l.held() {
		return 0
	}
	lowest := l.lease.Holders[0].Rate
	for _, h := range l.lease.Holders {
		lowest = min(lowest, h.Rate)
	}
	return lowest
}

// loose reports whether a limit is stricter than anybody needs any more.
func (l *leaseKeeper) loose() bool {
	return l.stands() && !l.lease.Adopted && l.needed() > l.lease.Order.Rate
}

// loosen has the limit hold the rate that those who are left are for. Where that fails, it
// may be lifted already: it is applied again.
func (l *leaseKeeper) loosen(ctx workflow.Context) {
	in := activities.LoosenIn{LeaseIn: l.in(), Was: l.lease.Order.Rate}
	in.Order.Rate, in.Order.Until = l.needed(), l.lease.Until
	l.changing++
	out, err := doBefore(ctx, contains, l.queue, applyWithin, activities.Loosen, in)
	l.changing++
	l.lease.Order.Rate = in.Order.Rate
	switch {
	case err != nil:
		l.lease.Problem, l.lease.Phase = activities.Reason(err), incident.Applying
	case out.Done:
		l.lease.Order.Until = in.Order.Until
		l.tellAll(ctx, incident.EvAsHeld, "its rate is "+incident.FormatRate(in.Order.Rate)+" again: the lower one is not needed any more", "")
	}
}
