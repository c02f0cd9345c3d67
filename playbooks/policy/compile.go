package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Expr is one expression with its position.
type Expr struct {
	Text string
	// Line and Column are the position of the first character of Text in the
	// file, counted from 1, columns in code points.
	Line, Column int
	// Block reports whether the expression is a literal or folded YAML block.
	Block bool
	// Verbatim reports whether the text is in the file from that position on,
	// apart from folding and doubled single quotes. Otherwise faults are reported
	// at its start.
	Verbatim bool
}

// Named is an expression with the name of its let, guardrail or rule.
type Named struct {
	Name string
	Expr Expr
}

// Source is the input of [Compile]: the expressions of a playbook.
type Source struct {
	File    string
	Content []byte
	// Match and Subject see only the alert and now. They may be empty, and then
	// must not be evaluated.
	Match, Subject Expr
	Let            []Named
	Guardrails     []Named // those that deny
	// Rules in order; one with an empty text always holds.
	Rules []Named
	// Facts are the facts that enrich provides. The alert and now are always
	// available.
	Facts []string
	// Roles are the asset roles; empty means the shipped ones.
	Roles incident.Vocabulary
}

// condition is a guardrail or rule: the conjuncts of its expression, each
// compiled by itself so that each has a verdict.
type condition struct {
	name  string
	parts []*expression
}

// binding is a let.
type binding struct {
	name string
	expr *expression
}

// expression is one compiled expression. It is immutable.
type expression struct {
	text    string // whitespace folded
	program cel.Program
	reads   []reading
}

// reading is a path that an expression reads, with the leaves at it or below; a
// let or now has none.
type reading struct {
	path   string
	leaves []*leaf
}

type compiler struct {
	src     Source
	content string
	issues  []Issue
	// complaints are errors with which the policy still compiles.
	complaints []Issue
}

// scope is what an expression can see.
type scope struct {
	env       *cel.Env
	available []string
	lets      map[string]bool
	absent    func(fact string) string
	// timeless says that there is no now.
	timeless bool
	// roles are the asset roles, trees the checked lets.
	roles incident.Vocabulary
	trees map[string]ast.Expr
}

// Compile checks every expression of a playbook. All faults are reported at
// once, and with any there is no policy.
func Compile(src Source) (*Policy, []Issue) {
	c := &compiler{src: src, content: string(src.Content)}
	facts, declared := src.Facts, baseEnv
	if slices.ContainsFunc(src.Let, func(l Named) bool { return l.Name == candidateName }) {
		declared = ownCandidates
	} else if slices.Contains(facts, processName) {
		facts = append(slices.Clone(facts), candidateName)
	}
	env, err := declared()
	if err != nil {
		return nil, []Issue{{File: src.File, Line: 1, Column: 1, Message: err.Error()}}
	}
	roles := src.Roles.Or(incident.AssetRoles())
	trigger := scope{
		env:       env,
		roles:     roles,
		available: []string{alertName},
		absent: func(fact string) string {
			return fmt.Sprintf("a trigger sees only the alert and now: fact %q comes later", fact)
		},
	}
	p := &Policy{
		match:   c.optional(src.Match, "match", cel.BoolType, trigger),
		subject: c.optional(src.Subject, "subject", cel.StringType, trigger),
	}
	s := scope{
		env:       env,
		roles:     roles,
		available: append([]string{alertName}, facts...),
		lets:      map[string]bool{},
		absent: func(fact string) string {
			if fact == candidateName {
				return fmt.Sprintf("no enrich entry provides fact %q: it comes with %q", fact, processName)
			}
			return fmt.Sprintf("no enrich entry provides fact %q", fact)
		},
	}
	for _, let := range src.Let {
		s = c.let(p, let, s)
	}
	for _, g := range src.Guardrails {
		p.guardrails = append(p.guardrails, c.condition(g, "deny", s))
	}
	for _, r := range src.Rules {
		p.rules = append(p.rules, c.condition(r, "when", s))
	}
	if len(c.issues) > 0 {
		return nil, c.issues
	}
	p.leaves, p.trigger = leavesRead(p.expressions()), leavesRead(p.triggers())
	p.complaints = c.complaints
	return p, nil
}

func (c *compiler) report(at position, format string, args ...any) {
	c.issues = append(c.issues, c.issue(at, format, args...))
}

func (c *compiler) issue(at position, format string, args ...any) Issue {
	return Issue{
		File: c.src.File, Line: at.line, Column: at.column,
		Message: fmt.Sprintf(format, args...), Snippet: snippet(c.content, at),
	}
}

func (c *compiler) optional(e Expr, what string, want *cel.Type, s scope) *expression {
	if e.Text == "" {
		return nil
	}
	checked, ok := c.check(e, what, want, s)
	if !ok {
		return nil
	}
	return c.plan(e, s, checked.NativeRep(), checked.NativeRep().Expr(), fold(e.Text))
}

func (c *compiler) condition(n Named, what string, s scope) condition {
	out := condition{name: n.Name}
	if n.Expr.Text == "" && what == "when" {
		return out
	}
	checked, ok := c.check(n.Expr, what, cel.BoolType, s)
	if !ok {
		return out
	}
	rep := checked.NativeRep()
	for _, part := range conjuncts(s.env, n.Expr.Text, rep) {
		out.parts = append(out.parts, c.plan(n.Expr, s, rep, part.expr, part.text))
	}
	return out
}

// let compiles a let and returns the scope of the expressions after it. A let
// that does not compile is declared all the same, so that its users are not
// reported as well.
func (c *compiler) let(p *Policy, n Named, s scope) scope {
	typ := cel.DynType
	trees := maps.Clone(s.trees)
	if checked, ok := c.check(n.Expr, "", nil, s); ok {
		typ = checked.OutputType()
		rep := checked.NativeRep()
		if trees == nil {
			trees = map[string]ast.Expr{}
		}
		trees[n.Name] = rep.Expr()
		p.lets = append(p.lets, binding{n.Name, c.plan(n.Expr, s, rep, rep.Expr(), fold(n.Expr.Text))})
	}
	switch at := (position{n.Expr.Line, n.Expr.Column}); {
	case n.Name == candidateName && !s.lets[n.Name]:
		c.complaints = append(c.complaints, c.issue(at, "let %q: the name is taken by a fact, which this playbook cannot read", n.Name))
	case taken(n.Name, s):
		c.report(at, "let %q: the name is taken", n.Name)
		return s
	}
	env, err := s.env.Extend(cel.Variable(n.Name, typ))
	if err != nil {
		c.report(position{n.Expr.Line, n.Expr.Column}, "let %q: %v", n.Name, err)
		return s
	}
	lets := map[string]bool{n.Name: true}
	for name := range s.lets {
		lets[name] = true
	}
	return scope{env: env, available: s.available, lets: lets, absent: s.absent, roles: s.roles, trees: trees}
}

func taken(name string, s scope) bool {
	_, fact := schema().root.byName[name]
	return fact || name == nowName || s.lets[name]
}

// check parses and checks one expression, reports its faults and reports whether
// there were none. Without a wanted type any type is accepted.
func (c *compiler) check(e Expr, what string, want *cel.Type, s scope) (*cel.Ast, bool) {
	loc := locate(c.content, e)
	parsed, issues := s.env.Parse(e.Text)
	if issues.Err() != nil {
		for _, err := range issues.Errors() {
			offset := offsetIn(e.Text, err.Location)
			if words, at, ok := slip(e.Text, offset); ok {
				// Other faults of the expression follow from it.
				c.report(loc.at(at), "%s", words)
				break
			}
			c.report(loc.at(offset), "%s", syntaxMessage(err.Message))
		}
		return nil, false
	}
	info := parsed.NativeRep().SourceInfo()
	in := s.inspector()
	in.written, in.info = e.Text, info
	in.walk(parsed.NativeRep().Expr(), nil)
	blocked := false
	for _, f := range in.faults {
		at := loc.at(offsetIn(e.Text, info.GetStartLocation(f.id)) + f.offset)
		if f.complaint {
			c.complaints = append(c.complaints, c.issue(at, "%s", f.message))
			continue
		}
		c.report(at, "%s", f.message)
		blocked = true
	}
	checked, issues := s.env.Check(parsed)
	for _, err := range issues.Errors() {
		if slices.ContainsFunc(in.faults, func(f fault) bool { return f.id == err.ExprID }) {
			continue
		}
		message := err.Message
		if name, ok := in.undeclared[err.ExprID]; ok {
			message = fmt.Sprintf("nothing is called '%s'%s", name, didYouMean(name, s.names()))
		}
		if words, ok := operandWords(message, node(parsed.NativeRep().Expr(), err.ExprID)); ok {
			message = words
		}
		c.report(loc.at(offsetIn(e.Text, err.Location)), "%s", message)
	}
	if issues.Err() != nil || blocked {
		return nil, false
	}
	if got := checked.OutputType(); want != nil && !got.IsExactType(want) {
		c.report(loc.at(0), "%s is %s, it must be %s", what, cel.FormatCELType(got), cel.FormatCELType(want))
		return nil, false
	}
	_, outside := s.spell(checked.NativeRep().Expr())
	for _, m := range outside {
		if message, wrong := m.complaint(); wrong {
			c.complaints = append(c.complaints, c.issue(loc.at(offsetIn(e.Text, info.GetStartLocation(m.id))), "%s", message))
		}
	}
	return checked, true
}

// syntaxMessage leaves out the list of everything that the grammar would allow.
func syntaxMessage(message string) string {
	message, _, _ = strings.Cut(message, " expecting {")
	return strings.NewReplacer(
		"'<EOF>'", "end of the expression", "<EOF>", "end of the expression", "Syntax error", "syntax error",
	).Replace(message)
}

func (s scope) inspector() *inspector {
	return &inspector{scope: s, undeclared: map[int64]string{}}
}

// names are the names that an expression in this scope can start with.
func (s scope) names() []string {
	out := slices.Clone(s.available)
	if !s.timeless {
		out = append(out, nowName)
	}
	for name := range s.lets {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// plan makes the program of a checked expression or of a part of one.
func (c *compiler) plan(e Expr, s scope, whole *ast.AST, part ast.Expr, text string) *expression {
	in := s.inspector()
	in.walk(part, nil)
	part, _ = s.spell(part)
	tree := ast.NewCheckedAST(ast.NewAST(part, whole.SourceInfo()), whole.TypeMap(), whole.ReferenceMap())
	program, err := s.env.PlanProgram(tree, programOptions()...)
	if err != nil {
		c.report(position{e.Line, e.Column}, "%v", err)
		return nil
	}
	reads := make([]reading, len(in.reads))
	for i, path := range in.reads {
		if reads[i].path = path; !s.lets[path] {
			reads[i].leaves = schema().leavesUnder(path)
		}
	}
	return &expression{text: text, program: program, reads: reads}
}

// offsetIn returns the offset of a place in a text, in code points.
func offsetIn(text string, l common.Location) int {
	if l.Line() < 1 {
		return 0
	}
	offset, line := 0, 1
	for _, r := range text {
		if line == l.Line() {
			break
		}
		if r == '\n' {
			line++
		}
		offset++
	}
	return offset + max(l.Column(), 0)
}

// fold makes one line of a text.
func fold(text string) string { return strings.Join(strings.Fields(text), " ") }

// leavesRead returns the leaves that expressions read; the others do not affect
// the result.
func leavesRead(expressions []*expression) []*leaf {
	var out []*leaf
	for _, e := range expressions {
		for _, r := range e.reads {
			for _, l := range r.leaves {
				if !slices.Contains(out, l) {
					out = append(out, l)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b *leaf) int { return strings.Compare(a.path, b.path) })
	return out
}

// triggers returns the expressions that see an alert alone.
func (p *Policy) triggers() []*expression {
	return slices.DeleteFunc([]*expression{p.match, p.subject}, func(e *expression) bool { return e == nil })
}

func (p *Policy) expressions() []*expression {
	out := p.triggers()
	for _, l := range p.lets {
		out = append(out, l.expr)
	}
	for _, c := range slices.Concat(p.guardrails, p.rules) {
		out = append(out, c.parts...)
	}
	return out
}
