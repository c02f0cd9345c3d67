package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// DecisionOutcome says what kind of answer policy gave.
type DecisionOutcome string

// The closed set of decision outcomes. People decide an Undecided one. The others
// but Decided only notify people.
const (
	Decided      DecisionOutcome = "decided"
	Undecided    DecisionOutcome = "undecided"     // nothing that is known asks for containment, something unknown might
	Denied       DecisionOutcome = "denied"        // a guardrail forbids containment
	CannotDecide DecisionOutcome = "cannot_decide" // a required fact is missing
	DecisionErr  DecisionOutcome = "error"         // an expression failed
)

// Decision is what policy said, and why.
type Decision struct {
	Outcome DecisionOutcome `json:"outcome"`
	// Rule is the first rule that is known to hold, Severity its severity.
	Rule     string `json:"rule,omitempty"`
	Severity string `json:"severity,omitempty"`
	Because  string `json:"because,omitempty"`
	// Do names the rule's steps and approvals, as the playbook writes them.
	Do []Doing `json:"do,omitempty"`
	// Unsure lists what the decision would have needed to know; the approval
	// named by the playbook's unsure is asked before the first containing step.
	Unsure []Missing `json:"unsure,omitempty"`
	// Unknown is what an undecided decision leaves open.
	Unknown *UnknownRule `json:"unknown_rule,omitempty"`
	// DeniedBy names the guardrail that forbids.
	DeniedBy string `json:"denied_by,omitempty"`
	// Error is the failing expression's name and fault.
	Error string `json:"error,omitempty"`
	Trace Trace  `json:"trace"`
	// PlaybookDigest identifies the policy text that decided.
	PlaybookDigest string    `json:"playbook_digest"`
	At             time.Time `json:"at"`
}

// UnknownRule is a rule that would contain, and of which it is not known whether
// it holds. It precedes the rule that is known to hold, which contains
// nothing.
type UnknownRule struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	// Because is why the rule would contain, if it holds.
	Because string  `json:"because"`
	Do      []Doing `json:"do"`
	// Missing is what it would have needed to know.
	Missing []Missing `json:"missing"`
}

// AtStake returns the rule that a decision is about, with its severity: the one
// that holds, or of an undecided decision the one that may.
func (d Decision) AtStake() (rule, severity string) {
	if d.Unknown != nil {
		return d.Unknown.Rule, d.Unknown.Severity
	}
	return d.Rule, d.Severity
}

// Doing is one entry of a rule's do: a step, or an approval that gates the
// steps after it.
type Doing struct {
	Step      string   `json:"step,omitempty"`
	Approve   string   `json:"approve,omitempty"`
	IfDenied  []string `json:"if_denied,omitempty"`
	IfExpired []string `json:"if_expired,omitempty"`
}

// Verdict is the three-valued result of a condition.
type Verdict string

// The verdicts. Failed means that the expression could not be evaluated.
const (
	True    Verdict = "true"
	False   Verdict = "false"
	Unsure  Verdict = "unknown"
	Failed  Verdict = "error"
	Skipped Verdict = "not_reached" // a rule below the chosen one
)

// Trace records every condition that was looked at, so that a decision to act
// and a decision not to act explain themselves alike.
type Trace struct {
	Let        []LetTrace       `json:"let,omitempty"`
	Guardrails []ConditionTrace `json:"guardrails,omitempty"`
	Rules      []ConditionTrace `json:"rules,omitempty"`
}

// LetTrace is one let with its value.
type LetTrace struct {
	Name    string    `json:"name"`
	Value   string    `json:"value,omitempty"`
	Error   string    `json:"error,omitempty"`
	Unknown []Missing `json:"unknown,omitempty"`
}

// ConditionTrace is one guardrail or rule with the parts of its condition.
type ConditionTrace struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Parts are the condition's conjuncts in order; empty for the default rule.
	Parts []PartTrace `json:"parts,omitempty"`
	Error string      `json:"error,omitempty"`
}

// PartTrace is one conjunct with its verdict and the values that it read.
type PartTrace struct {
	Expr    string    `json:"expr"`
	Verdict Verdict   `json:"verdict"`
	Values  []Operand `json:"values,omitempty"`
	Unknown []Missing `json:"unknown,omitempty"`
}

// Operand is a value that a condition read.
type Operand struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Plan is what a case is about to do: exact target, resolved steps. An approval
// is bound to its digest.
type Plan struct {
	PlaybookDigest string        `json:"playbook_digest"`
	Rule           string        `json:"rule"`
	Shadow         bool          `json:"shadow,omitempty"`
	Target         *Target       `json:"target,omitempty"`
	Steps          []PlannedStep `json:"steps,omitempty"`
}

// Digest identifies the plan: any change of target, step, rate, filter or
// lifetime changes it.
func (p Plan) Digest() string {
	// A plan is plain data of known types; it always encodes.
	data, err := json.Marshal(p)
	if err != nil {
		return "unencodable: " + err.Error()
	}
	return DigestOf(data)
}

// DigestOf returns the digest that Stanch shows for data: sha256, in hex.
func DigestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PlannedStep is one step with everything resolved.
type PlannedStep struct {
	Name   string `json:"name"`
	Action Action `json:"action,omitempty"`
	// Approve makes this a gate instead of an action.
	Approve string `json:"approve,omitempty"`
	// IfDenied and IfExpired are what runs instead of the steps after the gate.
	IfDenied  []PlannedStep `json:"if_denied,omitempty"`
	IfExpired []PlannedStep `json:"if_expired,omitempty"`
	// Release undoes what the case holds, in if_denied and if_expired.
	Release bool `json:"release,omitempty"`
	// UnsureAct lets the step run though the decision is unsure.
	UnsureAct bool `json:"unsure_act,omitempty"`
	// Undecided reports whether the gate asks for the plan of a rule that may hold:
	// without an answer the case ends undecided.
	Undecided bool `json:"undecided,omitempty"`
	// Because says why a gate was put in that the rule does not write: the
	// decision is unsure or undecided, or a limit was reached.
	Because string `json:"because,omitempty"`

	// Use is the integration that carries it out. Passed are those that the playbook
	// prefers and that cannot, Candidates, of a plan that is being made, those of which it
	// is not known yet whether they can.
	Use        string      `json:"use,omitempty"`
	Passed     []Passed    `json:"passed,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`

	Rate   int64   `json:"rate,omitempty"`
	Filter *Filter `json:"filter,omitempty"`
	// Addresses are the device's own, where Use knows it by them.
	Addresses []string `json:"addresses,omitempty"`
	What      []string `json:"what,omitempty"`
	// SharedBlock has a block stop its destination though others are reached at the
	// address.
	SharedBlock bool `json:"shared_block,omitempty"`
	// PID, Path and, where it is known, Started are the one process that a
	// kill_process ends. Path alone is the program that a step is about, where Use
	// acts on programs.
	PID     int64         `json:"pid,omitempty"`
	Path    string        `json:"path,omitempty"`
	Started time.Time     `json:"started,omitzero"`
	Channel string        `json:"channel,omitempty"`
	TTL     time.Duration `json:"ttl,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
	Verify  *Verify       `json:"verify,omitempty"`
	// OnFailure is continue, page or stop.
	OnFailure string `json:"on_failure,omitempty"`
	// Hold is set where it goes on, or is taken again, while the host still sends.
	// QuietFor is for how long the limiter must have dropped nothing for it to be given
	// back before TTL is over; zero: it is not.
	Hold     *Hold         `json:"hold,omitempty"`
	QuietFor time.Duration `json:"quiet_for,omitempty"`
	// HeardWithin is within what time after an isolation is in place the device's
	// agent must be heard. Where it is not, the isolation is undone, and Fallback,
	// if there is one, takes its place.
	HeardWithin time.Duration `json:"heard_within,omitempty"`
	Fallback    *PlannedStep  `json:"fallback,omitempty"`
	// Except are the addresses and networks that an isolation must leave open.
	// ExceptBy says who decides about them where no order of ours can, such as a
	// policy of the product.
	Except   []string `json:"except,omitempty"`
	ExceptBy string   `json:"except_by,omitempty"`
	// Problem says why the step cannot be carried out as planned, such as a
	// block of a top destination that is unknown. Such a step fails, loudly.
	Problem string `json:"problem,omitempty"`
}

// Passed is an integration that cannot carry a step out, and why; or of the step's own,
// which carries it out all the same, why it did not tell whether it can.
type Passed struct {
	Use string `json:"use"`
	Why string `json:"why"`
}

// String says it in words: host-qos cannot, process.path is unknown.
func (p Passed) String() string { return p.Use + " cannot, " + p.Why }

// Candidate is an integration that may carry a step out, with what the step would name
// the device and its traffic by, or why it cannot.
type Candidate struct {
	Use       string   `json:"use"`
	Why       string   `json:"why,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Path      string   `json:"path,omitempty"`
	ExceptBy  string   `json:"except_by,omitempty"`
}

// By has a candidate carry the step out.
func (s *PlannedStep) By(c Candidate) {
	s.Use, s.Addresses, s.Path, s.ExceptBy, s.Candidates = c.Use, c.Addresses, c.Path, c.ExceptBy, nil
}

// Pass gives up the first candidate, for a reason, and those after it that cannot either.
func (s *PlannedStep) Pass(why string) {
	s.Candidates[0].Why = why
	for len(s.Candidates) > 0 && s.Candidates[0].Why != "" {
		s.Passed = append(s.Passed, Passed{Use: s.Candidates[0].Use, Why: s.Candidates[0].Why})
		s.Candidates = s.Candidates[1:]
	}
}

// Chosen says which integration carries the step out though the playbook prefers others,
// and why: gateway: host-qos cannot, process.path is unknown. It is empty where there is
// nothing to say.
func (s PlannedStep) Chosen() string {
	var passed, open []string
	for _, p := range s.Passed {
		if p.Use == s.Use {
			passed = append(passed, "it did not tell whether it can, "+p.Why)
			continue
		}
		passed = append(passed, p.String())
	}
	for _, c := range s.Candidates {
		if c.Why == "" {
			open = append(open, c.Use)
		}
	}
	use := s.Use
	if len(open) > 1 {
		use = "the first of " + strings.Join(open, ", ") + " that can"
	}
	switch {
	case len(passed) > 0:
		return use + ": " + strings.Join(passed, "; ")
	case len(open) > 1:
		return use
	}
	return ""
}

// EachStep visits the steps of a plan, and all that can run in their place.
func EachStep(steps []PlannedStep, visit func(*PlannedStep)) {
	for i := range steps {
		steps[i].each(visit)
	}
}

func (s *PlannedStep) each(visit func(*PlannedStep)) {
	visit(s)
	EachStep(s.IfDenied, visit)
	EachStep(s.IfExpired, visit)
	if s.Fallback != nil {
		s.Fallback.each(visit)
	}
}

// Verify is the proof that a step asks of the flow store.
type Verify struct {
	EgressBelow int64         `json:"egress_below" yaml:"egress_below,required" unit:"rate" doc:"Egress of the host must fall below this rate."` // bits per second
	Within      time.Duration `json:"within" yaml:"within,required" doc:"How long it may take."`
}

// String names the step for people.
func (s PlannedStep) String() string {
	if s.Approve != "" {
		return "approve: " + s.Approve
	}
	if detail := s.Action.Spec().Detail; detail != nil {
		if text := detail(s); text != "" {
			return fmt.Sprintf("%s (%s %s)", s.Name, s.Action, text)
		}
	}
	return fmt.Sprintf("%s (%s)", s.Name, s.Action)
}
