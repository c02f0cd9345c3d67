package kql

import "slices"

func (p *parser) expr() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.chain(p.conjunction, "or")
}

func (p *parser) conjunction() (expr, error) { return p.chain(p.comparison, "and") }

// chain takes operands with one word between them.
func (p *parser) chain(operand func() (expr, error), word string) (expr, error) {
	left, err := operand()
	for err == nil && p.word(word) {
		var right expr
		right, err = operand()
		left = binaryExpr{word, left, right}
	}
	return left, err
}

// textOps are the words that compare texts; each has a form with ! before it.
func textOps() []string {
	return []string{
		"has", "has_cs", "hasprefix", "hassuffix", "contains", "contains_cs",
		"startswith", "startswith_cs", "endswith", "endswith_cs",
	}
}

func (p *parser) comparison() (expr, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	for _, op := range []string{"==", "=~", "!=", "!~", "<=", ">=", "<", ">"} {
		if p.punct(op) {
			right, err := p.sum()
			return binaryExpr{op, left, right}, err
		}
	}
	not := ""
	if t := p.peek(); t.kind == punct && t.text == "!" && p.ahead(1).kind == ident && p.ahead(1).glued {
		not = "!"
		p.at++
	}
	t := p.peek()
	if t.kind != ident {
		if not != "" {
			return nil, p.unexpected()
		}
		return left, nil
	}
	switch {
	case slices.Contains(textOps(), t.text):
		p.at++
		right, err := p.sum()
		return binaryExpr{not + t.text, left, right}, err
	case t.text == "matches" && not == "" && p.ahead(1).text == "regex":
		p.at += 2
		right, err := p.sum()
		return binaryExpr{"matches regex", left, right}, err
	case t.text == "in":
		p.at++
		op := not + "in"
		if p.peek().glued && p.punct("~") {
			op += "~"
		}
		return p.in(op, left)
	case (t.text == "has_any" || t.text == "has_all") && not == "":
		p.at++
		return p.in(t.text, left)
	case t.text == "between":
		p.at++
		return p.between(not != "", left)
	case not != "":
		return nil, p.unexpected()
	}
	return left, nil
}

func (p *parser) in(op string, of expr) (expr, error) {
	if err := p.need("("); err != nil {
		return nil, err
	}
	x := inExpr{op: op, of: of}
	start := p.at
	list, err := p.exprs()
	if err == nil && p.punct(")") {
		x.list = list
		return x, nil
	}
	p.at = start
	if x.table, err = p.tabular(); err != nil {
		return nil, err
	}
	return x, p.need(")")
}

func (p *parser) exprs() ([]expr, error) {
	var list []expr
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		list = append(list, x)
		if !p.punct(",") {
			return list, nil
		}
	}
}

func (p *parser) between(not bool, of expr) (expr, error) {
	b := betweenExpr{not: not, of: of}
	if err := p.need("("); err != nil {
		return nil, err
	}
	var err error
	if b.from, err = p.sum(); err != nil {
		return nil, err
	}
	if err := p.need(".."); err != nil {
		return nil, err
	}
	if b.to, err = p.sum(); err != nil {
		return nil, err
	}
	return b, p.need(")")
}

func (p *parser) sum() (expr, error) { return p.infix(p.product, "+", "-") }

func (p *parser) product() (expr, error) { return p.infix(p.unary, "*", "/", "%") }

func (p *parser) infix(operand func() (expr, error), ops ...string) (expr, error) {
	left, err := operand()
	for err == nil {
		t := p.peek()
		if t.kind != punct || !slices.Contains(ops, t.text) {
			return left, nil
		}
		p.at++
		var right expr
		right, err = operand()
		left = binaryExpr{t.text, left, right}
	}
	return left, err
}

func (p *parser) unary() (expr, error) {
	if p.punct("-") {
		x, err := p.unary()
		return minusExpr{x}, err
	}
	return p.postfix()
}

func (p *parser) postfix() (expr, error) {
	x, err := p.primary()
	for err == nil {
		switch {
		case p.punct("."):
			var name string
			name, err = p.name()
			x = memberExpr{x, name}
		case p.punct("["):
			var index expr
			if index, err = p.expr(); err == nil {
				err = p.need("]")
			}
			x = indexExpr{x, index}
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) primary() (expr, error) {
	t := p.peek()
	switch {
	case t.kind == literal:
		p.at++
		return literalExpr{t.value}, nil
	case p.punct("("):
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		return x, p.need(")")
	case t.kind == punct && t.text == "*":
		p.at++
		return starExpr{}, nil
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if t.kind != ident || !p.punct("(") {
		return nameExpr{name}, nil
	}
	if name == "toscalar" {
		t, err := p.tabular()
		if err != nil {
			return nil, err
		}
		return scalarExpr{t}, p.need(")")
	}
	call := callExpr{name: name}
	if p.punct(")") {
		return call, nil
	}
	if call.args, err = p.exprs(); err != nil {
		return nil, err
	}
	return call, p.need(")")
}
