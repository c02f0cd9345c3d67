package kql

import "slices"

type parser struct {
	tokens []token
	at     int
	depth  int
}

// deepest is how far queries may nest; deeper ones are refused, not run out of
// stack.
const deepest = 100

func parse(text string) (q query, err error) {
	p := &parser{}
	if p.tokens, err = tokens(text); err != nil {
		return query{}, err
	}
	for p.word("let") {
		l, err := p.let()
		if err != nil {
			return query{}, err
		}
		q.lets = append(q.lets, l)
	}
	if q.body, err = p.tabular(); err != nil {
		return query{}, err
	}
	p.punct(";")
	if p.peek().kind != end {
		return query{}, p.unexpected()
	}
	return q, nil
}

func (p *parser) peek() token { return p.ahead(0) }

func (p *parser) ahead(n int) token {
	return p.tokens[min(p.at+n, len(p.tokens)-1)]
}

func (p *parser) unexpected() error {
	t := p.peek()
	if t.kind == end {
		return syntaxf("The query is incomplete")
	}
	if t.kind == literal {
		t.text = text(t.value.v)
	}
	return syntaxf("Query could not be parsed at %q", t.text)
}

// is reports whether the next token is a certain one, and takes it.
func (p *parser) is(k kind, s string) bool {
	if t := p.peek(); t.kind == k && t.text == s {
		p.at++
		return true
	}
	return false
}

func (p *parser) punct(s string) bool { return p.is(punct, s) }

func (p *parser) word(s string) bool { return p.is(ident, s) }

func (p *parser) need(s string) error {
	if !p.punct(s) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) needWord(s string) error {
	if !p.word(s) {
		return p.unexpected()
	}
	return nil
}

// name takes an identifier, plain or as ['...'].
func (p *parser) name() (string, error) {
	t := p.peek()
	if t.kind == ident {
		p.at++
		return t.text, nil
	}
	if quoted := p.ahead(1); t.kind == punct && t.text == "[" && quoted.kind == literal && quoted.value.typ == String {
		p.at += 2
		name, _ := quoted.value.v.(string)
		return name, p.need("]")
	}
	return "", p.unexpected()
}

func (p *parser) enter() error {
	if p.depth++; p.depth > deepest {
		return syntaxf("The query is nested too deeply")
	}
	return nil
}

func (p *parser) let() (l let, err error) {
	if l.name, err = p.name(); err != nil {
		return let{}, err
	}
	if err := p.need("="); err != nil {
		return let{}, err
	}
	// A value and a table can both start with a name: what follows tells.
	start := p.at
	if t := p.peek(); t.kind == ident && t.text == "materialize" {
		l.table, err = p.tabular()
		if err != nil {
			return let{}, err
		}
		return let{name: l.name, table: l.table}, p.need(";")
	}
	if l.value, err = p.expr(); err == nil && p.punct(";") {
		if n, ok := l.value.(nameExpr); ok {
			return let{name: l.name, table: &tabular{table: n.name}}, nil
		}
		return l, nil
	}
	p.at = start
	if l.table, err = p.tabular(); err != nil {
		return let{}, err
	}
	return let{name: l.name, table: l.table}, p.need(";")
}

func (p *parser) tabular() (*tabular, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	t := &tabular{}
	var err error
	if p.peek().text == "materialize" && p.ahead(1).text == "(" {
		p.at++ // It changes how often a table is read, and not what is read.
	}
	switch {
	case p.punct("("):
		if t.sub, err = p.tabular(); err != nil {
			return nil, err
		}
		if err := p.need(")"); err != nil {
			return nil, err
		}
	case p.word("print"):
		if t.print, err = p.namedList(); err != nil {
			return nil, err
		}
	case p.word("union"):
		if t.union, err = p.union(); err != nil {
			return nil, err
		}
	default:
		if t.table, err = p.name(); err != nil {
			return nil, err
		}
	}
	for p.punct("|") {
		op, err := p.operator()
		if err != nil {
			return nil, err
		}
		t.ops = append(t.ops, op)
	}
	return t, nil
}

func (p *parser) operator() (operator, error) {
	word, err := p.name()
	if err != nil {
		return nil, err
	}
	// project-away and mv-expand are one word each.
	for p.peek().kind == punct && p.peek().text == "-" && p.peek().glued && p.ahead(1).kind == ident {
		word += "-" + p.ahead(1).text
		p.at += 2
	}
	switch word {
	case "where", "filter":
		cond, err := p.expr()
		return whereOp{cond}, err
	case "extend":
		columns, err := p.namedList()
		return extendOp{columns}, err
	case "project":
		columns, err := p.namedList()
		return projectOp{columns}, err
	case "project-rename":
		columns, err := p.namedList()
		return renameOp{columns}, err
	case "project-away", "project-keep", "project-reorder", "distinct":
		names, err := p.names()
		return pickOp{word, names}, err
	case "take", "limit":
		n, err := p.expr()
		return takeOp{n}, err
	case "count":
		return countOp{}, nil
	case "sort", "order":
		if err := p.needWord("by"); err != nil {
			return nil, err
		}
		keys, err := p.sortKeys()
		return sortOp{keys: keys}, err
	case "top":
		return p.top()
	case "summarize":
		return p.summarize()
	case "union":
		return p.union()
	case "join":
		return p.join()
	case "mv-expand":
		return p.expand()
	}
	return nil, syntaxf("The operator %q is not recognized", word)
}

func (p *parser) names() ([]string, error) {
	var names []string
	for {
		if p.punct("*") {
			names = append(names, "*")
		} else {
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		if !p.punct(",") {
			return names, nil
		}
	}
}

func (p *parser) namedList() ([]named, error) {
	var list []named
	for {
		n, err := p.named()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !p.punct(",") {
			return list, nil
		}
	}
}

// named takes an expression with or without a name.
func (p *parser) named() (n named, err error) {
	start := p.at
	if name, err := p.name(); err == nil && p.punct("=") {
		n.name = name
	} else {
		p.at = start
	}
	n.expr, err = p.expr()
	return n, err
}

func (p *parser) sortKeys() ([]sortKey, error) {
	var list []sortKey
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		k := sortKey{expr: x}
		if p.word("asc") {
			k.ascending = true
		} else {
			p.word("desc")
		}
		k.nullsFirst = k.ascending
		if p.word("nulls") {
			if k.nullsFirst = p.word("first"); !k.nullsFirst && !p.word("last") {
				return nil, p.unexpected()
			}
		}
		list = append(list, k)
		if !p.punct(",") {
			return list, nil
		}
	}
}

func (p *parser) top() (operator, error) {
	n, err := p.expr()
	if err != nil {
		return nil, err
	}
	if err := p.needWord("by"); err != nil {
		return nil, err
	}
	keys, err := p.sortKeys()
	return sortOp{keys: keys, top: n}, err
}

// hints takes the parameters of an operator, such as kind=inner and
// hint.strategy=broadcast, and returns those that change the result.
func (p *parser) hints(known ...string) (map[string]string, error) {
	found := map[string]string{}
	for {
		t := p.peek()
		switch {
		case t.kind == ident && t.text == "hint" && p.ahead(1).text == ".":
			p.at += 3
			if err := p.need("="); err != nil {
				return nil, err
			}
			p.at++
		case t.kind == ident && slices.Contains(known, t.text) && p.ahead(1).text == "=":
			p.at += 2
			v := p.peek()
			p.at++
			if v.kind == literal {
				v.text = text(v.value.v)
			}
			found[t.text] = v.text
		default:
			return found, nil
		}
	}
}

func (p *parser) summarize() (operator, error) {
	op := summarizeOp{}
	if _, err := p.hints(); err != nil {
		return nil, err
	}
	var err error
	if t := p.peek(); t.kind != ident || t.text != "by" {
		if op.aggregates, err = p.namedList(); err != nil {
			return nil, err
		}
	}
	if p.word("by") {
		op.by, err = p.namedList()
	}
	return op, err
}
