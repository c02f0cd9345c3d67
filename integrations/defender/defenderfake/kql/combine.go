package kql

import (
	"slices"
	"strconv"
	"time"
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
		if err != nil {
			return Table{}, err
		}
		name := leg.table
		if name == "" || len(leg.ops) > 0 {
			name = "union_arg" + strconv.Itoa(i)
		}
		tables, names = append(tables, t), append(names, name)
	}
	out := Table{}
	if u.source != "" {
		out.Columns = append(out.Columns, Column{u.source, String})
	}
	for _, t := range tables {
		for _, c := range t.Columns {
			i := indexOf(out.Columns, c.Name)
			switch {
			case i < 0:
				out.Columns = append(out.Columns, c)
			case out.Columns[i].Type != c.Type:
				return Table{}, in("union", semanticf("column '%s' is of type %s and of type %s", c.Name, out.Columns[i].Type, c.Type))
			}
		}
	}
	for n, t := range tables {
		for _, row := range t.Rows {
			wide := blank(out.Columns)
			if u.source != "" {
				wide[0] = names[n]
			}
			for i, c := range t.Columns {
				wide[indexOf(out.Columns, c.Name)] = row[i]
			}
			out.Rows = append(out.Rows, wide)
		}
	}
	return out, nil
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
			return Table{}, in("join", semanticf("Failed to resolve column named '%s' or '%s'", k.left, k.right))
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

func (o expandOp) apply(e *env, t Table) (Table, error) {
	if len(o.columns) != 1 {
		return Table{}, in("mv-expand", semanticf("one column is supported"))
	}
	added, nodes, err := e.compiled("mv-expand", t.Columns, o.columns)
	if err != nil {
		return Table{}, err
	}
	if added[0].Type != Dynamic {
		return Table{}, in("mv-expand", semanticf("expanded expression expected to have dynamic type"))
	}
	if o.typ != "" {
		added[0].Type = o.typ
	}
	out := Table{Columns: slices.Clone(t.Columns)}
	at := indexOf(out.Columns, added[0].Name)
	if at < 0 {
		at = len(out.Columns)
		out.Columns = append(out.Columns, added[0])
	} else {
		out.Columns[at].Type = added[0].Type
	}
	for _, row := range t.Rows {
		for _, v := range items(nodes[0].eval(row)) {
			wide := make([]any, len(out.Columns))
			copy(wide, row)
			wide[at] = o.typed(v)
			out.Rows = append(out.Rows, wide)
		}
	}
	return out, nil
}

// typed is an element as a value of the type that was asked for; null where it is none.
func (o expandOp) typed(v any) any {
	switch o.typ {
	case String:
		return text(v)
	case Int, Long:
		return toLong([]any{v})
	case Real:
		return toReal([]any{v})
	case Bool:
		if b, ok := v.(bool); ok {
			return b
		}
		return nil
	case Datetime:
		if at, ok := v.(time.Time); ok {
			return at
		}
		if at, err := parseTime(text(v)); err == nil {
			return at
		}
		return nil
	case Dynamic, Timespan:
	}
	return v
}

// items are what a dynamic value expands into: the elements of an array, or a bag
// for each property.
func items(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		var list []any
		for name, of := range v {
			list = append(list, map[string]any{name: of})
		}
		slices.SortFunc(list, func(a, b any) int {
			c, _ := compare(text(a), text(b))
			return c
		})
		return list
	}
	return []any{v}
}
