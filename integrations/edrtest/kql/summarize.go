package kql

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// aggregate is a compiled one: it makes the values of its columns from the rows of
// a group.
type aggregate struct {
	columns []Column
	compute func(rows [][]any) []any
}

func (o summarizeOp) apply(e *env, t Table) (Table, error) {
	columns, by, err := e.compiled("summarize", t.Columns, o.by)
	if err != nil {
		return Table{}, err
	}
	var aggregates []aggregate
	out := Table{Columns: columns}
	for i, n := range o.aggregates {
		a, err := e.aggregate(t.Columns, n, i, columns)
		if err != nil {
			return Table{}, in("summarize", err)
		}
		aggregates = append(aggregates, a)
		out.Columns = append(out.Columns, a.columns...)
	}
	for i, c := range out.Columns {
		if indexOf(out.Columns[:i], c.Name) >= 0 {
			return Table{}, in("summarize", semanticf("column '%s' is defined twice", c.Name))
		}
	}
	groups, order := map[string][][]any{}, []string{}
	heads := map[string][]any{}
	for _, row := range t.Rows {
		head := values(by, row)
		k := keys(head)
		if _, ok := heads[k]; !ok {
			heads[k], order = head, append(order, k)
		}
		groups[k] = append(groups[k], row)
	}
	if len(o.by) == 0 && len(order) == 0 {
		order = []string{""}
	}
	for _, k := range order {
		row := slices.Clone(heads[k])
		for _, a := range aggregates {
			row = append(row, a.compute(groups[k])...)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

func (e *env) aggregate(columns []Column, n named, at int, by []Column) (aggregate, error) {
	call, ok := n.expr.(callExpr)
	if !ok || !aggregates(call.name) {
		return e.composite(columns, n, at, by)
	}
	if call.name == "arg_max" || call.name == "arg_min" {
		return e.extreme(columns, call, n.name, by)
	}
	s := &scope{e, columns}
	args := make([]node, len(call.args))
	for i, a := range call.args {
		if _, star := a.(starExpr); star && call.name == "count" {
			continue
		}
		x, err := a.compile(s)
		if err != nil {
			return aggregate{}, err
		}
		args[i] = x
	}
	a, err := fold(call, args)
	if err != nil {
		return aggregate{}, err
	}
	a.columns[0].Name = n.name
	if n.name == "" {
		a.columns[0].Name = aggregateName(call, at)
	}
	return a, nil
}

// aggregateName is the name that the language gives: count_, max_X, set_X.
func aggregateName(call callExpr, at int) string {
	prefix := map[string]string{"make_set": "set", "make_list": "list", "take_any": "", "any": "any", "make_set_if": "set", "make_list_if": "list"}
	p, ok := prefix[call.name]
	if !ok {
		p = call.name
	}
	of := ""
	if len(call.args) > 0 {
		if x, ok := call.args[0].(nameExpr); ok {
			of = x.name
		} else if call.name != "countif" && call.name != "count" {
			return "Column" + strconv.Itoa(at+1)
		}
	}
	if call.name == "countif" {
		of = ""
	}
	if p == "" {
		return of
	}
	return p + "_" + of
}

// one makes an aggregate of one column.
func one(t Type, compute func(rows [][]any) any) aggregate {
	return aggregate{[]Column{{Type: t}}, func(rows [][]any) []any { return []any{compute(rows)} }}
}

// fewest is how many arguments an aggregate function takes at least.
func fewest() map[string]int {
	return map[string]int{
		"count": 0, "countif": 1, "dcount": 1, "count_distinct": 1, "sum": 1, "min": 1, "max": 1, "avg": 1,
		"make_set": 1, "make_list": 1, "take_any": 1, "any": 1, "arg_max": 2, "arg_min": 2,
		"dcountif": 2, "count_distinctif": 2, "sumif": 2, "minif": 2, "maxif": 2, "avgif": 2,
		"make_set_if": 2, "make_list_if": 2, "take_anyif": 2,
	}
}

// aggregates reports whether a function is an aggregate one.
func aggregates(name string) bool {
	_, ok := fewest()[name]
	return ok
}

// foldIf is an aggregate of the rows that its second argument holds for.
func foldIf(call callExpr, base string, args []node) (aggregate, error) {
	holds := args[1]
	if holds.typ != Bool {
		return aggregate{}, semanticf("%s(): argument #2 of type %s, want bool", call.name, holds.typ)
	}
	a, err := fold(callExpr{name: base}, slices.Delete(slices.Clone(args), 1, 2))
	if err != nil {
		return aggregate{}, err
	}
	compute := a.compute
	a.compute = func(rows [][]any) []any {
		var some [][]any
		for _, row := range rows {
			if truth(holds.eval(row)) {
				some = append(some, row)
			}
		}
		return compute(some)
	}
	return a, nil
}

func fold(call callExpr, args []node) (aggregate, error) {
	switch n := fewest()[call.name]; {
	case len(args) < n:
		return aggregate{}, semanticf("%s(): function expects %d argument(s)", call.name, n)
	case call.name == "count":
		return one(Long, func(rows [][]any) any { return int64(len(rows)) }), nil
	case call.name == "countif":
	case strings.HasSuffix(call.name, "if"):
		return foldIf(call, strings.TrimSuffix(strings.TrimSuffix(call.name, "if"), "_"), args)
	}
	x := args[0]
	switch call.name {
	case "countif":
		return one(Long, func(rows [][]any) any {
			n := int64(0)
			for _, row := range rows {
				if truth(x.eval(row)) {
					n++
				}
			}
			return n
		}), nil
	case "dcount", "count_distinct":
		return one(Long, func(rows [][]any) any { return int64(len(distinct(x, rows))) }), nil
	case "min", "max":
		return one(x.typ, func(rows [][]any) any { return best(x, rows, call.name == "max", nil) }), nil
	case "take_any", "any":
		return one(x.typ, func(rows [][]any) any {
			if len(rows) == 0 {
				return nil
			}
			return x.eval(rows[0])
		}), nil
	case "make_set", "make_list":
		return gather(call.name, args)
	}
	return total(call.name, x)
}

func gather(name string, args []node) (aggregate, error) {
	limit := 1 << 20
	if len(args) > 1 {
		n, ok := args[1].eval(nil).(int64)
		if !ok || n <= 0 {
			return aggregate{}, semanticf("%s(): the size is a positive constant", name)
		}
		limit = int(n)
	}
	return one(Dynamic, func(rows [][]any) any {
		list := []any{}
		if name == "make_set" {
			list = distinct(args[0], rows)
		} else {
			for _, row := range rows {
				if v := args[0].eval(row); v != nil {
					list = append(list, v)
				}
			}
		}
		return list[:min(limit, len(list))]
	}), nil
}

// distinct are the different values, without null.
func distinct(x node, rows [][]any) []any {
	list := []any{}
	seen := map[string]bool{}
	for _, row := range rows {
		v := x.eval(row)
		if k := key(v); v != nil && !seen[k] {
			seen[k] = true
			list = append(list, v)
		}
	}
	return list
}

// best is the largest or smallest value; at is set to its row.
func best(x node, rows [][]any, largest bool, at *[]any) any {
	var found any
	for _, row := range rows {
		v := x.eval(row)
		if v == nil {
			continue
		}
		if order, ok := compare(v, found); found == nil || ok && order != 0 && (order > 0) == largest {
			found = v
			if at != nil {
				*at = row
			}
		}
	}
	return found
}

func total(name string, x node) (aggregate, error) {
	typ := x.typ
	switch x.typ {
	case Int:
		typ = Long
	case Long, Real, Timespan:
	case String, Bool, Datetime, Dynamic:
		return aggregate{}, semanticf("%s(): argument of type %s, want a number", name, x.typ)
	}
	if name == "avg" && typ == Long {
		typ = Real
	}
	return one(typ, func(rows [][]any) any {
		sum, whole, n := 0.0, int64(0), 0
		for _, row := range rows {
			v := x.eval(row)
			if f, ok := scalar(v); ok {
				sum += f
				n++
			}
			if i, ok := v.(int64); ok {
				whole += i
			}
		}
		if name == "avg" {
			if n == 0 {
				return nil
			}
			sum /= float64(n)
		}
		switch typ {
		case Timespan:
			return time.Duration(sum)
		case Long:
			return whole
		case Int, Real, String, Bool, Datetime, Dynamic:
		}
		return sum
	}), nil
}
