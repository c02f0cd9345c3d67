package splunkfake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// find answers a query of the collection. Rows that are above the limit of rows are left out
// without a word. Not documented: in which order rows are that are not sorted; it is the
// newest first.
func (d *Double) find(q url.Values) ([]map[string]any, *refusal) {
	var by any = map[string]any{}
	if text := q.Get("query"); text != "" {
		if err := json.Unmarshal([]byte(text), &by); err != nil {
			return nil, refuse(http.StatusBadRequest, "ERROR", "JSON in the request is invalid. ( %v )", err)
		}
	}
	rows := []map[string]any{}
	for _, r := range slices.Backward(d.reviews) {
		row := plain(r.record())
		ok, err := matches(row, by)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "ERROR", "%v", err)
		}
		if ok {
			rows = append(rows, row)
		}
	}
	sortRows(rows, q.Get("sort"))
	skip, limit := 0, d.o.MostRows
	for name, into := range map[string]*int{"skip": &skip, "limit": &limit} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return nil, refuse(http.StatusBadRequest, "ERROR", "Invalid argument: %s", name)
			}
			*into = n
		}
	}
	if limit == 0 || limit > d.o.MostRows {
		limit = d.o.MostRows
	}
	rows = rows[min(skip, len(rows)):]
	rows = rows[:min(limit, len(rows))]
	project(rows, q.Get("fields"))
	return rows, nil
}

// plain is a record of the values that JSON has.
func plain(record map[string]any) map[string]any {
	for name, value := range record {
		if p, ok := value.(*string); ok {
			record[name] = nil
			if p != nil {
				record[name] = *p
			}
		}
	}
	return record
}

// project leaves the fields that are named, or takes away those that are named with 0.
func project(rows []map[string]any, fields string) {
	if fields == "" {
		return
	}
	keep, drop := []string{"_key"}, []string(nil)
	for f := range strings.SplitSeq(fields, ",") {
		if name, ok := strings.CutSuffix(f, ":0"); ok {
			drop = append(drop, name)
			continue
		}
		keep = append(keep, strings.TrimSuffix(f, ":1"))
	}
	for _, row := range rows {
		for name := range row {
			if slices.Contains(drop, name) || len(drop) == 0 && !slices.Contains(keep, name) {
				delete(row, name)
			}
		}
	}
}

// sortRows sorts by fields, each with a direction: 1, which may be left out, or -1.
func sortRows(rows []map[string]any, by string) {
	if by == "" {
		return
	}
	slices.SortStableFunc(rows, func(a, b map[string]any) int {
		for f := range strings.SplitSeq(by, ",") {
			name, direction, _ := strings.Cut(f, ":")
			c := compare(a[name], b[name])
			if direction == "-1" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

// compare compares two numbers, or else two texts.
func compare(a, b any) int {
	x, errA := strconv.ParseFloat(fmt.Sprint(a), 64)
	y, errB := strconv.ParseFloat(fmt.Sprint(b), 64)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// matches reports whether a query of the store finds a row.
func matches(row map[string]any, by any) (bool, error) {
	query, ok := by.(map[string]any)
	if !ok {
		return false, fmt.Errorf("the query is no object")
	}
	all := true
	for name, want := range query {
		one, err := matchesPart(row, name, want)
		if err != nil {
			return false, err
		}
		all = all && one
	}
	return all, nil
}

func matchesPart(row map[string]any, name string, want any) (bool, error) {
	switch name {
	case "$or", "$and":
		list, ok := want.([]any)
		if !ok || len(list) == 0 {
			return false, fmt.Errorf("%s needs an array", name)
		}
		n := 0
		for _, part := range list {
			one, err := matches(row, part)
			if err != nil {
				return false, err
			}
			if one {
				n++
			}
		}
		return n == len(list) || name == "$or" && n > 0, nil
	}
	operators, ok := want.(map[string]any)
	if !ok {
		// Types count: a text is not found by a number.
		return row[name] == want || isNumber(row[name]) && isNumber(want) && compare(row[name], want) == 0, nil
	}
	all := true
	for operator, value := range operators {
		c := compare(row[name], value)
		holds, known := map[string]bool{"$ne": c != 0, "$gt": c > 0, "$gte": c >= 0, "$lt": c < 0, "$lte": c <= 0}[operator]
		if !known {
			return false, fmt.Errorf("unknown operator: %s", operator)
		}
		all = all && holds
	}
	return all, nil
}

func isNumber(v any) bool {
	switch v.(type) {
	case json.Number, float64:
		return true
	}
	return false
}
