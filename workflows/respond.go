// Package workflows is the deterministic heart of Stanch: the case, the lease,
// the budget and the keeping of rejected alerts. Nothing here does I/O or reads
// a clock but through the engine; recorded histories are replayed by the tests.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The time limits and retries of everything that a case does. One HTTP attempt
// is one activity attempt; the waiting in between is the engine's.
const (
	// containTimeout is a little more than a lease tries to apply, so that the
	// lease's own reason for giving up is heard.
	containTimeout  = applyWithin + 30*time.Second
	collectTimeout  = 2 * time.Minute
	notifyTimeout   = 5 * time.Minute
	evidenceTimeout = 5 * time.Minute
	measureTimeout  = 30 * time.Second
	// countTimeout bounds the reading of counters: without them the measurement is as good as
	// it was before there were any.
	countTimeout = 5 * time.Second
	// watchTimeout is how long the budget is asked whether containment is paused;
	// a question to people waits no longer for it.
	watchTimeout = 10 * time.Second
	// quickAnswer is how long a fact is waited for before it is asked for as an
	// activity of its own.
	quickAnswer = time.Second
	// silence is how long a worker may send no heartbeat before what it had
	// under way is given to another: a crash costs seconds, not a time limit.
	silence = 5 * time.Second

	// reconsiderEvery bounds how often later alerts make a case enrich and
	// decide again.
	reconsiderEvery = time.Minute
	// askAgainAfter is how soon an undecided case asks again for facts that can
	// still come. Each further pause is twice as long, up to askAgainLongest.
	// What has not come askAgainWithin after the decision is left unknown, and
	// people are asked.
	askAgainAfter   = 10 * time.Second
	askAgainLongest = time.Minute
	askAgainWithin  = 3 * time.Minute
	// measureAtLeast is the shortest window over which egress is measured.
	measureAtLeast = 5 * time.Second
	// defaultWindow is the window of traffic where the playbook sets none.
	defaultWindow = 15 * time.Minute
)

func retries(initial, longest time.Duration) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: initial, BackoffCoefficient: 2, MaximumInterval: longest}
}

// CaseInput starts a case, or goes on with one.
type CaseInput struct {
	ID      string         `json:"id"`
	Subject string         `json:"subject"`
	Pin     activities.Pin `json:"pin"`
	// Alerts are those that opened the case; later ones are signals.
	Alerts []incident.Alert `json:"alerts"`
	// Seen are the alerts that earlier cases of the subject heard, as [Seen] has
	// them, so that a late repeat starts nothing.
	Seen []string `json:"seen,omitempty"`
	// State is set when the case goes on in a new run of the engine.
	State *caseState `json:"state,omitempty"`
}

// Respond runs one case: one playbook for one subject.
func Respond(ctx workflow.Context, in CaseInput) (incident.Case, error) {
	// 1 Join: the alerts that opened the case, and those that come later. Cancelling
	// the workflow closes the case: what it holds is given back.
	cancelled := ctx.Done()
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	r, err := open(ctx, in)
	if err != nil {
		return incident.Case{}, err
	}
	r.closeWhen(ctx, cancelled)
	for {
		for r.again() {
			switch {
			case r.mustPassOn():
				r.passOn(ctx)
			case r.mustDecide(ctx):
				r.unbind()
				// 2 Enrich: who is it, what does it send, what is normal.
				found := r.enrich(ctx)
				// 3 Guard and 4 decide: the policy answers, with reasons. Then
				// the device is claimed, or the case merged into its owner.
				r.decide(ctx, found)
			}
			// 5 Budget and 6 steps, in order; 7 prove runs concurrently.
			r.run(ctx)
			// Leases are active until they end; a later alert may ask for more.
			r.hold(ctx)
			if r.mustYield(ctx) {
				return incident.Case{}, r.continueAsNew(ctx)
			}
		}
		// 8 Close: chart and evidence bundle; unless an alert came just now.
		if r.close(ctx); !r.more(ctx) {
			count(ctx, protocol.MetricCasesClosed, map[string]string{
				protocol.LabelPlaybook: r.state.Case.Playbook, protocol.LabelOutcome: string(r.state.Case.Outcome),
			})
			return r.state.Case, nil
		}
		if r.reopen(ctx) {
			return incident.Case{}, r.continueAsNew(ctx)
		}
	}
}
