package incident

import "time"

// Reply is one thing that the sender of an alert is told about its case: it goes to the
// alert itself, where the sender keeps it.
type Reply struct {
	// Key identifies the reply: the same key is one comment there, however often it is sent.
	Key string      `json:"key"`
	To  AlertRecord `json:"to"`
	// Kind is what is told, of [ReplyKinds].
	Kind EventKind `json:"kind"`
	Case CaseRef   `json:"case"`
	// Step and Use are what a level of proof is about.
	Step string `json:"step,omitempty"`
	Use  string `json:"use,omitempty"`
	// Text is plain, of one or several lines. It may hold the attacker's words: whoever shows
	// it escapes it.
	Text string    `json:"text"`
	At   time.Time `json:"at"`
	// Outcome and Verdict are those of a case that has closed.
	Outcome CaseOutcome `json:"outcome,omitempty"`
	Verdict CaseVerdict `json:"verdict,omitempty"`
	// Close reports whether the sender's record is to be closed as well.
	Close bool `json:"close,omitempty"`
	// Received is when the first alert of the record reached this case: one that follows right
	// on what its sender was told about another case is an echo of that.
	Received time.Time `json:"received,omitzero"`
}

// ReplyKinds are the events of a case that its alerts' senders are told: that it opened, or
// goes on after it had closed; the levels of proof of its steps; and that it closed.
func ReplyKinds() []EventKind {
	return []EventKind{EvOpened, EvAccepted, EvConfirmed, EvVerified, EvNotEffective, EvCannotTell, EvClosed}
}

// AlertRecord names an alert where its sender keeps it.
type AlertRecord struct {
	// Source is the source of stanch.yaml that it came through, ID what it is called there.
	Source string `json:"source"`
	ID     string `json:"id"`
	// Reference is what its sender calls it in its own API, where that differs.
	Reference string `json:"reference,omitempty"`
}

// Record is the alert as its sender keeps it.
func (a Alert) Record() AlertRecord {
	return AlertRecord{Source: a.Source, ID: a.ID, Reference: a.Reference}
}

// CaseVerdict is what the person who closes a case found the alert to be.
type CaseVerdict string

// The closed set of verdicts. Without one nobody has judged the alert: Stanch itself does not.
const (
	NoVerdict     CaseVerdict = ""
	TruePositive  CaseVerdict = "true_positive"
	Benign        CaseVerdict = "benign" // it was as the alert says, and is wanted
	FalsePositive CaseVerdict = "false_positive"
)

// CaseVerdicts lists the verdicts that a person can give.
func CaseVerdicts() []CaseVerdict {
	return []CaseVerdict{TruePositive, Benign, FalsePositive}
}
