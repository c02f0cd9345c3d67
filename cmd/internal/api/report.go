package api

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Report is what cases did in a span of time. Its durations are nanoseconds.
type Report struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// KeptSince is set where closed cases from before it are no longer kept, and it is
	// later than Since.
	KeptSince time.Time `json:"kept_since,omitzero"`
	// Cases counts those that were open in the span, Open those that still are. Unread
	// are those of which only the outcome, the playbook and the rule are counted,
	// because they did not answer in time; More reports that there were more than one
	// report takes.
	Cases  int  `json:"cases"`
	Open   int  `json:"open"`
	Unread int  `json:"unread,omitempty"`
	More   bool `json:"more,omitempty"`
	// Outcomes counts cases by outcome, those that are open as open.
	Outcomes  []ReportCount   `json:"outcomes"`
	Rules     []ReportRule    `json:"rules"`
	Stages    []ReportStage   `json:"stages"`
	Approvals ReportApprovals `json:"approvals"`
	// Unproven are containing steps that a product accepted and that the flow store did
	// not show to be effective, Late those that were given back after their time,
	// HeldBack counts why steps were held back: limits, guardrails, the kill switch.
	Unproven ReportSteps   `json:"unproven"`
	Late     ReportSteps   `json:"late"`
	HeldBack []ReportCount `json:"held_back"`
	// Held counts, by how they ended, the containments that may be held again while their
	// host still sends, or end early.
	Held []ReportHeld `json:"held"`
	// Standing are the leases that stand now.
	Standing LeaseList `json:"standing"`
}

// ReportCount is how often something was.
type ReportCount struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// ReportHeld counts containments that may be held again, or end early, and that ended in one
// way in the span or, where it is open, are in place or watched. All rounds of one
// are one containment.
type ReportHeld struct {
	// End is quiet: the host was not seen to send any more; people: they released it, closed
	// the case or said no; used_up: its hold_at_most was, and nobody let it go on; held_back:
	// a check forbade it, or nobody answered what one asked; cannot_tell: nothing measured
	// the host; other, or open.
	End          string `json:"end"`
	Containments int    `json:"containments"`
	// HeldAgain are those of them that took more than one round, Rounds how many further
	// ones these took, and InPlace how long they were in place.
	HeldAgain int          `json:"held_again"`
	Rounds    int          `json:"rounds"`
	InPlace   ReportSpread `json:"in_place"`
}

// ReportRule counts the cases that a rule of a playbook decided; the rule is empty
// where none did.
type ReportRule struct {
	Playbook string `json:"playbook"`
	Rule     string `json:"rule,omitempty"`
	Cases    int    `json:"cases"`
}

// ReportSpread is how long something took, by percentiles.
type ReportSpread struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50"`
	P90   time.Duration `json:"p90"`
	P99   time.Duration `json:"p99"`
	Max   time.Duration `json:"max"`
}

// ReportStage is how long it took to reach a stage: since the stage before it, and
// since the alert was received.
type ReportStage struct {
	Stage  incident.Stage  `json:"stage"`
	Action incident.Action `json:"action,omitempty"`
	Took   ReportSpread    `json:"took"`
	Total  ReportSpread    `json:"total"`
}

// ReportApprovals are the questions that were asked.
type ReportApprovals struct {
	Asked      int `json:"asked"`
	Approved   int `json:"approved"`
	Denied     int `json:"denied"`
	Expired    int `json:"expired"`
	Superseded int `json:"superseded"`
	Pending    int `json:"pending"`
	// Answer is how long those that were answered waited.
	Answer ReportSpread `json:"answer"`
	// People are those who answered, the slowest first.
	People []ReportPerson `json:"people"`
}

// ReportPerson is how long a person took to answer.
type ReportPerson struct {
	Person string       `json:"person"`
	Answer ReportSpread `json:"answer"`
}

// ReportSteps are steps of cases. Count is of all, and more than are listed where there
// are many.
type ReportSteps struct {
	Count int          `json:"count"`
	Steps []ReportStep `json:"steps"`
}

// ReportStep is one step of a case.
type ReportStep struct {
	Case   string          `json:"case"`
	Run    string          `json:"run"`
	Step   string          `json:"step"`
	Action incident.Action `json:"action"`
	// Proof and Detail say what the flow store showed, Until when the lease was to end
	// and EndedAt when it did.
	Proof   incident.Proof `json:"proof,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Until   time.Time      `json:"until,omitzero"`
	EndedAt time.Time      `json:"ended_at,omitzero"`
}
