package kql

import (
	"errors"
	"slices"
	"strconv"
)

func (u *unionOp) apply(e *env, t Table) (Table, error) { return u.join(e, &t, nil) }

// join puts tables below each other; columns that one lacks are null, or empty.
func (u *unionOp) join(e *env, first *Table, conds []expr) (Table, error) {
	var tables []Table
	var names []string
	if first != nil {
		tables, names = append(tables, *first), append(names, "union_arg0")
	}
	for i, leg := range u.legs {
		t, err := e.run(leg, conds)
		var refusal *Error
		if u.fuzzy && errors.As(err, &refusal) && refusal.Table != "" {
			*e.missing = append(*e.missing, refusal.Table)
			if len(tables) > 0 || i+1 < len(u.legs) {
				continue
			}
		}
		if err != nil {
			return Table{}, err
		}
		name := leg.table
		if name == "" || len(leg.ops) > 0 {
			name = "union_arg" + strconv.Itoa(i)
		}
		tables, names = append(tables, t), append(names, name)
	}
	return u.stack(tables, names), nil
}

// stack makes one table of all. A name of columns of several types is one column for each.
func (u *unionOp) stack(tables []Table, names []string) Table {
	types := map[string]map[Type]bool{}
	for _, t := range tables {
		for _, c := range t.Columns {
			if types[c.Name] == nil {
				types[c.Name] = map[Type]bool{}
			}
			types[c.Name][c.Type] = true
		}
	}
	out := Table{}
	if u.source != "" {
		out.Columns = append(out.Columns, Column{u.source, String})
	}
	at := make([][]int, len(tables))
	for n, t := range tables {
		for _, c := range t.Columns {
			if len(types[c.Name]) > 1 {
				c.Name += "_" + string(c.Type)
			}
			i := indexOf(out.Columns, c.Name)
			if i < 0 {
				i = len(out.Columns)
				out.Columns = append(out.Columns, c)
			}
			at[n] = append(at[n], i)
		}
	}
	for n, t := range tables {
		for _, row := range t.Rows {
			wide := blank(out.Columns)
			if u.source != "" {
				wide[0] = names[n]
			}
			for from, to := range at[n] {
				wide[to] = row[from]
			}
			out.Rows = append(out.Rows, wide)
		}
	}
	return out
}

// blank is a row of nulls; strings have none and are empty.
func blank(columns []Column) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		if c.Type == String {
			row[i] = ""
		}
	}
	return row
}

func (o joinOp) apply(e *env, left Table) (Table, error) {
	if !slices.Contains([]string{"inner", "innerunique", "leftouter", "leftsemi", "leftanti"}, o.kind) {
		return Table{}, in("join", semanticf("join kind '%s' is not supported", o.kind))
	}
	right, err := e.run(o.right, nil)
	if err != nil {
		return Table{}, err
	}
	var l, r []int
	for _, k := range o.on {
		i, j := indexOf(left.Columns, k.left), indexOf(right.Columns, k.right)
		if i < 0 || j < 0 {
			return Table{}, in("join", unresolvedf("Failed to resolve column named '%s' or '%s'", k.left, k.right))
		}
		if left.Columns[i].Type != right.Columns[j].Type {
			return Table{}, in("join", semanticf("key '%s' is of type %s and of type %s", k.left, left.Columns[i].Type, right.Columns[j].Type))
		}
		l, r = append(l, i), append(r, j)
	}
	matching := map[string][][]any{}
	for _, row := range right.Rows {
		k := keys(pick(row, r))
		matching[k] = append(matching[k], row)
	}
	return o.rows(left, right, l, matching), nil
}

func (o joinOp) rows(left, right Table, on []int, matching map[string][][]any) Table {
	out := Table{Columns: slices.Clone(left.Columns)}
	half := o.kind == "leftsemi" || o.kind == "leftanti"
	if !half {
		for _, c := range right.Columns {
			for n, name := 1, c.Name; indexOf(out.Columns, c.Name) >= 0; n++ {
				c.Name = name + strconv.Itoa(n)
			}
			out.Columns = append(out.Columns, c)
		}
	}
	seen := map[string]bool{}
	for _, row := range left.Rows {
		k := keys(pick(row, on))
		if o.kind == "innerunique" {
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		matches := matching[k]
		if half {
			if (len(matches) > 0) == (o.kind == "leftsemi") {
				out.Rows = append(out.Rows, row)
			}
			continue
		}
		if len(matches) == 0 && o.kind == "leftouter" {
			matches = [][]any{blank(right.Columns)}
		}
		for _, m := range matches {
			out.Rows = append(out.Rows, slices.Concat(row, m))
		}
	}
	return out
}

func pick(row []any, at []int) []any {
	out := make([]any, len(at))
	for i, from := range at {
		out[i] = row[from]
	}
	return out
}
