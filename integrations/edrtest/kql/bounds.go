package kql

import (
	"slices"
	"strings"
	"time"
)

// Bounds are what a query says of the rows that it wants of a table before it
// computes anything from them.
type Bounds struct {
	// From and To bound the column of the time, both included; zero is no bound.
	From, To time.Time
	// Equal are the values that the texts of a column can have, regardless of case, by
	// column; Terms are texts of which it must contain one at least; and Begins are those
	// with one of which it must begin, of one column.
	Equal, Terms, Begins map[string][]string
	// None says that the query takes no rows, as one that only asks whether it may.
	None bool
}

// noRows is the condition that nothing meets.
type noRows struct{}

func (noRows) compile(*scope) (node, error) { return fixed(Bool, false), nil }

// takesNone reports whether an operator is take 0.
func (e *env) takesNone(op operator) bool {
	take, ok := op.(takeOp)
	if !ok {
		return false
	}
	n, err := e.count("take", take.n)
	return err == nil && n == 0
}

// pushed are the conditions that stand before whatever changes rows, and through
// reports whether nothing does.
func (e *env) pushed(ops []operator) (conds []expr, through bool) {
	for _, op := range ops {
		switch op := op.(type) {
		case whereOp:
			conds = append(conds, conjuncts(op.cond)...)
		case sortOp:
			if op.top != nil {
				return conds, false
			}
		case *unionOp:
			// What follows holds for the rows of both.
		case pickOp:
			// What is left of the columns means what it did.
		case projectOp:
			if !slices.ContainsFunc(op.columns, e.renames) {
				continue
			}
			return conds, false
		case extendOp:
			if slices.ContainsFunc(op.columns, e.bounding) {
				return conds, false
			}
		default:
			return conds, false
		}
	}
	return conds, true
}

// renames reports whether a column is given a name that a bound could mean.
func (e *env) renames(n named) bool {
	x, plain := n.expr.(nameExpr)
	return e.bounding(n) && (!plain || x.name != n.name)
}

func (e *env) bounding(n named) bool {
	return n.name == e.source.Time || strings.HasPrefix(n.name, "Device") || n.name == "IPAddresses"
}

func conjuncts(x expr) []expr {
	if b, ok := x.(binaryExpr); ok && b.op == "and" {
		return append(conjuncts(b.left), conjuncts(b.right)...)
	}
	return []expr{x}
}

func (e *env) bounds(columns []Column, conds []expr) Bounds {
	b := Bounds{Equal: map[string][]string{}, Terms: map[string][]string{}}
	for _, c := range conds {
		switch x := c.(type) {
		case noRows:
			b.None = true
		case binaryExpr:
			e.boundBinary(&b, columns, x)
			if column, texts, ok := e.beginnings(columns, x); ok && (x.op == "or" || x.op == "startswith") {
				b.Begins = map[string][]string{column: texts}
			}
		case betweenExpr:
			if n, ok := x.of.(nameExpr); ok && n.name == e.source.Time && !x.not {
				e.boundBetween(&b, x)
			}
		case inExpr:
			e.boundIn(&b, columns, x)
		}
	}
	return b
}

func (e *env) boundBinary(b *Bounds, columns []Column, x binaryExpr) {
	left, ok := x.left.(nameExpr)
	other, op := x.right, x.op
	if !ok || indexOf(columns, left.name) < 0 {
		turned := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "=~": "=~"}
		if left, ok = x.right.(nameExpr); !ok || indexOf(columns, left.name) < 0 {
			return
		}
		other, op = x.left, turned[x.op]
	}
	v, err := e.constant(other)
	if err != nil {
		return
	}
	if at, ok := v.v.(time.Time); ok && left.name == e.source.Time {
		if strings.HasPrefix(op, ">") || op == "==" {
			b.from(at)
		}
		if strings.HasPrefix(op, "<") || op == "==" {
			b.to(at)
		}
	}
	s, ok := v.v.(string)
	if !ok {
		return
	}
	switch op {
	case "==", "=~":
		b.equal(left.name, []string{s})
	case "has", "has_cs", "contains", "contains_cs":
		b.Terms[left.name] = append(b.Terms[left.name], s)
	}
}

// beginnings are the texts with one of which a column must begin to meet a condition: it is
// equal to a text, it begins with one, or it does either.
func (e *env) beginnings(columns []Column, x expr) (column string, texts []string, ok bool) {
	c, ok := x.(binaryExpr)
	if !ok {
		return "", nil, false
	}
	switch c.op {
	case "or":
		left, some, ok := e.beginnings(columns, c.left)
		right, others, also := e.beginnings(columns, c.right)
		return left, append(some, others...), ok && also && left == right
	case "==", "=~", "startswith":
	default:
		return "", nil, false
	}
	name, ok := c.left.(nameExpr)
	if !ok || indexOf(columns, name.name) < 0 {
		return "", nil, false
	}
	v, err := e.constant(c.right)
	s, ok := v.v.(string)
	return name.name, []string{s}, err == nil && ok && s != ""
}

func (e *env) boundBetween(b *Bounds, x betweenExpr) {
	from, err := e.constant(x.from)
	if err != nil {
		return
	}
	to, err := e.constant(x.to)
	if err != nil {
		return
	}
	start, ok := from.v.(time.Time)
	if !ok {
		return
	}
	b.from(start)
	switch end := to.v.(type) {
	case time.Time:
		b.to(end)
	case time.Duration:
		b.to(start.Add(end))
	}
}

func (e *env) boundIn(b *Bounds, columns []Column, x inExpr) {
	of, ok := x.of.(nameExpr)
	i := -1
	if ok {
		i = indexOf(columns, of.name)
	}
	if i < 0 || columns[i].Type != String || x.op != "in" && x.op != "in~" && x.op != "has_any" {
		return
	}
	list, err := x.values(&scope{e, columns}, String)
	if err != nil {
		return
	}
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = text(v)
	}
	if x.op == "has_any" {
		b.Terms[of.name] = append(b.Terms[of.name], texts...)
		return
	}
	b.equal(of.name, texts)
}

func (b *Bounds) from(t time.Time) {
	if b.From.Before(t) {
		b.From = t
	}
}

func (b *Bounds) to(t time.Time) {
	if b.To.IsZero() || t.Before(b.To) {
		b.To = t
	}
}

// equal narrows what a column can be.
func (b *Bounds) equal(column string, texts []string) {
	if before, ok := b.Equal[column]; ok {
		texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool {
			return !slices.ContainsFunc(before, func(t string) bool { return strings.EqualFold(s, t) })
		})
	}
	b.Equal[column] = texts
}
