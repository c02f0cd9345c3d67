package falconfake

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// runGroup puts events together that have the same values of fields. groupBy keeps
// the first groups by their names, not the largest; top keeps the largest.
func runGroup(r *run, f *function, events []event) ([]event, error) {
	fields := f.args["field"].texts()
	if len(fields) == 0 {
		return nil, syntaxError("%s needs a field", f.name)
	}
	functions, fallback := f.args["function"].calls(), maxLimit
	if f.name == "top" || f.args["function"].list == nil && functions == nil {
		functions = []*function{{name: "count", args: map[string]argument{"as": f.args["as"]}}}
	}
	if f.name == "top" {
		fallback = 10
	}
	n, err := f.limit(fallback)
	if err != nil {
		return nil, err
	}
	for _, a := range functions {
		if err := a.aggregate(nil, event{}); err != nil {
			return nil, err
		}
	}
	groups := map[string][]event{}
	var keys []string
	for _, e := range events {
		k, ok := e.key(fields)
		if !ok {
			continue
		}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], e)
	}
	slices.Sort(keys)
	if f.name == "top" {
		slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(len(groups[b]), len(groups[a])) })
	} else if len(keys) > n {
		r.warnings = append(r.warnings, fmt.Sprintf("groupBy exceeded its limit of %d groups: the result is incomplete", n))
	}
	var out []event
	for _, k := range keys[:min(n, len(keys))] {
		row := keep(groups[k][:1], fields)[0]
		for _, a := range functions {
			if err := a.aggregate(groups[k], row); err != nil {
				return nil, err
			}
		}
		out = append(out, row)
	}
	return out, nil
}

// calls are the functions of an argument: one, or a list.
func (a argument) calls() []*function {
	if a.call != nil {
		return []*function{a.call}
	}
	var out []*function
	for _, v := range a.list {
		if v.call != nil {
			out = append(out, v.call)
		}
	}
	return out
}

// runAggregate makes one row of all events.
func runAggregate(_ *run, f *function, events []event) ([]event, error) {
	row := event{}
	err := f.aggregate(events, row)
	return []event{row}, err
}

// aggregate writes what a function makes of events into a row.
func (f *function) aggregate(events []event, row event) error {
	field := f.args["field"].text
	as := or(f.args["as"].text, "_"+f.name)
	switch f.name {
	case "count":
		row[as] = strconv.Itoa(count(events, field, f.args["distinct"].text == "true"))
	case "min", "max", "sum":
		if v, ok := number(events, field, f.name); ok {
			row[as] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	case "collect":
		for _, name := range f.args["fields"].texts() {
			row[name] = strings.Join(distinct(events, name), or(f.args["separator"].text, "\n"))
		}
	case "selectLast":
		for _, name := range f.args["fields"].texts() {
			if len(events) > 0 {
				row[name] = events[0][name]
			}
		}
	default:
		return syntaxError("the function %s does not aggregate", f.name)
	}
	return nil
}

func distinct(events []event, field string) []string {
	var out []string
	for _, e := range events {
		if v, ok := e[field]; ok && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func count(events []event, field string, different bool) int {
	if field == "" {
		return len(events)
	}
	if different {
		return len(distinct(events, field))
	}
	n := 0
	for _, e := range events {
		if _, ok := e[field]; ok {
			n++
		}
	}
	return n
}

// number is the smallest, largest or sum of a field's numbers, if there are any.
func number(events []event, field, of string) (float64, bool) {
	var out float64
	found := false
	for _, e := range events {
		v, err := strconv.ParseFloat(e[field], 64)
		if err != nil {
			continue
		}
		switch {
		case !found:
			out = v
		case of == "sum":
			out += v
		case of == "min":
			out = min(out, v)
		default:
			out = max(out, v)
		}
		found = true
	}
	return out, found
}
