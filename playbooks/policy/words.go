package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// speller replaces the literals that an expression compares with a field of a
// closed vocabulary by the vocabulary's own spelling: 'Domain Controller' equals
// domain_controller. The text of the playbook is not changed; it works on a copy
// of the tree.
type speller struct {
	scope
	factory ast.ExprFactory
	// outside are the literals that are not in their vocabulary, by node.
	outside []misspelt
}

// misspelt is a literal that is not in its vocabulary.
type misspelt struct {
	id   int64
	text string
	of   incident.Vocabulary
}

// complaint returns the message for the literal. In an open vocabulary only a
// near miss of a known word is reported.
func (m misspelt) complaint() (string, bool) {
	near := didYouMean(strings.TrimSpace(m.text), m.of.Names())
	if m.of.Open() {
		return fmt.Sprintf("%q is not %s that the library knows%s", m.text, m.of.What(), near), near != ""
	}
	if near != "" {
		return fmt.Sprintf("%q is not %s%s", m.text, m.of.What(), near), true
	}
	return m.of.Outside(m.text), m.text != ""
}

// ranges are the lists that the variables of the comprehensions around a node
// run over.
type ranges map[string]ast.Expr

// spell returns a copy of a checked tree in the words of the vocabularies.
func (s scope) spell(tree ast.Expr) (ast.Expr, []misspelt) {
	sp := &speller{scope: s, factory: ast.NewExprFactory()}
	out := sp.factory.CopyExpr(tree)
	sp.walk(out, nil, nil)
	return out, sp.outside
}

func (sp *speller) walk(e ast.Expr, around locals, over ranges) {
	switch e.Kind() {
	case ast.SelectKind:
		sp.walk(e.AsSelect().Operand(), around, over)
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			sp.walk(call.Target(), around, over)
		}
		for _, arg := range call.Args() {
			sp.walk(arg, around, over)
		}
		sp.compare(e, around, over)
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			sp.walk(element, around, over)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			sp.walk(entry.AsMapEntry().Value(), around, over)
		}
	case ast.ComprehensionKind:
		sp.comprehension(e.AsComprehension(), around, over)
	case ast.IdentKind, ast.LiteralKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
}

func (sp *speller) comprehension(c ast.ComprehensionExpr, around locals, over ranges) {
	in := sp.inspector()
	elements := in.walk(c.IterRange(), around)
	inner, lists := locals{}, ranges{}
	for name, shape := range around {
		inner[name] = shape
	}
	for name, list := range over {
		lists[name] = list
	}
	inner[c.AccuVar()], inner[c.IterVar()] = nil, nil
	if elements.list {
		inner[c.IterVar()] = elements.shape
	}
	lists[c.IterVar()] = c.IterRange()
	if c.HasIterVar2() {
		inner[c.IterVar()], inner[c.IterVar2()] = nil, inner[c.IterVar()]
		delete(lists, c.IterVar())
	}
	sp.walk(c.IterRange(), around, over)
	for _, part := range []ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()} {
		sp.walk(part, inner, lists)
	}
}

// compare spells the literals of one comparison.
func (sp *speller) compare(e ast.Expr, around locals, over ranges) {
	call := e.AsCall()
	args := slices.Clone(call.Args())
	switch call.FunctionName() {
	case operators.Equals, operators.NotEquals, operators.In:
	case "amplification":
		if len(args) == 2 {
			sp.literals(args[1], incident.Transports(), over)
		}
		return
	case "sets.contains", "sets.intersects", "sets.equivalent":
		sp.compareSets(args, around, over)
		return
	case "contains", "startsWith", "endsWith", "matches":
		sp.part(e, around)
		return
	default:
		return
	}
	for i := range args {
		field, vocabulary, ok := sp.closed(args[i], around)
		if !ok {
			continue
		}
		args[i] = field
		sp.literals(args[1-i], vocabulary, over)
		e.SetKindCase(sp.factory.NewCall(e.ID(), call.FunctionName(), args...))
		return
	}
}

// part spells the literal with which a part of a field is compared: in the letters
// of the vocabulary's words. A pattern is made case-insensitive.
func (sp *speller) part(e ast.Expr, around locals) {
	call := e.AsCall()
	if !call.IsMemberFunction() || len(call.Args()) != 1 || call.Args()[0].Kind() != ast.LiteralKind {
		return
	}
	field, _, ok := sp.closed(call.Target(), around)
	text, isText := call.Args()[0].AsLiteral().(types.String)
	if !ok || !isText {
		return
	}
	part := "(?i)" + string(text)
	if call.FunctionName() != "matches" {
		part = cmp.Or(incident.Spelling(string(text)), string(text))
	}
	written := sp.factory.NewLiteral(call.Args()[0].ID(), types.String(part))
	e.SetKindCase(sp.factory.NewMemberCall(e.ID(), call.FunctionName(), field, written))
}

// compareSets spells the literals of one set where the other names a field.
func (sp *speller) compareSets(args []ast.Expr, around locals, over ranges) {
	for i, arg := range args {
		if arg.Kind() != ast.ListKind || len(args) != 2 {
			continue
		}
		for _, element := range arg.AsList().Elements() {
			if _, vocabulary, ok := sp.closed(element, around); ok {
				sp.literals(args[1-i], vocabulary, over)
			}
		}
	}
}

// closed returns the field of a closed vocabulary that an expression reads, also
// through a let, without functions that change its letters: its words have one
// spelling.
func (sp *speller) closed(e ast.Expr, around locals) (ast.Expr, incident.Vocabulary, bool) {
	switch e.Kind() {
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() && spelling(call.FunctionName()) {
			return sp.closed(call.Target(), around)
		}
	case ast.SelectKind:
		in := sp.inspector()
		of := in.chain(e.AsSelect().Operand(), around)
		path := of.path
		if path == "" && of.shape != nil && !of.list {
			path = of.shape.name
		}
		vocabulary, ok := incident.ClosedField(path+"."+e.AsSelect().FieldName(), sp.roles)
		return e, vocabulary, ok
	case ast.IdentKind:
		if _, local := around[e.AsIdent()]; local {
			return e, incident.Vocabulary{}, false
		}
		if tree, ok := sp.trees[strings.TrimPrefix(e.AsIdent(), ".")]; ok {
			_, vocabulary, ok := sp.closed(tree, nil)
			return e, vocabulary, ok
		}
	default: // Nothing else reads a field.
	}
	return e, incident.Vocabulary{}, false
}

// spelling reports whether a function changes only the case or the blanks of a
// text.
func spelling(function string) bool {
	return slices.Contains([]string{"lowerAscii", "upperAscii", "trim"}, function)
}

// literals spells the literals that an expression can evaluate to: itself, the
// elements of a list, or the value of a let or of the list of a comprehension.
func (sp *speller) literals(e ast.Expr, of incident.Vocabulary, over ranges) {
	switch e.Kind() {
	case ast.LiteralKind:
		text, ok := e.AsLiteral().(types.String)
		if !ok {
			return
		}
		name, known := of.Word(string(text))
		if !known || of.Open() && !slices.Contains(of.Names(), name) {
			sp.outside = append(sp.outside, misspelt{e.ID(), string(text), of})
		}
		if known {
			e.SetKindCase(sp.factory.NewLiteral(e.ID(), types.String(name)))
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			sp.literals(element, of, over)
		}
	case ast.CallKind:
		call := e.AsCall()
		switch name := call.FunctionName(); {
		case name == operators.Conditional && len(call.Args()) == 3:
			sp.literals(call.Args()[1], of, over)
			sp.literals(call.Args()[2], of, over)
		case name == operators.Add:
			for _, arg := range call.Args() {
				sp.literals(arg, of, over)
			}
		}
	case ast.IdentKind:
		name := strings.TrimPrefix(e.AsIdent(), ".")
		if list, ok := over[name]; ok {
			sp.literals(list, of, nil)
			return
		}
		if tree, ok := sp.trees[name]; ok && plain(tree) {
			written := sp.renamed(tree, e.ID())
			sp.literals(written, of, nil)
			e.SetKindCase(written)
		}
	case ast.SelectKind, ast.MapKind, ast.StructKind, ast.ComprehensionKind, ast.UnspecifiedExprKind:
	}
}

// plain reports whether an expression is a literal, or a list of such.
func plain(e ast.Expr) bool {
	if e.Kind() == ast.ListKind {
		return !slices.ContainsFunc(e.AsList().Elements(), func(element ast.Expr) bool { return element.Kind() != ast.LiteralKind })
	}
	return e.Kind() == ast.LiteralKind
}

// renamed is a plain expression of another tree, with the number of the node that
// it replaces: the numbers of two trees must not mix.
func (sp *speller) renamed(e ast.Expr, id int64) ast.Expr {
	if e.Kind() == ast.LiteralKind {
		return sp.factory.NewLiteral(id, e.AsLiteral())
	}
	elements := make([]ast.Expr, 0, e.AsList().Size())
	for _, element := range e.AsList().Elements() {
		elements = append(elements, sp.factory.NewLiteral(id, element.AsLiteral()))
	}
	return sp.factory.NewList(id, elements, nil)
}
