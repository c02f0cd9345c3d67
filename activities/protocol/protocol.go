// Package protocol is the messages between cases, leases, budgets, channels and
// people's commands: names and ids of workflows, their signals, updates and
// queries with their payloads, search attributes and task queues. It
// has no behaviour. All of it is in histories: a field may be added, never
// renamed or given another meaning.
package protocol

// Names of the workflows, updates, signals and queries, as they are in
// history. They are next to the types of their payloads.
const (
	RespondWorkflow  = "respond"
	LeaseWorkflow    = "lease"
	BudgetWorkflow   = "budget"
	RejectedWorkflow = "rejected"
	ChannelWorkflow  = "channel"
	ClickWorkflow    = "click"
	DailyWorkflow    = "standing"
	ClaimWorkflow    = "claim"
	OutboxWorkflow   = "outbox"

	AlertsSignal = "alerts" // to a case: []incident.Alert
	LeaseSignal  = "lease"  // to a case: LeaseChange
	ShownSignal  = "shown"  // to a case: ShownChange
	PauseSignal  = "pause"  // to a case: PauseChange
	ReplySignal  = "reply"  // to a case: ReplyChange
	LeaveSignal  = "leave"  // to a lease: LeaveRequest
	ExtendSignal = "extend" // to a lease: HolderExtension
	ShowSignal   = "show"   // to a channel: ShowRequest
	// RepliesSignal is to an outbox: []incident.Reply.
	RepliesSignal = "replies"
	// UnheardSignal is to a budget: Unheard.
	UnheardSignal = "unheard"
	// ConfigureSignal is to the daily digest: DailyInput.
	ConfigureSignal = "configure"

	DecideUpdate  = "decide"  // to a case: incident.Vote
	CloseUpdate   = "close"   // to a case: CloseRequest
	MergeUpdate   = "merge"   // to a case: MergeRequest
	ClaimUpdate   = "claim"   // to the claim to a device: ClaimRequest
	UnclaimUpdate = "unclaim" // to the claim to a device: incident.CaseRef
	HoldUpdate    = "hold"    // to a lease: HoldRequest
	FindUpdate    = "find"    // to a lease: HoldRequest
	GiveUpUpdate  = "give_up" // to a lease or a budget: GiveUpRequest
	ExtendUpdate  = "extend"  // to a case: ExtendRequest; to a lease of an earlier version, which extended at once
	ReleaseUpdate = "release" // to a lease: ReleaseRequest; to a budget: a reservation's id
	CompareUpdate = "compare" // to a lease: nothing; its answer is Compared
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

// How soon a worker takes up a workflow's tasks when many wait, 1 is first: what
// people have just said goes before everything, and showing them the current
// state after everything. All else has the engine's own, which is 3.
const (
	PriorityAnswer = 1
	PriorityTell   = 4
)
