package wazuhfake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	pageByDefault = 500
	mostPage      = 100_000
)

// document is a member of a list, whose members can be objects.
type document = map[string]any

// at returns the value at a dotted path.
func at(d document, path string) (any, bool) {
	name, rest, nested := strings.Cut(path, ".")
	v, found := d[name]
	if !nested || !found {
		return v, found
	}
	inner, is := v.(document)
	if !is {
		return nil, false
	}
	return at(inner, rest)
}

// list answers with the part of a list that a request asks for. The filters are
// parameters that must equal the member of their name; fields are those that the
// members can have.
func list(o Options, q url.Values, items []document, filters, fields []string) ([]any, int, *failure) {
	if f := checkFields(q, fields); f != nil {
		return nil, 0, f
	}
	keep, f := parseQ(q.Get("q"), fields)
	if f != nil {
		return nil, 0, f
	}
	var kept []document
	for _, item := range items {
		if keep(item) && matches(q, item, filters) && searched(q.Get("search"), item) {
			kept = append(kept, item)
		}
	}
	order(kept, q.Get("sort"))
	total := len(kept)
	offset, f := number(q, "offset", 0, 0, 1<<31-1)
	if f != nil {
		return nil, 0, f
	}
	limit, f := number(q, "limit", pageByDefault, 1, mostPage)
	if f != nil {
		return nil, 0, f
	}
	if o.MaxPage > 0 {
		limit = min(limit, o.MaxPage)
	}
	kept = kept[min(offset, total):min(offset+limit, total)]
	out := make([]any, 0, len(kept))
	for _, item := range kept {
		out = append(out, selected(item, q.Get("select")))
	}
	return out, total, nil
}

func number(q url.Values, name string, otherwise, least, most int) (int, *failure) {
	text := q.Get(name)
	if text == "" {
		if q.Has(name) {
			return 0, badRequest("'' is not a 'integer' - '" + name + "'")
		}
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest(fmt.Sprintf("Wrong type, expected 'integer' for query parameter '%s'", name))
	}
	if n < least || n > most {
		return 0, badRequest(fmt.Sprintf("%d is out of the range of %d to %d - '%s'", n, least, most, name))
	}
	return n, nil
}

// checkFields refuses fields that there are not.
func checkFields(q url.Values, fields []string) *failure {
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(f string) bool { return f == name || strings.HasPrefix(f, name+".") })
	}
	if q.Get("distinct") == "true" {
		return badRequest("The double does not know distinct")
	}
	for _, name := range split(q.Get("select")) {
		if !has(name) {
			return wazuhError(1724, "Not a valid select field: "+name)
		}
	}
	for _, name := range split(q.Get("sort")) {
		if !has(strings.TrimLeft(name, "+- ")) {
			return wazuhError(1403, "Not a valid sort field: "+name)
		}
	}
	return nil
}

func wazuhError(code int, detail string) *failure {
	return &failure{http.StatusBadRequest, code, "Bad Request", detail}
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// matches reports whether a document has the values of the filters.
func matches(q url.Values, item document, filters []string) bool {
	for _, name := range filters {
		if !q.Has(name) {
			continue
		}
		have, _ := at(item, name)
		if !slices.Contains(split(q.Get(name)), fmt.Sprint(have)) {
			return false
		}
	}
	return true
}

// searched reports whether any value of a document contains a text, or none where a
// minus stands before it.
func searched(text string, item document) bool {
	if text == "" {
		return true
	}
	text, without := strings.CutPrefix(text, "-")
	return strings.Contains(strings.ToLower(fmt.Sprint(item)), strings.ToLower(text)) != without
}

func order(items []document, by string) {
	for _, name := range slices.Backward(split(by)) {
		field := strings.TrimLeft(name, "+- ")
		slices.SortStableFunc(items, func(a, b document) int {
			x, _ := at(a, field)
			y, _ := at(b, field)
			n := compare(fmt.Sprint(x), fmt.Sprint(y))
			if strings.HasPrefix(name, "-") {
				n = -n
			}
			return n
		})
	}
}

// compare orders two values: as numbers where both are, else as text.
func compare(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// selected is the document with the members that were asked for.
func selected(item document, fields string) document {
	if fields == "" {
		return item
	}
	out := document{}
	for _, path := range split(fields) {
		v, found := at(item, path)
		if !found {
			continue
		}
		into := out
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			inner, is := into[name].(document)
			if !is {
				inner = document{}
				into[name] = inner
			}
			into = inner
		}
		into[names[len(names)-1]] = v
	}
	return out
}
