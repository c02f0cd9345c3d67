package defendfake

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is one of a table: values by column. A value is nil, a string, int64,
// float64, bool, [time.Time] or, where a field has several, a list.
type row map[string]any

// expression is a value that each row has.
type expression struct {
	kind string // of the column's types, or null or time_duration
	text string // as it stands in the query
	at   int
	// field is the one whose value it is, changed at most in its form.
	field   string
	literal bool
	value   func(row) any
	bound   bound
}

// parser reads the expressions of a stage.
type parser struct {
	query   string
	tokens  []token
	at      int
	columns []column
	params  params
	now     time.Time
	warn    func(at int, text, why string)
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != "end" {
		p.at++
	}
	return t
}

// sign takes a sign if it is the next.
func (p *parser) sign(s string) bool {
	if t := p.peek(); t.kind != "sign" || t.text != s {
		return false
	}
	p.at++
	return true
}

// word takes a keyword if it is the next.
func (p *parser) word(w string) bool {
	if t := p.peek(); t.kind != "name" || !strings.EqualFold(t.text, w) {
		return false
	}
	p.at++
	return true
}

// unexpected is the error of a token that does not belong there.
func (p *parser) unexpected(want string) *refusal {
	return syntaxError(p.query, p.peek().at, "mismatched input '%s' expecting %s", p.peek().text, want)
}

func (p *parser) since(at int) string {
	return strings.TrimSpace(p.query[at:min(p.peek().at, len(p.query))])
}

func (p *parser) expression() (expression, *refusal) { return p.or() }

func (p *parser) or() (expression, *refusal) {
	return p.logic("or", p.and, func(a, b any) any {
		switch {
		case a == true || b == true:
			return true
		case a == nil || b == nil:
			return nil
		}
		return false
	}, bound.or)
}

func (p *parser) and() (expression, *refusal) {
	return p.logic("and", p.not, func(a, b any) any {
		switch {
		case a == false || b == false:
			return false
		case a == nil || b == nil:
			return nil
		}
		return true
	}, bound.and)
}

func (p *parser) logic(word string, part func() (expression, *refusal), join func(a, b any) any, bounds func(a, b bound) bound) (expression, *refusal) {
	at := p.peek().at
	left, refused := part()
	for refused == nil && p.word(word) {
		var right expression
		if right, refused = part(); refused != nil {
			break
		}
		for _, side := range []expression{left, right} {
			if side.kind != "boolean" && side.kind != "null" {
				return left, planError(p.query, side.at, "argument of [%s] must be [boolean], found value [%s] type [%s]", p.since(at), side.text, side.kind)
			}
		}
		a, b := left.value, right.value
		left = expression{
			kind: "boolean", text: p.since(at), at: at, bound: bounds(left.bound, right.bound),
			value: func(r row) any { return join(a(r), b(r)) },
		}
	}
	return left, refused
}

func (p *parser) not() (expression, *refusal) {
	at := p.peek().at
	if !p.word("not") {
		return p.comparison()
	}
	e, refused := p.not()
	if refused != nil {
		return e, refused
	}
	return expression{kind: "boolean", text: p.since(at), at: at, value: negated(e.value)}, nil
}

func negated(value func(row) any) func(row) any {
	return func(r row) any {
		if b, ok := value(r).(bool); ok {
			return !b
		}
		return nil
	}
}

func (p *parser) comparison() (expression, *refusal) {
	at := p.peek().at
	left, refused := p.sum()
	if refused != nil {
		return left, refused
	}
	if t := p.peek(); t.kind == "sign" && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text) {
		p.next()
		right, refused := p.sum()
		if refused != nil {
			return left, refused
		}
		return p.compare(t.text, left, right, at)
	}
	before := p.at
	not := p.word("not")
	var e expression
	switch {
	case p.word("in"):
		e, refused = p.in(left, at)
	case p.word("like"):
		e, refused = p.like(left, at)
	case !not && p.word("is"):
		not = p.word("not")
		if !p.word("null") {
			return left, p.unexpected("'null'")
		}
		e = expression{kind: "boolean", value: func(r row) any { return left.value(r) == nil }}
	default:
		p.at = before
		return left, nil
	}
	if not {
		e.value, e.bound = negated(e.value), bound{}
	}
	e.text, e.at = p.since(at), at
	return e, refused
}

// in is whether a value is one of a list.
func (p *parser) in(left expression, at int) (expression, *refusal) {
	if !p.sign("(") {
		return left, p.unexpected("'('")
	}
	var any1 expression
	for i := 0; ; i++ {
		right, refused := p.sum()
		if refused != nil {
			return left, refused
		}
		one, refused := p.compare("==", left, right, at)
		if refused != nil {
			return left, refused
		}
		if i == 0 {
			any1 = one
		} else {
			a, b := any1.value, one.value
			any1.bound = any1.bound.or(one.bound)
			any1.value = func(r row) any {
				x, y := a(r), b(r)
				if x == true || y == true {
					return true
				}
				if x == nil || y == nil {
					return nil
				}
				return false
			}
		}
		if p.sign(",") {
			continue
		}
		if !p.sign(")") {
			return left, p.unexpected("{',', ')'}")
		}
		return any1, nil
	}
}

func (p *parser) like(left expression, at int) (expression, *refusal) {
	t := p.next()
	if t.kind != "text" {
		p.at--
		return left, p.unexpected("QUOTED_STRING")
	}
	if !isText(left.kind) {
		return left, planError(p.query, at, "argument of [%s] must be [string], found value [%s] type [%s]", p.since(at), left.text, left.kind)
	}
	return expression{kind: "boolean", value: p.single(left, func(v any) any { return matchesLike(t.text, text(v), '?') })}, nil
}

// single computes of one value; of none and of several it is null, and of several
// there is a warning.
func (p *parser) single(of expression, compute func(any) any) func(row) any {
	return func(r row) any {
		v := of.value(r)
		if list, ok := v.([]any); ok {
			if len(list) != 1 {
				p.warn(of.at, of.text, "java.lang.IllegalArgumentException: single-value function encountered multi-value")
				return nil
			}
			v = list[0]
		}
		if v == nil {
			return nil
		}
		return compute(v)
	}
}

func isText(kind string) bool { return kind == "keyword" || kind == "text" }

func isNumber(kind string) bool { return kind == "long" || kind == "double" || kind == "integer" }

// sum is + and -, also of a time and a duration.
func (p *parser) sum() (expression, *refusal) {
	at := p.peek().at
	left, refused := p.product()
	for refused == nil {
		t := p.peek()
		if !p.sign("+") && !p.sign("-") {
			return left, nil
		}
		var right expression
		if right, refused = p.product(); refused == nil {
			left, refused = p.arithmetic(t.text, left, right, at)
		}
	}
	return left, refused
}

func (p *parser) product() (expression, *refusal) {
	at := p.peek().at
	left, refused := p.primary()
	for refused == nil {
		t := p.peek()
		if !p.sign("*") && !p.sign("/") {
			return left, nil
		}
		var right expression
		if right, refused = p.primary(); refused == nil {
			left, refused = p.arithmetic(t.text, left, right, at)
		}
	}
	return left, refused
}

func (p *parser) primary() (expression, *refusal) {
	t := p.next()
	e := expression{at: t.at, text: t.text, literal: true}
	switch {
	case t.kind == "sign" && t.text == "(":
		e, refused := p.expression()
		if refused == nil && !p.sign(")") {
			refused = p.unexpected("')'")
		}
		return e, refused
	case t.kind == "sign" && t.text == "-":
		e, refused := p.primary()
		if refused == nil {
			zero := expression{kind: "long", literal: true, value: func(row) any { return int64(0) }}
			return p.arithmetic("-", zero, e, t.at)
		}
		return e, refused
	case t.kind == "text":
		e.kind, e.value = "keyword", func(row) any { return t.text }
		return e, nil
	case t.kind == "number":
		return p.number(t)
	case t.kind == "parameter":
		return p.parameter(t)
	case t.kind == "name" && p.sign("("):
		return p.call(t)
	case t.kind == "name":
		return p.name(t)
	}
	if t.kind != "end" {
		p.at--
	}
	return e, p.unexpected("an expression")
}

// name is a constant or a column.
func (p *parser) name(t token) (expression, *refusal) {
	e := expression{at: t.at, text: t.text, literal: true}
	switch strings.ToLower(t.text) {
	case "true", "false":
		e.kind, e.value = "boolean", func(row) any { return strings.EqualFold(t.text, "true") }
		return e, nil
	case "null":
		e.kind, e.value = "null", func(row) any { return nil }
		return e, nil
	}
	at := slices.IndexFunc(p.columns, func(c column) bool { return c.name == t.text })
	if at < 0 {
		return e, planError(p.query, t.at, "Unknown column [%s]", t.text)
	}
	return expression{
		kind: p.columns[at].kind, text: t.text, at: t.at, field: t.text,
		value: func(r row) any { return r[t.text] },
	}, nil
}

// number is a number, or a duration if a unit of time follows.
func (p *parser) number(t token) (expression, *refusal) {
	e := expression{kind: "integer", at: t.at, text: t.text, literal: true}
	f, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return e, syntaxError(p.query, t.at, "token recognition error at: '%s'", t.text)
	}
	if unit := durationOf(p.peek()); unit > 0 {
		p.next()
		e.kind, e.value = "time_duration", func(row) any { return time.Duration(f * float64(unit)) }
		return e, nil
	}
	if strings.Contains(t.text, ".") {
		e.kind, e.value = "double", func(row) any { return f }
		return e, nil
	}
	e.value = func(row) any { return int64(f) }
	return e, nil
}

func durationOf(t token) time.Duration {
	if t.kind != "name" {
		return 0
	}
	return map[string]time.Duration{
		"millisecond": time.Millisecond, "milliseconds": time.Millisecond, "ms": time.Millisecond,
		"second": time.Second, "seconds": time.Second, "sec": time.Second, "s": time.Second,
		"minute": time.Minute, "minutes": time.Minute, "min": time.Minute, "m": time.Minute,
		"hour": time.Hour, "hours": time.Hour, "h": time.Hour,
		"day": 24 * time.Hour, "days": 24 * time.Hour, "d": 24 * time.Hour,
		"week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}[strings.ToLower(t.text)]
}
