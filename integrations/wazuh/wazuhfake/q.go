package wazuhfake

import (
	"fmt"
	"slices"
	"strings"
)

// keeps reports whether a document fulfils a query.
type keeps func(document) bool

// parseQ reads the query language of lists: conditions, joined by ; for and and by ,
// for or, with parentheses. What is not of this form is refused.
func parseQ(text string, fields []string) (keeps, *failure) {
	if text == "" {
		return func(document) bool { return true }, nil
	}
	p := &qParser{rest: text, fields: fields}
	k, f := p.or()
	if f == nil && p.rest != "" {
		f = p.malformed()
	}
	return k, f
}

type qParser struct {
	rest   string
	fields []string
}

func (p *qParser) malformed() *failure {
	return wazuhError(1407, "Query does not match expected format: "+p.rest)
}

func (p *qParser) accept(sign string) bool {
	rest, found := strings.CutPrefix(p.rest, sign)
	p.rest = rest
	return found
}

func (p *qParser) or() (keeps, *failure) {
	left, f := p.and()
	for f == nil && p.accept(",") {
		one := left
		var other keeps
		other, f = p.and()
		left = func(d document) bool { return one(d) || other(d) }
	}
	return left, f
}

func (p *qParser) and() (keeps, *failure) {
	left, f := p.condition()
	for f == nil && p.accept(";") {
		one := left
		var other keeps
		other, f = p.condition()
		left = func(d document) bool { return one(d) && other(d) }
	}
	return left, f
}

func (p *qParser) condition() (keeps, *failure) {
	if p.accept("(") {
		k, f := p.or()
		if f == nil && !p.accept(")") {
			f = p.malformed()
		}
		return k, f
	}
	end := strings.IndexAny(p.rest, "=!<>~;,()")
	if end <= 0 {
		return nil, p.malformed()
	}
	field := p.rest[:end]
	p.rest = p.rest[end:]
	op := ""
	for _, sign := range []string{"!=", "=", "<", ">", "~"} {
		if p.accept(sign) {
			op = sign
			break
		}
	}
	end = strings.IndexAny(p.rest, ";,()")
	if end < 0 {
		end = len(p.rest)
	}
	value := p.rest[:end]
	p.rest = p.rest[end:]
	switch {
	case op == "" || value == "":
		return nil, p.malformed()
	case !slices.Contains(p.fields, field):
		return nil, wazuhError(1408, "Field does not exist.: "+field)
	}
	return func(d document) bool { return holds(d, field, op, value) }, nil
}

func holds(d document, field, op, value string) bool {
	v, found := at(d, field)
	if values, is := v.([]string); is {
		return slices.ContainsFunc(values, func(have string) bool { return compareBy(op, have, value) })
	}
	return found && compareBy(op, fmt.Sprint(v), value)
}

func compareBy(op, have, want string) bool {
	switch op {
	case "=":
		return have == want
	case "!=":
		return have != want
	case "<":
		return compare(have, want) < 0
	case ">":
		return compare(have, want) > 0
	}
	return strings.Contains(strings.ToLower(have), strings.ToLower(want))
}
