package defenderfake

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// property is one that can be filtered by; words are those of its closed set.
type property struct {
	name  string
	isSet bool // a list of texts
	words []string
}

// predicate judges an entity.
type predicate func(entity map[string]any) bool

// filter is a parser of $filter: the comparisons, functions and any() that the
// samples show, and what their grammar joins them by. The case of its words is free.
type filter struct {
	properties []property
	tokens     []string
}

func odataError(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, "ODataError", format, args...)
}

var odataToken = regexp.MustCompile(`^(?:'(?:[^']|'')*'|[(),:/]|[A-Za-z0-9_.+\-:$]+)`)

func parseFilter(text string, properties []property) (predicate, *refusal) {
	f := &filter{properties: properties}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		t := odataToken.FindString(rest)
		if t == "" {
			return nil, odataError("Syntax error at position %d in '%s'.", len(text)-len(rest), text)
		}
		// A lambda's colon sticks to its variable.
		if v, ok := strings.CutSuffix(t, ":"); ok && v != "" {
			t = v
		}
		f.tokens = append(f.tokens, t)
		rest = rest[len(t):]
	}
	if len(f.tokens) > 500 {
		return nil, odataError("The node count limit of '100' has been exceeded.")
	}
	p, r := f.or()
	if r == nil && len(f.tokens) > 0 {
		r = f.unexpected()
	}
	return p, r
}

func (f *filter) unexpected() *refusal {
	if len(f.tokens) == 0 {
		return odataError("Expression expected at the end of the filter.")
	}
	return odataError("Syntax error at '%s'.", f.tokens[0])
}

// word takes a word or sign, if it is next.
func (f *filter) word(w string) bool {
	if len(f.tokens) > 0 && strings.EqualFold(f.tokens[0], w) {
		f.tokens = f.tokens[1:]
		return true
	}
	return false
}

func (f *filter) need(w string) *refusal {
	if !f.word(w) {
		return f.unexpected()
	}
	return nil
}

func (f *filter) take() string {
	if len(f.tokens) == 0 {
		return ""
	}
	t := f.tokens[0]
	f.tokens = f.tokens[1:]
	return t
}

func (f *filter) or() (predicate, *refusal) {
	left, r := f.and()
	for r == nil && f.word("or") {
		a := left
		var b predicate
		b, r = f.and()
		left = func(e map[string]any) bool { return a(e) || b(e) }
	}
	return left, r
}

func (f *filter) and() (predicate, *refusal) {
	left, r := f.not()
	for r == nil && f.word("and") {
		a := left
		var b predicate
		b, r = f.not()
		left = func(e map[string]any) bool { return a(e) && b(e) }
	}
	return left, r
}

func (f *filter) not() (predicate, *refusal) {
	if f.word("not") {
		p, r := f.not()
		return func(e map[string]any) bool { return !p(e) }, r
	}
	if f.word("(") {
		p, r := f.or()
		if r != nil {
			return nil, r
		}
		return p, f.need(")")
	}
	return f.comparison()
}

func (f *filter) property(name string) (property, *refusal) {
	if name == "" {
		return property{}, f.unexpected()
	}
	// Some pages spell properties with a capital.
	camel := strings.ToLower(name[:1]) + name[1:]
	i := slices.IndexFunc(f.properties, func(p property) bool { return p.name == camel })
	if i < 0 {
		return property{}, odataError("Could not find a property named '%s' that can be filtered by.", name)
	}
	return f.properties[i], nil
}

func (f *filter) comparison() (predicate, *refusal) {
	name := f.take()
	switch strings.ToLower(name) {
	case "startswith", "endswith", "contains":
		if f.word("(") {
			return f.function(strings.ToLower(name))
		}
	}
	p, r := f.property(name)
	if r != nil {
		return nil, r
	}
	if p.isSet {
		return f.any(p)
	}
	if f.word("in") {
		return f.in(p)
	}
	op := strings.ToLower(f.take())
	if !slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le"}, op) {
		return nil, odataError("Syntax error: '%s' is no operator.", op)
	}
	v, r := f.value(p)
	if r != nil {
		return nil, r
	}
	return func(e map[string]any) bool { return holds(op, e[p.name], v) }, nil
}

// value takes a literal: a text, a time, a number or null.
func (f *filter) value(p property) (any, *refusal) {
	t := f.take()
	if text, ok := strings.CutPrefix(t, "'"); ok {
		text = strings.ReplaceAll(strings.TrimSuffix(text, "'"), "''", "'")
		if len(p.words) > 0 && !slices.Contains(p.words, text) {
			return nil, odataError("The string '%s' is not a valid enumeration type constant.", text)
		}
		return text, nil
	}
	if t == "null" {
		return nil, nil //nolint:nilnil // null is a literal
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02Z07:00", "2006-01-02"} {
		if at, err := time.Parse(layout, t); err == nil {
			return at, nil
		}
	}
	if t == "" || strings.ContainsAny(t, "(),:/") {
		return nil, f.unexpected()
	}
	// A text without quotes is a property, and comparing two is of no use here.
	return nil, odataError("Could not find a property named '%s'.", t)
}

func holds(op string, have, want any) bool {
	if at, ok := want.(time.Time); ok {
		text, _ := have.(string)
		t, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && ordered(op, t.Compare(at))
	}
	a, oka := have.(string)
	b, okb := want.(string)
	if !oka || !okb {
		equal := have == want
		return op == "eq" && equal || op == "ne" && !equal
	}
	return ordered(op, strings.Compare(a, b))
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

func (f *filter) in(p property) (predicate, *refusal) {
	if r := f.need("("); r != nil {
		return nil, r
	}
	var values []any
	for {
		v, r := f.value(p)
		if r != nil {
			return nil, r
		}
		values = append(values, v)
		if !f.word(",") {
			break
		}
	}
	return func(e map[string]any) bool {
		return slices.ContainsFunc(values, func(v any) bool { return holds("eq", e[p.name], v) })
	}, f.need(")")
}

func (f *filter) function(name string) (predicate, *refusal) {
	p, r := f.property(f.take())
	if r != nil {
		return nil, r
	}
	if r := f.need(","); r != nil {
		return nil, r
	}
	v, r := f.value(property{})
	if r != nil {
		return nil, r
	}
	want, ok := v.(string)
	if !ok {
		return nil, odataError("%s takes a text.", name)
	}
	test := map[string]func(s, part string) bool{
		"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains,
	}[name]
	return func(e map[string]any) bool {
		have, _ := e[p.name].(string)
		return test(have, want)
	}, f.need(")")
}

// any takes /any(t: t eq 'x') of a set.
func (f *filter) any(p property) (predicate, *refusal) {
	for _, w := range []string{"/", "any", "("} {
		if r := f.need(w); r != nil {
			return nil, r
		}
	}
	variable := f.take()
	if r := f.need(":"); r != nil {
		return nil, r
	}
	if r := f.need(variable); r != nil {
		return nil, r
	}
	if r := f.need("eq"); r != nil {
		return nil, r
	}
	v, r := f.value(property{})
	if r != nil {
		return nil, r
	}
	return func(e map[string]any) bool {
		texts, _ := e[p.name].([]string)
		return slices.ContainsFunc(texts, func(s string) bool { return s == v })
	}, f.need(")")
}
