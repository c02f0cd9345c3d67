// Package api is the requests and answers of Stanch's HTTP API, as the server
// writes them and its clients read them.
package api

import (
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The bounds of the body of a request with alerts, in bytes: that of a source which has
// none of its own, and the highest that a source may have.
const (
	DefaultBody = 1 << 20
	MaxBody     = 4 << 20
)

// DecideRequest is a person's answer to an approval.
type DecideRequest struct {
	Approve bool `json:"approve"`
	// Plan is the digest of the plan that the person was shown.
	Plan string `json:"plan"`
	// Approval names the question that is answered; empty is the one that the
	// plan waits for. A plan can hold more than one.
	Approval string `json:"approval,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Via is where the person spoke, cli or console; api when it is empty.
	Via string `json:"via,omitempty"`
}

// ReasonRequest carries why a person does something.
type ReasonRequest struct {
	Reason string `json:"reason"`
}

// CloseRequest closes a case: why, and what the person found its alert to be, which may be
// left out.
type CloseRequest struct {
	Reason  string               `json:"reason"`
	Verdict incident.CaseVerdict `json:"verdict,omitempty"`
}

// What a [CaseFilter] selects in addition to the statuses of an open case.
const (
	AllCases    = "all"
	OpenCases   = "open"
	ClosedCases = "closed"
)

// CaseFilter selects cases.
type CaseFilter struct {
	// Status is all, open, closed, or the status of an open case; all when it is
	// empty.
	Status string
	// Subject is the subject of the cases; all when it is empty.
	Subject string
	// Limit is how many are listed; the server's own when it is zero.
	Limit int
}

// CaseList is a list of cases, newest first. More reports that it was cut off.
type CaseList struct {
	Cases []incident.CaseSummary `json:"cases"`
	More  bool                   `json:"more,omitempty"`
}

// CaseRef is the case that an alert was added to.
type CaseRef struct {
	ID string `json:"id"`
	// Run distinguishes the cases that one subject had.
	Run string `json:"run,omitempty"`
	URL string `json:"url"`
	// Alerts is the number of the request's alerts that were added.
	Alerts int `json:"alerts"`
	// Repeat reports that the case is closed and has had all of them before.
	Repeat bool `json:"repeat,omitempty"`
}

// Extending is an active lease, with the approvers who are asked whether to
// extend it.
type Extending struct {
	incident.Lease
	Asked []AskedToExtend `json:"asked"`
	// NotAsked are the other cases that hold the lease and ask no approver, with why.
	NotAsked map[string]string `json:"not_asked,omitempty"`
}

// AskedToExtend is a case that asks its approvers for an extension.
type AskedToExtend struct {
	Case string `json:"case"`
	Step string `json:"step"`
	// Approval is the question, with its deadline and the digest to answer with.
	Approval incident.Approval `json:"approval"`
}

// Accepted is the answer to alerts that the engine holds.
type Accepted struct {
	// Cases are where the alerts went, each once, in the order of their first
	// alerts.
	Cases []CaseRef `json:"cases"`
	// Recorded are the ids of alerts that require no response and are kept.
	Recorded []string `json:"recorded,omitempty"`
	// Unkept are how many such alerts are only counted: the source has left as many as are
	// kept.
	Unkept int `json:"unkept,omitempty"`
	// Rejected are the alerts that were rejected, in their order.
	Rejected []RejectedRef `json:"rejected,omitempty"`
}

// RejectedRef is one alert of a request that was rejected.
type RejectedRef struct {
	// Index is its place in the request, from 0.
	Index int `json:"index"`
	// ID is the id under which it is kept; empty where there was no room for it.
	ID string `json:"id"`
	// Alert is the sender's own id of it, where that could be read.
	Alert string `json:"alert,omitempty"`
	// Path is the field that is wrong, as written in the request.
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem"`
}

// LeaseList is the active leases, those that end soonest first.
type LeaseList struct {
	Leases []incident.Lease `json:"leases"`
	// Unread are the ids of leases that did not answer.
	Unread []string `json:"unread,omitempty"`
	More   bool     `json:"more,omitempty"`
}

// DriftList is how products differ from the leases that stand.
type DriftList struct {
	// Read is how many leases stand; the product of each was asked.
	Read  int              `json:"read"`
	Drift []incident.Drift `json:"drift"`
	// Unlisted are the integrations of standing leases that cannot list what is in place:
	// what no lease stands for is not found there.
	Unlisted []string `json:"unlisted,omitempty"`
	// Elsewhere are the integrations that only another process carries out: that one was
	// asked about each lease, and what no lease stands for was not looked for there.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// More reports that there are more leases than were read. What no lease stands for was
	// not looked for then.
	More bool `json:"more,omitempty"`
}

// LeaseRequest names a lease and what a person wants of it.
type LeaseRequest struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	// For is how long from now an extended lease stays active.
	For time.Duration `json:"for,omitempty"`
}

// SinceRequest asks to release everything that was contained lately.
type SinceRequest struct {
	Since  time.Duration `json:"since"`
	Reason string        `json:"reason"`
}

// Released is the outcome of each lease of a release request.
type Released struct {
	// Released were released, confirmed by the devices. Undoing are ordered to
	// be released and are retried.
	Released []incident.Lease `json:"released"`
	Undoing  []incident.Lease `json:"undoing,omitempty"`
	// Failed are the leases that were not released, by id, with the reason.
	Failed map[string]string `json:"failed,omitempty"`
	// More reports that there were more leases than one request takes.
	More bool `json:"more,omitempty"`
}

// RejectedList is the rejected alerts that wait to be retried, newest first.
type RejectedList struct {
	Rejected []protocol.RejectedAlert `json:"rejected"`
	// Unread are the ids of those that did not answer.
	Unread []string `json:"unread,omitempty"`
	More   bool     `json:"more,omitempty"`
}

// Health is whether the process lives, or whether it can take alerts.
type Health struct {
	Status string `json:"status"`
	// Error is why it cannot.
	Error string `json:"error,omitempty"`
}

// Problem is an answer other than success.
type Problem struct {
	Error string `json:"error"`
	// Kind is what went wrong in one word, for programs.
	Kind string `json:"kind,omitempty"`
	// Field is what is wrong in the request.
	Field string `json:"field,omitempty"`
	// Missing is the right that the person lacks.
	Missing string `json:"missing,omitempty"`
	// Rejected is the id under which the request was kept, or the first alert of
	// it; Alerts are all, where they were kept one by one.
	Rejected string        `json:"rejected,omitempty"`
	Alerts   []RejectedRef `json:"alerts,omitempty"`
}
