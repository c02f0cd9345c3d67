package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// watchEvery is how often what stands is read at a product that knows devices by address.
// Such a product is configured by others too: a reload of its rules, or a person, may take
// away what we made, and no agent would report it.
const watchEvery = 5 * time.Minute

// watch reads what stands, concurrently, for as long as it should, and tells holders once
// of each change. It puts nothing right: a person may have had a reason.
func (l *leaseKeeper) watch(ctx workflow.Context) {
	if l.watching || !l.watched() || len(l.lease.Order.Addresses) == 0 || !since(ctx, changeWatchDrift) {
		return
	}
	l.watching = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { l.watching = false }()
		for l.watched() {
			if _, err := await(ctx, watchEvery, func() bool { return !l.watched() }); err != nil || !l.watched() {
				return
			}
			l.compare(ctx)
		}
	})
}

func (l *leaseKeeper) watched() bool {
	return l.lease.Phase == incident.Confirmed && l.held() && !l.yield
}

// compare reads the product once. One that does not answer shows nothing: what was known
// of it goes on to hold.
func (l *leaseKeeper) compare(ctx workflow.Context) {
	applied, changing := l.lease.AppliedAt, l.changing
	r, err := doBefore(ctx, looks, l.queue, readTimeout, activities.Read, l.in())
	if err != nil || !l.watched() || !l.lease.AppliedAt.Equal(applied) || l.changing != changing || changing%2 == 1 {
		return
	}
	found := l.lease.Drift(r)
	details := make([]string, 0, len(found))
	for _, d := range found {
		details = append(details, foreign(d.Detail))
	}
	detail := strings.Join(details, "; ")
	if detail == l.lease.Drifted {
		return
	}
	l.lease.Drifted = detail
	if detail == "" {
		l.tellAll(ctx, incident.EvAsHeld, "it is in place again as it should be", "")
		return
	}
	gone := slices.ContainsFunc(found, func(d incident.Drift) bool { return d.Kind == incident.DriftGone })
	l.send(ctx, l.lease.Holders, protocol.LeaseChange{Kind: incident.EvDrifted, Detail: detail, Gone: gone})
}

// compareWithin is how long whoever compares a lease with its product waits for that.
const compareWithin = 8 * time.Second

// compareNow reads the product for somebody who cannot: where only one process may speak to
// it, the lease asks that one.
func (l *leaseKeeper) compareNow(ctx workflow.Context) (protocol.Compared, error) {
	applied := l.lease.AppliedAt
	r, err := doBefore(ctx, looks, l.queue, compareWithin, activities.Read, l.in())
	switch {
	case !l.stands() || !l.lease.AppliedAt.Equal(applied):
		return protocol.Compared{}, nil // It does not stand, or was tightened meanwhile.
	case err != nil:
		return protocol.Compared{Unread: activities.Reason(err)}, nil
	}
	return protocol.Compared{Drift: l.lease.Drift(r)}, nil
}
