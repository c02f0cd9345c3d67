package falconfake

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// key is what events are joined by: the values of fields, none if one is missing.
func (e event) key(fields []string) (string, bool) {
	parts := make([]string, 0, len(fields))
	for _, f := range fields {
		v, ok := e[f]
		if !ok {
			return "", false
		}
		parts = append(parts, v)
	}
	return strings.Join(parts, "\x00"), true
}

// span is the time of a subquery: that of the main query, unless start or end say
// otherwise. They are milliseconds since 1970, or how long before the end of the main
// query.
func (r *run) span(f *function) (start, end time.Time, err error) {
	start, end = r.start, r.end
	if text := f.args["start"].text; text != "" {
		if start, err = relativeTime(text, r.end); err != nil {
			return start, end, syntaxError("%s: %v", f.name, err)
		}
	}
	if text := f.args["end"].text; text != "" {
		if end, err = relativeTime(text, r.end); err != nil {
			return start, end, syntaxError("%s: %v", f.name, err)
		}
	}
	return start, end, nil
}

// inside runs the subquery of a function.
func (r *run) inside(f *function) ([]event, error) {
	for _, name := range []string{"repo", "view"} {
		if other := f.args[name].text; other != "" && !repositories()[other] {
			return nil, syntaxError("%s: no events of the sensors are in %q", f.name, other)
		}
	}
	q := f.args["query"].sub
	if q == nil {
		return nil, syntaxError("%s needs a query in braces", f.name)
	}
	start, end, err := r.span(f)
	if err != nil {
		return nil, err
	}
	return r.subquery(q, start, end)
}

// runJoin lets the events through that have a partner in the subquery, with the
// fields of it that are included; with mode=left also those that have none.
func runJoin(r *run, f *function, events []event) ([]event, error) {
	fields, keys := f.args["field"].texts(), f.args["key"].texts()
	if keys == nil {
		keys = fields
	}
	mode := or(f.args["mode"].text, "inner")
	most, err := strconv.Atoi(or(f.args["max"].text, "1"))
	if err != nil || len(fields) == 0 || len(fields) != len(keys) || mode != "inner" && mode != "left" {
		return nil, syntaxError("join needs as many keys as fields, and mode inner or left")
	}
	partners, err := r.inside(f)
	if err != nil {
		return nil, err
	}
	byKey := map[string][]event{}
	for _, p := range partners {
		if k, ok := p.key(keys); ok && len(byKey[k]) < most {
			byKey[k] = append(byKey[k], p)
		}
	}
	return joined(events, byKey, fields, f.args["include"].texts(), mode == "left"), nil
}

// joined gives events what their partners have. An included field that the partner
// lacks is the empty text.
func joined(events []event, partners map[string][]event, fields, include []string, left bool) []event {
	var out []event
	for _, e := range events {
		k, ok := e.key(fields)
		if found := partners[k]; ok && len(found) > 0 {
			for _, p := range found {
				c := maps.Clone(e)
				for _, name := range include {
					c[name] = p[name]
				}
				out = append(out, c)
			}
			continue
		}
		if left {
			out = append(out, e)
		}
	}
	return out
}

// define makes a table of the results of a query.
func (r *run) define(f *function) error {
	name, include := f.args["name"].text, f.args["include"].texts()
	if name == "" || len(include) == 0 {
		return syntaxError("defineTable needs name and include")
	}
	events, err := r.inside(f)
	if err != nil {
		return err
	}
	if !slices.Equal(include, []string{"*"}) {
		events = keep(events, include)
	}
	r.tables[name] = events
	return nil
}

// runMatch gives events the columns of a row of a table. With strict, which is the
// default, events without one are dropped.
func runMatch(r *run, f *function, events []event) ([]event, error) {
	name := or(f.args["table"].text, f.args["file"].text)
	rows, ok := r.tables[name]
	if !ok {
		return nil, syntaxError("match: no table %q", name)
	}
	fields, columns := f.args["field"].texts(), f.args["column"].texts()
	if columns == nil {
		columns = fields
	}
	if len(fields) == 0 || len(fields) != len(columns) {
		return nil, syntaxError("match needs as many columns as fields")
	}
	include := f.args["include"].texts()
	byKey := map[string][]event{}
	for _, row := range rows {
		if k, ok := row.key(columns); ok && byKey[k] == nil {
			byKey[k] = []event{row}
		}
	}
	if include == nil && len(rows) > 0 {
		seen := map[string]bool{}
		for _, row := range rows {
			for column := range row {
				seen[column] = true
			}
		}
		include = slices.Sorted(maps.Keys(seen))
	}
	return joined(events, byKey, fields, include, f.args["strict"].text == "false"), nil
}
