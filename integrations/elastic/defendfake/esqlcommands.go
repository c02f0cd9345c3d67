package defendfake

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// command runs one command on the table.
func (q *query) command(s stage) *refusal {
	tokens, refused := tokenize(q.text, s)
	if refused != nil {
		return refused
	}
	p := &parser{query: q.text, tokens: tokens, columns: q.table.columns, params: q.params, now: q.d.w.Now().Truncate(time.Millisecond), warn: q.warn}
	name := p.next()
	switch strings.ToLower(name.text) {
	case "where":
		refused = q.where(p)
	case "eval":
		refused = q.eval(p)
	case "keep":
		refused = q.keep(p)
	case "drop":
		refused = q.drop(p)
	case "rename":
		refused = q.rename(p)
	case "sort":
		refused = q.order(p)
	case "limit":
		refused = q.limit(p)
	case "mv_expand":
		refused = q.expand(p)
	case "stats":
		refused = q.stats(p)
	default:
		return syntaxError(q.text, name.at, "mismatched input '%s' expecting {'drop', 'eval', 'keep', 'limit', 'mv_expand', 'rename', 'sort', 'stats', 'where'}", name.text)
	}
	if refused == nil && p.peek().kind != "end" {
		refused = p.unexpected("<EOF>")
	}
	q.params = p.params
	return refused
}

// warn notes once what a row could not be computed of.
func (q *query) warn(at int, text, why string) {
	place := strings.TrimPrefix(position(q.text, at), "line ")
	for _, w := range []string{
		fmt.Sprintf("Line %s: evaluation of [%s] failed, treating result as null. Only first 20 failures recorded.", place, text),
		fmt.Sprintf("Line %s: %s", place, why),
	} {
		if !slices.Contains(q.warnings, w) {
			q.warnings = append(q.warnings, w)
		}
	}
}

func (q *query) where(p *parser) *refusal {
	e, refused := p.expression()
	if refused != nil {
		return refused
	}
	if p.peek().kind != "end" { // what is written wrongly is said before what it means
		return p.unexpected("<EOF>")
	}
	if e.kind != "boolean" {
		return planError(q.text, e.at, "Condition expression needs to be boolean, found [%s]", strings.ToUpper(e.kind))
	}
	if !q.settled {
		q.bound = q.bound.and(e.bound)
	}
	q.table.rows = slices.DeleteFunc(q.table.rows, func(r row) bool { return e.value(r) != true })
	return nil
}

// setColumn adds a column, or replaces the one of its name.
func (q *query) setColumn(c column) {
	q.table.columns = slices.DeleteFunc(slices.Clone(q.table.columns), func(o column) bool { return o.name == c.name })
	q.table.columns = append(q.table.columns, c)
}

func (q *query) eval(p *parser) *refusal {
	for {
		name := p.next()
		if name.kind != "name" || !p.sign("=") {
			return p.unexpected("'='")
		}
		e, refused := p.expression()
		if refused != nil {
			return refused
		}
		for _, r := range q.table.rows {
			r[name.text] = e.value(r)
		}
		q.settled = q.settled || bounds(name.text) || name.text == "@timestamp"
		q.setColumn(column{name.text, e.kind})
		p.columns = q.table.columns
		if !p.sign(",") {
			return nil
		}
	}
}

// pattern reads the name of a column, which may have asterisks.
func (p *parser) pattern() (token, *refusal) {
	t := p.peek()
	var b strings.Builder
	end := t.at
	for {
		n := p.peek()
		if n.at != end || n.kind != "name" && (n.kind != "sign" || n.text != "*") && n.kind != "number" {
			break
		}
		p.next()
		b.WriteString(n.text)
		end = n.at + len(n.text)
		if strings.HasPrefix(p.query[n.at:], "`") {
			end += 2
		}
	}
	if b.Len() == 0 {
		return t, p.unexpected("ID_PATTERN")
	}
	return token{"name", b.String(), t.at}, nil
}

// named returns the columns that a list of patterns means, in its order.
func (q *query) named(p *parser) ([]column, *refusal) {
	var out []column
	for {
		t, refused := p.pattern()
		if refused != nil {
			return nil, refused
		}
		some := false
		for _, c := range q.table.columns {
			if matchesPattern(t.text, c.name) {
				some = true
				if !slices.Contains(out, c) {
					out = append(out, c)
				}
			}
		}
		if !some && strings.Contains(t.text, "*") {
			return nil, planError(q.text, t.at, "No matches found for pattern [%s]", t.text)
		}
		if !some {
			return nil, planError(q.text, t.at, "Unknown column [%s]", t.text)
		}
		if !p.sign(",") {
			return out, nil
		}
	}
}

func (q *query) keep(p *parser) *refusal {
	columns, refused := q.named(p)
	if refused == nil {
		q.table.columns = columns
	}
	return refused
}

func (q *query) drop(p *parser) *refusal {
	columns, refused := q.named(p)
	if refused == nil {
		q.table.columns = slices.DeleteFunc(slices.Clone(q.table.columns), func(c column) bool { return slices.Contains(columns, c) })
	}
	return refused
}

func (q *query) rename(p *parser) *refusal {
	for {
		old := p.next()
		at := slices.IndexFunc(q.table.columns, func(c column) bool { return c.name == old.text })
		if at < 0 {
			return planError(q.text, old.at, "Unknown column [%s]", old.text)
		}
		if !p.word("as") {
			return p.unexpected("'as'")
		}
		name := p.next()
		if name.kind != "name" {
			return p.unexpected("an identifier")
		}
		for _, r := range q.table.rows {
			r[name.text] = r[old.text]
		}
		q.settled = true // a name means something else from here on
		q.table.columns = slices.Clone(q.table.columns)
		q.table.columns[at].name = name.text
		if !p.sign(",") {
			return nil
		}
	}
}

// order is SORT. Without a word, what is null is last in a rising order, and
// first in a falling one.
func (q *query) order(p *parser) *refusal {
	var sorts []sorting
	var keys []expression
	for {
		e, refused := p.expression()
		if refused != nil {
			return refused
		}
		if e.kind == "text" && e.field == "" {
			return planError(q.text, e.at, "cannot sort on %s", e.kind)
		}
		by := sorting{}
		if by.descending = p.word("desc"); !by.descending {
			p.word("asc")
		}
		by.missingFirst = by.descending
		if p.word("nulls") {
			if by.missingFirst = p.word("first"); !by.missingFirst && !p.word("last") {
				return p.unexpected("{'first', 'last'}")
			}
		}
		sorts, keys = append(sorts, by), append(keys, e)
		if !p.sign(",") {
			break
		}
	}
	slices.SortStableFunc(q.table.rows, func(a, b row) int {
		for i, by := range sorts {
			if c := by.compareRows(keys[i], a, b); c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

func (by sorting) compareRows(key expression, a, b row) int {
	x, y := leastOf(key.value(a)), leastOf(key.value(b))
	if x == nil || y == nil {
		return by.compare(x, y)
	}
	c := compareValues(key.kind, x, y)
	if by.descending {
		return -c
	}
	return c
}

// leastOf is the value by which one of several is sorted.
func leastOf(v any) any {
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	return v
}

func (q *query) limit(p *parser) *refusal {
	e, refused := p.expression()
	if refused != nil {
		return refused
	}
	n, ok := e.value(nil).(int64)
	if !e.literal || !ok || n < 0 {
		return syntaxError(q.text, e.at, "value of [limit %s] must be a non negative integer", e.text)
	}
	q.limited, q.settled = true, true
	q.cut(int(min(n, 1<<30)))
	return nil
}

// expand makes a row of each of several values.
func (q *query) expand(p *parser) *refusal {
	t, refused := p.pattern()
	if refused != nil {
		return refused
	}
	if !slices.ContainsFunc(q.table.columns, func(c column) bool { return c.name == t.text }) {
		return planError(q.text, t.at, "Unknown column [%s]", t.text)
	}
	var out []row
	for _, r := range q.table.rows {
		list, several := r[t.text].([]any)
		if !several {
			out = append(out, r)
		}
		for _, v := range list {
			one := row{}
			for name, value := range r {
				one[name] = value
			}
			one[t.text] = v
			out = append(out, one)
		}
	}
	q.table.rows = out
	return nil
}
