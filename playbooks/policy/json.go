package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// Wanted is an expression over JSON, with what its value may be.
type Wanted struct {
	Name string
	Expr Expr
	// Types are CEL's words for the types that the value may have, such as int or
	// list(string); list and map stand for those of anything. A value that is read out of JSON has a type only when it is there, so
	// whoever takes it checks it again.
	Types []string
}

// JSON is one compiled expression over JSON. It is immutable and safe for concurrent use.
//
// What a document lacks, or has as null, is unknown, as a fact is that was not obtained:
// known asks for it, and a condition may hold without it.
type JSON struct {
	programs []cel.Program // one for each of jsonCosts
	reads    [][]string
}

type jsonCost struct{ bytes, cost uint64 }

// jsonCosts are what evaluations may cost, in CEL's units, by how many bytes there are to
// read: some 10 of them are a microsecond. A whole text may be searched, but an expression
// that compares every part of a small document with every other must end soon, as a body
// may hold a thousand of them.
func jsonCosts() [3]jsonCost {
	return [3]jsonCost{{8 << 10, 5_000}, {256 << 10, 100_000}, {math.MaxUint64, 1_000_000}}
}

var jsonEnv = sync.OnceValues(func() (*cel.Env, error) {
	e, err := libraries()
	if err != nil {
		return nil, err
	}
	if e, err = e.Extend(append(sharedFunctions(), jsonFunctions()...)...); err != nil {
		return nil, fmt.Errorf("declare functions for JSON: %w", err)
	}
	return e, nil
})

// CompileJSON checks expressions that see JSON values by these names. All faults are
// reported at once, and with any there are no expressions; else there is one for each that
// is wanted, in the same order.
func CompileJSON(file string, content []byte, names []string, wanted []Wanted) ([]*JSON, []Issue) {
	c := &compiler{src: Source{File: file, Content: content}, content: string(content)}
	s := scope{lets: map[string]bool{}, timeless: true, absent: func(fact string) string {
		return fmt.Sprintf("'%s' is a fact of a case: here is only %s", fact, strings.Join(names, " and "))
	}}
	var variables []cel.EnvOption
	for _, name := range names {
		s.lets[name] = true
		variables = append(variables, cel.Variable(name, cel.DynType))
	}
	env, err := jsonEnv()
	if err == nil {
		s.env, err = env.Extend(variables...)
	}
	if err != nil {
		return nil, []Issue{{File: file, Line: 1, Column: 1, Message: err.Error()}}
	}
	out := make([]*JSON, 0, len(wanted))
	for _, w := range wanted {
		out = append(out, c.json(w, s))
	}
	if c.issues = append(c.issues, c.complaints...); len(c.issues) > 0 {
		return nil, c.issues
	}
	return out, nil
}

func (c *compiler) json(w Wanted, s scope) *JSON {
	checked, ok := c.check(w.Expr, w.Name, nil, s)
	if !ok {
		return nil
	}
	loc := locate(c.content, w.Expr)
	tree := checked.NativeRep()
	if id, words := refused(tree.Expr()); words != "" {
		c.report(loc.at(offsetIn(w.Expr.Text, tree.SourceInfo().GetStartLocation(id))), "%s", words)
		return nil
	}
	if got := checked.OutputType(); !fits(got, w.Types) {
		c.report(loc.at(0), "%s is %s, it must be %s", w.Name, cel.FormatCELType(got), strings.Join(w.Types, " or "))
		return nil
	}
	e := &JSON{reads: chains(tree.Expr())}
	for _, bound := range jsonCosts() {
		program, err := s.env.PlanProgram(tree, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(bound.cost), costs())
		if err != nil {
			c.report(loc.at(0), "%v", err)
			return nil
		}
		e.programs = append(e.programs, program)
	}
	return e
}

// fits reports whether a value of a type, or one within an optional, may be one of the
// types.
func fits(got *cel.Type, wanted []string) bool {
	if got.IsExactType(cel.OptionalType(cel.DynType)) || got.Kind() == types.OpaqueKind && got.TypeName() == "optional_type" {
		return len(got.Parameters()) == 0 || fits(got.Parameters()[0], wanted)
	}
	if got.IsExactType(cel.DynType) || got.IsExactType(cel.ListType(cel.DynType)) &&
		slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(w, "list(") }) {
		return true
	}
	word := cel.FormatCELType(got)
	kind, _, _ := strings.Cut(word, "(")
	return slices.Contains(wanted, word) || slices.Contains(wanted, kind)
}

// maxReplacement bounds what stands in place of each character of a text, in code points.
const maxReplacement = 100

// refused finds a call that an expression over JSON must not have: whoever sends the JSON
// writes its texts, and the cost of a call is only counted after it.
func refused(e ast.Expr) (id int64, words string) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(part ast.Expr) {
		if part.Kind() == ast.CallKind && words == "" {
			id, words = part.ID(), refusal(part.AsCall())
		}
	}))
	return id, words
}

func refusal(call ast.CallExpr) string {
	name := call.FunctionName()
	if member := call.IsMemberFunction(); member && call.Target().Kind() == ast.IdentKind && call.Target().AsIdent() == "regex" {
		name = "regex." + name
	}
	switch name {
	case "_?._", "_[?_]":
		return "nothing is optional here: what the document lacks is unknown, and known(x) asks for it"
	case "join", "format":
		return name + " could make a text here that no memory holds: put texts together with +"
	case "replace", "regex.replace":
		at := 1
		if name != "replace" || !call.IsMemberFunction() {
			at = 2
		}
		if text, ok := written(call.Args(), at); !ok || utf8.RuneCountInString(text) > maxReplacement {
			return fmt.Sprintf("the replacement must be written out, with at most %d characters: a text of the sender's could make one that no memory holds", maxReplacement)
		}
	}
	if at := patterned(name, call.IsMemberFunction()); at >= 0 {
		if _, ok := written(call.Args(), at); !ok {
			return "the pattern must be written out: the sender must not choose it"
		}
	}
	return ""
}

// written is an argument that is a text written out.
func written(args []ast.Expr, at int) (string, bool) {
	if at >= len(args) || args[at].Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := args[at].AsLiteral().(types.String)
	return string(text), ok
}

// chains are the paths that an expression reads, each from the name that it sees to the
// last key that is written out.
func chains(e ast.Expr) [][]string {
	var all [][]string
	var walk func(e ast.Expr)
	walk = func(e ast.Expr) {
		if chain, inner := chainOf(e); chain != nil {
			all = append(all, chain)
			return
		} else if inner != nil {
			e = inner
		}
		for _, part := range children(e) {
			walk(part)
		}
	}
	walk(e)
	return all
}

// chainOf is the path that a selection reads as a whole. Where its operand is no name, it
// is that operand.
func chainOf(e ast.Expr) (chain []string, operand ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		return []string{strings.TrimPrefix(e.AsIdent(), ".")}, nil
	case ast.SelectKind:
		chain, operand = chainOf(e.AsSelect().Operand())
		if chain != nil {
			return append(chain, e.AsSelect().FieldName()), nil
		}
		return nil, operand
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != "_[_]" || len(call.Args()) != 2 || call.Args()[1].Kind() != ast.LiteralKind {
			return nil, e
		}
		key, ok := call.Args()[1].AsLiteral().(types.String)
		if chain, _ = chainOf(call.Args()[0]); chain == nil || !ok {
			return nil, e
		}
		return append(chain, string(key)), nil
	default:
		return nil, e
	}
}

func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() {
			return append([]ast.Expr{call.Target()}, call.Args()...)
		}
		return e.AsCall().Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var parts []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			parts = append(parts, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return parts
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		return []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}
	case ast.IdentKind, ast.LiteralKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	return nil
}

// Reads returns the paths below a name that the expression reads: each has the keys that
// are written out, and an empty one is the value itself.
func (e *JSON) Reads(name string) [][]string {
	var below [][]string
	for _, chain := range e.reads {
		if chain[0] == name {
			below = append(below, chain[1:])
		}
	}
	return below
}

// Inputs are the JSON values that expressions see, by their names. They must not be used
// by several goroutines.
type Inputs struct {
	vars cel.Activation
	// bound is the place in jsonCosts; left is what all evaluations together may cost yet.
	bound int
	left  uint64
}

// NewInputs prepares values that were decoded from JSON of about so many bytes, with
// numbers as [json.Number]. They must not change while the inputs are used. A name
// without a value is missing.
func NewInputs(names []string, values map[string]any, bytes int) (*Inputs, error) {
	vars := make(map[string]any, len(names))
	for _, name := range names {
		if v, ok := values[name]; ok {
			vars[name] = jsonAdapter{name}.NativeToValue(v)
		} else {
			vars[name] = missingAt(name)
		}
	}
	prepared, err := cel.NewActivation(vars)
	if err != nil {
		return nil, fmt.Errorf("prepare JSON for expressions: %w", err)
	}
	bounds := jsonCosts()
	at := slices.IndexFunc(bounds[:], func(b jsonCost) bool { return uint64(max(bytes, 0)) <= b.bytes })
	return &Inputs{vars: prepared, bound: at, left: 2 * bounds[at].cost}, nil
}

// Value evaluates the expression. The value is as decoded from JSON: text, [json.Number],
// bool, []any, map[string]any or nil; a time is RFC 3339 text in UTC, and a duration Go's.
// Without a value, why says for what reason: what is missing, or the fault.
func (e *JSON) Value(in *Inputs) (value any, why string) {
	limit := jsonCosts()[in.bound].cost
	if in.left == 0 {
		return nil, fmt.Sprintf("the cost limit of %d for all expressions is exceeded", 2*limit)
	}
	v, details, err := e.programs[in.bound].Eval(in.vars)
	spent := limit
	if cost := details.ActualCost(); cost != nil {
		spent = *cost
	}
	in.left -= min(spent, in.left)
	if err != nil {
		var cancelled interpreter.EvalCancelledError
		if errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
			return nil, fmt.Sprintf("the cost limit of %d is exceeded", limit)
		}
		return nil, bounded(err.Error())
	}
	if u, ok := v.(*types.Unknown); ok {
		return nil, absent(u)
	}
	if value, err = native(v); err != nil {
		return nil, bounded(err.Error())
	}
	return value, ""
}

// absent says what made a value unknown.
func absent(u *types.Unknown) string {
	var paths []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			paths = append(paths, t.Variable())
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if len(paths) == 1 {
		return paths[0] + " is missing"
	}
	return strings.Join(paths, ", ") + " are missing"
}

// jsonNumber is a number as CEL has it. A whole number that does not fit is text, so that
// no id is rounded.
func jsonNumber(n json.Number) ref.Val {
	if i, err := n.Int64(); err == nil {
		return types.Int(i)
	}
	if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), ".eE") {
		return types.Double(f)
	}
	return types.String(n.String())
}
