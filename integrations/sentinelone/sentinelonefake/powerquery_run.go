package sentinelonefake

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	rowsByDefault = 1000
	cutAdvice     = `Result set limited to 1000 rows by default. To display more rows, add a command like "| limit 10000".`
)

// table is the result of a query.
type table struct {
	columns []string
	rows    []row
	matched int
	advice  []string
	outOf   bool // it ran out of time
}

// bound reports whether the query reads the events of some hosts only: a filter
// says so before events are grouped.
func (q *powerQuery) bound() bool {
	if q.filter != nil && boundsHost(q.filter) {
		return true
	}
	for _, c := range q.commands {
		switch {
		case c.name == "group":
			return false
		case c.name == "filter" && boundsHost(c.expr):
			return true
		}
	}
	return false
}

// run runs the query over events, which are in the order of their times.
func (q *powerQuery) run(events []row) (*table, error) {
	t := &table{}
	for _, e := range events {
		if q.filter == nil || truthy(q.filter.eval(e)) {
			t.rows = append(t.rows, e)
		}
	}
	t.matched = len(t.rows)
	limited := false
	for _, c := range q.commands {
		limited = limited || c.name == "limit" || c.name == "group"
		if err := t.apply(c); err != nil {
			return nil, err
		}
	}
	if t.columns == nil {
		// Not documented: what a query without columns shows.
		t.columns = []string{"timestamp", "message"}
	}
	if !limited && len(t.rows) > rowsByDefault {
		t.rows = t.rows[:rowsByDefault]
		t.advice = []string{cutAdvice}
	}
	return t, nil
}

func (t *table) apply(c command) error {
	if err := t.defined(c); err != nil {
		return err
	}
	switch c.name {
	case "filter":
		t.rows = slices.DeleteFunc(slices.Clone(t.rows), func(r row) bool { return !truthy(c.expr.eval(r)) })
	case "columns":
		t.project(c.columns)
	case "let":
		for i, r := range t.rows {
			r = maps.Clone(r)
			for _, f := range c.columns {
				r[f.name] = f.expr.eval(r)
			}
			t.rows[i] = r
		}
		if t.columns != nil {
			for _, f := range c.columns {
				t.columns = append(t.columns, f.name)
			}
		}
	case "group":
		t.group(c)
	case "sort":
		t.sort(c.keys)
	case "limit":
		t.rows = t.rows[:min(c.limit, len(t.rows))]
	}
	return nil
}

// defined refuses fields that are gone: after columns and group there are only
// those that they made.
func (t *table) defined(c command) error {
	if t.columns == nil {
		return nil
	}
	var used []string
	for _, k := range c.keys {
		used = append(used, k.field)
	}
	if c.expr != nil {
		used = append(used, fieldsOf(c.expr)...)
	}
	for _, f := range slices.Concat(c.columns, c.by) {
		used = append(used, fieldsOf(f.expr)...)
	}
	for _, name := range used {
		if !slices.Contains(t.columns, name) {
			return fmt.Errorf("undefined field '%s'", name)
		}
	}
	return nil
}

func fieldsOf(e expr) []string {
	switch e := e.(type) {
	case fieldExpr:
		return []string{string(e)}
	case andExpr:
		return append(fieldsOf(e.left), fieldsOf(e.right)...)
	case orExpr:
		return append(fieldsOf(e.left), fieldsOf(e.right)...)
	case notExpr:
		return fieldsOf(e.of)
	case presentExpr:
		return fieldsOf(e.of)
	case compareExpr:
		return append(fieldsOf(e.left), fieldsOf(e.right)...)
	case textExpr:
		return fieldsOf(e.field)
	case callExpr:
		var all []string
		for _, a := range e.args {
			all = append(all, fieldsOf(a)...)
		}
		return all
	}
	return nil
}

func (t *table) project(columns []column) {
	rows := make([]row, 0, len(t.rows))
	for _, r := range t.rows {
		made := row{}
		for _, c := range columns {
			made[c.name] = c.expr.eval(r)
		}
		rows = append(rows, made)
	}
	t.rows, t.columns = rows, nil
	for _, c := range columns {
		t.columns = append(t.columns, c.name)
	}
}

func (t *table) sort(keys []sortKey) {
	slices.SortStableFunc(t.rows, func(a, b row) int {
		for _, k := range keys {
			order, comparable := compare(a[k.field], b[k.field])
			if !comparable {
				order = strings.Compare(text(a[k.field]), text(b[k.field]))
			}
			if k.descending {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
}

// aggregates are the functions of groups that the double knows.
func aggregates() []string {
	return []string{"count", "sum", "min", "max", "any", "estimate_distinct", "array_agg_distinct"}
}

func (t *table) group(c command) {
	members := map[string][]row{}
	var order []string
	for _, r := range t.rows {
		var key strings.Builder
		for _, k := range c.by {
			fmt.Fprintf(&key, "%T%v\x00", k.expr.eval(r), k.expr.eval(r))
		}
		if members[key.String()] == nil {
			order = append(order, key.String())
		}
		members[key.String()] = append(members[key.String()], r)
	}
	t.rows = nil
	for _, key := range order {
		made := row{}
		for _, k := range c.by {
			made[k.name] = k.expr.eval(members[key][0])
		}
		for _, a := range c.columns {
			if call, is := a.expr.(callExpr); is {
				made[a.name] = aggregate(call, members[key])
			}
		}
		t.rows = append(t.rows, made)
	}
	t.columns = nil
	var keys []sortKey
	for _, k := range c.by {
		t.columns = append(t.columns, k.name)
		keys = append(keys, sortKey{field: k.name})
	}
	for _, a := range c.columns {
		t.columns = append(t.columns, a.name)
	}
	t.sort(keys)
}

func aggregate(call callExpr, rows []row) any {
	if call.name == "count" && len(call.args) == 0 {
		return float64(len(rows))
	}
	var values []any
	for _, r := range rows {
		if v := call.eval(r); v != nil {
			values = append(values, v)
		}
	}
	distinct := map[any]bool{}
	for _, v := range values {
		distinct[v] = true
	}
	switch call.name {
	case "count":
		return float64(len(slices.DeleteFunc(values, func(v any) bool { return !truthy(v) })))
	case "estimate_distinct":
		return float64(len(distinct))
	case "array_agg_distinct":
		var seen []any
		for _, v := range values {
			if !slices.Contains(seen, v) {
				seen = append(seen, v)
			}
		}
		return seen
	case "sum":
		sum := 0.0
		for _, v := range values {
			n, _ := v.(float64)
			sum += n
		}
		return sum
	}
	if len(values) == 0 {
		return nil
	}
	best := values[0]
	for _, v := range values[1:] {
		order, _ := compare(v, best)
		if call.name == "min" && order < 0 || call.name == "max" && order > 0 {
			best = v
		}
	}
	return best
}

// cut drops half of the rows where the query ran out of time.
func (t *table) cut(outOfTime bool) {
	if outOfTime {
		t.outOf = true
		t.rows = t.rows[:len(t.rows)/2]
	}
}

// document is the table as the query API writes it.
func (t *table) document(o Options) map[string]any {
	columns := make([]any, 0, len(t.columns))
	for _, name := range t.columns {
		columns = append(columns, map[string]any{"name": name, "type": t.typeOf(o, name)})
	}
	var values []any
	for _, r := range t.rows {
		cells := make([]any, 0, len(t.columns))
		for _, name := range t.columns {
			cells = append(cells, cell(o, r[name]))
		}
		values = append(values, cells)
	}
	document := map[string]any{
		"columns": columns, "values": listOf(o, values), "matchCount": t.matched, "omittedEvents": 0,
		"partialResultsDueToTimeLimit": t.outOf, "warnings": []any{}, "recommendations": listOf(o, t.advice),
	}
	if o.Extra {
		document["undocumented"] = true
	}
	return document
}

func (t *table) typeOf(o Options, name string) string {
	for _, r := range t.rows {
		switch cell(o, r[name]).(type) {
		case int64, float64:
			return "INTEGER"
		case string:
			return "STRING"
		case bool:
			return "BOOLEAN"
		}
	}
	return "UNKNOWN"
}

// cell is a value as it is written. A column that once held text is one of strings
// for ever: then numbers are, too.
func cell(o Options, v any) any {
	n, is := v.(float64)
	switch {
	case !is:
		return v
	case o.Older:
		return text(v)
	case n == float64(int64(n)):
		return int64(n)
	}
	return n
}
