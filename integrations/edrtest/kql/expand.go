package kql

import (
	"slices"
	"time"
)

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
