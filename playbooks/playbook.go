// Package playbooks is the playbook language: loading, linting, schema, tests
// and planning. A playbook's phases are fixed: trigger, enrich, let,
// guardrails, decide, steps.
package playbooks

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

// APIVersion and Kind are what every playbook starts with.
const (
	APIVersion = "stanch/v1"
	Kind       = "Playbook"
)

// Mode says whether a playbook acts.
type Mode string

// The two modes.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow" // decide and report, never act
)

// Playbook is one loaded playbook. It is immutable and safe for concurrent use.
type Playbook struct {
	Name        string
	Owner       string
	Mode        Mode
	Attack      []string
	Description string
	Trigger     Trigger
	// Enrich by fact name; see incident.FactNames.
	Enrich     map[string]Enrichment
	Let        []Let
	Guardrails []Guardrail
	// Unsure names the approval that is asked when the decision rests on
	// something unknown.
	Unsure    string
	Decide    []Rule
	Steps     map[string]Step
	Approvals map[string]Approval

	file   string
	text   []byte
	digest string
	policy *policy.Policy
}

// Trigger says which alerts a playbook answers, and what a case is about.
type Trigger struct {
	Match   string // CEL, bool
	Subject string // CEL, string
}

// Enrichment asks one integration for one fact.
type Enrichment struct {
	Use      string
	Timeout  time.Duration
	Required bool
	With     EnrichmentWith
}

// EnrichmentWith are the parameters of an enrichment.
type EnrichmentWith struct {
	Window time.Duration // traffic
	Top    int           // traffic
	Days   int           // baseline
}

// Let names an expression.
type Let struct {
	Name string
	Expr string
}

// Guardrail can only forbid (Deny) or raise the bar (Limit).
type Guardrail struct {
	Name    string
	Deny    string // CEL, bool
	Limit   *Limit
	Then    string // the approval that is asked when the limit is reached; empty: forbidden
	Because string
}

// Limit bounds how often an action may be done.
type Limit struct {
	Action incident.Action
	Per    string // host, role, site, playbook or all
	Max    int
	Window time.Duration
}

// Rule is one line of the decision table. The last has no When.
type Rule struct {
	Rule     string
	When     string
	Severity string
	Because  string
	Do       []incident.Doing
}

// Step is one thing that a rule can do.
type Step struct {
	Action    incident.Action
	Use       string
	With      StepWith
	TTL       time.Duration
	Timeout   time.Duration
	Verify    *incident.Verify
	OnFailure string // continue, page or stop
	// UnsureAct lets a reversible step run though the decision is unsure.
	UnsureAct bool
}

// StepWith are the parameters of a step.
type StepWith struct {
	Rate    int64    // rate_limit, bits per second
	What    []string // collect
	Channel string   // notify
	// Match says what a block stops: top_destination, top_port or
	// reflected_port, resolved from the traffic of the case.
	Match string
}

// Approval is a question to people, as the playbook words it.
type Approval struct {
	Ask            Ask
	Approvers      incident.Approvers
	Quorum         int
	RemindAfter    time.Duration
	ExpireAfter    time.Duration
	ReasonRequired []string
	Exclude        []string
	Escalate       []Escalation
}

// Ask says where a question goes: the name of a messenger integration and the
// channel there.
type Ask struct {
	Use     string
	Channel string
	Mention string
}

// Escalation asks elsewhere when nobody has answered.
type Escalation struct {
	After time.Duration
	Ask   Ask
}

// Digest identifies the playbook by its canonical content.
func (p *Playbook) Digest() string { return p.digest }

// Text is the playbook as it was written; loading it again gives the same
// digest.
func (p *Playbook) Text() []byte { return p.text }

// File is the name of the file it was loaded from.
func (p *Playbook) File() string { return p.file }

// Policy is the compiled policy.
func (p *Playbook) Policy() *policy.Policy { return p.policy }
