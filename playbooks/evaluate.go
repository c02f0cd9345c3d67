package playbooks

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

// maxSubject bounds a subject, which becomes part of a workflow id.
const maxSubject = 200

// Match reports whether the playbook answers the alert of some facts; it reads no
// other fact. Unknown is returned with the missing fields, Failed with the error.
func (p *Playbook) Match(ctx context.Context, facts *incident.Facts, now time.Time) (incident.Verdict, []incident.Missing, error) {
	return p.policy.Match(ctx, facts, now)
}

// Subject returns the subject of the case of an alert, normalized by
// [NormalizeSubject].
func (p *Playbook) Subject(ctx context.Context, facts *incident.Facts, now time.Time) (string, error) {
	raw, err := p.policy.Subject(ctx, facts, now)
	if err != nil {
		return "", err
	}
	return NormalizeSubject(raw)
}

// NormalizeSubject returns the normal form of a subject, for comparison and for
// ids: lower case, without the blanks around it and the dot of the root at its
// end, and everything but a-z, 0-9 and ._:@- percent-encoded. An empty or a very
// long one is an error.
func NormalizeSubject(raw string) (string, error) {
	text := incident.HostName(strings.ToLower(raw))
	switch {
	case text == "":
		return "", errors.New("subject: it is empty")
	case utf8.RuneCountInString(text) > maxSubject:
		return "", fmt.Errorf("subject: it has %d characters, more than %d", utf8.RuneCountInString(text), maxSubject)
	}
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("._:@-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String(), nil
}

// Evaluate decides a case: guardrails, then rules. It does no I/O; the same
// facts and the same now give the same decision. Traffic that others send under
// the host's addresses is not used, and neither is a process that is only guessed
// to be the sender, unless a rule reads it as candidate. Where the rule that
// holds contains nothing and one above it might, the case is undecided.
func (p *Playbook) Evaluate(ctx context.Context, facts incident.Facts, now time.Time) incident.Decision {
	facts.InWords(p.Roles())
	facts.DisownShared()
	facts.DisownGuess()
	facts.Suspect()
	d := incident.Decision{PlaybookDigest: p.digest, At: now}
	if missing := p.requiredMissing(facts); len(missing) > 0 {
		d.Outcome, d.Unsure, d.Severity = incident.CannotDecide, missing, p.standing().Severity
		d.Because = "A required fact is missing: " + because(missing) + "."
		return d
	}
	r := p.policy.Decide(ctx, facts, now)
	d.Unsure, d.Trace = r.Unsure, r.Trace
	if r.Rule >= 0 {
		rule := p.Decide[r.Rule]
		d.Outcome, d.Rule, d.Severity, d.Because, d.Do = incident.Decided, rule.Rule, rule.Severity, rule.Because, rule.Do
	} else {
		d.Severity = p.standing().Severity
	}
	switch {
	case r.DeniedBy >= 0:
		p.deny(&d, r.DeniedBy)
		d.Error = r.Err
	case r.Rule < 0:
		d.Outcome, d.Error = incident.DecisionErr, r.Err
		d.Because = "The policy failed, so nothing is done."
	default:
		p.leaveOpen(&d, r.Unknown)
	}
	return d
}

// leaveOpen makes the decision undecided where its rule contains nothing and an
// unknown rule above would contain. The claim of the chosen rule is not known to
// be true then.
func (p *Playbook) leaveOpen(d *incident.Decision, unknown []policy.UnknownRule) {
	if p.contains(d.Do) {
		return
	}
	for _, u := range unknown {
		rule := p.Decide[u.Rule]
		if !p.contains(rule.Do) {
			continue
		}
		d.Outcome = incident.Undecided
		d.Because = fmt.Sprintf("Whether rule %s holds is not known, for something is missing: %s. If it holds: %s", rule.Rule, because(u.Missing), rule.Because)
		d.Unknown = &incident.UnknownRule{Rule: rule.Rule, Severity: rule.Severity, Because: rule.Because, Do: rule.Do, Missing: u.Missing}
		return
	}
}

// contains reports whether a do has a containing step.
func (p *Playbook) contains(do []incident.Doing) bool {
	return slices.ContainsFunc(do, func(d incident.Doing) bool { return p.Steps[d.Step].Action.Containing() })
}

// Recheck evaluates the guardrails alone, as is done before each containing step
// that follows an approval. The decision has no rule.
func (p *Playbook) Recheck(ctx context.Context, facts incident.Facts, now time.Time) incident.Decision {
	facts.InWords(p.Roles())
	d := incident.Decision{PlaybookDigest: p.digest, At: now, Outcome: incident.Decided}
	if missing := p.requiredMissing(facts); len(missing) > 0 {
		d.Outcome, d.Unsure = incident.CannotDecide, missing
		d.Because = "A required fact is missing: " + because(missing) + "."
		return d
	}
	facts.Suspect()
	r := p.policy.Guard(ctx, facts, now)
	d.Unsure, d.Trace = r.Unsure, r.Trace
	if r.DeniedBy >= 0 {
		p.deny(&d, r.DeniedBy)
	}
	return d
}

// deny makes the decision a denial by the nth guardrail that denies.
func (p *Playbook) deny(d *incident.Decision, nth int) {
	d.Outcome = incident.Denied
	for _, g := range p.Guardrails {
		if g.Deny == "" {
			continue
		}
		if nth == 0 {
			d.DeniedBy, d.Because = g.Name, g.Because
			return
		}
		nth--
	}
}

// standing is the default rule.
func (p *Playbook) standing() Rule { return p.Decide[len(p.Decide)-1] }

// requiredMissing returns the required facts without any known field.
func (p *Playbook) requiredMissing(facts incident.Facts) []incident.Missing {
	var missing []incident.Missing
	for _, name := range incident.FactNames() {
		if !p.Enrich[name].Required {
			continue
		}
		if why, any := obtained(factOf(facts, name)); !any {
			missing = append(missing, incident.Missing{Path: name, Why: why})
		}
	}
	return missing
}

// factOf returns the struct of a fact.
func factOf(facts incident.Facts, name string) reflect.Value {
	return reflect.Indirect(reflect.ValueOf(facts.Part(name)))
}

// obtained reports whether a fact has a known field, and the reason if not.
func obtained(fact reflect.Value) (why string, ok bool) {
	for i := range fact.NumField() {
		if value, isValue := fact.Field(i).Interface().(incident.Field); isValue {
			_, from, reason := value.Any()
			if from != incident.Unknown {
				return "", true
			}
			if why == "" {
				why = reason
			}
		}
	}
	return why, false
}

// because lists the missing fields, for people.
func because(missing []incident.Missing) string {
	parts := make([]string, 0, len(missing))
	for _, m := range missing {
		if m.Why != "" {
			m.Path += " (" + m.Why + ")"
		}
		parts = append(parts, m.Path)
	}
	return strings.Join(parts, ", ")
}
