package policy

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// constant returns the value of an expression that is the same each time, or nil.
func (in *inspector) constant(e ast.Expr) ref.Val {
	switch e.Kind() {
	case ast.LiteralKind:
		return e.AsLiteral()
	case ast.IdentKind:
		if tree, ok := in.trees[e.AsIdent()]; ok {
			return in.constant(tree)
		}
		return nil
	case ast.CallKind:
		return in.folded(e.AsCall())
	default:
		return nil
	}
}

func (in *inspector) folded(call ast.CallExpr) ref.Val {
	if call.IsMemberFunction() {
		return nil
	}
	var args []ref.Val
	for _, arg := range call.Args() {
		v := in.constant(arg)
		if v == nil {
			return nil
		}
		args = append(args, v)
	}
	v := calculate(call.FunctionName(), args)
	if v == nil || types.IsUnknownOrError(v) {
		return nil
	}
	return v
}

func calculate(function string, args []ref.Val) ref.Val {
	switch {
	case len(args) == 1:
		return convert(function, args[0])
	case len(args) != 2:
		return nil
	}
	switch left := args[0]; function {
	case operators.Add:
		if l, ok := left.(traits.Adder); ok {
			return l.Add(args[1])
		}
	case operators.Subtract:
		if l, ok := left.(traits.Subtractor); ok {
			return l.Subtract(args[1])
		}
	case operators.Multiply:
		if l, ok := left.(traits.Multiplier); ok {
			return l.Multiply(args[1])
		}
	case operators.Divide:
		if l, ok := left.(traits.Divider); ok {
			return l.Divide(args[1])
		}
	case operators.Modulo:
		if l, ok := left.(traits.Modder); ok {
			return l.Modulo(args[1])
		}
	}
	return nil
}

func convert(function string, v ref.Val) ref.Val {
	switch function {
	case operators.Negate:
		if n, ok := v.(traits.Negater); ok {
			return n.Negate()
		}
	case "int":
		return v.ConvertToType(types.IntType)
	case "uint":
		return v.ConvertToType(types.UintType)
	case "double":
		return v.ConvertToType(types.DoubleType)
	case "bytes":
		if text, ok := v.(types.String); ok {
			if n, err := incident.ParseSize(string(text)); err == nil {
				return types.Int(n)
			}
		}
	}
	return nil
}

// division reports a division by a constant zero.
func (in *inspector) division(function string, call ast.CallExpr) {
	if function != operators.Divide && function != operators.Modulo {
		return
	}
	divisor := call.Args()[1]
	switch in.constant(divisor) {
	case types.Int(0), types.Uint(0), types.Double(0):
		in.refuse(divisor, "this divides by zero, which is an error each time: what rests on it never acts")
	}
}

// patterned returns which argument of a function is a regular expression, or -1.
func patterned(function string, member bool) int {
	switch {
	case function == "matches" && member:
		return 0
	case function == "matches", strings.HasPrefix(function, "regex."):
		return 1
	}
	return -1
}

// pattern reports a regular expression that is not what its author wrote.
func (in *inspector) pattern(function string, e ast.Expr) {
	text, ok := in.constant(e).(types.String)
	if !ok {
		return
	}
	if e.Kind() == ast.LiteralKind {
		if in.text(e); in.blamed(e) {
			return
		}
		if source := in.sourceOf(e); !raw(source) && rewritten.MatchString(strings.ReplaceAll(source, `\\`, "")) {
			in.refuse(e, `CEL reads the backslash before the regular expression does; write a raw string, such as r'\d+\.exe'`)
			return
		}
	}
	if _, err := regexp.Compile(string(text)); err != nil {
		words := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		if function == "matches" && e.Kind() == ast.LiteralKind {
			in.complain(e, 0, "the regular expression is none: %s", words)
		} else {
			in.refuse(e, "the regular expression is none: %s", words)
		}
	}
}

// rewritten are escapes of CEL that mean something else to a regular expression.
var rewritten = regexp.MustCompile("\\\\[abfv?`xXuU0-3]")

// short are the escapes that a path or a regular expression may begin with.
var short = regexp.MustCompile(`\\[abfvtnr]`)

// drive is how a Windows path begins; program is how the name of one ends.
var (
	drive   = regexp.MustCompile(`^\(?[?^i:)]*[A-Za-z]:`)
	program = regexp.MustCompile(`(?i)\.(exe|dll|sys|com|scr|bat|cmd|ps1|vbs|js)\$?$`)
)

// text reports a literal whose backslashes YAML or CEL has consumed: the rest
// contains control characters.
func (in *inspector) text(e ast.Expr) {
	text, ok := e.AsLiteral().(types.String)
	if !ok || in.blamed(e) {
		return
	}
	path := drive.MatchString(string(text)) || strings.Contains(string(text), `\`) || program.MatchString(string(text))
	odd := strings.IndexFunc(string(text), func(r rune) bool {
		if strings.ContainsRune("\t\n\r", r) {
			return path
		}
		return unicode.IsControl(r) || slices.Contains([]rune{0xa0, 0x2028, 0x2029}, r)
	})
	if odd < 0 {
		return
	}
	if source := in.sourceOf(e); raw(source) || !strings.Contains(source, `\`) {
		in.refuse(e, "YAML reads a backslash in double quotes as the beginning of an escape, and this text lost one; "+
			"write the whole expression in single quotes or in a | block")
		return
	}
	// A character that was written by its number is intended.
	if !short.MatchString(strings.ReplaceAll(in.sourceOf(e), `\\`, "")) {
		return
	}
	in.refuse(e, `CEL reads a backslash as the beginning of an escape, and this text lost one; write a raw string, such as r'C:\Windows' or r'\btool\.exe'`)
}

// sourceOf returns the expression's text from the start to the end of a literal.
func (in *inspector) sourceOf(e ast.Expr) string {
	if in.info == nil {
		return ""
	}
	runes := []rune(in.written)
	at := offsetIn(in.written, in.info.GetStartLocation(e.ID()))
	if at >= len(runes) {
		return ""
	}
	source := string(runes[at:])
	quote := strings.IndexAny(source, `'"`)
	if quote < 0 {
		return ""
	}
	for end := quote + 1; end < len(source); end++ {
		switch {
		case source[end] == '\\' && !raw(source):
			end++
		case source[end] == source[quote]:
			return source[:end+1]
		}
	}
	return source
}

func raw(source string) bool { return strings.HasPrefix(source, "r") || strings.HasPrefix(source, "R") }
