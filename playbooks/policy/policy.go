// Package policy compiles and evaluates the expressions of playbooks. It is
// the only importer of cel-go. Evaluation is three-valued: an unknown value stays
// unknown and names the missing field.
package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Policy is the compiled policy of one playbook. It is immutable and safe for
// concurrent use.
type Policy struct {
	match, subject *expression
	lets           []binding
	guardrails     []condition
	rules          []condition
	// leaves are the Values that any of the expressions reads, by path; trigger
	// are those that match and subject read.
	leaves, trigger []*leaf
	complaints      []Issue
}

// Complaints are about literals that are not in the vocabulary of the field they
// are compared with. The policy compiles with them; no value is ever equal to
// such a literal.
func (p *Policy) Complaints() []Issue { return slices.Clone(p.complaints) }

// Result is the evaluation of a policy on some facts. A guardrail that denies
// overrides the rules: Rule and Err are then what they would have decided.
type Result struct {
	Rule     int // index of the chosen rule; -1 if none
	DeniedBy int // index of the first guardrail that denies; -1 if none
	// Unsure lists the unknown fields that the result depends on, by path.
	Unsure []incident.Missing
	// Unknown are the rules above the chosen one that were unknown, in order.
	Unknown []UnknownRule
	// Err is the failing rule's name and fault; no rule is chosen then.
	Err   string
	Trace incident.Trace
}

// UnknownRule is a rule by its index, with the unknown fields that it depends on.
type UnknownRule struct {
	Rule    int
	Missing []incident.Missing
}

// Match reports whether a playbook answers the alert of some facts; it reads no
// other fact. Unknown is returned with the missing fields, Failed with the error.
func (p *Policy) Match(ctx context.Context, facts *incident.Facts, now time.Time) (incident.Verdict, []incident.Missing, error) {
	if p.match == nil {
		return incident.Failed, nil, errors.New("the playbook has no match")
	}
	o := newView(facts, now, p.trigger).evaluate(ctx, p.match)
	if o.verdict == incident.Failed {
		return o.verdict, nil, fmt.Errorf("match: %s", o.err)
	}
	return o.verdict, o.missing, nil
}

// Subject returns what the case of an alert is about. An unknown or empty
// subject is an error: it would join unrelated alerts in one case.
func (p *Policy) Subject(ctx context.Context, facts *incident.Facts, now time.Time) (string, error) {
	if p.subject == nil {
		return "", errors.New("the playbook has no subject")
	}
	o := newView(facts, now, p.trigger).evaluate(ctx, p.subject)
	switch o.verdict {
	case incident.Failed:
		return "", fmt.Errorf("subject: %s", o.err)
	case incident.Unsure:
		return "", fmt.Errorf("subject: %s is unknown", describeMissing(o.missing))
	case incident.True, incident.False, incident.Skipped:
	}
	text, ok := o.value.(types.String)
	if !ok || text == "" {
		return "", errors.New("subject: it is empty")
	}
	return string(text), nil
}

func describeMissing(missing []incident.Missing) string {
	var out []string
	for _, m := range missing {
		if m.Why != "" {
			m.Path += " (" + m.Why + ")"
		}
		out = append(out, m.Path)
	}
	return strings.Join(out, ", ")
}

// Decide evaluates lets, guardrails and rules. The first rule that is true is
// chosen. A rule that is unknown makes the result unsure and the next is
// evaluated; one that fails ends the decision. Rules below are not evaluated.
func (p *Policy) Decide(ctx context.Context, facts incident.Facts, now time.Time) Result {
	v := newView(&facts, now, p.leaves)
	r := p.guard(ctx, v)
	decided := false
	for i, rule := range p.rules {
		if decided {
			r.Trace.Rules = append(r.Trace.Rules, incident.ConditionTrace{Name: rule.name, Verdict: incident.Skipped})
			continue
		}
		trace, missing := v.ask(ctx, rule)
		r.Trace.Rules = append(r.Trace.Rules, trace)
		switch trace.Verdict {
		case incident.True:
			r.Rule, decided = i, true
		case incident.Failed:
			r.Err, decided = fmt.Sprintf("rule %s: %s", rule.name, trace.Error), true
		case incident.Unsure:
			r.Unsure = append(r.Unsure, missing...)
			r.Unknown = append(r.Unknown, UnknownRule{Rule: i, Missing: sorted(slices.Clone(missing))})
		case incident.False, incident.Skipped:
		}
	}
	r.Unsure = sorted(r.Unsure)
	return r
}

// Guard evaluates the guardrails alone, as is done again before each containing
// step that follows an approval.
func (p *Policy) Guard(ctx context.Context, facts incident.Facts, now time.Time) Result {
	r := p.guard(ctx, newView(&facts, now, p.leaves))
	r.Unsure = sorted(r.Unsure)
	return r
}

// guard evaluates the lets and every guardrail. A guardrail that fails denies, as
// it might have denied.
func (p *Policy) guard(ctx context.Context, v *view) Result {
	r := Result{Rule: -1, DeniedBy: -1}
	for _, l := range p.lets {
		r.Trace.Let = append(r.Trace.Let, v.bind(ctx, l))
	}
	for i, g := range p.guardrails {
		trace, missing := v.ask(ctx, g)
		r.Trace.Guardrails = append(r.Trace.Guardrails, trace)
		switch trace.Verdict {
		case incident.True, incident.Failed:
			if r.DeniedBy < 0 {
				r.DeniedBy = i
			}
		case incident.Unsure:
			r.Unsure = append(r.Unsure, missing...)
		case incident.False, incident.Skipped:
		}
	}
	return r
}

// sorted orders missing fields by path, each path once.
func sorted(missing []incident.Missing) []incident.Missing {
	slices.SortStableFunc(missing, func(a, b incident.Missing) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(missing, func(a, b incident.Missing) bool { return a.Path == b.Path })
}
