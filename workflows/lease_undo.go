package workflows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// undo gives the network back, once. What was adopted is left as it was found.
// A holder that comes before it has worked keeps the containment in place.
func (l *leaseKeeper) undo(ctx workflow.Context) {
	detail, done := "it was in place before and was left in place", true
	if !l.lease.Adopted {
		detail, done = l.lift(ctx)
	}
	switch {
	case done:
		l.lease.Phase, l.lease.EndedAt = incident.GivenBack, workflow.Now(ctx)
		if l.lease.AppliedAt.IsZero() && !l.held() {
			l.lease.Phase = incident.LeaseFailed
		}
		l.list(ctx)
	case l.held():
		l.lease.Phase = incident.Applying
		detail = "still held by " + otherCases(len(l.lease.Holders))
	default:
		return
	}
	gone, told := l.leaving, l.told
	if told {
		detail += ", after " + incident.FormatDuration(workflow.Now(ctx).Sub(l.lease.UndoPendingSince))
	}
	l.leaving, l.told, l.lease.UndoPendingSince = nil, false, time.Time{}
	l.tellGone(ctx, gone, protocol.LeaseChange{Kind: incident.EvGivenBack, Detail: detail, Told: told})
}

// lift undoes until it has worked and the device says so; it stops when
// somebody holds the lease again or the run should yield.
func (l *leaseKeeper) lift(ctx workflow.Context) (detail string, done bool) {
	lifted := false
	for attempt := 1; !l.held() && !suggested(ctx); attempt++ {
		began := workflow.Now(ctx)
		detail, problem := l.tryUndo(ctx, &lifted)
		if problem == "" {
			l.lease.Problem = ""
			return "given back: " + detail, true
		}
		if l.lease.UndoPendingSince.IsZero() {
			l.lease.UndoPendingSince = began
		}
		l.lease.Problem = "the undo has not worked yet: " + problem
		l.undoFailed(ctx)
		l.alarm(ctx, attempt, problem)
		pause := min(time.Duration(attempt)*confirmFast, undoPause)
		_, _ = await(ctx, pause, func() bool { return l.held() || suggested(ctx) })
	}
	return "", false
}

// tryUndo undoes once and reads the device back. It returns how it was given back, or why
// it was not. Lifted reports, from one attempt to the next, whether one had something to
// lift.
func (l *leaseKeeper) tryUndo(ctx workflow.Context, lifted *bool) (detail, problem string) {
	receipt, err := doBefore(ctx, givesBack, l.queue, undoTimeout, activities.Undo, l.in())
	if err != nil {
		return "", activities.Reason(err)
	}
	*lifted = *lifted || receipt.Detail == ""
	in := l.in()
	in.Undone = true
	standing, err := doBefore(ctx, givesBack, l.queue, readTimeout, activities.Read, in)
	switch {
	case err != nil:
		return "", "it was ordered, and cannot be read back: " + activities.Reason(err)
	case standing.Key != l.lease.Order.Key, !standing.Stands && !standing.Pending:
	case standing.Pending:
		return "", "it was ordered, and the device has not carried it out"
	default:
		return "", "it was ordered, and is still in place"
	}
	if *lifted {
		receipt.Detail = "" // What an earlier attempt has lifted is not in place any more.
	}
	return cmp.Or(receipt.Detail, "lifted, confirmed by the device"), ""
}

// alarm tells former holders, once, that the network is not given back, and why.
func (l *leaseKeeper) alarm(ctx workflow.Context, attempt int, problem string) {
	pending := workflow.Now(ctx).Sub(l.lease.UndoPendingSince)
	switch {
	case !since(ctx, changeTellUndo):
		if attempt == undoAlarmTries {
			l.tellGone(ctx, l.leaving, protocol.LeaseChange{
				Kind: incident.EvUndoFailing, Detail: fmt.Sprintf("%s, after %d attempts; still trying", l.lease.Problem, attempt),
			})
		}
	case !l.told && pending >= undoAlarm:
		l.told = true
		o := l.lease.Order
		l.tellGone(ctx, l.leaving, protocol.LeaseChange{
			Kind: incident.EvUndoFailing, Detail: fmt.Sprintf(incident.UndoPending+": %s of %s at %s is not given back after %s, %s; still trying",
				strings.ReplaceAll(string(o.Action), "_", " "), o.Target.Name(), l.lease.Use,
				incident.FormatDuration(pending), problem),
		})
	}
}
