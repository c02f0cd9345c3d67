// Package playbooks is the playbook language: loading, linting, schema, tests
// and planning. A playbook's phases are fixed: trigger, enrich, let,
// guardrails, decide, steps.
package playbooks

import (
	"cmp"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

// Mode determines whether a playbook acts.
type Mode string

// The two modes.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow" // decide and report, never act
)

// Playbook is one loaded playbook. It is immutable and safe for concurrent use.
// Its tags are the language: the decoder, the schema and the reference read
// them.
type Playbook struct {
	APIVersion  string   `yaml:"apiVersion,required" enum:"stanch/v1" doc:"Version of the language."`
	Kind        string   `yaml:"kind,required" enum:"Playbook" doc:"Always Playbook."`
	Name        string   `yaml:"name,required" doc:"Name, also in case ids; a-z, 0-9 and -."`
	Owner       string   `yaml:"owner,required" doc:"Who answers for the playbook."`
	Authors     []string `yaml:"authors" doc:"Ids of the people who wrote it or changed it last; an approval may exclude them."`
	Mode        Mode     `yaml:"mode,required" enum:"enforce,shadow" doc:"enforce acts; shadow decides and reports, and never acts."`
	Attack      []string `yaml:"attack" doc:"ATT&CK ids that the playbook answers, such as T1498.002."`
	Description string   `yaml:"description,required" doc:"What the playbook is for, for people."`
	Trigger     Trigger  `yaml:"trigger,required" doc:"Which alerts the playbook answers, and what a case is about."`
	// Enrich by fact name; see incident.FactNames.
	Enrich     map[string]Enrichment `yaml:"enrich" doc:"The facts to obtain, in parallel. The keys are the facts."`
	Let        Lets                  `yaml:"let" doc:"Named expressions, in order: a later one may use an earlier one."`
	Guardrails []Guardrail           `yaml:"guardrails" doc:"What may only forbid, or raise the bar."`
	// Unsure names the approval that is asked when the decision rests on
	// something unknown.
	Unsure    string              `yaml:"unsure,required" doc:"The approval that is asked when the decision rests on something unknown: before its first containing step; or, where it contains nothing, for the plan of the first rule above that is unknown and would contain."`
	Decide    []Rule              `yaml:"decide,required" doc:"The rules, read top to bottom; the first that holds wins. The last has no when."`
	Steps     map[string]Step     `yaml:"steps" doc:"What rules can do, by name."`
	Approvals map[string]Approval `yaml:"approvals,required" doc:"Questions to people, by name."`

	file     string
	text     []byte
	digest   string
	policy   *policy.Policy
	roles    incident.Vocabulary
	warnings Issues
	// complaints are faults that fail lint and a changed file only.
	complaints Issues
}

// Trigger selects the alerts that a playbook answers, and the subject of their
// case.
type Trigger struct {
	Match   string `yaml:"match,required" cel:"bool" doc:"Whether the playbook answers an alert. It sees the alert only."`
	Subject string `yaml:"subject,required" cel:"string" doc:"What the case is about. One case is open per subject; later alerts join it."`
}

// Enrichment is the lookup of one fact from one integration.
type Enrichment struct {
	Use      string         `yaml:"use,required" doc:"The integration to ask, by its name in stanch.yaml."`
	Timeout  time.Duration  `yaml:"timeout" default:"20s" doc:"How long the answer may take; the fact is unknown afterwards."`
	Required bool           `yaml:"required" default:"false" doc:"Without the fact nothing is decided: people are told, nothing is done."`
	With     EnrichmentWith `yaml:"with" doc:"Parameters."`
}

// EnrichmentWith are the parameters of an enrichment.
type EnrichmentWith struct {
	Window time.Duration `yaml:"window" default:"15m" doc:"{with}: how far back to look."`
	Top    int           `yaml:"top" default:"20" doc:"{with}: how many destinations to list."`
	Days   int           `yaml:"days" default:"14" doc:"{with}: how many days to look back."`
}

// Let names an expression.
type Let struct {
	Name string
	Expr string
}

// Guardrail can only forbid (Deny) or raise the bar (Limit).
type Guardrail struct {
	Name    string `yaml:"name,required" doc:"Name; a-z, 0-9 and -."`
	Deny    string `yaml:"deny" cel:"bool" doc:"Forbids every containing step when it holds. Unknown makes the decision unsure, an error denies."`
	Limit   *Limit `yaml:"limit" doc:"Bounds how often an action may be done."`
	Then    string `yaml:"then" in:"approve" doc:"The approval that is asked when the limit is reached; without it the step is forbidden."`
	Because string `yaml:"because" doc:"Why, for people. Required with deny."`
}

// Limit bounds on how many hosts an action may be done: a host that is acted on
// again in the window counts once, but for a limit per host, which bounds how
// often.
type Limit struct {
	Action incident.Action `yaml:"action,required" doc:"The containing action that is counted."`
	Per    string          `yaml:"per,required" enum:"host,role,site,playbook,all" doc:"What is counted apart. Hosts are counted, each once; per host, how often."`
	Max    int             `yaml:"max,required" doc:"How many hosts may be acted on in the window; per host, how often one may."`
	Window time.Duration   `yaml:"window,required" doc:"The sliding window."`
}

// Rule is one line of the decision table. The last has no When.
type Rule struct {
	Rule     string `yaml:"rule,required" doc:"Name; a-z, 0-9 and -."`
	When     string `yaml:"when" cel:"bool" doc:"The condition. Every rule has one but the last."`
	Severity string `yaml:"severity,required" enum:"info,low,medium,high,critical" doc:"How bad it is, in the card's headline."`
	Because  string `yaml:"because,required" doc:"Why the rule decides so, for the card and the audit."`
	Do       Doings `yaml:"do,required" doc:"The steps to run, in order. An approve gates the steps after it."`
}

// Step is one action that a rule can run.
type Step struct {
	Action  incident.Action  `yaml:"action,required" doc:"The action to carry out."`
	Use     Uses             `yaml:"use,required" as:"name, or list of names" doc:"The integration that does it, by its name in stanch.yaml. For {leased} several, the preferred one first: the first that can act on the device does it, which is found when the plan is made."`
	With    StepWith         `yaml:"with" doc:"Parameters, by action."`
	TTL     time.Duration    `yaml:"ttl" doc:"When the containment is given back. Required for {leased}."`
	Timeout time.Duration    `yaml:"timeout" doc:"How long the step may take."`
	Verify  *incident.Verify `yaml:"verify" doc:"The proof that is asked of the flow store. Required for {leased}."`
	// OnFailure is what happens when the step fails or is not effective.
	OnFailure string `yaml:"on_failure" enum:"continue,page,stop" default:"stop for a containing action, else continue" doc:"What happens when the step fails or is not effective: go on, tell people and go on, or end."`
	// HeardWithin and Fallback are the way back of an isolation.
	HeardWithin time.Duration `yaml:"heard_within" doc:"For isolate: within what time after it is in place the EDR must have heard the device's agent. Where it has not, the isolation is undone."`
	Fallback    string        `yaml:"fallback" doc:"For isolate, with heard_within: the step that takes its place when it is undone because the agent was not heard, such as a rate_limit at a gateway."`
	// HoldAtMost, Watch and AgainAbove let a containment go on while the host still
	// sends; QuietFor has it end early.
	HoldAtMost time.Duration `yaml:"hold_at_most" doc:"How long the containment may be in place in all, if the host still sends when its ttl is over: it then goes on, or is taken again without a new alert. Each round is twice as long as the one before. Afterwards people are asked. Without it the containment ends by its ttl. For {leased}."`
	Watch      time.Duration `yaml:"watch" default:"15m" doc:"With hold_at_most: how long the host is watched after the containment was given back."`
	AgainAbove int64         `yaml:"again_above" unit:"rate" doc:"With hold_at_most: from what rate on the host counts as still sending. Where it is not written, it is the largest of verify's egress_below, the host's usual p99 and a quarter of what the decision was about; where that is unknown, nothing is held again and people are told."`
	QuietFor   time.Duration `yaml:"quiet_for" doc:"Gives the containment back early, once the limiter itself has dropped nothing for so long. For rate_limit and block, at products that count what they drop."`
	// SharedBlock lets a block stop what many unrelated services are reached by.
	SharedBlock bool `yaml:"shared" word:"block" doc:"block: stop a destination though others are reached at its address, as at a CDN, a cloud or a public resolver. For block; without it such a destination is not blocked."`
	// UnsureAct lets a reversible step run though the decision is unsure.
	UnsureAct bool `yaml:"unsure" word:"act" doc:"act: run though the decision is unsure. For {reversible}."`
}

// StepWith are the parameters of a step.
type StepWith struct {
	Rate    int64    `yaml:"rate" unit:"rate" doc:"{with}: the most that the host may send, per second."`
	What    []string `yaml:"what" enum:"processes,connections" doc:"{with}: what to take."`
	Channel string   `yaml:"channel" doc:"{with}: where to write, in the messenger's own form."`
	// Match is the traffic that a block stops or a limit bounds, resolved from the
	// traffic of the case.
	Match string `yaml:"match" enum:"top_flow,top_destination,top_port,reflected_port" doc:"{with}: which part of the traffic; a rate_limit without it is of all that the host sends. Where most bytes go: top_flow is that address and port together, top_destination the address, top_port the port, whatever the address. reflected_port is the host's own port that answers."`
}

// Approval is a question to people, as the playbook words it.
type Approval struct {
	Ask            Ask                `yaml:"ask,required" doc:"Where the question goes."`
	Approvers      incident.Approvers `yaml:"approvers,required" doc:"Who may answer."`
	Quorum         int                `yaml:"quorum" default:"1" doc:"How many people must approve. One denial denies."`
	RemindAfter    time.Duration      `yaml:"remind_after" doc:"When to ask again in the same place."`
	ExpireAfter    time.Duration      `yaml:"expire_after,required" doc:"When the question ends. Expired is never approved."`
	ReasonRequired []string           `yaml:"reason_required" enum:"approve,deny" doc:"The answers that need a reason."`
	Exclude        []string           `yaml:"exclude" doc:"Ids of people who may not answer. raiser is the person who raised the alert, author each of the playbook's authors."`
	Fallback       Fallback           `yaml:"fallback" doc:"Where the question goes when it cannot be delivered."`
	Escalate       []Escalation       `yaml:"escalate" doc:"Where else to ask when there is no answer, in order of time."`
}

// Directory is the integration and the group whose members may answer: a bare name
// is looked up where the question goes. The group is empty where there is none.
func (a Approval) Directory() (use, group string) {
	use, group = incident.SplitDirectoryGroup(a.Approvers.DirectoryGroup())
	return cmp.Or(use, a.Ask.Use), group
}

// Ask is the destination of a question: the name of a messenger integration and
// the channel there.
type Ask struct {
	Use     string
	Channel string
	Mention string
}

// The words of exclude that mean people of the case.
const (
	ExcludeRaiser = "raiser"
	ExcludeAuthor = "author"
)

// Fallback asks elsewhere when a question cannot be delivered: the
// messenger is down, slow, or refuses it. It never approves anything.
type Fallback struct {
	After time.Duration `yaml:"after" default:"30s" doc:"How long a place has to show the question."`
	Ask   []Ask         `yaml:"ask,required" doc:"Where to ask instead, one after the other."`
}

// Escalation asks elsewhere when there is no answer.
type Escalation struct {
	After time.Duration `yaml:"after,required" doc:"How long after the question was asked."`
	Ask   Ask           `yaml:"ask,required" doc:"Where to ask."`
}

// Digest identifies the playbook by its canonical content.
func (p *Playbook) Digest() string { return p.digest }

// Text is the playbook as it was written; loading it again gives the same
// digest.
func (p *Playbook) Text() []byte { return slices.Clone(p.text) }

// File is the name of the file it was loaded from.
func (p *Playbook) File() string { return p.file }

// Policy is the compiled policy.
func (p *Playbook) Policy() *policy.Policy { return p.policy }

// Roles are the asset roles that its policy knows.
func (p *Playbook) Roles() incident.Vocabulary { return p.roles }

// Warnings are issues of a playbook that loads: the warnings of lint, and the
// faults that a deployed playbook may have.
func (p *Playbook) Warnings() Issues {
	all := p.Lint()
	for i := range all {
		all[i].Warning = true
	}
	return all
}

// Lint returns the issues that lint shows of a playbook that loads. A changed
// file with errors among them is not loaded.
func (p *Playbook) Lint() Issues { return append(slices.Clone(p.warnings), p.complaints...).sorted() }
