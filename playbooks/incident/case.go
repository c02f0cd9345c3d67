package incident

import (
	"slices"
	"time"
)

// CaseStatus says whether a case still runs, and on what it waits.
type CaseStatus string

// The closed set of case statuses.
const (
	Working   CaseStatus = "working"   // enriching, deciding or acting
	Awaiting  CaseStatus = "awaiting"  // an approval is pending
	Contained CaseStatus = "contained" // leases are active
	Watching  CaseStatus = "watching"  // given back, and held again if the host still sends
	Closed    CaseStatus = "closed"
)

// NoPlaybook says why an alert has no playbook.
const NoPlaybook = "no playbook matches"

// CaseOutcome says how a case ended.
type CaseOutcome string

// The closed set of case outcomes.
const (
	OutcomeOpen         CaseOutcome = ""
	OutcomeNothingToDo  CaseOutcome = "nothing_to_do"   // the rule asks for no containment
	OutcomeGivenBack    CaseOutcome = "given_back"      // contained, and every lease has ended
	OutcomeDenied       CaseOutcome = "denied"          // a guardrail forbade it
	OutcomeRefused      CaseOutcome = "refused"         // people said no
	OutcomeExpired      CaseOutcome = "expired"         // nobody answered
	OutcomeUndecided    CaseOutcome = "undecided"       // a rule that would contain was unknown, and nobody answered
	OutcomeCannotDecide CaseOutcome = "cannot_decide"   // a required fact was missing
	OutcomeError        CaseOutcome = "error"           // policy failed
	OutcomeNoTarget     CaseOutcome = "no_exact_target" // not exactly one device
	OutcomeHeldBack     CaseOutcome = "held_back"       // the kill switch or a limit
	OutcomeFailed       CaseOutcome = "failed"          // a containing step failed
	OutcomeShadow       CaseOutcome = "shadow"          // decided and reported, as the playbook asks
	OutcomeNoPlaybook   CaseOutcome = "no_playbook_matched"
	OutcomeClosedByHand CaseOutcome = "closed_by_hand"
	OutcomeMerged       CaseOutcome = "merged" // another case is about the same device, and has its alerts
)

// Outcomes lists the outcomes of closed cases.
func Outcomes() []CaseOutcome {
	return []CaseOutcome{
		OutcomeNothingToDo, OutcomeGivenBack, OutcomeDenied, OutcomeRefused, OutcomeExpired, OutcomeUndecided, OutcomeCannotDecide,
		OutcomeError, OutcomeNoTarget, OutcomeHeldBack, OutcomeFailed, OutcomeShadow, OutcomeNoPlaybook, OutcomeClosedByHand, OutcomeMerged,
	}
}

// CaseRef names one case: the run distinguishes those that one subject had.
type CaseRef struct {
	ID  string `json:"id"`
	Run string `json:"run"`
}

// Case is the record of one run of one playbook for one subject: what the API
// shows, and what the evidence bundle holds.
type Case struct {
	// ID is playbook/subject; Run distinguishes the cases that one subject had.
	ID      string `json:"id"`
	Run     string `json:"run"`
	Subject string `json:"subject"`
	// Playbook is its name; PlaybookDigest pins the text.
	Playbook       string      `json:"playbook"`
	PlaybookDigest string      `json:"playbook_digest"`
	Shadow         bool        `json:"shadow,omitempty"`
	Status         CaseStatus  `json:"status"`
	Outcome        CaseOutcome `json:"outcome,omitempty"`
	OpenedAt       time.Time   `json:"opened_at"`
	ClosedAt       time.Time   `json:"closed_at,omitzero"`
	// Verdict is what the person who closed it found the alert to be.
	Verdict CaseVerdict `json:"verdict,omitempty"`

	// Alerts are the first alerts in full, AlertKeys the first keys, each up to
	// a bound. What is decided from alerts is decided from all of them, so it
	// is in the fields that follow.
	Alerts    []Alert  `json:"alerts,omitempty"`
	AlertKeys []string `json:"alert_keys,omitempty"`
	// AlertCount is how many alerts joined.
	AlertCount int `json:"alert_count,omitempty"`
	// Raisers are those who raised an alert of the case by hand, sorted.
	Raisers Raisers `json:"raisers,omitzero"`
	// Rounds are its ways from an alert to a decision that it followed; see [Case.StageTimes].
	Rounds []Round `json:"rounds,omitempty"`

	Facts Facts `json:"facts"`
	// Target is the device, once it is exact; TargetProblem and Candidates say
	// why it is not.
	Target        *Target     `json:"target,omitempty"`
	TargetProblem string      `json:"target_problem,omitempty"`
	Candidates    []Endpoint  `json:"candidates,omitempty"`
	Decision      *Decision   `json:"decision,omitempty"`
	Plan          *Plan       `json:"plan,omitempty"`
	Steps         []StepState `json:"steps,omitempty"`
	Approvals     []Approval  `json:"approvals,omitempty"`
	// MergedInto is the case that has the alerts of this one, because it is about
	// the same device.
	MergedInto *CaseRef `json:"merged_into,omitempty"`
	// Series is egress per minute around the case, for the chart.
	Series   []Point `json:"series,omitempty"`
	Timeline []Event `json:"timeline,omitempty"`
	// Shown are the messages about the case: cards and notices, each where it
	// was sent and whether it arrived.
	Shown []Shown `json:"shown,omitempty"`
	// EvidenceDir is where the bundle was written.
	EvidenceDir string `json:"evidence_dir,omitempty"`
}

// Holding returns the index of the step that has held a lease last, or -1.
func (c Case) Holding(lease, step string) int {
	for i, s := range slices.Backward(c.Steps) {
		if s.Lease == lease && s.Name == step {
			return i
		}
	}
	return -1
}

// Gate returns the index of the step that asks an approval, or -1.
func (c Case) Gate(a Approval) int {
	if a.Extends != nil {
		return -1
	}
	if at := a.Step - 1; at >= 0 && at < len(c.Steps) && c.Steps[at].Approve == a.Name {
		return at
	}
	gate := -1
	for i, s := range c.Steps {
		if s.Approve == a.Name {
			gate = i
		}
	}
	return gate
}

// Behind returns the steps that an approval lets run: up to the next gate, or
// of an undecided case all, with their gates; of an extension the step that is
// to stand longer.
func (c Case) Behind(a Approval) []StepState {
	if a.Extends != nil {
		at := c.Holding(a.Extends.Lease, a.Extends.Step)
		if at < 0 {
			return nil
		}
		return c.Steps[at : at+1]
	}
	gate := c.Gate(a)
	if gate < 0 {
		return nil
	}
	steps := c.Steps[gate+1:]
	for i, s := range steps {
		if s.Approve != "" && !c.Steps[gate].Undecided {
			return steps[:i]
		}
	}
	return steps
}

// Shown is one message about a case in a messenger.
type Shown struct {
	Key string `json:"key"`
	// Kind says what it is; Approval is the index of the question that it asks.
	Kind     ShownKind `json:"kind"`
	Approval int       `json:"approval,omitempty"`
	Use      string    `json:"use"`
	Channel  string    `json:"channel"`
	Mention  string    `json:"mention,omitempty"`
	// Ask is the approval of the playbook that says where else it may go,
	// Fallback how many of those places were tried before this one, FellBack
	// that the next one was.
	Ask      string `json:"ask,omitempty"`
	Fallback int    `json:"fallback,omitempty"`
	FellBack bool   `json:"fell_back,omitempty"`
	// Under is the key of the message under which it goes.
	Under string `json:"under,omitempty"`
	// Text is its headline where the case itself does not give it.
	Text   string    `json:"text,omitempty"`
	SentAt time.Time `json:"sent_at"`
	// At is when it arrived; zero until then. Link leads to it. Digest reports
	// whether it is in a digest of many cases, not a message of its own yet.
	At     time.Time `json:"at,omitzero"`
	Link   string    `json:"link,omitempty"`
	Digest bool      `json:"digest,omitempty"`
	// Problem says why it did not arrive.
	Problem string `json:"problem,omitempty"`
	// GivenUp reports whether it is not tried any more.
	GivenUp bool `json:"given_up,omitempty"`
}

// ShownKind says what a message is for.
type ShownKind string

// The closed set of kinds of messages.
const (
	ShownQuestion ShownKind = "question" // asks for an approval, and shows what becomes of it
	ShownReminder ShownKind = "reminder" // asks again, under the question
	ShownPage     ShownKind = "page"     // something went wrong that must not wait
	ShownNotice   ShownKind = "notice"   // a notify step
)

// StepStatus is the status of a step.
type StepStatus string

// The closed set of step statuses.
const (
	StepWaiting  StepStatus = "waiting"
	StepRunning  StepStatus = "running"
	StepDone     StepStatus = "done"     // a notify, collect or kill_process; or a gate that was passed
	StepStanding StepStatus = "standing" // a lease is held
	StepEnded    StepStatus = "ended"    // the lease was given back
	StepFailed   StepStatus = "failed"
	StepSkipped  StepStatus = "skipped"
	StepShadowed StepStatus = "shadowed" // would have run
)

// Proof is the answer of independent telemetry to "did it work?".
type Proof string

// The closed set of proofs.
const (
	NoProof      Proof = ""
	Verified     Proof = "verified"
	NotEffective Proof = "not_effective"
	CannotTell   Proof = "cannot_tell"
)

// StepState is one step of the plan and how far it came.
type StepState struct {
	PlannedStep
	Status StepStatus `json:"status"`
	// Lease is the id of the lease that holds it.
	Lease   string `json:"lease,omitempty"`
	Adopted bool   `json:"adopted,omitempty"`
	// StandsIn reports whether it takes the place of an isolation whose device's agent was
	// not heard.
	StandsIn  bool      `json:"stands_in,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// The three levels of proof: accepted by the vendor, confirmed by reading
	// the device, effective by the flow store.
	AcceptedAt  time.Time `json:"accepted_at,omitzero"`
	ConfirmedAt time.Time `json:"confirmed_at,omitzero"`
	ProvenAt    time.Time `json:"proven_at,omitzero"`
	Proof       Proof     `json:"proof,omitempty"`
	ProofDetail string    `json:"proof_detail,omitempty"`
	// Counts reports whether the product counts what it lets through and drops, Counted is
	// what it counted when the effect was measured last.
	Counts  bool     `json:"counts,omitempty"`
	Counted *Counted `json:"counted,omitempty"`
	// Approval is the last that was given before the lease was taken.
	Approval string `json:"approval,omitempty"`
	// Until is when the lease expires, EndedAt when it was given back.
	Until   time.Time `json:"until,omitzero"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	// UndoPending reports whether people were told that it could not be given back yet.
	UndoPending bool `json:"undo_pending,omitempty"`
	// Held is set where it may be held again, or given back early, once it was accepted.
	Held *Held `json:"held,omitempty"`
	// Problem says why it failed or was skipped. HeldBack reports whether a check right
	// before the step was why: the target, a guardrail, a limit or a pause.
	Problem  string `json:"problem,omitempty"`
	HeldBack bool   `json:"held_back,omitempty"`
}

// Event is one line of a case's timeline.
type Event struct {
	Seq  int       `json:"seq"`
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	// Step is the step that it concerns, if any.
	Step string `json:"step,omitempty"`
	// Text is one line for people. It may hold text of the alert: escape it.
	Text string `json:"text"`
	// By is the person or part of the engine that did it.
	By string `json:"by,omitempty"`
}

// EventKind is the kind of an event.
type EventKind string

// The closed set of event kinds.
const (
	EvOpened       EventKind = "opened"
	EvJoined       EventKind = "joined"
	EvEnriched     EventKind = "enriched"
	EvTarget       EventKind = "target"
	EvDecided      EventKind = "decided"
	EvCleared      EventKind = "cleared" // guardrails, target and budget were checked right before an action
	EvHeldBack     EventKind = "held_back"
	EvPaused       EventKind = "paused"  // the kill switch holds back what waits for people
	EvResumed      EventKind = "resumed" // and does so no longer
	EvAsked        EventKind = "asked"
	EvShown        EventKind = "shown"     // a question reached its place
	EvNotShown     EventKind = "not_shown" // it did not, and is asked elsewhere
	EvReminded     EventKind = "reminded"
	EvEscalated    EventKind = "escalated"
	EvVoted        EventKind = "voted"
	EvApproved     EventKind = "approved"
	EvDenied       EventKind = "denied"
	EvExpired      EventKind = "expired"
	EvSuperseded   EventKind = "superseded"
	EvStarted      EventKind = "started"
	EvAccepted     EventKind = "accepted"
	EvConfirmed    EventKind = "confirmed"
	EvNotConfirmed EventKind = "not_confirmed"
	EvHeard        EventKind = "heard"   // an isolated device's agent reaches its cloud
	EvUnheard      EventKind = "unheard" // it does not: the isolation is undone
	EvUntold       EventKind = "untold"  // it is not known whether it does
	EvDrifted      EventKind = "drifted" // the product was read, and differs from the lease
	EvAsHeld       EventKind = "as_held" // it is as the lease again
	EvVerified     EventKind = "verified"
	EvNotEffective EventKind = "not_effective"
	EvCannotTell   EventKind = "cannot_tell"
	EvExtended     EventKind = "extended"
	EvHeldAgain    EventKind = "held_again" // the host still sends: it goes on, or is taken again
	EvWatched      EventKind = "watched"    // what is seen of a host since it was given back, or would end it early
	EvReleased     EventKind = "released"   // a person ended the lease: it is undone now
	EvGivenBack    EventKind = "given_back"
	EvUndoFailing  EventKind = "undo_failing"
	EvDone         EventKind = "done"
	EvSkipped      EventKind = "skipped"
	EvShadowed     EventKind = "shadowed"
	EvFailed       EventKind = "failed"
	EvPaged        EventKind = "paged"
	EvMerged       EventKind = "merged"      // alerts were handed over to, or came from, a case about the same device
	EvReplied      EventKind = "replied"     // the sender of an alert is told what becomes of it
	EvNotReplied   EventKind = "not_replied" // it could not be told
	EvClosed       EventKind = "closed"
)

// CaseSummary is one line of a list of cases.
type CaseSummary struct {
	ID       string      `json:"id"`
	Run      string      `json:"run"`
	Playbook string      `json:"playbook"`
	Subject  string      `json:"subject"`
	Status   CaseStatus  `json:"status"`
	Outcome  CaseOutcome `json:"outcome,omitempty"`
	Rule     string      `json:"rule,omitempty"`
	Severity string      `json:"severity,omitempty"`
	OpenedAt time.Time   `json:"opened_at"`
	ClosedAt time.Time   `json:"closed_at,omitzero"`
}
