package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// fault is a complaint about one node of an expression.
type fault struct {
	id      int64
	offset  int // added to the node's own
	message string
	// complaint marks a fault that deployed playbooks may have: the policy
	// compiles with it.
	complaint bool
}

// inspector walks an expression for faults that CEL's checker does not find:
// facts that no enrich entry provides, misspelt names, literals that do not
// parse. It also records the paths that an expression reads.
type inspector struct {
	scope
	// undeclared are the names that are neither fact, let nor now, by node. They
	// may still be types.
	undeclared map[int64]string
	// written is the expression's text, and info has the positions in it. Without
	// them literals are not checked.
	written string
	info    *ast.SourceInfo

	faults []fault
	reads  []string // in order of appearance, each once
}

// locals are the variables of the comprehensions around a node, with the shape
// of those that are objects.
type locals map[string]*shape

// result is the inspected type of a node's value: the object that it is, or that
// its elements are.
type result struct {
	shape *shape
	list  bool
	path  string
}

func (in *inspector) walk(e ast.Expr, around locals) result {
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		r := in.chain(e, around)
		in.read(r.path)
		return r
	case ast.CallKind:
		return in.call(e, around)
	case ast.ComprehensionKind:
		in.comprehension(e.AsComprehension(), around)
	case ast.ListKind:
		var elements result
		for _, element := range e.AsList().Elements() {
			elements = in.walk(element, around)
		}
		return result{shape: elements.shape, list: true}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			in.walk(entry.AsMapEntry().Key(), around)
			in.walk(entry.AsMapEntry().Value(), around)
		}
	case ast.StructKind:
		in.complain(e, 0, "a policy reads facts, it cannot make '%s'", e.AsStruct().TypeName())
	case ast.LiteralKind:
		in.text(e)
	case ast.UnspecifiedExprKind:
	}
	return result{}
}

// refuse reports a fault that deployed playbooks may have.
func (in *inspector) refuse(e ast.Expr, format string, args ...any) {
	in.complain(e, 0, format, args...)
	in.faults[len(in.faults)-1].complaint = true
}

// blamed reports whether a fault of the node was reported.
func (in *inspector) blamed(e ast.Expr) bool {
	return slices.ContainsFunc(in.faults, func(f fault) bool { return f.id == e.ID() })
}

func (in *inspector) complain(e ast.Expr, offset int, format string, args ...any) {
	in.faults = append(in.faults, fault{id: e.ID(), offset: offset, message: fmt.Sprintf(format, args...)})
}

func (in *inspector) read(path string) {
	if path != "" && !slices.Contains(in.reads, path) {
		in.reads = append(in.reads, path)
	}
}

// variable resolves a name. Global names may be written with a leading dot.
func (in *inspector) variable(e ast.Expr, around locals) (name string, local bool) {
	name = e.AsIdent()
	global, dotted := strings.CutPrefix(name, ".")
	if !dotted {
		if _, ok := around[name]; ok {
			return name, true
		}
	}
	return global, false
}

func (in *inspector) ident(e ast.Expr, around locals) result {
	name, local := in.variable(e, around)
	if local {
		return result{shape: around[name]}
	}
	if in.lets[name] || name == nowName && !in.timeless {
		return result{path: name}
	}
	m, ok := schema().root.byName[name]
	if !ok {
		in.undeclared[e.ID()] = name
		return result{}
	}
	if !slices.Contains(in.available, name) {
		in.complain(e, 0, "%s", in.absent(name))
	}
	return result{shape: m.shape, path: name}
}

// chain resolves a name or a selection. The result carries its path as long as
// it is a chain of selections from a fact, a let or now; the caller at the end of
// the chain records it as read.
func (in *inspector) chain(e ast.Expr, around locals) result {
	switch e.Kind() {
	case ast.IdentKind:
		return in.ident(e, around)
	case ast.SelectKind:
		return in.selection(e, around)
	default:
		return in.walk(e, around)
	}
}

func (in *inspector) selection(e ast.Expr, around locals) result {
	operand := in.chain(e.AsSelect().Operand(), around)
	if operand.shape == nil || operand.list {
		in.read(operand.path)
		return result{}
	}
	name := e.AsSelect().FieldName()
	m, ok := operand.shape.byName[name]
	if !ok {
		of := cmp.Or(operand.path, operand.shape.name)
		hint := didYouMean(name, operand.shape.names())
		if hint == "" {
			hint = ": it has " + strings.Join(operand.shape.names(), ", ")
		}
		// The position of a selection is its dot.
		in.complain(e, 1, "'%s' has no field '%s'%s", of, name, hint)
		return result{}
	}
	found := result{shape: m.shape, list: m.list}
	if operand.path != "" {
		found.path = operand.path + "." + name
	}
	return found
}

func (in *inspector) comprehension(c ast.ComprehensionExpr, around locals) {
	over := in.walk(c.IterRange(), around)
	in.walk(c.AccuInit(), around)
	inner := locals{c.AccuVar(): nil, c.IterVar(): nil}
	for name, s := range around {
		if _, shadowed := inner[name]; !shadowed {
			inner[name] = s
		}
	}
	if over.list {
		inner[c.IterVar()] = over.shape
	}
	if c.HasIterVar2() {
		inner[c.IterVar()], inner[c.IterVar2()] = nil, inner[c.IterVar()]
	}
	in.walk(c.LoopCondition(), inner)
	in.walk(c.LoopStep(), inner)
	in.walk(c.Result(), inner)
}

func (in *inspector) call(e ast.Expr, around locals) result {
	call := e.AsCall()
	name := call.FunctionName()
	var target result
	if call.IsMemberFunction() {
		if space, ok := namespace(call.Target()); ok && in.env.HasFunction(space+"."+name) {
			name = space + "." + name
		} else {
			target = in.walk(call.Target(), around)
		}
	}
	// The position of a call is its opening bracket.
	toName := -utf8.RuneCountInString(call.FunctionName())
	switch {
	case name == "has":
		in.complain(e, toName, "nothing is absent from a fact: ask 'known' whether a value is known")
	case !in.env.HasFunction(name):
		in.complain(e, toName, "no function is called '%s'%s", name, didYouMean(name, functionNames(in.env)))
	}
	in.division(name, call)
	pattern := patterned(name, call.IsMemberFunction())
	for i, arg := range call.Args() {
		in.literal(name, arg)
		if i == pattern {
			in.pattern(name, arg)
		}
		if r := in.walk(arg, around); i == 0 && name == "_[_]" {
			target = r
		}
	}
	switch {
	case name == "_[_]" && target.list:
		return result{shape: target.shape}
	case name == "amplification":
		return result{shape: schema().shapeOfAmplification()}
	}
	return result{}
}

// namespace returns the dotted name that a call's target may be, as the "math"
// in math.abs.
func namespace(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent(), true
	case ast.SelectKind:
		space, ok := namespace(e.AsSelect().Operand())
		return space + "." + e.AsSelect().FieldName(), ok
	default:
		return "", false
	}
}

// functionNames lists the functions that people can write, operators left out.
func functionNames(env *cel.Env) []string {
	var names []string
	for name := range env.Functions() {
		if !strings.ContainsAny(name, "_@!-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// literal reports a size or duration that can never be parsed.
func (in *inspector) literal(function string, arg ast.Expr) {
	if arg.Kind() != ast.LiteralKind {
		return
	}
	text, ok := arg.AsLiteral().(types.String)
	if !ok {
		return
	}
	switch function {
	case "bytes":
		if _, err := incident.ParseSize(string(text)); err != nil {
			in.complain(arg, 0, "%v", err)
		}
	case "duration":
		if _, err := time.ParseDuration(string(text)); err == nil {
			return
		}
		if d, err := incident.ParseDuration(string(text)); err == nil {
			in.complain(arg, 0, "%q is not a duration in CEL, which has no days: write %gh", string(text), d.Hours())
			return
		}
		in.complain(arg, 0, "%q is not a duration: write 90s, 15m or 4h", string(text))
	}
}
