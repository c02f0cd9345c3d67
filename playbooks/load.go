package playbooks

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
	"go.yaml.in/yaml/v4"
)

// Setting is a setting of the site that affects how a playbook is read.
type Setting func(*Playbook)

// WithRoles sets the site's asset roles; the default is the shipped ones.
func WithRoles(roles incident.Vocabulary) Setting {
	return func(p *Playbook) { p.roles = roles.Or(p.roles) }
}

// Load reads a playbook. The error is [Issues] and has every fault: of the YAML,
// the names, the steps and the expressions. A playbook that was deployed before
// lint reported a fault loads with it; see [Playbook.Lint].
func Load(file string, data []byte, with ...Setting) (*Playbook, error) {
	d := parse(file, data)
	p := &Playbook{file: file, text: bytes.Clone(data), roles: incident.AssetRoles()}
	for _, set := range with {
		set(p)
	}
	if d.root == nil {
		return nil, d.sorted()
	}
	d.value(d.root, reflect.ValueOf(p).Elem(), field{name: "a playbook"})
	if d.root.Kind != yaml.MappingNode {
		return nil, d.sorted()
	}
	p.setDefaults(d)
	lint{document: d, playbook: p}.all()
	var faults []policy.Issue
	p.policy, faults = policy.Compile(p.source(d))
	d.expressionFaults(faults)
	issues := d.sorted()
	if issues.failed() {
		issues = append(issues, d.complaints...).sorted()
		// Unused names that follow from a fault would only hide it.
		return nil, slices.DeleteFunc(issues, func(i Issue) bool { return i.Warning })
	}
	p.warnings = issues
	p.digest = incident.DigestOf(canonical(d.root))
	d.issues = d.complaints
	d.expressionFaults(p.policy.Complaints())
	p.complaints = d.sorted()
	return p, nil
}

// expressionFaults adds the compiler's issues. A Windows path that is not written
// as a raw string breaks the rest of its line: that is reported once, with the
// fix.
func (d *document) expressionFaults(faults []policy.Issue) {
	broken := map[int]bool{}
	for _, f := range faults {
		issue := Issue{File: f.File, Line: f.Line, Column: f.Column, Message: f.Message, Snippet: f.Snippet}
		if issue.Snippet == "" || d.private() || secretKey.MatchString(issue.Snippet) {
			issue.Snippet = d.snippet(f.Line, f.Column)
		}
		if strings.HasPrefix(f.Message, "syntax error") {
			if broken[f.Line] {
				continue
			}
			if strings.Contains(f.Message, "token recognition error") && strings.Contains(issue.Snippet, `\`) {
				broken[f.Line] = true
				issue.Message = `a backslash begins an escape; write a path as a raw string, such as r'C:\Windows'`
				if strings.Contains(issue.Snippet, "matches(") || strings.Contains(issue.Snippet, "regex.") {
					issue.Message = `a backslash begins an escape; write a regular expression as a raw string, such as r'\d+\.exe'`
				}
			}
		}
		d.issues = append(d.issues, issue)
	}
}

// setDefaults fills in the defaults, so that they are in one place.
func (p *Playbook) setDefaults(d *document) {
	for name, e := range p.Enrich {
		setDefault(&e.Timeout, defaultTimeout)
		spec, _ := incident.FactSpecOf(name)
		for _, s := range settings() {
			if slices.Contains(spec.With, s.key) {
				s.setDefault(&e.With)
			}
		}
		p.Enrich[name] = e
	}
	for name, s := range p.Steps {
		if s.Action.Containing() {
			setDefault(&s.OnFailure, "stop")
		} else {
			setDefault(&s.OnFailure, "continue")
		}
		p.Steps[name] = s
	}
	for name, a := range p.Approvals {
		if !d.has("approvals", name, "quorum") {
			a.Quorum = 1
		}
		if d.has("approvals", name, "approvers", "on_call") {
			setDefault(&a.Approvers.OnCall.Level, 1)
		}
		if d.has("approvals", name, "fallback") {
			setDefault(&a.Fallback.After, 30*time.Second)
		}
		p.Approvals[name] = a
	}
}

func setDefault[T comparable](v *T, standard T) {
	var zero T
	if *v == zero {
		*v = standard
	}
}

// source gathers the playbook's expressions for the compiler. Those with a fault
// already are left out, or replaced by a valid one, so that each fault is
// reported once.
func (p *Playbook) source(d *document) policy.Source {
	src := policy.Source{
		File: p.file, Content: p.text, Roles: p.roles,
		Match:   d.expr("", "trigger", "match"),
		Subject: d.expr("", "trigger", "subject"),
	}
	for _, name := range (Node{doc: d, node: d.find("let")}).Keys() {
		src.Let = append(src.Let, policy.Named{Name: name, Expr: d.expr("[][0]", "let", name)})
	}
	for i, g := range p.Guardrails {
		if d.has("guardrails", i, "deny") {
			src.Guardrails = append(src.Guardrails, policy.Named{Name: g.Name, Expr: d.expr("true", "guardrails", i, "deny")})
		}
	}
	for i, r := range p.Decide {
		src.Rules = append(src.Rules, policy.Named{Name: r.Rule, Expr: d.expr("", "decide", i, "when")})
	}
	for _, fact := range incident.FactNames() {
		if d.has("enrich", fact) {
			src.Facts = append(src.Facts, fact)
		}
	}
	return src
}

// expr returns the expression at a path with the place of its first character,
// or a replacement for one that cannot be used.
func (d *document) expr(standIn string, path ...any) policy.Expr {
	n := d.find(path...)
	if n == nil || d.bad[n] || n.Kind != yaml.ScalarNode || d.repaired[n.Line] {
		return policy.Expr{Text: standIn, Line: 1, Column: 1}
	}
	return d.exprAt(n)
}

// exprAt returns the expression that a scalar is.
func (d *document) exprAt(n *yaml.Node) policy.Expr {
	e := policy.Expr{
		Text: strings.TrimSpace(n.Value), Line: n.Line, Column: n.Column,
		Block: n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0,
		// Only in double quotes can the text in the file differ from its value.
		Verbatim: n.Style&yaml.DoubleQuotedStyle == 0 || !strings.Contains(d.lines[n.Line-1], `\`),
	}
	switch {
	case e.Block:
		for e.Line++; e.Line < len(d.lines) && strings.TrimSpace(d.lines[e.Line-1]) == ""; {
			e.Line++
		}
		if e.Line <= len(d.lines) {
			e.Column = 1 + len(d.lines[e.Line-1]) - len(strings.TrimLeft(d.lines[e.Line-1], " "))
		}
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		e.Column += 1 + len(n.Value) - len(strings.TrimLeft(n.Value, " "))
	}
	return e
}

// canonical is the content without parts that have no meaning: comments, quotes,
// layout and the order of keys. The order of lists and of lets counts.
func canonical(root *yaml.Node) []byte {
	// Encoding a tree of lists and strings cannot fail.
	data, err := json.Marshal(meaning(root, ""))
	if err != nil {
		return []byte(err.Error())
	}
	return data
}

// pair is one key of a mapping with its value.
type pair struct {
	Key   string
	Value any
}

func meaning(n *yaml.Node, key string) any {
	switch n.Kind {
	case yaml.MappingNode:
		pairs := make([]pair, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			pairs = append(pairs, pair{n.Content[i].Value, meaning(n.Content[i+1], n.Content[i].Value)})
		}
		if key != "let" {
			slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.Key, b.Key) })
		}
		return map[string]any{"map": pairs}
	case yaml.SequenceNode:
		items := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			items = append(items, meaning(c, ""))
		}
		return items
	default:
		return strings.TrimRight(n.Value, "\n")
	}
}
