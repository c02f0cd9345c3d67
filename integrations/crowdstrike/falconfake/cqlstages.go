package falconfake

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The limits of LogScale: of events without an aggregate, of rows with one, and of
// what a function may be asked for.
const (
	impliedTail = 200
	maxRows     = 1500
	maxLimit    = 20000
)

// run is the execution of one query.
type run struct {
	// all are the events of the repository, newest first.
	all        []event
	start, end time.Time
	tables     map[string][]event
	fields     []string
	warnings   []string
}

// stageRun carries a function out on events.
type stageRun func(*run, *function, []event) ([]event, error)

// stageFunction is the function with a name, nil for one that the double does not
// run.
func stageFunction(name string) stageRun {
	switch name {
	case "head":
		return runHead
	case "tail":
		return runTail
	case "select":
		return runSelect
	case "table":
		return runTable
	case "sort":
		return runSort
	case "drop":
		return runDrop
	case "rename":
		return runRename
	case "groupBy", "top":
		return runGroup
	case "count", "min", "max", "sum":
		return runAggregate
	case "join":
		return runJoin
	case "match":
		return runMatch
	}
	return nil
}

// parametersOf are the parameters of a function, that without a name first.
func parametersOf(name string) []string {
	switch name {
	case "head", "tail":
		return []string{"limit"}
	case "select", "drop":
		return []string{"fields"}
	case "table":
		return []string{"fields", "limit", "sortby", "order"}
	case "sort":
		return []string{"field", "order", "limit", "type"}
	case "rename":
		return []string{"field", "as"}
	case "groupBy":
		return []string{"field", "function", "limit"}
	case "top":
		return []string{"field", "limit", "as"}
	case "count":
		return []string{"field", "distinct", "as"}
	case "min", "max", "sum":
		return []string{"field", "as"}
	case "collect":
		return []string{"fields", "limit", "separator"}
	case "selectLast":
		return []string{"fields"}
	case "in":
		return []string{"field", "values"}
	case "cidr":
		return []string{"field", "subnet"}
	case "join":
		return []string{"query", "field", "key", "include", "mode", "max", "limit", "start", "end", "repo", "view"}
	case "defineTable":
		return []string{"name", "query", "include", "start", "end", "view"}
	case "match":
		return []string{"file", "table", "field", "column", "include", "strict", "mode", "ignoreCase"}
	}
	return nil
}

func aggregates(name string) bool {
	return slices.Contains([]string{"head", "tail", "table", "sort", "groupBy", "top", "count", "min", "max", "sum"}, name)
}

// search runs a job's query.
func (d *Double) search(j *job) (*rows, error) {
	r := &run{start: j.start, end: j.end, tables: map[string][]event{}}
	if repositories()[j.repository] {
		r.all = d.events()
	}
	for _, t := range j.query.tables {
		if err := r.define(t); err != nil {
			return nil, err
		}
	}
	out := &rows{scanned: len(within(r.all, j.start, j.end))}
	events, matched, err := r.pass(j.query, j.start, j.end)
	if err != nil {
		return nil, err
	}
	last := lastAggregate(j.query)
	out.aggregate, out.matched = last != "", matched
	most := len(events)
	switch {
	case j.around != nil && last == "":
		events = next(events, *j.around)
	case last == "":
		most = impliedTail
	case last != "head" && last != "tail":
		most = maxRows
	}
	out.cut = len(events) > most
	out.events = events[:min(most, len(events))]
	out.fields, out.warnings = r.fields, r.warnings
	return out, nil
}

// next are the events around one: After are newer, Before older.
func next(events []event, a around) []event {
	at := slices.IndexFunc(events, func(e event) bool { return e["@id"] == a.EventID })
	if at < 0 {
		return nil
	}
	return events[max(0, at-a.After):min(len(events), at+a.Before+1)]
}

func lastAggregate(q *query) string {
	name := ""
	for _, s := range q.stages {
		if s.call != nil && aggregates(s.call.name) {
			name = s.call.name
		}
	}
	return name
}

func within(events []event, start, end time.Time) []event {
	var out []event
	for _, e := range events {
		if at := e.at(); at >= start.UnixMilli() && at < end.UnixMilli() {
			out = append(out, e)
		}
	}
	return out
}

// pass passes the events of a time through the stages of a query. It also counts
// those that came through the filters, before any were put together.
func (r *run) pass(q *query, start, end time.Time) ([]event, int, error) {
	events := within(r.all, start, end)
	matched, counting := len(events), true
	for _, s := range q.stages {
		switch {
		case s.filter != nil:
			events = slices.DeleteFunc(slices.Clone(events), func(e event) bool { return !s.filter.passes(e) })
		case s.assign != "":
			events = assign(events, s.assign, s.value)
		default:
			counting = counting && !aggregates(s.call.name)
			var err error
			if events, err = stageFunction(s.call.name)(r, s.call, events); err != nil {
				return nil, 0, err
			}
		}
		if counting {
			matched = len(events)
		}
	}
	return events, matched, nil
}

// subquery runs a query within another. Without an aggregate it too gets the newest
// 200 alone.
func (r *run) subquery(q *query, start, end time.Time) ([]event, error) {
	events, _, err := r.pass(q, start, end)
	if lastAggregate(q) == "" {
		events = events[:min(impliedTail, len(events))]
	}
	return events, err
}

// unbounded are the parts of a query that read every host.
func (q *query) unbounded() []string {
	var out []string
	bound := false
	for _, s := range q.stages {
		if s.call != nil && aggregates(s.call.name) {
			break
		}
		bound = bound || s.filter != nil && s.filter.bound()
	}
	if !bound {
		out = append(out, "the query")
	}
	calls := slices.Clone(q.tables)
	for _, s := range q.stages {
		if s.call != nil && s.call.name == "join" {
			calls = append(calls, s.call)
		}
	}
	for _, f := range calls {
		if sub := f.args["query"].sub; sub != nil && len(sub.unbounded()) > 0 {
			out = append(out, "the subquery of "+f.name)
		}
	}
	return out
}

func assign(events []event, field string, v argument) []event {
	out := make([]event, 0, len(events))
	for _, e := range events {
		c := maps.Clone(e)
		value, ok := e[v.text]
		if v.literal {
			value, ok = v.text, true
		}
		if ok {
			c[field] = value
		}
		out = append(out, c)
	}
	return out
}

// limit reads a limit; max is the most that the product allows.
func (f *function) limit(fallback int) (int, error) {
	text := f.args["limit"].text
	switch text {
	case "":
		return fallback, nil
	case "max":
		return maxLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, syntaxError("%s: invalid limit %q", f.name, text)
	}
	return n, nil
}

// runTail keeps the newest events.
func runTail(_ *run, f *function, events []event) ([]event, error) {
	n, err := f.limit(impliedTail)
	return events[:min(n, len(events))], err
}

// runHead keeps the oldest events, oldest first.
func runHead(_ *run, f *function, events []event) ([]event, error) {
	n, err := f.limit(impliedTail)
	events = slices.Clone(events)
	slices.Reverse(events)
	return events[:min(n, len(events))], err
}

func keep(events []event, fields []string) []event {
	out := make([]event, 0, len(events))
	for _, e := range events {
		row := event{}
		for _, f := range fields {
			if v, ok := e[f]; ok {
				row[f] = v
			}
		}
		out = append(out, row)
	}
	return out
}

func runSelect(r *run, f *function, events []event) ([]event, error) {
	r.fields = f.args["fields"].texts()
	if len(r.fields) == 0 {
		return nil, syntaxError("%s needs fields", f.name)
	}
	return keep(events, r.fields), nil
}

func runTable(r *run, f *function, events []event) ([]event, error) {
	n, err := f.limit(impliedTail)
	if err != nil {
		return nil, err
	}
	if events, err = ordered(events, f.args["sortby"].texts(), f.args["order"].text); err != nil {
		return nil, err
	}
	events = events[:min(n, len(events))]
	return runSelect(r, f, events)
}

func runSort(_ *run, f *function, events []event) ([]event, error) {
	n, err := f.limit(impliedTail)
	if err != nil {
		return nil, err
	}
	events, err = ordered(events, f.args["field"].texts(), f.args["order"].text)
	return events[:min(n, len(events))], err
}

// ordered sorts by fields, numbers as numbers; by @timestamp and the largest first
// unless it is told otherwise.
func ordered(events []event, fields []string, order string) ([]event, error) {
	if len(fields) == 0 {
		fields = []string{"@timestamp"}
	}
	if !slices.Contains([]string{"", "asc", "desc"}, order) {
		return nil, syntaxError("invalid order %q", order)
	}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b event) int {
		for _, f := range fields {
			x, errX := strconv.ParseFloat(a[f], 64)
			y, errY := strconv.ParseFloat(b[f], 64)
			c := cmp.Compare(a[f], b[f])
			if errX == nil && errY == nil {
				c = cmp.Compare(x, y)
			}
			if c != 0 && order != "asc" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return events, nil
}

func runDrop(_ *run, f *function, events []event) ([]event, error) {
	out := make([]event, 0, len(events))
	for _, e := range events {
		c := maps.Clone(e)
		for _, field := range f.args["fields"].texts() {
			delete(c, field)
		}
		out = append(out, c)
	}
	return out, nil
}

func runRename(_ *run, f *function, events []event) ([]event, error) {
	from, to := f.args["field"].text, f.args["as"].text
	if from == "" || to == "" {
		return nil, syntaxError("rename needs field and as")
	}
	out := make([]event, 0, len(events))
	for _, e := range events {
		c := maps.Clone(e)
		if v, ok := c[from]; ok {
			delete(c, from)
			c[to] = v
		}
		out = append(out, c)
	}
	return out, nil
}
