package kql

import (
	"slices"
	"strconv"
)

// extreme is arg_max and arg_min: the columns of the row with the extreme value.
func (e *env) extreme(columns []Column, call callExpr, name string, by []Column) (aggregate, error) {
	if len(call.args) < 2 {
		return aggregate{}, semanticf("%s(): function expects 2 argument(s)", call.name)
	}
	x, err := call.args[0].compile(&scope{e, columns})
	if err != nil {
		return aggregate{}, err
	}
	if name == "" {
		name = nameOf(call.args[0], 0)
	}
	a := aggregate{columns: []Column{{name, x.typ}}}
	var rest []node
	for i, arg := range call.args[1:] {
		if _, star := arg.(starExpr); star {
			for at, c := range columns {
				if c.Name != name && indexOf(by, c.Name) < 0 {
					a.columns = append(a.columns, c)
					rest = append(rest, node{c.Type, func(row []any) any { return row[at] }})
				}
			}
			continue
		}
		n, err := arg.compile(&scope{e, columns})
		if err != nil {
			return aggregate{}, err
		}
		a.columns = append(a.columns, Column{nameOf(arg, i+1), n.typ})
		rest = append(rest, n)
	}
	a.compute = func(rows [][]any) []any {
		var at []any
		out := []any{best(x, rows, call.name == "arg_max", &at)}
		for _, n := range rest {
			if at == nil {
				out = append(out, nil)
				continue
			}
			out = append(out, n.eval(at))
		}
		return out
	}
	return a, nil
}

// composite is an expression of aggregates, such as sum(a) + sum(b).
func (e *env) composite(columns []Column, n named, at int, by []Column) (aggregate, error) {
	var parts []aggregate
	var inner []Column
	x, err := replace(n.expr, func(call callExpr) (expr, error) {
		name := "$" + strconv.Itoa(len(parts))
		a, err := e.aggregate(columns, named{name, call}, at, by)
		if err != nil {
			return nil, err
		}
		if len(a.columns) != 1 {
			return nil, semanticf("%s(): it has several values", call.name)
		}
		parts, inner = append(parts, a), append(inner, a.columns...)
		return nameExpr{name}, nil
	})
	if err != nil {
		return aggregate{}, err
	}
	if len(parts) == 0 {
		return aggregate{}, semanticf("an aggregate function is expected")
	}
	whole, err := x.compile(&scope{e, inner})
	if err != nil {
		return aggregate{}, err
	}
	a := one(whole.typ, func(rows [][]any) any {
		var row []any
		for _, p := range parts {
			row = append(row, p.compute(rows)...)
		}
		return whole.eval(row)
	})
	a.columns[0].Name = n.name
	if n.name == "" {
		a.columns[0].Name = "Column" + strconv.Itoa(at+1)
	}
	return a, nil
}

// replace puts something in place of each aggregate of an expression.
func replace(x expr, by func(callExpr) (expr, error)) (expr, error) {
	var err error
	in := func(y expr) expr {
		if err != nil || y == nil {
			return y
		}
		var z expr
		z, err = replace(y, by)
		return z
	}
	switch y := x.(type) {
	case callExpr:
		if aggregates(y.name) {
			return by(y)
		}
		y.args = slices.Clone(y.args)
		for i := range y.args {
			y.args[i] = in(y.args[i])
		}
		x = y
	case binaryExpr:
		y.left, y.right = in(y.left), in(y.right)
		x = y
	case minusExpr:
		y.of = in(y.of)
		x = y
	case memberExpr:
		y.of = in(y.of)
		x = y
	case indexExpr:
		y.of, y.index = in(y.of), in(y.index)
		x = y
	case betweenExpr:
		y.of, y.from, y.to = in(y.of), in(y.from), in(y.to)
		x = y
	case inExpr:
		y.of = in(y.of)
		x = y
	}
	return x, err
}
