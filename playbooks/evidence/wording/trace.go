package wording

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Trace tells why a decision was made, and why no other.
type Trace struct {
	Let        []Let
	Guardrails []Condition
	Rules      []Condition
}

// Let is one let with its value, or why it has none.
type Let struct {
	Name, Value string
	Problem     string
}

// Condition is one guardrail or rule, told.
type Condition struct {
	Name string
	Mark Mark
	// Chosen tells that it decided: the rule that held, or the guardrail that
	// forbids.
	Chosen bool
	// Why says in one line what made it hold or not hold.
	Why   string
	Parts []Part
}

// Mark is a verdict in words.
type Mark struct {
	Verdict incident.Verdict
	Word    string
	Tone    Tone
}

// Part is one conjunct with the values that it read.
type Part struct {
	Expr string
	Mark Mark
	// Values are "name = value"; Missing says what is unknown, and why.
	Values  []string
	Missing string
}

// TraceOf tells the trace of a decision. An undecided one has chosen no rule.
func TraceOf(d incident.Decision) Trace {
	var told Trace
	t, rule := d.Trace, d.Rule
	if d.Outcome == incident.Undecided {
		rule = ""
	}
	for _, l := range t.Let {
		let := Let{Name: short(l.Name), Value: long(l.Value), Problem: long(l.Error)}
		if len(l.Unknown) > 0 {
			let.Problem = join(incident.MissingTexts(l.Unknown))
		}
		told.Let = append(told.Let, let)
	}
	for _, g := range t.Guardrails {
		told.Guardrails = append(told.Guardrails, condition(g, g.Verdict == incident.True, guardrailWhy))
	}
	open := false
	for _, r := range t.Rules {
		c := condition(r, r.Name == rule && rule != "", ruleWhy)
		if open && r.Verdict == incident.True && len(r.Parts) == 0 {
			c.Why = "the default: no rule above is known to hold"
		}
		told.Rules = append(told.Rules, c)
		open = open || r.Verdict == incident.Unsure
	}
	return told
}

func condition(c incident.ConditionTrace, chosen bool, why func(incident.ConditionTrace, []Part) string) Condition {
	told := Condition{Name: short(c.Name), Mark: mark(c.Verdict), Chosen: chosen}
	for _, p := range c.Parts {
		told.Parts = append(told.Parts, part(p))
	}
	told.Why = why(c, told.Parts)
	return told
}

func part(p incident.PartTrace) Part {
	told := Part{Expr: expression(p.Expr), Mark: mark(p.Verdict), Missing: join(incident.MissingTexts(p.Unknown))}
	for _, o := range p.Values {
		told.Values = append(told.Values, short(o.Name)+" = "+short(o.Value))
	}
	return told
}

func mark(v incident.Verdict) Mark {
	word, tone := verdictWord(v)
	return Mark{v, word, tone}
}

func ruleWhy(c incident.ConditionTrace, parts []Part) string {
	switch c.Verdict {
	case incident.True:
		if len(parts) == 0 {
			return "the default: no rule above held"
		}
		return "every part is true"
	case incident.Skipped:
		return "a rule above was chosen"
	case incident.False, incident.Unsure, incident.Failed:
	}
	return conditionWhy(c, parts)
}

func guardrailWhy(c incident.ConditionTrace, parts []Part) string {
	switch c.Verdict {
	case incident.True:
		return "forbids containment"
	case incident.False:
		return "does not forbid: " + firstPart(parts, incident.False)
	case incident.Skipped:
		return "not looked at"
	case incident.Unsure, incident.Failed:
	}
	return conditionWhy(c, parts)
}

func conditionWhy(c incident.ConditionTrace, parts []Part) string {
	switch c.Verdict {
	case incident.False:
		return "not this one: " + firstPart(parts, incident.False)
	case incident.Unsure:
		return "cannot be told: " + firstPart(parts, incident.Unsure)
	case incident.Failed:
		return "could not be evaluated: " + long(c.Error)
	case incident.True, incident.Skipped:
	}
	return ""
}

// firstPart explains the verdict by the first conjunct that has it.
func firstPart(parts []Part, v incident.Verdict) string {
	for _, p := range parts {
		if p.Mark.Verdict != v {
			continue
		}
		switch {
		case p.Missing != "":
			return p.Missing
		case len(p.Values) > 0:
			return strings.Join(p.Values, ", ")
		default:
			return fmt.Sprintf("%s is %s", p.Expr, p.Mark.Word)
		}
	}
	return "its condition is " + string(v)
}
