package defendfake

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clause is a part of a query with what it is bounded by.
type clause struct {
	match func(document) bool
	bound bound
}

// parseQuery reads a query of Elasticsearch's query language.
func (d *Double) parseQuery(in any) (func(document) bool, bound, *refusal) {
	c, refused := d.clause(in)
	return c.match, c.bound, refused
}

func (d *Double) clause(in any) (clause, *refusal) {
	kind, body, refused := only(in)
	if refused != nil {
		return clause{}, refused
	}
	switch kind {
	case "match_all":
		return clause{match: func(document) bool { return true }}, nil
	case "match_none":
		return clause{match: func(document) bool { return false }}, nil
	case "bool":
		return d.parseBool(body)
	case "ids":
		o, _ := body.(map[string]any)
		list, ok := o["values"].([]any)
		if !ok {
			return clause{}, badQuery("[ids] needs [values]")
		}
		return clause{func(doc document) bool { return slices.Contains(list, any(doc.id)) }, bound{host: true}}, nil
	case "exists":
		o, _ := body.(map[string]any)
		field := text(o["field"])
		if field == "" || len(o) != 1 {
			return clause{}, badQuery("[exists] must be provided with a [field]")
		}
		return clause{match: func(doc document) bool { return len(valuesOf(doc, field)) > 0 }}, nil
	case "term", "match", "match_phrase", "wildcard", "prefix":
		return parseTerm(kind, body)
	case "terms":
		return parseTerms(body)
	case "range":
		return d.parseRange(body)
	}
	return clause{}, badQuery("unknown query [%s]", kind)
}

// only returns the one entry of an object.
func only(in any) (string, any, *refusal) {
	o, ok := in.(map[string]any)
	if !ok || len(o) != 1 {
		return "", nil, badQuery("query malformed, must be an object with one key, and is %v", in)
	}
	for key, v := range o {
		return key, v, nil
	}
	return "", nil, nil
}

func (d *Double) clauses(in any) ([]clause, *refusal) {
	list, ok := in.([]any)
	if !ok {
		list = []any{in}
	}
	var out []clause
	for _, e := range list {
		c, refused := d.clause(e)
		if refused != nil {
			return nil, refused
		}
		out = append(out, c)
	}
	return out, nil
}

// parseBool reads a bool query. Its should counts only where nothing else is
// asked for, unless minimum_should_match says otherwise.
func (d *Double) parseBool(in any) (clause, *refusal) {
	o, ok := in.(map[string]any)
	if !ok {
		return clause{}, badQuery("[bool] query malformed, no start_object after query name")
	}
	var must, not, should []clause
	least := -1
	for key, v := range o {
		var list []clause
		var refused *refusal
		switch key {
		case "filter", "must", "must_not", "should":
			list, refused = d.clauses(v)
		case "minimum_should_match":
			if s, isText := v.(string); isText {
				v = json.Number(s)
			}
			least, refused = whole(key, v)
		case "boost", "_name":
		default:
			refused = badQuery("[bool] query does not support [%s]", key)
		}
		if refused != nil {
			return clause{}, refused
		}
		switch key {
		case "filter", "must":
			must = append(must, list...)
		case "must_not":
			not = append(not, list...)
		case "should":
			should = append(should, list...)
		}
	}
	if least < 0 {
		least = 0
		if len(must) == 0 && len(should) > 0 {
			least = 1
		}
	}
	return combine(must, not, should, least), nil
}

func combine(must, not, should []clause, least int) clause {
	var c clause
	for _, m := range must {
		c.bound = c.bound.and(m.bound)
	}
	if least > 0 && len(should) > 0 {
		all := bound{true, true, true}
		for _, s := range should {
			all = all.or(s.bound)
		}
		c.bound = c.bound.and(all)
	}
	c.match = func(doc document) bool {
		is := func(c clause) bool { return c.match(doc) }
		n := 0
		for _, s := range should {
			if is(s) {
				n++
			}
		}
		return n >= least && !slices.ContainsFunc(not, is) && !slices.ContainsFunc(must, func(c clause) bool { return !is(c) })
	}
	return c
}

// valuesOf are the values of a field, each as a text, number, boolean or time.
func valuesOf(doc document, field string) []any {
	lower := false
	if base, ok := caseless(doc.stream, field); ok {
		field, lower = base, true
	}
	v, ok := doc.fields[field]
	if !ok {
		if field == "_id" {
			return []any{doc.id}
		}
		return nil
	}
	var out []any
	switch v := v.(type) {
	case []string:
		for _, e := range v {
			out = append(out, e)
		}
	case string:
		if lower {
			v = strings.ToLower(v)
		}
		out = []any{v}
	default:
		out = []any{v}
	}
	return out
}

// field reads a query of one field, whose value may be an object with options.
func fieldOf(kind string, in any, options ...string) (string, map[string]any, *refusal) {
	field, v, refused := only(in)
	if refused != nil {
		return "", nil, refused
	}
	o, ok := v.(map[string]any)
	if !ok {
		return field, map[string]any{"value": v}, nil
	}
	for key := range o {
		if !slices.Contains(options, key) {
			return "", nil, badQuery("[%s] query does not support [%s]", kind, key)
		}
	}
	return field, o, nil
}

func parseTerm(kind string, in any) (clause, *refusal) {
	field, o, refused := fieldOf(kind, in, "value", "query", "case_insensitive", "boost", "operator")
	if refused != nil {
		return clause{}, refused
	}
	want := o["value"]
	if want == nil {
		want = o["query"]
	}
	if want == nil {
		return clause{}, badQuery("value cannot be null for [%s]", field)
	}
	fold, _ := o["case_insensitive"].(bool)
	same := equal
	exact := kind == "term" || kind == "match" || kind == "match_phrase"
	if !exact {
		pattern := text(want)
		if kind == "prefix" {
			pattern += "*"
		}
		same = func(have, _ any, fold bool) bool {
			if fold {
				return matchesLike(strings.ToLower(pattern), strings.ToLower(text(have)), '?')
			}
			return matchesLike(pattern, text(have), '?')
		}
	}
	// A name with a dot after it is the beginning of one host's, whatever its domain.
	one := exact || kind == "prefix" && strings.HasSuffix(text(want), ".") && len(text(want)) > 1
	return clause{
		match: func(doc document) bool {
			if mappingOf(doc.stream)[field] == "text" {
				return slices.ContainsFunc(valuesOf(doc, field), func(have any) bool { return hasWords(text(have), fmt.Sprint(want), kind) })
			}
			return slices.ContainsFunc(valuesOf(doc, field), func(have any) bool { return same(have, want, fold) })
		},
		bound: bound{host: one && bounds(field)},
	}, nil
}

// hasWords compares a field of analyzed text, which is kept as words in lower
// case: a term is one word of it, whatever else it holds.
func hasWords(have, want, kind string) bool {
	words := strings.FieldsFunc(strings.ToLower(have), func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_.", r) })
	if kind == "term" {
		return slices.Contains(words, want)
	}
	return slices.ContainsFunc(strings.Fields(strings.ToLower(want)), func(w string) bool { return slices.Contains(words, w) })
}

func parseTerms(in any) (clause, *refusal) {
	field, v, refused := only(in)
	if refused != nil {
		return clause{}, refused
	}
	list, ok := v.([]any)
	if !ok {
		return clause{}, badQuery("[terms] query requires a list for [%s]", field)
	}
	return clause{
		match: func(doc document) bool {
			return slices.ContainsFunc(valuesOf(doc, field), func(have any) bool {
				return slices.ContainsFunc(list, func(want any) bool { return equal(have, want, false) })
			})
		},
		bound: bound{host: bounds(field)},
	}, nil
}

// equal compares as a field's type does: an address is in a network, a number may
// be written as a text.
func equal(have, want any, fold bool) bool {
	w := fmt.Sprint(want)
	switch h := have.(type) {
	case string:
		return h == w || fold && strings.EqualFold(h, w) || sameAddress(h, w)
	case int64:
		f, err := strconv.ParseFloat(w, 64)
		return err == nil && f == float64(h)
	case bool:
		return strconv.FormatBool(h) == w
	case time.Time:
		t, err := dateOf(w, time.Time{})
		return err == nil && t.UnixMilli() == h.UnixMilli()
	}
	return false
}

func (d *Double) parseRange(in any) (clause, *refusal) {
	field, o, refused := fieldOf("range", in, "gte", "gt", "lte", "lt", "format", "time_zone", "boost")
	if refused != nil {
		return clause{}, refused
	}
	type limit struct {
		key   string
		value float64
	}
	var limits []limit
	for _, key := range []string{"gte", "gt", "lte", "lt"} {
		v, ok := o[key]
		if !ok || v == nil {
			continue
		}
		n, err := d.limitOf(mappingsOf(streams())[field], v, text(o["format"]))
		if err != nil {
			return clause{}, elasticError(400, "parse_exception", "failed to parse field [%s] with value [%v]: %v", field, v, err)
		}
		limits = append(limits, limit{key, n})
	}
	within := func(have any) bool {
		n := float(have)
		if t, ok := have.(time.Time); ok {
			n = float64(t.UnixMilli())
		}
		return !slices.ContainsFunc(limits, func(l limit) bool {
			return l.key == "gte" && n < l.value || l.key == "gt" && n <= l.value || l.key == "lte" && n > l.value || l.key == "lt" && n >= l.value
		})
	}
	from, to := math.Inf(-1), float64(d.w.Now().UnixMilli())
	for _, l := range limits {
		if l.key == "gte" || l.key == "gt" {
			from = max(from, l.value)
		} else {
			to = l.value
		}
	}
	hour := float64(time.Hour.Milliseconds())
	return clause{
		match: func(doc document) bool { return slices.ContainsFunc(valuesOf(doc, field), within) },
		bound: bound{time: field == "@timestamp" && !math.IsInf(from, -1), short: field == "@timestamp" && to-from <= hour},
	}, nil
}

// limitOf is the end of a range as a number; of a date in milliseconds.
func (d *Double) limitOf(kind string, v any, format string) (float64, error) {
	if kind != "date" {
		return strconv.ParseFloat(fmt.Sprint(v), 64)
	}
	if format == "epoch_millis" || format == "" && fmt.Sprintf("%T", v) == "json.Number" {
		return strconv.ParseFloat(fmt.Sprint(v), 64)
	}
	t, err := dateOf(fmt.Sprint(v), d.w.Now())
	return float64(t.UnixMilli()), err
}
