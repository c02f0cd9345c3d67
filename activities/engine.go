package activities

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Call is an update or a signal to a workflow. Where it may be started first, it
// says what with.
type Call struct {
	// Workflow is the workflow's name, ID its id, Input what it starts with.
	Workflow string
	ID       string
	Input    any
	// Attributes are search attributes of a started workflow.
	Attributes map[string]string
	// Update is the update's name; UpdateID makes a repeated call one update.
	Update   string
	UpdateID string
	// Signal is the signal's name, for a call that is one.
	Signal string
	Arg    any
}

// Engine lets an activity talk to the other workflows.
type Engine interface {
	// UpdateWithStart sends the update and waits for its answer, which is
	// decoded into result.
	UpdateWithStart(ctx context.Context, c Call, result any) error
	// Update is the same for a workflow that must run already.
	Update(ctx context.Context, c Call, result any) error
	// SignalWithStart sends a signal to a workflow, which is started first if it
	// does not run.
	SignalWithStart(ctx context.Context, c Call) error
	// Case returns a case as it stands. One that is not there is a not_found
	// error.
	Case(ctx context.Context, id, run string) (incident.Case, error)
}

// Names of the workflows, updates, signals and queries, as they stand in
// history. They live beside the types that travel under them.
const (
	RespondWorkflow  = "respond"
	LeaseWorkflow    = "lease"
	BudgetWorkflow   = "budget"
	RejectedWorkflow = "rejected"
	ChannelWorkflow  = "channel"
	ClickWorkflow    = "click"
	StandingWorkflow = "standing"
	ClaimWorkflow    = "claim"

	AlertsSignal = "alerts" // to a case: []incident.Alert
	LeaseSignal  = "lease"  // to a case: LeaseChange
	ShownSignal  = "shown"  // to a case: ShownChange
	PauseSignal  = "pause"  // to a case: PauseChange
	LeaveSignal  = "leave"  // to a lease: LeaveRequest
	ExtendSignal = "extend" // to a lease: HolderExtension
	ShowSignal   = "show"   // to a channel: ShowRequest
	// ConfigureSignal is to what tells daily what stands: StandingInput.
	ConfigureSignal = "configure"

	DecideUpdate  = "decide"  // to a case: incident.Vote
	CloseUpdate   = "close"   // to a case: CloseRequest
	MergeUpdate   = "merge"   // to a case: MergeRequest
	ClaimUpdate   = "claim"   // to the claim to a device: ClaimRequest
	UnclaimUpdate = "unclaim" // to the claim to a device: incident.CaseRef
	HoldUpdate    = "hold"    // to a lease: HoldRequest
	FindUpdate    = "find"    // to a lease: HoldRequest
	GiveUpUpdate  = "give_up" // to a lease or a budget: GiveUpRequest
	ExtendUpdate  = "extend"  // to a case: ExtendRequest; to a lease of before, which extended at once
	ReleaseUpdate = "release" // to a lease: ReleaseRequest; to a budget: a reservation's id
	ReserveUpdate = "reserve" // to a budget: ReserveRequest
	PauseUpdate   = "pause"   // to a budget: Pause
	ResumeUpdate  = "resume"  // to a budget: Pause
	WatchUpdate   = "watch"   // to a budget: Watcher
	ResolveUpdate = "resolve" // to a rejected alert: how it ended

	CaseQuery     = "case"
	LeaseQuery    = "lease"
	BudgetQuery   = "budget"
	RejectedQuery = "rejected"
)

// Search attributes by which cases, leases and rejected alerts are listed.
const (
	AttrKind     = "StanchKind" // case, lease, budget, rejected, channel, click, claim
	AttrPlaybook = "StanchPlaybook"
	AttrSubject  = "StanchSubject"
	AttrStatus   = "StanchStatus"
	AttrOutcome  = "StanchOutcome"
	AttrSeverity = "StanchSeverity"
	AttrRule     = "StanchRule"
	AttrAction   = "StanchAction"
	AttrTarget   = "StanchTarget"
)

// Attributes lists all search attributes; each is a keyword.
func Attributes() []string {
	return []string{
		AttrKind, AttrPlaybook, AttrSubject, AttrStatus, AttrOutcome,
		AttrSeverity, AttrRule, AttrAction, AttrTarget,
	}
}

// HoldRequest asks a lease to stand for a holder.
type HoldRequest struct {
	// ID identifies the request: the same one again is the same holder, and one
	// that its case has given up is refused.
	ID     string          `json:"id"`
	Use    string          `json:"use"`
	Order  incident.Order  `json:"order"`
	Holder incident.Holder `json:"holder"`
	// Expires is from when on the request is refused: nobody waits for its
	// answer any more.
	Expires time.Time `json:"expires,omitzero"`
}

// Found is what a lease knows of a request.
type Found struct {
	// Lease is nil where the request has never held it.
	Lease *incident.Lease `json:"lease,omitempty"`
}

// GiveUpRequest says that a case gives up a request of one of its steps, which
// an attempt that was lost may have on its way still: it is refused from then
// on, and what it holds is given back.
type GiveUpRequest struct {
	ID   string `json:"id"`
	Case string `json:"case"`
	Step string `json:"step"`
	// Expires is from when on the request is refused anyway.
	Expires time.Time `json:"expires"`
}

// GivenUp says what a request had come to when it was given up.
type GivenUp struct {
	// Held tells that it held the lease: the case is told when that is over.
	Held bool `json:"held,omitempty"`
	// Reserved tells that its action was cleared: where there is no lease, it
	// may have been done.
	Reserved bool `json:"reserved,omitempty"`
}

// LeaveRequest tells a lease that a case no longer needs it.
type LeaveRequest struct {
	Case string `json:"case"`
	Step string `json:"step"`
	// Request is set when the case gives up a request that was not answered.
	Request string `json:"request,omitempty"`
}

// ExtendRequest asks a case whether one of its leases may stand longer.
type ExtendRequest struct {
	Lease  string    `json:"lease,omitempty"`
	Step   string    `json:"step,omitempty"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// HolderExtension moves the end of one holder of a lease, as people approved.
type HolderExtension struct {
	Case     string    `json:"case"`
	Step     string    `json:"step"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	Approver string    `json:"approver"`
}

// ReleaseRequest gives a lease back now, whoever holds it.
type ReleaseRequest struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// CloseRequest closes a case by hand: what it holds is given back.
type CloseRequest struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// LeaseChange tells a case what became of a lease that it holds.
type LeaseChange struct {
	Lease  string             `json:"lease"`
	Step   string             `json:"step"`
	Kind   incident.EventKind `json:"kind"` // confirmed, not_confirmed, extended, released, given_back, undo_failing
	At     time.Time          `json:"at"`
	Until  time.Time          `json:"until,omitzero"`
	Detail string             `json:"detail,omitempty"`
	By     string             `json:"by,omitempty"`
	// Request is the one by which the step holds the lease, or held it.
	Request string `json:"request,omitempty"`
}

// LeaseInput starts a lease, or goes on with one.
type LeaseInput struct {
	ID    string         `json:"id"`
	Use   string         `json:"use"`
	Order incident.Order `json:"order"`
	// Queue is the task queue of the integration, if it has one of its own.
	Queue string `json:"queue,omitempty"`
	// What follows is set when the lease goes on in a new run: itself, the
	// former holders that are told when it is over, the requests that were given
	// up, until when one of them may still come, and those that held it once.
	Lease   *incident.Lease `json:"lease,omitempty"`
	Leaving []Leaving       `json:"leaving,omitempty"`
	GivenUp []string        `json:"given_up,omitempty"`
	Refuses time.Time       `json:"refuses,omitzero"`
	Held    []string        `json:"held,omitempty"`
}

// Leaving is a former holder of a lease: why it left, and who decided that.
type Leaving struct {
	Holder incident.Holder `json:"holder"`
	Why    string          `json:"why"`
	By     string          `json:"by,omitempty"`
}

// Pause is the kill switch: who, why, when.
type Pause = incident.Pause

// Limit is a limit guardrail as the budget needs it.
type Limit struct {
	Guardrail string          `json:"guardrail"`
	Action    incident.Action `json:"action"`
	Per       string          `json:"per"`
	Max       int             `json:"max"`
	Window    time.Duration   `json:"window"`
	// Then is the approval that may go beyond it; empty: nobody may.
	Then string `json:"then,omitempty"`
	// Key is the value that the limit counts by, such as the site's name.
	// KeyMissing says that it is unknown, which counts as reached.
	Key        string `json:"key"`
	KeyMissing string `json:"key_missing,omitempty"`
}

// ReserveRequest asks the budget for one action on one host.
type ReserveRequest struct {
	// ID identifies the reservation: asking again reserves nothing more.
	ID     string          `json:"id"`
	Action incident.Action `json:"action"`
	// Device is the id of the host that the action is on.
	Device string  `json:"device,omitempty"`
	Limits []Limit `json:"limits,omitempty"`
	// Keys are counted, by what they count per.
	Keys []BudgetKey `json:"keys,omitempty"`
	// Waived names the approvals that people have given for this action.
	Waived []string `json:"waived,omitempty"`
	// Keep is until when the reservation is remembered though no limit counts
	// it: for as long as an attempt may have to be told of an earlier one.
	Keep time.Time `json:"keep,omitzero"`
}

// PerHost is the [BudgetKey] by which a limit counts for one host.
const PerHost = "host"

// BudgetKey is one thing that limits count by.
type BudgetKey struct {
	Per string `json:"per"`
	Key string `json:"key"`
}

// ReserveAnswer is the budget's answer.
type ReserveAnswer struct {
	Granted bool `json:"granted"`
	// Paused is set when the kill switch holds everything back.
	Paused *Pause `json:"paused,omitempty"`
	// Exceeded is the limit that was reached, with how many it counted.
	Exceeded *Limit `json:"exceeded,omitempty"`
	Counted  int    `json:"counted,omitempty"`
}

// How soon a worker takes up a workflow's tasks when many wait, 1 is first: what
// people have just said goes before everything, and what tells them how things
// stand after everything. All else has the engine's own, which is 3.
const (
	PriorityAnswer = 1
	PriorityTell   = 4
)

// CaseWorkflowID is the workflow id of a case.
func CaseWorkflowID(id string) string { return "case/" + id }

// BudgetID is the id of the one budget workflow of an environment.
const BudgetID = "budget"

// BudgetState is the budget's whole state; it crosses continue-as-new.
type BudgetState struct {
	Paused       *Pause        `json:"paused,omitempty"`
	Reservations []Reservation `json:"reservations,omitempty"`
	// Windows say for how long which actions are counted by some limit.
	Windows []CountedWindow `json:"windows,omitempty"`
	// Changes counts the pauses and resumptions, Resumed is the last resumption.
	Changes int    `json:"changes,omitempty"`
	Resumed *Pause `json:"resumed,omitempty"`
	// Watchers are the cases that are told of the next.
	Watchers []Watcher `json:"watchers,omitempty"`
	// GivenUp are requests that are refused, until they cannot come any more.
	GivenUp []GivenUpReservation `json:"given_up,omitempty"`
}

// GivenUpReservation is a request that its case has given up, and whether it had
// been reserved.
type GivenUpReservation struct {
	ID       string    `json:"id"`
	Reserved bool      `json:"reserved,omitempty"`
	Until    time.Time `json:"until"`
}

// CountedWindow is the longest window in which a limit counts an action.
type CountedWindow struct {
	Action incident.Action `json:"action"`
	Window time.Duration   `json:"window"`
}

// Reservation is one action that counts against limits.
type Reservation struct {
	ID     string          `json:"id"`
	Action incident.Action `json:"action"`
	// Device is the host that it is on. One that was kept before devices were
	// has none, and counts as a host of its own.
	Device string      `json:"device,omitempty"`
	Keys   []BudgetKey `json:"keys"`
	At     time.Time   `json:"at"`
	Keep   time.Time   `json:"keep,omitzero"`
}

// LeaseID is the id of the lease for an order: the engine guarantees that
// there is one at a time.
func LeaseID(use string, o incident.Order) string {
	return "lease/" + string(o.Action) + "/" + use + "/" + o.Scope()
}

// RejectedAlert is a request, or one alert of a request, that was authentic but
// started nothing.
type RejectedAlert struct {
	ID     string    `json:"id"`
	Source string    `json:"source"`
	At     time.Time `json:"at"`
	// Field is what is wrong, Problem why.
	Field   string `json:"field,omitempty"`
	Problem string `json:"problem"`
	// Body is the request as it came, or as much of it as is kept: then Size is
	// how many bytes it had.
	Body []byte `json:"body"`
	Size int    `json:"size,omitempty"`
	// Resolved says what became of it, once somebody has retried it.
	Resolved string `json:"resolved,omitempty"`
}
