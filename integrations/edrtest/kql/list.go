package kql

import (
	"slices"
	"strings"
)

func (x inExpr) compile(s *scope) (node, error) {
	of, err := x.of.compile(s)
	if err != nil {
		return node{}, err
	}
	list, err := x.values(s, of.typ)
	if err != nil {
		return node{}, err
	}
	if x.op == "has_any" || x.op == "has_all" {
		return node{Bool, func(row []any) any {
			a := text(of.eval(row))
			found := func(v any) bool { return matches("has", a, text(v)) }
			if x.op == "has_any" {
				return slices.ContainsFunc(list, found)
			}
			return !slices.ContainsFunc(list, func(v any) bool { return !found(v) })
		}}, nil
	}
	op, not := strings.CutPrefix(x.op, "!")
	return node{Bool, func(row []any) any {
		v := of.eval(row)
		return slices.ContainsFunc(list, func(w any) bool {
			if op == "in~" {
				return strings.EqualFold(text(v), text(w))
			}
			return equal(v, w)
		}) != not
	}}, nil
}

// values are those of the list: of its expressions, which may be dynamic arrays, or
// of the first column of its table.
func (x inExpr) values(s *scope, of Type) ([]any, error) {
	if t := x.asTable(s); t != nil {
		result, err := s.e.run(t, nil)
		if err != nil {
			return nil, err
		}
		if len(result.Columns) == 0 || !comparable(of, result.Columns[0].Type, true) {
			return nil, semanticf("%s: the table has no column of type %s", x.op, of)
		}
		var list []any
		for _, row := range result.Rows {
			list = append(list, row[0])
		}
		return list, nil
	}
	var list []any
	for _, item := range x.list {
		v, err := s.e.constant(item)
		if err != nil {
			return nil, err
		}
		if array, ok := v.v.([]any); ok && v.typ == Dynamic {
			list = append(list, array...)
			continue
		}
		if !comparable(of, v.typ, true) {
			return nil, semanticf("%s: cannot compare values of types %s and %s", x.op, of, v.typ)
		}
		list = append(list, v.v)
	}
	return list, nil
}

// asTable is the table in the parentheses, if it is one.
func (x inExpr) asTable(s *scope) *tabular {
	if x.table != nil {
		return x.table
	}
	if len(x.list) != 1 {
		return nil
	}
	name, ok := x.list[0].(nameExpr)
	if !ok {
		return nil
	}
	if _, ok := s.e.scalars[name.name]; ok {
		return nil
	}
	if _, ok := s.e.source.Columns(name.name); ok || s.e.tables[name.name] != nil {
		return &tabular{table: name.name}
	}
	return nil
}
