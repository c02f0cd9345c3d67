package integrations

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// CardState is the state of a card's case in one word.
type CardState string

// The closed set of card states.
const (
	CardAsking       CardState = "asking"    // an approval is pending
	CardDenied       CardState = "denied"    // people said no
	CardExpired      CardState = "expired"   // nobody answered in time
	CardSuperseded   CardState = "void"      // the plan changed, or the case was closed
	CardApproved     CardState = "approved"  // the engine accepted it; nothing has begun
	CardRunning      CardState = "running"   // a step is under way
	CardPaused       CardState = "paused"    // approved, and waits for containment to be resumed
	CardHeldBack     CardState = "held_back" // approved, and not done: something has come between
	CardAccepted     CardState = "accepted"  // the products took it; not confirmed yet
	CardConfirmed    CardState = "confirmed" // the device says that it stands
	CardEffective    CardState = "effective" // measured: egress is as low as asked
	CardNotEffective CardState = "not_effective"
	CardCannotTell   CardState = "cannot_tell" // confirmed, and no telemetry can say more
	CardGivenBack    CardState = "given_back"
	CardFailed       CardState = "failed"
	CardTold         CardState = "told" // a notice: nothing is asked
)

// Card is a case as people see it in a messenger: everything that it shows, as
// plain text. It is a pure function of the case, so that showing it again
// changes nothing.
type Card struct {
	State CardState
	// Case, Subject and Severity identify the case, Title in one line: the
	// question while it asks ("Isolate ws-042 for 4 h?"), the state afterwards.
	Case     string
	Subject  string
	Severity string
	Title    string
	// Because is the rule's reason. Shadow reports that no action is or will be taken.
	Because string
	Shadow  bool
	// Facts are who, what and where, each with its certainty. Missing is what the
	// decision would have needed to know.
	Facts   []CardFact
	Missing []string
	// Effect is the effect of approving, one line a step, with its duration; Impact
	// is the blast radius, Undo how it is undone.
	Effect []string
	Impact []string
	Undo   string
	// Rule, Playbook and PlaybookDigest identify what decided.
	Rule           string
	Playbook       string
	PlaybookDigest string
	// Question is set while the card asks, and kept to show how it ended.
	Question *CardQuestion
	// Steps are the progress of the case, one line a step.
	Steps []CardStep
	// Command is the line for a terminal, for when the messenger is down.
	Commands []string
	URL      string
}

// CardFact is one fact for people: "Process", "powershell.exe (pid 4242)",
// "measured by edr".
type CardFact struct {
	Label string
	Value string
	// How is its source and certainty, in words; "unknown"
	// for an unknown value, the reason of which is in the value.
	How string
}

// CardQuestion is an approval as a card shows it.
type CardQuestion struct {
	Approval   string
	PlanDigest string
	State      incident.ApprovalState
	// Approve labels the button that approves, by its effect: "Isolate ws-042
	// for 4 h".
	Approve string
	// Critical asks for confirmation before an approval counts.
	Critical bool
	// ApproveReason and DenyReason report which answer takes a reason.
	ApproveReason bool
	DenyReason    bool
	Quorum        int
	// Approvers is in words who may answer; Groups are the product's groups
	// in which membership is looked up.
	Approvers string
	Groups    []string
	Votes     []CardVote
	AskedAt   time.Time
	ExpiresAt time.Time
	EndedAt   time.Time
	// Paused is set while containment is paused: what is approved waits until it
	// is resumed, and is not done after ExpiresAt.
	Paused *incident.Pause
	// Notes are the steps of getting an answer: reminded, escalated, an empty
	// rota.
	Notes []string
}

// CardVote is one person's answer.
type CardVote struct {
	Person  string
	Via     string
	Approve bool
	Reason  string
	At      time.Time
}

// CardStep is one step of the plan.
type CardStep struct {
	Text   string
	Status incident.StepStatus
	// Word is how far it has come where the status does not say it, such as denied;
	// empty: the status and the proof say it.
	Word string `json:",omitempty"`
	// Proof is the evidence of the effect: accepted, confirmed, verified,
	// not_effective, cannot_tell; empty before it.
	Proof string
	At    time.Time
	// Until is when the lease ends.
	Until time.Time
	// Counted is what the product let through and dropped, where it counts and the step's
	// problem does not say it.
	Counted string `json:",omitempty"`
	Problem string
}
