package defendfake

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// aggregate is a column that is computed of a group of rows.
type aggregate struct {
	column
	compute func([]row) any
}

// stats counts groups of rows.
func (q *query) stats(p *parser) *refusal {
	var aggregates []aggregate
	for !p.word("by") {
		if p.peek().kind == "end" {
			break
		}
		if len(aggregates) > 0 && !p.sign(",") {
			return p.unexpected("{',', 'by'}")
		}
		a, refused := q.aggregate(p)
		if refused != nil {
			return refused
		}
		aggregates = append(aggregates, a)
	}
	groups, columns, refused := q.groups(p)
	if refused != nil {
		return refused
	}
	q.settled = true
	var keys []string
	members := map[string][]row{}
	for _, r := range q.table.rows {
		for _, g := range groups(r) {
			key := fmt.Sprint(g)
			if members[key] == nil {
				keys = append(keys, key)
			}
			merged := row{}
			for name, v := range r {
				merged[name] = v
			}
			for i, c := range columns {
				merged["\x00"+c.name] = g[i]
			}
			members[key] = append(members[key], merged)
		}
	}
	if len(columns) == 0 && len(keys) == 0 { // of nothing there is one row
		keys, members = []string{""}, map[string][]row{"": {}}
	}
	var rows []row
	for _, key := range keys {
		r := row{}
		for _, a := range aggregates {
			r[a.name] = a.compute(members[key])
		}
		for _, c := range columns {
			r[c.name] = members[key][0]["\x00"+c.name]
		}
		rows = append(rows, r)
	}
	q.table = table{rows: rows}
	for _, a := range aggregates {
		q.table.columns = append(q.table.columns, a.column)
	}
	q.table.columns = append(q.table.columns, columns...)
	return nil
}

// groups reads what rows are grouped by. A row with several values is in several
// groups.
func (q *query) groups(p *parser) (func(row) [][]any, []column, *refusal) {
	var keys []expression
	var columns []column
	for p.peek().kind != "end" {
		if len(keys) > 0 && !p.sign(",") {
			return nil, nil, p.unexpected("','")
		}
		name := q.alias(p)
		e, refused := p.expression()
		if refused != nil {
			return nil, nil, refused
		}
		if name == "" {
			name = e.text
		}
		keys, columns = append(keys, e), append(columns, column{name, e.kind})
	}
	return func(r row) [][]any {
		out := [][]any{{}}
		for _, k := range keys {
			values, several := k.value(r).([]any)
			if !several {
				values = []any{k.value(r)}
			}
			var longer [][]any
			for _, g := range out {
				for _, v := range values {
					longer = append(longer, append(slices.Clone(g), v))
				}
			}
			out = longer
		}
		return out
	}, columns, nil
}

// alias takes a name that something is given.
func (q *query) alias(p *parser) string {
	t := p.peek()
	if t.kind == "name" && p.at+1 < len(p.tokens) && p.tokens[p.at+1].text == "=" && p.tokens[p.at+1].kind == "sign" {
		p.at += 2
		return t.text
	}
	return ""
}

func (q *query) aggregate(p *parser) (aggregate, *refusal) {
	name := q.alias(p)
	t := p.next()
	if t.kind != "name" || !p.sign("(") {
		return aggregate{}, p.unexpected("an aggregate function")
	}
	var of expression
	star := p.sign("*")
	if !star {
		var refused *refusal
		if of, refused = p.expression(); refused != nil {
			return aggregate{}, refused
		}
	}
	if !p.sign(")") {
		return aggregate{}, p.unexpected("')'")
	}
	if name == "" {
		name = p.since(t.at)
	}
	function := strings.ToLower(t.text)
	kind, known := map[string]string{
		"count": "long", "count_distinct": "long", "sum": of.kind, "min": of.kind, "max": of.kind, "values": of.kind,
	}[function]
	switch {
	case !known || star && function != "count":
		return aggregate{}, planError(q.text, t.at, "Unknown function [%s]", t.text)
	case function == "sum" && !isNumber(of.kind):
		return aggregate{}, planError(q.text, t.at, "argument of [%s] must be [numeric except unsigned_long or counter types], found value [%s] type [%s]", p.since(t.at), of.text, of.kind)
	}
	return aggregate{column{name, kind}, func(rows []row) any {
		if star {
			return int64(len(rows))
		}
		return summarize(function, of, rows)
	}}, nil
}

// summarize computes of the values that are not null.
func summarize(function string, of expression, rows []row) any {
	var values []any
	for _, r := range rows {
		switch v := of.value(r).(type) {
		case nil:
		case []any:
			values = append(values, v...)
		default:
			values = append(values, v)
		}
	}
	order := func(a, b any) int { return compareValues(of.kind, a, b) }
	switch function {
	case "count":
		return int64(len(values))
	case "sum":
		if len(values) == 0 {
			return nil
		}
		total := 0.0
		for _, v := range values {
			total += float(v)
		}
		if of.kind == "double" {
			return total
		}
		return int64(total)
	}
	slices.SortFunc(values, order)
	switch {
	case function == "count_distinct":
		return int64(len(slices.CompactFunc(values, func(a, b any) bool { return order(a, b) == 0 })))
	case len(values) == 0:
		return nil
	case function == "min":
		return values[0]
	case function == "max":
		return values[len(values)-1]
	}
	values = slices.CompactFunc(values, func(a, b any) bool { return order(a, b) == 0 })
	for i, v := range values {
		if t, ok := v.(time.Time); ok {
			values[i] = isoTime(t)
		}
	}
	return values
}
