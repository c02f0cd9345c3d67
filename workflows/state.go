package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// responder is one case while it runs. All that must survive is in caseState.
type responder struct {
	in    CaseInput
	state *caseState
	// seen is state.Seen for looking up.
	seen *Seen
	// busy counts the coroutines that prove effects and deliver messages.
	busy int
	// changed reports whether people see an older state of the case.
	changed bool
	// heard reports whether somebody has just answered, and waits for the confirmation.
	heard bool
	// final reports whether people were sent the end of the case.
	final bool
	// came counts the alerts that came since the case began to enrich: the
	// decision that follows is not about them.
	came int
	// taking is the request whose answer the case waits for.
	taking string
	// acting reports whether the step that is next is being carried out; interposed
	// counts the steps that were put before others since.
	acting     bool
	interposed int
	// asking reports whether people are about to be asked for an extension.
	asking bool
	// listed is what the lists show; empty at the start of a later run.
	listed listed
	// yield tells those coroutines that this run of the engine ends.
	yield bool
	inbox inbox
}

// caseState is what crosses continue-as-new: the case itself and how far it
// came.
type caseState struct {
	Case incident.Case `json:"case"`
	// Seen are the alerts that this case and those before it heard, as [Seen] has
	// them, Bytes what the alerts take that are kept in full.
	Seen  []string `json:"seen,omitempty"`
	Bytes int      `json:"bytes,omitempty"`
	// Latest is the alert that the next decision is about; Fresh counts alerts
	// that no decision has taken into account.
	Latest  *incident.Alert `json:"latest,omitempty"`
	Fresh   int             `json:"fresh,omitempty"`
	Decided bool            `json:"decided,omitempty"`
	// Due is the round of the next decision: when its first alert came.
	Due *incident.Round `json:"due,omitempty"`
	// Anew reports whether the next decision is not bound to be stricter: what the
	// plan did is over.
	Anew      bool      `json:"anew,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	// Late is set while the case waits for facts that can still come.
	Late *lateFacts `json:"late,omitempty"`
	// Unmatched reports whether the trigger turned out not to hold.
	Unmatched bool `json:"unmatched,omitempty"`
	// Next is the step that runs next.
	Next int `json:"next"`
	// Waived names the approvals that were given for the plan, Approver who
	// gave the last.
	Waived   []string `json:"waived,omitempty"`
	Approver string   `json:"approver,omitempty"`
	// Missing is what the plan's next question must name as unknown, besides
	// what the decision names; Answered are the paths that people were shown
	// and approved.
	Missing  []incident.Missing `json:"missing,omitempty"`
	Answered []string           `json:"answered,omitempty"`
	// IPs are the host's addresses, by which its egress is measured.
	IPs []string `json:"ips,omitempty"`
	// Beside are addresses by which its alerts name it, and the EDR does not.
	Beside []string `json:"beside,omitempty"`
	// Sent are the digests of the case's messages as they were handed to their
	// channels last.
	Sent []string `json:"sent,omitempty"`
	// Ended says why steps were left out, for the outcome.
	Ended incident.CaseOutcome `json:"ended,omitempty"`
	// Early are changes of the lease that is being taken.
	Early []protocol.LeaseChange `json:"early,omitempty"`
	// Requests counts the requests that were given up; GivingBack are those of
	// them that held a lease, for as long as it has not said that this is over.
	Requests   int          `json:"requests,omitempty"`
	GivingBack []givingBack `json:"giving_back,omitempty"`
	// Paused is the kill switch as the case heard of it last, Pauses counts its
	// changes until then.
	Paused *incident.Pause `json:"paused,omitempty"`
	Pauses int             `json:"pauses,omitempty"`
	// Contained reports whether a lease was active or a process was ended.
	Contained bool `json:"contained,omitempty"`
	// Closing is set when a person closes the case.
	Closing *protocol.CloseRequest `json:"closing,omitempty"`
	// Claims are the ids of the claims to devices that the case has. HandOvers
	// counts the times that it handed its alerts to another, Unhanded reports
	// that some came since the last.
	Claims    []string `json:"claims,omitempty"`
	HandOvers int      `json:"hand_overs,omitempty"`
	Unhanded  bool     `json:"unhanded,omitempty"`
	// Replies are what the senders of its alerts are told, where a source asks for it.
	Replies *replyState `json:"replies,omitempty"`
}

// open starts a case or goes on with one, and begins to listen.
func open(ctx workflow.Context, in CaseInput) (*responder, error) {
	r := &responder{in: in, state: in.State}
	if r.state == nil {
		r.state = &caseState{Seen: in.Seen, Case: incident.Case{
			ID: in.ID, Run: workflow.GetInfo(ctx).WorkflowExecution.RunID, Subject: in.Subject,
			Playbook: in.Pin.Name, PlaybookDigest: in.Pin.Digest, Shadow: in.Pin.Mode == playbooks.Shadow,
			Status: incident.Working, OpenedAt: workflow.Now(ctx),
		}}
	}
	r.state.recall()
	r.seen = NewSeen(r.state.Seen)
	if in.State == nil {
		// The search attributes that a case is started with.
		r.listed = listed{status: string(incident.Working)}
		r.begin(ctx)
	}
	if err := r.listen(ctx); err != nil {
		return nil, err
	}
	for i := range r.state.Case.Steps {
		r.prove(ctx, i)
		r.keepHeld(ctx, i)
	}
	r.goOnExtending(ctx)
	r.changed = in.State != nil
	r.keepShown(ctx)
	r.keepReplying(ctx)
	return r, nil
}

// begin writes the first lines of the case.
func (r *responder) begin(ctx workflow.Context) {
	if r.in.Pin.Digest == "" {
		r.event(ctx, incident.EvOpened, "", "Alert for %s: %s", r.in.Subject, incident.NoPlaybook)
		r.state.Unmatched, r.state.Decided = true, true
	} else {
		r.event(ctx, incident.EvOpened, "", "Case opened for %s by playbook %s", r.in.Subject, r.in.Pin.Name)
	}
	r.join(ctx, r.in.Alerts)
	r.in.Alerts = nil
}

// listen registers what a case answers to: alerts, lease changes, votes, the
// order to close, and the query of its state.
func (r *responder) listen(ctx workflow.Context) error {
	r.inbox = inbox{
		hear(ctx, protocol.AlertsSignal, r.join),
		hear(ctx, protocol.LeaseSignal, r.leaseChanged),
		hear(ctx, protocol.ShownSignal, r.shownChanged),
		hear(ctx, protocol.PauseSignal, r.pauseChanged),
		hear(ctx, protocol.ReplySignal, r.replyChanged),
	}
	r.inbox.open(ctx)
	err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.DecideUpdate, r.vote,
		workflow.UpdateHandlerOptions{Validator: r.mayVote})
	if err != nil {
		return fmt.Errorf("listen for votes: %w", err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, protocol.CloseUpdate, r.closeByHand,
		workflow.UpdateHandlerOptions{Validator: r.mayClose})
	if err != nil {
		return fmt.Errorf("listen for closing: %w", err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, protocol.MergeUpdate, r.merged,
		workflow.UpdateHandlerOptions{Validator: r.mayMerge})
	if err != nil {
		return fmt.Errorf("listen for cases about the same device: %w", err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, protocol.ExtendUpdate, r.askToExtend,
		workflow.UpdateHandlerOptions{Validator: r.mayAskToExtend})
	if err != nil {
		return fmt.Errorf("listen for extensions: %w", err)
	}
	err = workflow.SetQueryHandler(ctx, protocol.CaseQuery, func() (incident.Case, error) { return r.state.Case, nil })
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	return nil
}

// again reports whether the case has more to do.
func (r *responder) again() bool {
	if r.in.Pin.Digest == "" {
		return false
	}
	return !r.state.Decided || r.state.Next < len(r.state.Case.Steps) || r.standing() || r.mustPassOn() ||
		(r.state.Fresh > 0 || r.state.Late != nil) && r.state.Closing == nil
}

// standing reports whether a lease of the case is active, is being given back, or may be
// taken again.
func (r *responder) standing() bool {
	return r.contained() || len(r.state.GivingBack) > 0 || r.watching()
}

// contained reports whether a step of the case has an active lease.
func (r *responder) contained() bool {
	return slices.ContainsFunc(r.state.Case.Steps, func(s incident.StepState) bool {
		return s.Status == incident.StepStanding
	})
}

// mustDecide reports whether a decision is due. Alerts ask for one: the first at
// once, later ones at most once in a while, so that a storm costs little. So do
// facts that may have come by now.
func (r *responder) mustDecide(ctx workflow.Context) bool {
	if !r.state.Decided || r.mustPassOn() {
		return true
	}
	at := r.decideAt()
	return !at.IsZero() && !workflow.Now(ctx).Before(at)
}

// decideAt is when alerts, or facts that can still come, make the next decision
// due; zero is never. A case that a person closes is not decided about any more.
func (r *responder) decideAt() (at time.Time) {
	if r.state.Closing != nil {
		return at
	}
	if r.state.Fresh > 0 {
		at = r.state.DecidedAt.Add(reconsiderEvery)
		if r.watching() && r.state.Due != nil {
			at = maxTime(at, r.state.Due.AcceptedAt.Add(alertPatience))
		}
	}
	if r.state.Late != nil {
		at = earlier(at, r.state.Late.Next)
	}
	return at
}

// earlier returns the earlier of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// mustYield reports whether history has grown so long that the case should go on
// in a new run.
func (r *responder) mustYield(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && r.again()
}

// wait blocks until done, until something interrupts (a person closes the case,
// a new decision is due, the run should yield), or until the deadline; a zero
// deadline never comes. It reports whether done was reached.
func (r *responder) wait(ctx workflow.Context, deadline time.Time, done func() bool) bool {
	closing, interposed := r.state.Closing, r.interposed
	wake := func() bool {
		return done() || r.state.Closing != closing || r.interposed != interposed || r.mustDecide(ctx) || r.mustYield(ctx)
	}
	for !wake() {
		until := earlier(deadline, r.decideAt())
		fresh := r.state.Fresh > 0
		changed := func() bool { return wake() || !fresh && r.state.Fresh > 0 }
		if until.IsZero() {
			_ = workflow.Await(ctx, changed)
		} else if left := until.Sub(workflow.Now(ctx)); left > 0 {
			_, _ = await(ctx, left, changed)
		}
		if ctx.Err() != nil || !deadline.IsZero() && !workflow.Now(ctx).Before(deadline) {
			break
		}
	}
	return done()
}

// hold waits while leases are active, or facts can still come. A case that a person
// closes gives back now what it holds.
func (r *responder) hold(ctx workflow.Context) {
	if r.state.Next < len(r.state.Case.Steps) {
		return
	}
	switch {
	case r.extending() >= 0:
	case r.contained():
		r.status(ctx, incident.Contained)
	case r.watching():
		r.status(ctx, incident.Watching)
	}
	if r.state.Closing == nil {
		r.wait(ctx, time.Time{}, func() bool {
			return r.state.Next < len(r.state.Case.Steps) || !r.standing() && r.state.Fresh == 0 && r.state.Late == nil
		})
	}
	if r.state.Closing != nil {
		r.leaveAll(ctx)
		_ = workflow.Await(ctx, func() bool { return !r.standing() || r.mustYield(ctx) })
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
	r.inbox.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, Respond, in)
}
