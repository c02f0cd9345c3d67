package kql

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// scope is what an expression may name.
type scope struct {
	e       *env
	columns []Column
}

// node is an expression whose names and types are known.
type node struct {
	typ  Type
	eval func(row []any) any
}

func fixed(t Type, v any) node {
	return node{t, func([]any) any { return v }}
}

// constant computes an expression that reads no row.
func (e *env) constant(x expr) (value, error) {
	n, err := x.compile(&scope{e: e})
	if err != nil {
		return value{}, err
	}
	return value{n.typ, n.eval(nil)}, nil
}

func (s *scope) column(name string) int {
	return slices.IndexFunc(s.columns, func(c Column) bool { return c.Name == name })
}

// asText and asBool compile an operand that must be of that type.
func (s *scope) asText(x expr, what string) (node, error) {
	n, err := x.compile(s)
	if err != nil {
		return node{}, err
	}
	switch n.typ {
	case String:
		return n, nil
	case Dynamic:
		eval := n.eval
		return node{String, func(row []any) any { return text(eval(row)) }}, nil
	case Int, Long, Real, Bool, Datetime, Timespan:
	}
	return node{}, semanticf("%s: argument of type %s, want string", what, n.typ)
}

func (s *scope) asBool(x expr, what string) (node, error) {
	n, err := x.compile(s)
	if err == nil && n.typ != Bool && n.typ != Dynamic {
		err = semanticf("%s: a predicate of type %s, want bool", what, n.typ)
	}
	return n, err
}

func (x literalExpr) compile(*scope) (node, error) { return fixed(x.typ, x.v), nil }

func (x nameExpr) compile(s *scope) (node, error) {
	if i := s.column(x.name); i >= 0 {
		return node{s.columns[i].Type, func(row []any) any { return row[i] }}, nil
	}
	if v, ok := s.e.scalars[x.name]; ok {
		return fixed(v.typ, v.v), nil
	}
	return node{}, unresolvedf("Failed to resolve scalar expression named '%s'", x.name)
}

func (x memberExpr) compile(s *scope) (node, error) {
	return indexExpr{x.of, literalExpr{value{String, x.name}}}.compile(s)
}

func (x indexExpr) compile(s *scope) (node, error) {
	of, err := x.of.compile(s)
	if err != nil {
		return node{}, err
	}
	index, err := x.index.compile(s)
	if err != nil {
		return node{}, err
	}
	if of.typ != Dynamic {
		return node{}, semanticf("Path expression source must be of type dynamic, received a source of type %s instead", of.typ)
	}
	return node{Dynamic, func(row []any) any {
		switch at := index.eval(row).(type) {
		case string:
			bag, _ := of.eval(row).(map[string]any)
			return bag[at]
		case int64:
			list, _ := of.eval(row).([]any)
			if at < 0 {
				at += int64(len(list))
			}
			if at >= 0 && at < int64(len(list)) {
				return list[at]
			}
		}
		return nil
	}}, nil
}

func (x minusExpr) compile(s *scope) (node, error) {
	n, err := x.of.compile(s)
	if err != nil {
		return node{}, err
	}
	switch n.typ {
	case Int, Long, Real, Timespan:
	case String, Bool, Datetime, Dynamic:
		return node{}, semanticf("Operator '-' is not defined for type %s", n.typ)
	}
	return node{n.typ, func(row []any) any {
		switch v := n.eval(row).(type) {
		case int64:
			return -v
		case float64:
			return -v
		case time.Duration:
			return -v
		}
		return nil
	}}, nil
}

func (x binaryExpr) compile(s *scope) (node, error) {
	switch x.op {
	case "and", "or":
		return x.logic(s)
	case "==", "!=", "<", "<=", ">", ">=":
		return x.relation(s)
	case "+", "-", "*", "/", "%":
		return x.arithmetic(s)
	}
	return x.textual(s)
}

func (x binaryExpr) logic(s *scope) (node, error) {
	l, err := s.asBool(x.left, x.op)
	if err != nil {
		return node{}, err
	}
	r, err := s.asBool(x.right, x.op)
	if err != nil {
		return node{}, err
	}
	and := x.op == "and"
	return node{Bool, func(row []any) any {
		if truth(l.eval(row)) != and {
			return !and
		}
		return truth(r.eval(row))
	}}, nil
}

// comparable reports whether values of two types can be compared.
func comparable(a, b Type, equality bool) bool {
	number := func(t Type) bool { return t == Int || t == Long || t == Real }
	return a == b && a != Dynamic || number(a) && number(b) || equality && (a == Dynamic || b == Dynamic)
}

func (x binaryExpr) relation(s *scope) (node, error) {
	l, err := x.left.compile(s)
	if err != nil {
		return node{}, err
	}
	r, err := x.right.compile(s)
	if err != nil {
		return node{}, err
	}
	equality := x.op == "==" || x.op == "!="
	if !comparable(l.typ, r.typ, equality) {
		return node{}, semanticf("Cannot compare values of types %s and %s. Try adding explicit casts", l.typ, r.typ)
	}
	return node{Bool, func(row []any) any {
		a, b := l.eval(row), r.eval(row)
		if equality {
			return equal(a, b) == (x.op == "==")
		}
		order, ok := compare(a, b)
		if !ok {
			return nil
		}
		switch x.op {
		case "<":
			return order < 0
		case "<=":
			return order <= 0
		case ">":
			return order > 0
		default:
			return order >= 0
		}
	}}, nil
}

// equal compares two values; null equals nothing.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return false
	}
	if order, ok := compare(a, b); ok {
		return order == 0
	}
	return text(a) == text(b)
}

func (x binaryExpr) textual(s *scope) (node, error) {
	what := "'" + x.op + "' operator"
	l, err := s.asText(x.left, what)
	if err != nil {
		return node{}, err
	}
	r, err := s.asText(x.right, what)
	if err != nil {
		return node{}, err
	}
	if x.op == "matches regex" {
		pattern, err := s.e.constant(x.right)
		if err != nil {
			return node{}, err
		}
		re, err := regexp.Compile(text(pattern.v))
		if err != nil {
			return node{}, semanticf("matches regex: an invalid pattern")
		}
		return node{Bool, func(row []any) any { return re.MatchString(text(l.eval(row))) }}, nil
	}
	op, not := strings.CutPrefix(x.op, "!")
	if op == "~" || op == "=~" {
		op, not = "=~", x.op == "!~"
	}
	return node{Bool, func(row []any) any {
		return matches(op, text(l.eval(row)), text(r.eval(row))) != not
	}}, nil
}

// matches runs one of the operators on texts.
func matches(op, a, b string) bool {
	op, exact := strings.CutSuffix(op, "_cs")
	if !exact {
		a, b = strings.ToLower(a), strings.ToLower(b)
	}
	switch op {
	case "=~":
		return a == b
	case "contains":
		return strings.Contains(a, b)
	case "startswith":
		return strings.HasPrefix(a, b)
	case "endswith":
		return strings.HasSuffix(a, b)
	case "hasprefix":
		return term(a, b, true, false)
	case "hassuffix":
		return term(a, b, false, true)
	}
	return term(a, b, true, true)
}

// term reports whether b stands in a with no letter or digit before and after it.
func term(a, b string, before, after bool) bool {
	if b == "" {
		return true
	}
	letter := func(c byte) bool { return isWord(c) && c != '_' || c >= 0x80 }
	for from := 0; ; {
		i := strings.Index(a[from:], b)
		if i < 0 {
			return false
		}
		i += from
		past := i + len(b)
		if (!before || i == 0 || !letter(a[i-1]) || !letter(b[0])) &&
			(!after || past == len(a) || !letter(a[past]) || !letter(b[len(b)-1])) {
			return true
		}
		from = i + 1
	}
}

func (x betweenExpr) compile(s *scope) (node, error) {
	of, err := x.of.compile(s)
	if err != nil {
		return node{}, err
	}
	from, err := x.from.compile(s)
	if err != nil {
		return node{}, err
	}
	to, err := x.to.compile(s)
	if err != nil {
		return node{}, err
	}
	// datetime between (start .. duration) is start and what follows it.
	lasting := of.typ == Datetime && to.typ == Timespan
	if !comparable(of.typ, from.typ, false) || !lasting && !comparable(of.typ, to.typ, false) || of.typ == String || of.typ == Bool {
		return node{}, semanticf("between: cannot compare values of types %s, %s and %s", of.typ, from.typ, to.typ)
	}
	return node{Bool, func(row []any) any {
		v, a, b := of.eval(row), from.eval(row), to.eval(row)
		if start, ok := a.(time.Time); lasting && ok {
			if d, ok := b.(time.Duration); ok {
				b = start.Add(d)
			}
		}
		low, okl := compare(v, a)
		high, okh := compare(v, b)
		return okl && okh && (low >= 0 && high <= 0) != x.not
	}}, nil
}
