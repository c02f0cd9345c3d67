package falconfake

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// node is a filter: a comparison, a function, or a combination of filters.
type node struct {
	operator string // and, or, not; empty for a leaf
	parts    []*node
	test     func(event) bool
	// binds reports whether only events of hosts that are named pass.
	binds bool
}

func (n *node) passes(e event) bool {
	switch n.operator {
	case "and":
		return !slices.ContainsFunc(n.parts, func(p *node) bool { return !p.passes(e) })
	case "or":
		return slices.ContainsFunc(n.parts, func(p *node) bool { return p.passes(e) })
	case "not":
		return !n.parts[0].passes(e)
	}
	return n.test(e)
}

// bound reports whether the filter names the hosts whose events it passes.
func (n *node) bound() bool {
	switch n.operator {
	case "and":
		return slices.ContainsFunc(n.parts, (*node).bound)
	case "or":
		return !slices.ContainsFunc(n.parts, func(p *node) bool { return !p.bound() })
	}
	return n.binds
}

func isFilter(name string) bool { return name == "in" || name == "cidr" }

// alternatives reads filters between or.
func (p *cqlParser) alternatives() (*node, error) {
	first, err := p.conjunction()
	if err != nil {
		return nil, err
	}
	n := &node{operator: "or", parts: []*node{first}}
	for p.keyword("or") {
		next, err := p.conjunction()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, next)
	}
	if len(n.parts) == 1 {
		return first, nil
	}
	p.q.mixed = p.q.mixed || slices.ContainsFunc(n.parts, func(p *node) bool { return p.operator == "and" })
	return n, nil
}

// conjunction reads filters that follow one another, with or without and.
func (p *cqlParser) conjunction() (*node, error) {
	n := &node{operator: "and"}
	for {
		part, err := p.negation()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
		if p.keyword("and") {
			continue
		}
		t := p.peek()
		ends := t.kind == endToken || t.kind == signToken && t.text != "(" && t.text != "!" ||
			t.kind == wordToken && strings.EqualFold(t.text, "or")
		if !ends {
			continue
		}
		if len(n.parts) == 1 {
			return part, nil
		}
		return n, nil
	}
}

func (p *cqlParser) negation() (*node, error) {
	if p.sign("!") || p.keyword("not") {
		inner, err := p.negation()
		return &node{operator: "not", parts: []*node{inner}}, err
	}
	if p.sign("(") {
		inner, err := p.alternatives()
		if err == nil && !p.sign(")") {
			err = syntaxError("missing )")
		}
		if err == nil && (inner.operator == "and" || inner.operator == "or") {
			// In parentheses it is one with the others, whatever it is.
			inner = &node{operator: "not", parts: []*node{{operator: "not", parts: []*node{inner}}}, binds: inner.bound()}
		}
		return inner, err
	}
	return p.leaf()
}

// leaf reads a comparison, a function that filters, or a text to look for.
func (p *cqlParser) leaf() (*node, error) {
	t := p.peek()
	switch {
	case t.kind == wordToken && isFilter(t.text) && p.isNext("("):
		f, err := p.function()
		if err != nil {
			return nil, err
		}
		return filterOf(f)
	case t.kind == wordToken && p.isNext("("):
		return nil, syntaxError("the function %s does not filter", t.text)
	case t.kind == wordToken || t.kind == stringToken:
		p.next()
		if o := p.peek(); o.kind == signToken && slices.Contains([]string{"=", "!=", "<>", "<", "<=", ">", ">="}, o.text) {
			p.next()
			return p.comparison(t.text, o.text)
		}
		word := strings.ToLower("*" + t.text + "*")
		return p.loose(t.text, func(raw string) bool { return glob(word, strings.ToLower(raw)) }), nil
	case t.kind == regexToken:
		p.next()
		return p.loose(t.text, t.pattern.MatchString), nil
	}
	return nil, syntaxError("unexpected %q", t.text)
}

// loose looks for a text in all of an event, as the product does with each word that
// it does not know.
func (p *cqlParser) loose(text string, found func(string) bool) *node {
	if text != "*" {
		p.q.loose = append(p.q.loose, text)
	}
	return &node{test: func(e event) bool { return text == "*" || found(e["@rawstring"]) }}
}

func (p *cqlParser) comparison(field, operator string) (*node, error) {
	t := p.peek()
	switch t.kind {
	case wordToken, stringToken:
		p.next()
		return compare(field, operator, t.text)
	case paramToken:
		value, err := p.parameter()
		if err != nil {
			return nil, err
		}
		return compare(field, operator, value)
	case regexToken:
		p.next()
		switch operator {
		case "=":
			return &node{test: func(e event) bool { return t.pattern.MatchString(e[field]) }}, nil
		case "!=", "<>":
			return &node{test: func(e event) bool { return !t.pattern.MatchString(e[field]) }}, nil
		}
		return nil, syntaxError("%s with a regular expression", operator)
	case endToken, signToken:
	}
	return nil, syntaxError("unexpected %q after %s", t.text, operator)
}

// compare compares a field with a value. A field that is not there satisfies != alone.
func compare(field, operator, value string) (*node, error) {
	match := wildcard(value)
	switch operator {
	case "=":
		return &node{binds: names(field, value), test: func(e event) bool {
			v, ok := e[field]
			return ok && match(v)
		}}, nil
	case "!=", "<>":
		return &node{test: func(e event) bool {
			v, ok := e[field]
			return !ok || !match(v)
		}}, nil
	}
	want, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, syntaxError("%s %s %q: only numbers are compared so", field, operator, value)
	}
	return &node{test: func(e event) bool {
		got, err := strconv.ParseFloat(e[field], 64)
		if err != nil {
			return false
		}
		switch operator {
		case "<":
			return got < want
		case "<=":
			return got <= want
		case ">":
			return got > want
		}
		return got >= want
	}}, nil
}

// names reports whether field = value lets the events of one host through.
func names(field, value string) bool {
	return (field == "aid" || field == "ComputerName") && value != "" && !strings.Contains(value, "*")
}

// wildcard matches a whole value, case included; * is any text.
func wildcard(pattern string) func(string) bool {
	return func(v string) bool { return glob(pattern, v) }
}

// filterOf is the filter that in or cidr makes.
func filterOf(f *function) (*node, error) {
	field := f.args["field"].text
	if field == "" {
		return nil, syntaxError("%s needs a field", f.name)
	}
	if f.name == "in" {
		wanted := f.args["values"].texts()
		if len(wanted) == 0 {
			return nil, syntaxError("in needs values")
		}
		binds := !slices.ContainsFunc(wanted, func(v string) bool { return !names(field, v) })
		return &node{binds: binds, test: func(e event) bool {
			v, ok := e[field]
			return ok && slices.ContainsFunc(wanted, func(w string) bool { return glob(w, v) })
		}}, nil
	}
	var nets []netip.Prefix
	for _, text := range f.args["subnet"].texts() {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, syntaxError("invalid subnet %q", text)
		}
		nets = append(nets, prefix)
	}
	if len(nets) == 0 {
		return nil, syntaxError("cidr needs a subnet")
	}
	return &node{test: func(e event) bool {
		ip, err := netip.ParseAddr(e[field])
		return err == nil && slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Contains(ip) })
	}}, nil
}
