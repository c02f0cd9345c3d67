package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// responder is one case while it runs. All that must survive is in caseState.
type responder struct {
	in    CaseInput
	state *caseState
	// busy counts the coroutines that prove effects and deliver messages.
	busy int
	// yield tells those coroutines that this run of the engine ends.
	yield bool
}

// caseState is what crosses continue-as-new: the case itself and how far it
// came.
type caseState struct {
	Case        incident.Case         `json:"case"`
	Connections []incident.Connection `json:"connections,omitempty"`
	// Seen are the fingerprints of all alerts of this case and of those before it.
	Seen []string `json:"seen,omitempty"`
	// Fresh counts alerts that no decision has taken into account.
	Fresh     int       `json:"fresh,omitempty"`
	Decided   bool      `json:"decided,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	// Unmatched tells that the trigger turned out not to hold.
	Unmatched bool `json:"unmatched,omitempty"`
	// Next is the step that runs next.
	Next int `json:"next"`
	// Waived names the approvals that were given for the plan, Approver who
	// gave the last.
	Waived   []string `json:"waived,omitempty"`
	Approver string   `json:"approver,omitempty"`
	// Ended says why steps were left out, for the outcome.
	Ended incident.CaseOutcome `json:"ended,omitempty"`
	// Early are changes of leases that the case does not know yet.
	Early []activities.LeaseChange `json:"early,omitempty"`
	// Contained tells that a lease has stood.
	Contained bool `json:"contained,omitempty"`
	// Closing is set when a person closes the case.
	Closing *activities.CloseRequest `json:"closing,omitempty"`
}

// open starts a case or goes on with one, and begins to listen.
func open(ctx workflow.Context, in CaseInput) (*responder, error) {
	r := &responder{in: in, state: in.State}
	if r.state == nil {
		r.state = &caseState{Seen: slices.Clone(in.Seen), Case: incident.Case{
			ID: in.ID, Run: workflow.GetInfo(ctx).WorkflowExecution.RunID, Subject: in.Subject,
			Playbook: in.Pin.Name, PlaybookDigest: in.Pin.Digest, Shadow: in.Pin.Mode == playbooks.Shadow,
			Status: incident.Working, OpenedAt: workflow.Now(ctx),
		}}
		if in.Pin.Digest == "" {
			r.event(ctx, incident.EvOpened, "", "Alert for %s: no playbook matches it", in.Subject)
			r.state.Unmatched, r.state.Decided = true, true
		} else {
			r.event(ctx, incident.EvOpened, "", "Case opened for %s by playbook %s", in.Subject, in.Pin.Name)
		}
		r.join(ctx, in.Alerts)
	}
	if err := r.listen(ctx); err != nil {
		return nil, err
	}
	for i := range r.state.Case.Steps {
		r.prove(ctx, i)
	}
	return r, nil
}

// listen registers what a case answers to: alerts, lease changes, votes, the
// order to close, and the question how it stands.
func (r *responder) listen(ctx workflow.Context) error {
	workflow.Go(ctx, func(ctx workflow.Context) {
		ch := workflow.GetSignalChannel(ctx, activities.AlertsSignal)
		for {
			var alerts []incident.Alert
			ch.Receive(ctx, &alerts)
			r.join(ctx, alerts)
		}
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		ch := workflow.GetSignalChannel(ctx, activities.LeaseSignal)
		for {
			var change activities.LeaseChange
			ch.Receive(ctx, &change)
			r.leaseChanged(ctx, change)
		}
	})
	err := workflow.SetUpdateHandlerWithOptions(ctx, activities.DecideUpdate, r.vote,
		workflow.UpdateHandlerOptions{Validator: r.mayVote})
	if err != nil {
		return fmt.Errorf("listen for votes: %w", err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, activities.CloseUpdate, r.closeByHand,
		workflow.UpdateHandlerOptions{Validator: r.mayClose})
	if err != nil {
		return fmt.Errorf("listen for closing: %w", err)
	}
	err = workflow.SetQueryHandler(ctx, activities.CaseQuery, func() (incident.Case, error) { return r.state.Case, nil })
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	return nil
}

// join takes alerts into the case. One that was seen before changes nothing.
func (r *responder) join(ctx workflow.Context, alerts []incident.Alert) {
	c := &r.state.Case
	var joined []incident.Alert
	for _, a := range alerts {
		if slices.Contains(r.state.Seen, a.Fingerprint()) {
			continue
		}
		r.state.Seen = append(r.state.Seen, a.Fingerprint())
		c.AlertKeys = append(c.AlertKeys, a.Key())
		if len(c.Alerts) < joinedAlertsKept {
			c.Alerts = append(c.Alerts, a)
		}
		joined = append(joined, a)
	}
	if len(joined) == 0 {
		return
	}
	last := joined[len(joined)-1]
	if last.Status == incident.Firing || len(c.AlertKeys) == len(joined) {
		c.Facts.Alert = last
		c.Facts.Alert.Raw = nil
	}
	if firing := countFiring(joined); firing > 0 {
		r.state.Fresh += firing
	}
	if len(joined) == 1 {
		r.event(ctx, incident.EvJoined, "", "%s alert %s from %s joined: %s", last.Status, last.ID, last.Source, last.Rule)
	} else {
		r.event(ctx, incident.EvJoined, "", "%d alerts from %s joined, the last is %s", len(joined), last.Source, last.ID)
	}
}

func countFiring(alerts []incident.Alert) int {
	n := 0
	for _, a := range alerts {
		if a.Status == incident.Firing {
			n++
		}
	}
	return n
}

// again tells whether the case has more to do.
func (r *responder) again() bool {
	if r.in.Pin.Digest == "" {
		return false
	}
	return !r.state.Decided || r.state.Next < len(r.state.Case.Steps) || r.standing() ||
		r.state.Fresh > 0 && r.state.Closing == nil
}

// standing tells whether a lease of the case stands.
func (r *responder) standing() bool {
	return slices.ContainsFunc(r.state.Case.Steps, func(s incident.StepState) bool {
		return s.Status == incident.StepStanding
	})
}

// mustDecide tells whether alerts ask for a decision: the first at once, later
// ones at most once in a while, so that a storm costs little.
func (r *responder) mustDecide(ctx workflow.Context) bool {
	if !r.state.Decided {
		return true
	}
	return r.state.Fresh > 0 && r.state.Closing == nil && !workflow.Now(ctx).Before(r.reconsiderAt())
}

func (r *responder) reconsiderAt() time.Time { return r.state.DecidedAt.Add(reconsiderEvery) }

// mustYield tells whether history has grown so long that the case should go on
// in a new run.
func (r *responder) mustYield(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && r.again()
}

// wait blocks until done, until something interrupts (a person closes the case,
// alerts ask for a new decision, the run should yield), or until the deadline;
// a zero deadline never comes. It tells whether done was reached.
func (r *responder) wait(ctx workflow.Context, deadline time.Time, done func() bool) bool {
	closing := r.state.Closing
	wake := func() bool {
		return done() || r.state.Closing != closing || r.mustDecide(ctx) || r.mustYield(ctx)
	}
	for !wake() {
		until := deadline
		if r.state.Fresh > 0 && r.state.Closing == nil && (until.IsZero() || r.reconsiderAt().Before(until)) {
			until = r.reconsiderAt()
		}
		fresh := r.state.Fresh > 0
		changed := func() bool { return wake() || !fresh && r.state.Fresh > 0 }
		if until.IsZero() {
			_ = workflow.Await(ctx, changed)
		} else if left := until.Sub(workflow.Now(ctx)); left > 0 {
			_, _ = workflow.AwaitWithTimeout(ctx, left, changed)
		}
		if ctx.Err() != nil || !deadline.IsZero() && !workflow.Now(ctx).Before(deadline) {
			break
		}
	}
	return done()
}

// hold waits while leases stand.
func (r *responder) hold(ctx workflow.Context) {
	if r.state.Next < len(r.state.Case.Steps) {
		return
	}
	if r.standing() {
		r.status(ctx, incident.Contained)
	}
	r.wait(ctx, time.Time{}, func() bool { return !r.standing() && r.state.Fresh == 0 })
	if r.state.Closing != nil {
		r.leaveAll(ctx)
		_ = workflow.Await(ctx, func() bool { return !r.standing() })
	}
}

// continueAsNew ends this run and goes on in the next, with everything that
// the case knows.
func (r *responder) continueAsNew(ctx workflow.Context) error {
	r.yield = true
	_ = workflow.Await(ctx, func() bool { return r.busy == 0 && workflow.AllHandlersFinished(ctx) })
	in := r.in
	in.Alerts, in.Seen, in.State = nil, nil, r.state
	// Signals that came in the meantime are in the state only once they were
	// received.
	r.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, Respond, in)
}

// drain takes in every signal that has arrived.
func (r *responder) drain(ctx workflow.Context) {
	alerts := workflow.GetSignalChannel(ctx, activities.AlertsSignal)
	for batch := []incident.Alert(nil); alerts.ReceiveAsync(&batch); batch = nil {
		r.join(ctx, batch)
	}
	leases := workflow.GetSignalChannel(ctx, activities.LeaseSignal)
	for change := (activities.LeaseChange{}); leases.ReceiveAsync(&change); change = (activities.LeaseChange{}) {
		r.leaseChanged(ctx, change)
	}
}

// maxEvents bounds the timeline; a case that says more than this says the same
// again and again.
const maxEvents = 2000

// event adds a line to the timeline.
func (r *responder) event(ctx workflow.Context, kind incident.EventKind, step, format string, args ...any) {
	r.eventBy(ctx, kind, step, "", format, args...)
}

func (r *responder) eventBy(ctx workflow.Context, kind incident.EventKind, step, by, format string, args ...any) {
	c := &r.state.Case
	if len(c.Timeline) >= maxEvents && kind == incident.EvJoined {
		return
	}
	c.Timeline = append(c.Timeline, incident.Event{
		Seq: len(c.Timeline) + 1, At: workflow.Now(ctx), Kind: kind, Step: step, By: by,
		Text: fmt.Sprintf(format, args...),
	})
}

// status changes where the case stands, there and in the lists.
func (r *responder) status(ctx workflow.Context, status incident.CaseStatus) {
	if r.state.Case.Status == status {
		return
	}
	r.state.Case.Status = status
	r.upsert(ctx)
}

// upsert brings the lists up to date.
func (r *responder) upsert(ctx workflow.Context) {
	c := r.state.Case
	updates := []temporal.SearchAttributeUpdate{
		attribute(activities.AttrStatus).ValueSet(string(c.Status)),
		attribute(activities.AttrOutcome).ValueSet(string(c.Outcome)),
	}
	if c.Decision != nil {
		updates = append(updates,
			attribute(activities.AttrRule).ValueSet(c.Decision.Rule),
			attribute(activities.AttrSeverity).ValueSet(c.Decision.Severity))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Error("the lists of cases were not brought up to date", "case", c.ID, "error", err)
	}
}

func attribute(name string) temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword(name)
}
