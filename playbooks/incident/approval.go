package incident

import (
	"slices"
	"strings"
	"time"
)

// Person is somebody of the configuration, never a display name. The edge
// resolves who it is; the engine decides whether they may.
type Person struct {
	ID string `json:"id"`
	// Groups are the approvers' groups that the person belongs to at the
	// moment of the click, as the edge resolved them.
	Groups []string `json:"groups,omitempty"`
	// Via is where they spoke: cli, console, slack.
	Via string `json:"via,omitempty"`
}

// Vote is one person's answer to an approval.
type Vote struct {
	Person  Person `json:"person"`
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"`
	// Approval names the question that the person was asked: two gates of one
	// plan share its digest.
	Approval string `json:"approval"`
	// PlanDigest is the plan that the person was shown.
	PlanDigest string    `json:"plan_digest"`
	At         time.Time `json:"at"`
	// Click is the id of the click that it came from, Account who clicked as the
	// messenger knows them, and Payload the digest of what the messenger sent, all
	// for the audit; empty for a vote through the API.
	Click   string `json:"click,omitempty"`
	Account string `json:"account,omitempty"`
	Payload string `json:"payload,omitempty"`
}

// ApprovalState is the state of an approval.
type ApprovalState string

// The closed set of approval states. Expired is not denied, and never approved.
const (
	Pending         ApprovalState = "pending"
	Approved        ApprovalState = "approved"
	ApprovalDenied  ApprovalState = "denied"
	ApprovalExpired ApprovalState = "expired"
	Superseded      ApprovalState = "superseded" // the plan changed or the case closed
)

// Approval is a question to people, bound to the digest of the exact plan.
type Approval struct {
	Name       string        `json:"name"`
	State      ApprovalState `json:"state"`
	PlanDigest string        `json:"plan_digest"`
	// Extends is set where it asks that a lease stands longer; it is about no gate
	// then, and PlanDigest covers the new end too.
	Extends *Extension `json:"extends,omitempty"`
	// Because says why it is asked.
	Because string `json:"because,omitempty"`
	// Missing is what the decision would have needed to know.
	Missing []Missing `json:"missing,omitempty"`
	// Gates are the steps that run when it is approved, for people.
	Gates []string `json:"gates,omitempty"`
	// Step is which of the case's steps asks it, counted from 1; 0 in records
	// that do not say.
	Step      int       `json:"step,omitempty"`
	Quorum    int       `json:"quorum"`
	Approvers Approvers `json:"approvers"`
	// ReasonRequired lists the answers (approve, deny) that need a reason.
	ReasonRequired []string  `json:"reason_required,omitempty"`
	Votes          []Vote    `json:"votes,omitempty"`
	AskedAt        time.Time `json:"asked_at"`
	ExpiresAt      time.Time `json:"expires_at"`
	EndedAt        time.Time `json:"ended_at,omitzero"`
	// Reminded and Escalated count what was sent, so that a restart repeats
	// nothing.
	Reminded  int `json:"reminded,omitempty"`
	Escalated int `json:"escalated,omitempty"`
	// Notes say what was done to get an answer: who is on call, whom it was
	// escalated to, where it could not be delivered.
	Notes []string `json:"notes,omitempty"`
	// Paused is set while containment is paused: what the approval lets run waits
	// until it is resumed, and is not run after ExpiresAt.
	Paused *Pause `json:"paused,omitempty"`
}

// VoteOf returns the person's vote, if they have voted.
func (a Approval) VoteOf(person string) (Vote, bool) {
	at := slices.IndexFunc(a.Votes, func(v Vote) bool { return v.Person.ID == person })
	if at < 0 {
		return Vote{}, false
	}
	return a.Votes[at], true
}

// Pause is the kill switch: who, why, when. Of a resumption it says the same.
type Pause struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
}

// Approvers says who may answer. A person may when they are named, when they
// belong to the group, or when they were on call as the question was asked.
type Approvers struct {
	People     []string  `json:"people,omitempty" yaml:"people,omitempty" doc:"Ids of people from stanch.yaml."`
	Group      string    `json:"group,omitempty" yaml:"group,omitempty" doc:"A group that people of stanch.yaml carry."`
	Directory  Directory `json:"directory,omitzero" yaml:"directory,omitempty" doc:"A group in the directory of an integration. Who is in it is asked at the moment of the answer."`
	SlackGroup string    `json:"slack_group,omitempty" yaml:"slack_group,omitempty" doc:"The name of a directory's group without its integration: whichever messenger the person has an account in says who is in it. directory names one."`
	OnCall     OnCall    `json:"on_call,omitzero" yaml:"on_call,omitempty" doc:"Whoever is on call when the question is asked."`
}

// Directory names a group in the directory of an integration.
type Directory struct {
	Use   string `json:"use" yaml:"use,required" doc:"The integration whose group it is, such as slack."`
	Group string `json:"group" yaml:"group,required" doc:"The group's name there."`
}

// DirectoryGroup is the group of a directory that may answer, as a person's groups
// name it: integration/group, or the bare name of one that any messenger may
// vouch for. It is empty where no such group may.
func (a Approvers) DirectoryGroup() string {
	if a.Directory.Group != "" {
		return a.Directory.Use + "/" + a.Directory.Group
	}
	return a.SlackGroup
}

// Include reports whether a person of these groups is among them. Who is on call
// is not looked at.
func (a Approvers) Include(person string, groups []string) bool {
	return slices.Contains(a.People, person) ||
		a.Group != "" && slices.Contains(groups, a.Group) ||
		a.DirectoryGroup() != "" && slices.Contains(groups, a.DirectoryGroup())
}

// Texts are the people and groups, for people. Who is on call is not among them.
func (a Approvers) Texts() []string {
	texts := slices.Clone(a.People)
	for _, group := range []string{a.Group, a.DirectoryGroup()} {
		if group != "" {
			texts = append(texts, "group "+group)
		}
	}
	return texts
}

// SplitDirectoryGroup returns the integration and the group that a
// [Approvers.DirectoryGroup] names; use is empty for a bare name.
func SplitDirectoryGroup(name string) (use, group string) {
	if use, group, ok := strings.Cut(name, "/"); ok {
		return use, group
	}
	return "", name
}

// GroupsIn returns those of the names of [Approvers.DirectoryGroup] that the directory
// of an integration is asked of, by the group's name there.
func GroupsIn(use string, names []string) map[string]string {
	asked := map[string]string{}
	for _, name := range names {
		if of, group := SplitDirectoryGroup(name); of == "" || of == use {
			asked[group] = name
		}
	}
	return asked
}

// OnCall names a level of an escalation policy.
type OnCall struct {
	Use       string `json:"use" yaml:"use,required" doc:"The integration that knows the rota."`
	Policy    string `json:"policy" yaml:"policy,required" doc:"The escalation policy's id."`
	Level     int    `json:"level" yaml:"level" default:"1" doc:"Which level of the policy is asked."`
	Otherwise string `json:"otherwise" yaml:"otherwise,required" doc:"The group that is asked when nobody is on call, or when that cannot be told."`
}
