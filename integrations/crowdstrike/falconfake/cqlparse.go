package falconfake

import (
	"slices"
	"strings"
)

// query is a parsed query: stages that pass events on.
type query struct {
	stages []stage
	// tables are the tables that are defined before the first stage.
	tables []*function
	// loose are the words that are looked for in the text of events.
	loose []string
	// mixed is set where and and or meet without parentheses.
	mixed bool
}

// stage is a filter or a function.
type stage struct {
	filter *node
	call   *function
	// assign is the field that a value is given to.
	assign string
	value  argument
}

// function is a call of a function.
type function struct {
	name string
	args map[string]argument
}

// argument is a value that a function gets.
type argument struct {
	text string
	// literal is a string in quotes.
	literal bool
	list    []argument
	sub     *query
	call    *function
}

// texts are the texts of a list, or the one text of what is none.
func (a argument) texts() []string {
	if a.list == nil {
		if a.text == "" {
			return nil
		}
		return []string{a.text}
	}
	var out []string
	for _, v := range a.list {
		out = append(out, v.text)
	}
	return out
}

type cqlParser struct {
	tokens    []cqlToken
	arguments map[string]string
	q         *query // what is being parsed
}

// parseQuery reads a query of the subset that the double runs; all else is refused
// as a syntax error.
func parseQuery(text string, arguments map[string]string) (*query, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &cqlParser{tokens: tokens, arguments: arguments}
	q, err := p.query("")
	if err != nil {
		return nil, err
	}
	if p.peek().kind != endToken {
		return nil, syntaxError("unexpected %q", p.peek().text)
	}
	return q, nil
}

func (p *cqlParser) peek() cqlToken { return p.tokens[0] }

func (p *cqlParser) next() cqlToken {
	t := p.tokens[0]
	if t.kind != endToken {
		p.tokens = p.tokens[1:]
	}
	return t
}

// sign takes a sign, if it is next.
func (p *cqlParser) sign(text string) bool {
	if t := p.peek(); t.kind != signToken || t.text != text {
		return false
	}
	p.next()
	return true
}

// isNext reports whether a sign comes after the next token.
func (p *cqlParser) isNext(text string) bool {
	return len(p.tokens) > 1 && p.tokens[1].kind == signToken && p.tokens[1].text == text
}

// query reads stages up to a closing sign, or to the end.
func (p *cqlParser) query(closing string) (*query, error) {
	outer := p.q
	q := &query{}
	p.q = q
	defer func() { p.q = outer }()
	for {
		s, err := p.stage()
		if err != nil {
			return nil, err
		}
		switch {
		case s.call != nil && s.call.name == "defineTable":
			if len(q.stages) > 0 || outer != nil {
				return nil, syntaxError("defineTable must come before the main query")
			}
			q.tables = append(q.tables, s.call)
		default:
			q.stages = append(q.stages, s)
		}
		if p.sign("|") {
			continue
		}
		if closing != "" && !p.sign(closing) || closing == "" && p.peek().kind != endToken {
			return nil, syntaxError("unexpected %q", p.peek().text)
		}
		if outer != nil {
			outer.loose, outer.mixed = append(outer.loose, q.loose...), outer.mixed || q.mixed
		}
		return q, q.check()
	}
}

func (q *query) check() error {
	joins := slices.ContainsFunc(q.stages, func(s stage) bool { return s.call != nil && s.call.name == "join" })
	if joins && len(q.tables) > 0 {
		return syntaxError("defineTable cannot be used with join")
	}
	return nil
}

func (p *cqlParser) stage() (stage, error) {
	t := p.peek()
	if t.kind == wordToken && p.isNext(":=") {
		p.next()
		p.next()
		v, err := p.argument()
		if err == nil && (v.call != nil || v.sub != nil || v.list != nil) {
			err = syntaxError("%s := of what is no field or string", t.text)
		}
		return stage{assign: t.text, value: v}, err
	}
	if t.kind == wordToken && p.isNext("(") && !isFilter(t.text) {
		f, err := p.function()
		if err == nil && stageFunction(f.name) == nil && f.name != "defineTable" {
			err = syntaxError("unknown function %q", f.name)
		}
		return stage{call: f}, err
	}
	n, err := p.alternatives()
	return stage{filter: n}, err
}

// function reads name(…). A value without a name is that of the function's first
// parameter.
func (p *cqlParser) function() (*function, error) {
	f := &function{name: p.next().text, args: map[string]argument{}}
	names := parametersOf(f.name)
	if names == nil {
		return nil, syntaxError("unknown function %q", f.name)
	}
	p.next()
	for !p.sign(")") {
		name := names[0]
		if t := p.peek(); t.kind == wordToken && p.isNext("=") {
			name = t.text
			p.next()
			p.next()
		}
		if !slices.Contains(names, name) {
			return nil, syntaxError("%s has no parameter %q", f.name, name)
		}
		if _, twice := f.args[name]; twice {
			return nil, syntaxError("%s has two of parameter %q", f.name, name)
		}
		v, err := p.argument()
		if err != nil {
			return nil, err
		}
		f.args[name] = v
		if !p.sign(",") && (p.peek().kind != signToken || p.peek().text != ")") {
			return nil, syntaxError("unexpected %q in %s", p.peek().text, f.name)
		}
	}
	return f, nil
}

// argument reads a word, a string, a list, a query in braces, or a call.
func (p *cqlParser) argument() (argument, error) {
	switch t := p.peek(); {
	case p.sign("("):
		a, err := p.argument()
		if err == nil && !p.sign(")") {
			err = syntaxError("missing )")
		}
		return a, err
	case p.sign("["):
		return p.list()
	case p.sign("{"):
		q, err := p.query("}")
		return argument{sub: q}, err
	case t.kind == wordToken && p.isNext("("):
		f, err := p.function()
		return argument{call: f}, err
	case t.kind == wordToken || t.kind == stringToken:
		p.next()
		return argument{text: t.text, literal: t.kind == stringToken}, nil
	case t.kind == paramToken:
		v, err := p.parameter()
		return argument{text: v, literal: true}, err
	default:
		return argument{}, syntaxError("unexpected %q", t.text)
	}
}

func (p *cqlParser) list() (argument, error) {
	a := argument{list: []argument{}}
	for !p.sign("]") {
		v, err := p.argument()
		if err != nil {
			return argument{}, err
		}
		a.list = append(a.list, v)
		if !p.sign(",") && (p.peek().kind != signToken || p.peek().text != "]") {
			return argument{}, syntaxError("unexpected %q in a list", p.peek().text)
		}
	}
	return a, nil
}

// parameter takes the value of the next token, a parameter, from the arguments of
// the request.
func (p *cqlParser) parameter() (string, error) {
	t := p.next()
	if v, ok := p.arguments[t.text]; ok {
		return v, nil
	}
	if t.fallback != nil {
		return *t.fallback, nil
	}
	return "", syntaxError("parameter %q has no value", t.text)
}

// keyword reports whether the next token is a word such as and, in either case.
func (p *cqlParser) keyword(word string) bool {
	t := p.peek()
	if t.kind != wordToken || !strings.EqualFold(t.text, word) {
		return false
	}
	p.next()
	return true
}
