package spl

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// eval sets fields, one after the other.
func (s *search) eval(text string) {
	r := s.evaluator("eval", text)
	for {
		t := r.next()
		if t.sign || t.quoted && t.text == "" {
			r.fail("The expression is malformed. An unexpected character is reached at '%s'.", t.text)
		}
		name := t.text
		if !r.take("=") {
			r.fail("The operator at '%s' is invalid.", r.peek().text)
		}
		value := r.or()
		for _, of := range s.rows {
			v := value(of)
			if b, ok := v.(bool); ok {
				r.fail("The expression has to have a value that is no boolean, such as '%v'.", b)
			}
			delete(of, name)
			if v != nil {
				of[name] = v
			}
		}
		s.add(name)
		if r.end() {
			return
		}
		r.need(",")
	}
}

// where leaves the rows of which an expression is true.
func (s *search) where(text string) {
	r := s.evaluator("where", text)
	c := r.or()
	if !r.end() {
		r.fail("The expression is malformed. An unexpected character is reached at '%s'.", r.peek().text)
	}
	s.rows = slices.DeleteFunc(s.rows, func(of row) bool { return c(of) != true })
}

// expression reads one expression of eval.
func (s *search) expression(command, text string) func(row) any {
	r := s.evaluator(command, text)
	c := r.or()
	if !r.end() {
		r.fail("The expression is malformed. An unexpected character is reached at '%s'.", r.peek().text)
	}
	return c
}

// evaluator reads expressions. In these AND is stronger than OR, capitals in values count, and
// a name with a point in it is two names and a concatenation, unless it is in single quotes.
type evaluator struct{ reader }

func (s *search) evaluator(command, text string) *evaluator {
	return &evaluator{reader{s: s, command: command, text: text, tokens: s.terms(text)}}
}

type value = func(row) any

func (e *evaluator) or() value {
	left := e.xor()
	for e.take("OR") {
		one, other := left, e.xor()
		left = func(r row) any { return one(r) == true || other(r) == true }
	}
	return left
}

func (e *evaluator) xor() value {
	left := e.and()
	for e.take("XOR") {
		one, other := left, e.and()
		left = func(r row) any { return (one(r) == true) != (other(r) == true) }
	}
	return left
}

func (e *evaluator) and() value {
	left := e.not()
	for e.take("AND") {
		one, other := left, e.not()
		left = func(r row) any { return one(r) == true && other(r) == true }
	}
	return left
}

func (e *evaluator) not() value {
	if e.take("NOT") {
		of := e.not()
		return func(r row) any {
			v := of(r)
			if v == nil {
				return nil
			}
			return v != true
		}
	}
	return e.comparison()
}

// comparison compares. With what is not there, the outcome is not there.
func (e *evaluator) comparison() value {
	left := e.sum()
	for _, sign := range []string{"==", "!=", "<=", ">=", "=", "<", ">"} {
		if e.take(sign) {
			right := e.sum()
			return func(r row) any {
				a, b := left(r), right(r)
				if a == nil || b == nil {
					return nil
				}
				c := order(a, b)
				return map[string]bool{"==": c == 0, "=": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[sign]
			}
		}
	}
	switch {
	case e.take("LIKE"):
		right := e.sum()
		return func(r row) any { return like(left(r), right(r)) }
	case e.take("IN"):
		some := e.arguments()
		return func(r row) any {
			a := left(r)
			if a == nil {
				return nil
			}
			return slices.ContainsFunc(some, func(v value) bool { b := v(r); return b != nil && order(a, b) == 0 })
		}
	}
	return left
}

// like compares with a pattern, in which % is any text and _ any character.
func like(v, pattern any) any {
	if v == nil || pattern == nil {
		return nil
	}
	quoted := regexp.QuoteMeta(text(pattern))
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, "%", ".*"), "_", ".")
	return regexp.MustCompile("(?s)^" + quoted + "$").MatchString(text(v))
}

func (e *evaluator) sum() value {
	left := e.product()
	for {
		sign := e.peek().text
		if !e.take("+") && !e.take("-") && !e.take(".") {
			return left
		}
		one, other := left, e.product()
		left = func(r row) any { return added(sign, one(r), other(r)) }
	}
}

// added adds, takes away or concatenates. Two texts that are no numbers are concatenated by +,
// too.
func added(sign string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	x, isX := num(a)
	y, isY := num(b)
	switch {
	case sign == ".":
		return text(a) + text(b)
	case isX && isY && sign == "+":
		return x + y
	case isX && isY:
		return x - y
	case sign == "+" && !isX && !isY:
		return text(a) + text(b)
	}
	return nil
}

func (e *evaluator) product() value {
	left := e.unary()
	for {
		sign := e.peek().text
		if !e.take("*") && !e.take("/") && !e.take("%") {
			return left
		}
		one, other := left, e.unary()
		left = func(r row) any {
			x, isX := num(one(r))
			y, isY := num(other(r))
			switch {
			case !isX || !isY || sign != "*" && y == 0:
				return nil
			case sign == "*":
				return x * y
			case sign == "/":
				return x / y
			}
			return float64(int64(x) % max(1, int64(y)))
		}
	}
}

func (e *evaluator) unary() value {
	if e.take("-") {
		of := e.unary()
		return func(r row) any {
			if n, ok := num(of(r)); ok {
				return -n
			}
			return nil
		}
	}
	t := e.next()
	switch {
	case t.quoted:
		return func(row) any { return t.text }
	case t.field:
		return func(r row) any { return r[t.text] }
	case t.is("("):
		inner := e.or()
		e.need(")")
		return inner
	case t.sign:
		e.fail("The expression is malformed. An unexpected character is reached at '%s'.", t.text)
	case e.peek().is("("):
		return e.call(t.text)
	}
	if isDigit(t.text[0]) {
		n, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			e.fail("The number %s is invalid.", t.text)
		}
		return func(row) any { return n }
	}
	return func(r row) any { return r[t.text] }
}

// arguments reads expressions in brackets.
func (e *evaluator) arguments() []value {
	e.need("(")
	var all []value
	for !e.take(")") {
		if e.end() {
			e.fail("The expression is malformed. Expected ).")
		}
		if len(all) > 0 {
			e.need(",")
		}
		all = append(all, e.or())
	}
	return all
}

// call reads a call of a function.
func (e *evaluator) call(name string) value {
	f, ok := e.s.calls()[strings.ToLower(name)]
	if !ok {
		e.fail("The '%s' function is unsupported or undefined.", name)
	}
	arguments := e.arguments()
	if len(arguments) < f.least || f.most >= 0 && len(arguments) > f.most {
		e.fail("The arguments to the '%s' function are invalid.", name)
	}
	return func(r row) any {
		values := make([]any, len(arguments))
		for i, a := range arguments {
			values[i] = a(r)
		}
		return f.of(values)
	}
}
