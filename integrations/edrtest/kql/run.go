package kql

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// maxNested bounds tables that name tables.
const maxNested = 50

// run computes a table. outer are predicates that all its rows must meet after it,
// so that its source need not give others.
func (e *env) run(t *tabular, outer []expr) (Table, error) {
	if e.depth++; e.depth > maxNested {
		return Table{}, semanticf("The query is nested too deeply")
	}
	defer func() { e.depth-- }()
	conds, through := e.pushed(t.ops)
	if through {
		conds = append(conds, outer...)
	}
	if slices.ContainsFunc(t.ops, e.takesNone) {
		conds = append(conds, noRows{})
	}
	table, err := e.open(t, conds)
	if err != nil {
		return Table{}, err
	}
	for i, op := range t.ops {
		if u, ok := op.(*unionOp); ok {
			after, through := e.pushed(t.ops[i+1:])
			if through {
				after = append(after, outer...)
			}
			table, err = u.join(e, &table, after)
		} else {
			table, err = op.apply(e, table)
		}
		if err != nil {
			return Table{}, err
		}
	}
	return table, nil
}

func (e *env) open(t *tabular, conds []expr) (Table, error) {
	switch {
	case t.sub != nil:
		return e.run(t.sub, conds)
	case t.print != nil:
		return e.print(t.print)
	case t.union != nil:
		return t.union.join(e, nil, conds)
	case e.tables[t.table] != nil:
		// Within a let its name means what it did before.
		inner := *e
		inner.tables = maps.Clone(e.tables)
		delete(inner.tables, t.table)
		return inner.run(e.tables[t.table], conds)
	}
	columns, ok := e.source.Columns(t.table)
	if !ok {
		return Table{}, &Error{Unresolved: true, Table: t.table, Message: "Failed to resolve table or column expression named '" + t.table + "'"}
	}
	if e.source.Ingested != "" {
		columns = append(slices.Clip(columns), Column{e.source.Ingested, Datetime})
	}
	return Table{Columns: columns, Rows: e.source.Rows(t.table, e.bounds(columns, conds))}, nil
}

func (o whereOp) apply(e *env, t Table) (Table, error) {
	n, err := (&scope{e, t.Columns}).asBool(o.cond, "where")
	if err != nil {
		return Table{}, in("where", err)
	}
	var rows [][]any
	for _, row := range t.Rows {
		if truth(n.eval(row)) {
			rows = append(rows, row)
		}
	}
	return Table{Columns: t.Columns, Rows: rows}, nil
}

// in says which operator an error is of.
func in(op string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return semanticf("'%s' operator: %s", op, err)
	}
	return &Error{Unresolved: e.Unresolved, Table: e.Table, Message: fmt.Sprintf("'%s' operator: %s", op, e.Message)}
}

// compiled compiles named expressions; those without a name get the language's.
func (e *env) compiled(op string, columns []Column, list []named) ([]Column, []node, error) {
	var out []Column
	var nodes []node
	for i, n := range list {
		x, err := n.expr.compile(&scope{e, columns})
		if err != nil {
			return nil, nil, in(op, err)
		}
		name := n.name
		if name == "" {
			name = nameOf(n.expr, i)
		}
		if slices.ContainsFunc(out, func(c Column) bool { return c.Name == name }) {
			return nil, nil, in(op, semanticf("column '%s' is defined twice", name))
		}
		out = append(out, Column{name, x.typ})
		nodes = append(nodes, x)
	}
	return out, nodes, nil
}

func nameOf(x expr, i int) string {
	switch x := x.(type) {
	case nameExpr:
		return x.name
	case callExpr:
		if (x.name == "bin" || x.name == "floor") && len(x.args) > 0 {
			return nameOf(x.args[0], i)
		}
	}
	return "Column" + strconv.Itoa(i+1)
}

func (o projectOp) apply(e *env, t Table) (Table, error) {
	columns, nodes, err := e.compiled("project", t.Columns, o.columns)
	if err != nil {
		return Table{}, err
	}
	out := Table{Columns: columns}
	for _, row := range t.Rows {
		out.Rows = append(out.Rows, values(nodes, row))
	}
	return out, nil
}

func values(nodes []node, row []any) []any {
	out := make([]any, len(nodes))
	for i, n := range nodes {
		out[i] = n.eval(row)
	}
	return out
}

func (o extendOp) apply(e *env, t Table) (Table, error) {
	added, nodes, err := e.compiled("extend", t.Columns, o.columns)
	if err != nil {
		return Table{}, err
	}
	out := Table{Columns: slices.Clone(t.Columns)}
	at := make([]int, len(added))
	for i, c := range added {
		if at[i] = indexOf(out.Columns, c.Name); at[i] < 0 {
			at[i] = len(out.Columns)
			out.Columns = append(out.Columns, c)
			continue
		}
		out.Columns[at[i]] = c
	}
	for _, row := range t.Rows {
		wide := make([]any, len(out.Columns))
		copy(wide, row)
		for i, n := range nodes {
			wide[at[i]] = n.eval(row)
		}
		out.Rows = append(out.Rows, wide)
	}
	return out, nil
}

func indexOf(columns []Column, name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
}

func (o renameOp) apply(e *env, t Table) (Table, error) {
	columns := slices.Clone(t.Columns)
	for _, n := range o.columns {
		old, ok := n.expr.(nameExpr)
		if !ok || n.name == "" {
			return Table{}, in("project-rename", semanticf("a rename is new = old"))
		}
		i := indexOf(t.Columns, old.name)
		if i < 0 {
			return Table{}, in("project-rename", unresolvedf("Failed to resolve column named '%s'", old.name))
		}
		columns[i].Name = n.name
	}
	return Table{Columns: columns, Rows: t.Rows}, nil
}

func (o pickOp) apply(_ *env, t Table) (Table, error) {
	var picked []int
	for _, name := range o.names {
		if name == "*" && o.how == "distinct" {
			for i, c := range t.Columns {
				if !hidden(c) {
					picked = append(picked, i)
				}
			}
			continue
		}
		i := indexOf(t.Columns, name)
		if i < 0 {
			return Table{}, in(o.how, unresolvedf("Failed to resolve column named '%s'", name))
		}
		picked = append(picked, i)
	}
	switch o.how {
	case "project-away":
		var rest []int
		for i := range t.Columns {
			if !slices.Contains(picked, i) {
				rest = append(rest, i)
			}
		}
		picked = rest
	case "project-keep":
		slices.Sort(picked)
	case "project-reorder":
		for i := range t.Columns {
			if !slices.Contains(picked, i) {
				picked = append(picked, i)
			}
		}
	}
	out := Table{}
	for _, i := range picked {
		out.Columns = append(out.Columns, t.Columns[i])
	}
	seen := map[string]bool{}
	for _, row := range t.Rows {
		short := make([]any, len(picked))
		for to, from := range picked {
			short[to] = row[from]
		}
		if o.how == "distinct" {
			k := keys(short)
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		out.Rows = append(out.Rows, short)
	}
	return out, nil
}

// count computes how many rows an operator takes.
func (e *env) count(op string, x expr) (int, error) {
	v, err := e.constant(x)
	if err != nil {
		return 0, in(op, err)
	}
	n, ok := v.v.(int64)
	if !ok || n < 0 {
		return 0, in(op, semanticf("the number of rows is a positive constant"))
	}
	return int(n), nil
}

func (o takeOp) apply(e *env, t Table) (Table, error) {
	n, err := e.count("take", o.n)
	if err != nil {
		return Table{}, err
	}
	return Table{Columns: t.Columns, Rows: t.Rows[:min(n, len(t.Rows))]}, nil
}

// print is a table of one row, which reads nothing.
func (e *env) print(list []named) (Table, error) {
	for i, n := range list {
		if n.name == "" {
			list[i].name = "print_" + strconv.Itoa(i)
		}
	}
	return projectOp{list}.apply(e, Table{Rows: [][]any{nil}})
}

func (countOp) apply(_ *env, t Table) (Table, error) {
	return Table{Columns: []Column{{"Count", Long}}, Rows: [][]any{{int64(len(t.Rows))}}}, nil
}

func (o sortOp) apply(e *env, t Table) (Table, error) {
	nodes := make([]node, len(o.keys))
	for i, k := range o.keys {
		n, err := k.expr.compile(&scope{e, t.Columns})
		if err == nil && n.typ == Dynamic {
			err = semanticf("sort key can't be of dynamic type")
		}
		if err != nil {
			return Table{}, in("sort", err)
		}
		nodes[i] = n
	}
	rows := slices.Clone(t.Rows)
	slices.SortStableFunc(rows, func(a, b []any) int {
		for i, k := range o.keys {
			if c := k.order(nodes[i].eval(a), nodes[i].eval(b)); c != 0 {
				return c
			}
		}
		return 0
	})
	if o.top == nil {
		return Table{Columns: t.Columns, Rows: rows}, nil
	}
	n, err := e.count("top", o.top)
	if err != nil {
		return Table{}, err
	}
	return Table{Columns: t.Columns, Rows: rows[:min(n, len(rows))]}, nil
}

func (k sortKey) order(a, b any) int {
	if a == nil || b == nil {
		c := cmp.Compare(null(a), null(b))
		if k.nullsFirst {
			return -c
		}
		return c
	}
	c, _ := compare(a, b)
	if !k.ascending {
		c = -c
	}
	return c
}

func null(v any) int {
	if v == nil {
		return 1
	}
	return 0
}
