package sentinelonefake

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// powerQuery is a query: the filter of events, and the commands behind it.
type powerQuery struct {
	filter   expr // nil: every event
	commands []command
}

// command is one stage of the pipeline.
type command struct {
	name    string // filter, columns, let, group, sort or limit
	expr    expr
	columns []column
	by      []column
	keys    []sortKey
	limit   int
}

// column is a value with a name.
type column struct {
	name string
	expr expr
}

type sortKey struct {
	field      string
	descending bool
}

var errRest = errors.New("unable to parse the entire query")

// parser reads a query. Parts of the language that the double does not know are
// errors of syntax: it never ignores one.
type parser struct {
	tokens []token
}

func parsePowerQuery(text string) (*powerQuery, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens}
	q := &powerQuery{}
	if !p.is("|") {
		if q.filter, err = p.or(true); err != nil {
			return nil, err
		}
	}
	for p.accept("|") {
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		q.commands = append(q.commands, c)
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("%w: at [%s]", errRest, p.tokens[0].text)
	}
	return q, nil
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

// is reports whether the next word is a sign, or a name without regard to case.
func (p *parser) is(words ...string) bool {
	t := p.peek()
	return t.kind == signToken && t.text != "" && slices.Contains(words, t.text) ||
		t.kind == nameToken && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, t.text) })
}

func (p *parser) accept(words ...string) bool {
	if p.is(words...) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(sign string) error {
	if !p.accept(sign) {
		return fmt.Errorf("%w: expected [%s], have [%s]", errRest, sign, p.peek().text)
	}
	return nil
}

func (p *parser) command() (command, error) {
	t := p.next()
	c := command{name: t.text}
	var err error
	switch {
	case t.kind != nameToken:
		return c, fmt.Errorf("%w: at [%s]", errRest, t.text)
	case t.text == "filter":
		c.expr, err = p.or(false)
	case t.text == "columns" || t.text == "let":
		c.columns, err = p.columnList()
	case t.text == "group":
		if c.columns, err = p.columnList(); err == nil && p.accept("by") {
			c.by, err = p.columnList()
		}
		if err == nil {
			err = c.checkGroup()
		}
	case t.text == "sort":
		c.keys, err = p.sortKeys()
	case t.text == "limit":
		c.limit = 10
		if p.peek().kind == numberToken {
			c.limit, err = strconv.Atoi(p.next().text)
		}
	default:
		return c, fmt.Errorf("unknown command [%s]", t.text)
	}
	return c, err
}

func (p *parser) columnList() ([]column, error) {
	var out []column
	for {
		c, err := p.column()
		if err != nil {
			return nil, err
		}
		if out = append(out, c); !p.accept(",") {
			return out, nil
		}
	}
}

// column reads name = value, or a value that has a name of its own.
func (p *parser) column() (column, error) {
	t := p.peek()
	if (t.kind == nameToken || t.kind == stringToken) && len(p.tokens) > 1 && p.tokens[1] == (token{signToken, "="}) {
		p.next()
		p.next()
		e, err := p.value()
		return column{t.text, e}, err
	}
	e, err := p.value()
	if err != nil {
		return column{}, err
	}
	switch e := e.(type) {
	case fieldExpr:
		return column{string(e), e}, nil
	case callExpr:
		return column{e.name, e}, nil
	}
	return column{}, fmt.Errorf("%w: a value without a name at [%s]", errRest, t.text)
}

// checkGroup refuses what cannot be a key: a function as one needs a name.
func (c command) checkGroup() error {
	for _, k := range c.by {
		if e, is := k.expr.(callExpr); is && e.name == k.name {
			return fmt.Errorf("undefined field '%s'", e.name)
		}
	}
	for _, a := range c.columns {
		e, is := a.expr.(callExpr)
		if !is {
			return errors.New("field must be enclosed in a grouping function")
		}
		if !slices.Contains(aggregates(), e.name) {
			return fmt.Errorf("unknown function '%s'", e.name)
		}
	}
	return nil
}

func (p *parser) sortKeys() ([]sortKey, error) {
	var out []sortKey
	for {
		k := sortKey{descending: p.is("-")}
		if !p.accept("-") {
			p.accept("+")
		}
		t := p.next()
		if t.kind != nameToken && t.kind != stringToken {
			return nil, fmt.Errorf("%w: at [%s]", errRest, t.text)
		}
		k.field = t.text
		if out = append(out, k); !p.accept(",") {
			return out, nil
		}
	}
}

// or, and, not and compare read conditions; in the first filter, conditions that
// stand beside each other must all hold, and * is any field.
func (p *parser) or(start bool) (expr, error) {
	left, err := p.and(start)
	for err == nil && p.accept("or", "||") {
		var right expr
		right, err = p.and(start)
		left = orExpr{left, right}
	}
	return left, err
}

func (p *parser) and(start bool) (expr, error) {
	left, err := p.not(start)
	for err == nil {
		if !p.accept("and", "&&") && (p.peek() == token{} || p.is("|", ")", "or", "||", ",")) {
			break
		}
		var right expr
		right, err = p.not(start)
		left = andExpr{left, right}
	}
	return left, err
}

func (p *parser) not(start bool) (expr, error) {
	if p.accept("not", "!") {
		e, err := p.not(start)
		return notExpr{e}, err
	}
	if p.accept("(") {
		e, err := p.or(start)
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	return p.compare(start)
}

func (p *parser) compare(start bool) (expr, error) {
	if start && p.accept("*") {
		if !p.is("contains", "matches") {
			return nil, errors.New("don't understand [*]")
		}
		return p.textCondition(anyField{})
	}
	left, err := p.value()
	if err != nil {
		return nil, err
	}
	switch t := p.peek(); {
	case p.is("=", "==", "!=", "<", "<=", ">", ">="):
		return p.comparison(left, p.next().text)
	case t.kind == nameToken && isText(t.text):
		return p.textCondition(left)
	case p.accept("not"):
		// It is accepted, and then nothing matches it.
		if _, err := p.textCondition(left); err != nil {
			return nil, err
		}
		return neverExpr{}, nil
	}
	return left, nil
}

func isText(word string) bool {
	op, _, _ := strings.Cut(word, ":")
	return op == "contains" || op == "matches" || op == "in"
}

func (p *parser) comparison(left expr, op string) (expr, error) {
	if p.accept("*") {
		if op != "=" && op != "==" {
			return nil, fmt.Errorf("%w: at [*]", errRest)
		}
		return presentExpr{left}, nil
	}
	right, err := p.value()
	if err != nil {
		return nil, err
	}
	if v, literal := right.(literalExpr); literal && v.value == nil {
		return nil, fmt.Errorf("undefined field in comparison with null")
	}
	if op == "==" {
		op = "="
	}
	return compareExpr{op, left, right}, nil
}

// textCondition reads contains, matches or in, with what they compare to.
func (p *parser) textCondition(left expr) (expr, error) {
	t := p.next()
	op, mode, _ := strings.Cut(t.text, ":")
	if t.kind != nameToken || !isText(t.text) || !slices.Contains([]string{"", "anycase", "matchcase"}, mode) {
		return nil, fmt.Errorf("%w: at [%s]", errRest, t.text)
	}
	e := textExpr{op: op, field: left, anyCase: mode == "anycase" || mode == "" && op != "in"}
	list := p.accept("(")
	if op == "in" && !list {
		return nil, fmt.Errorf("%w: at [%s]", errRest, p.peek().text)
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		literal, is := v.(literalExpr)
		if !is {
			return nil, fmt.Errorf("%w: %s takes literals", errRest, op)
		}
		e.values = append(e.values, literal.value)
		if !list || !p.accept(",") {
			break
		}
	}
	if list {
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	}
	return e, e.compile()
}

// value reads a literal, a field or a call.
func (p *parser) value() (expr, error) {
	negative := p.accept("-")
	switch t := p.next(); {
	case t.kind == numberToken:
		n, err := strconv.ParseFloat(t.text, 64)
		if negative {
			n = -n
		}
		return literalExpr{n}, err
	case negative:
		return nil, fmt.Errorf("%w: at [-]", errRest)
	case t.kind == stringToken:
		return literalExpr{t.text}, nil
	case t.kind == nameToken && p.accept("("):
		return p.call(t.text)
	case t.kind == nameToken:
		switch t.text {
		case "true", "false":
			return literalExpr{t.text == "true"}, nil
		case "null":
			return literalExpr{nil}, nil
		}
		return fieldExpr(t.text), nil
	default:
		return nil, fmt.Errorf("%w: at [%s]", errRest, t.text)
	}
}

func (p *parser) call(name string) (expr, error) {
	c := callExpr{name: name}
	if slices.Contains([]string{"count_distinct", "first", "last", "percentile"}, name) {
		return nil, fmt.Errorf("function '%s' is not supported", name)
	}
	if !slices.Contains(aggregates(), name) && !slices.Contains([]string{"lower", "upper", "string", "number"}, name) {
		return nil, fmt.Errorf("unknown function '%s'", name)
	}
	for !p.accept(")") {
		e, err := p.or(false)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, e)
		if !p.is(")") {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}
