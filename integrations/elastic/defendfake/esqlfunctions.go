package defendfake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// compare is a comparison; a text that is written in the query is read as the
// type of the other side.
func (p *parser) compare(sign string, left, right expression, at int) (expression, *refusal) {
	left, refused := p.cast(left, right.kind)
	if refused != nil {
		return left, refused
	}
	right, refused = p.cast(right, left.kind)
	if refused != nil {
		return right, refused
	}
	same := left.kind == right.kind || isText(left.kind) && isText(right.kind) || isNumber(left.kind) && isNumber(right.kind)
	if !same && left.kind != "null" && right.kind != "null" {
		return left, planError(p.query, at, "first argument of [%s] is [%s] so second argument must also be [%s] but was [%s]", p.since(at), wordOf(left.kind), wordOf(left.kind), wordOf(right.kind))
	}
	e := expression{kind: "boolean", text: p.since(at), at: at}
	e.value = func(r row) any {
		return p.single(left, func(a any) any {
			return p.single(right, func(b any) any { return decide(sign, compareValues(left.kind, a, b)) })(r)
		})(r)
	}
	e.bound = comparisonBound(sign, left, right)
	return e, nil
}

// comparisonBound is what a comparison of a column with something written bounds.
func comparisonBound(sign string, left, right expression) bound {
	column := left
	if left.literal {
		column = right
		sign = strings.NewReplacer("<", ">", ">", "<").Replace(sign)
	}
	return bound{
		host: sign == "==" && bounds(column.field),
		time: column.field == "@timestamp" && strings.HasPrefix(sign, ">"),
	}
}

func wordOf(kind string) string {
	if isNumber(kind) {
		return "numeric"
	}
	return kind
}

func decide(sign string, c int) bool {
	switch sign {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func compareValues(kind string, a, b any) int {
	switch x := a.(type) {
	case time.Time:
		y, _ := b.(time.Time)
		return x.Compare(y)
	case string:
		if kind == "ip" {
			return compareAddresses(x, text(b))
		}
		return cmp.Compare(x, text(b))
	}
	return cmp.Compare(float(a), float(b))
}

// compareAddresses orders addresses as an index does, all in their longer form.
func compareAddresses(a, b string) int {
	i, errI := netip.ParseAddr(a)
	j, errJ := netip.ParseAddr(b)
	if errI != nil || errJ != nil {
		return cmp.Compare(a, b)
	}
	x, y := i.As16(), j.As16()
	return bytes.Compare(x[:], y[:])
}

// cast reads a text of the query as a time, an address or a version.
func (p *parser) cast(e expression, kind string) (expression, *refusal) {
	if !e.literal || e.kind != "keyword" || kind != "date" && kind != "ip" {
		return e, nil
	}
	written := text(e.value(nil))
	e.kind = kind
	if kind == "ip" {
		if _, err := netip.ParseAddr(written); err != nil {
			return e, planError(p.query, e.at, "Cannot convert string [%s] to [IP], error ['%s' is not an IP string literal.]", written, written)
		}
		return e, nil
	}
	t, err := dateOf(written, time.Time{})
	if err != nil {
		return e, planError(p.query, e.at, "Cannot convert string [%s] to [DATETIME], error [%v]", written, err)
	}
	e.value = func(row) any { return t }
	return e, nil
}

func (p *parser) arithmetic(sign string, left, right expression, at int) (expression, *refusal) {
	e := expression{at: at, text: p.since(at), literal: left.literal && right.literal}
	switch {
	case left.kind == "date" && right.kind == "time_duration" && (sign == "+" || sign == "-"):
		e.kind = "date"
		e.value = p.single(left, func(v any) any {
			t, _ := v.(time.Time)
			length, _ := right.value(nil).(time.Duration)
			if sign == "-" {
				length = -length
			}
			return t.Add(length)
		})
		return e, nil
	case !isNumber(left.kind) || !isNumber(right.kind):
		return e, planError(p.query, at, "[%s] has arguments with incompatible types [%s] and [%s]", sign, left.kind, right.kind)
	}
	e.kind = "double"
	if left.kind != "double" && right.kind != "double" {
		e.kind = "long"
	}
	e.value = func(r row) any {
		return p.single(left, func(a any) any {
			return p.single(right, func(b any) any { return calculate(sign, e.kind, float(a), float(b)) })(r)
		})(r)
	}
	return e, nil
}

func calculate(sign, kind string, a, b float64) any {
	var f float64
	switch sign {
	case "+":
		f = a + b
	case "-":
		f = a - b
	case "*":
		f = a * b
	case "/":
		if b == 0 {
			return nil
		}
		f = a / b
	}
	if kind == "long" {
		return int64(f)
	}
	return f
}

// call is a function with its arguments; the bracket was taken.
func (p *parser) call(t token) (expression, *refusal) {
	var arguments []expression
	for !p.sign(")") {
		if len(arguments) > 0 && !p.sign(",") {
			return expression{}, p.unexpected("{',', ')'}")
		}
		e, refused := p.expression()
		if refused != nil {
			return e, refused
		}
		arguments = append(arguments, e)
	}
	e, known := p.function(strings.ToLower(t.text), arguments)
	if !known {
		return e, planError(p.query, t.at, "Unknown function [%s] of %d arguments", t.text, len(arguments))
	}
	e.at, e.text = t.at, p.since(t.at)
	return e, nil
}

func (p *parser) function(name string, a []expression) (expression, bool) {
	one := func(kind string, compute func(any) any) (expression, bool) {
		return expression{kind: kind, field: a[0].field, literal: a[0].literal, value: p.single(a[0], compute)}, true
	}
	switch {
	case name == "now" && len(a) == 0:
		return expression{kind: "date", literal: true, value: func(row) any { return p.now }}, true
	case name == "coalesce" && len(a) > 0:
		return expression{kind: a[0].kind, value: func(r row) any {
			for _, e := range a {
				if v := e.value(r); v != nil {
					return v
				}
			}
			return nil
		}}, true
	case len(a) == 1 && (name == "to_lower" || name == "to_upper"):
		change := strings.ToLower
		if name == "to_upper" {
			change = strings.ToUpper
		}
		return one("keyword", func(v any) any { return change(text(v)) })
	case len(a) == 1 && name == "to_ip":
		return one("ip", func(v any) any { return v })
	case len(a) == 1 && (name == "to_datetime" || name == "to_dt"):
		return one("date", func(v any) any {
			if t, ok := v.(time.Time); ok {
				return t
			}
			t, err := dateOf(text(v), time.Time{})
			if err != nil {
				return nil
			}
			return t
		})
	case len(a) == 1 && (name == "to_string" || name == "to_str"):
		return one("keyword", func(v any) any { return fmt.Sprint(jsonValue(v)) })
	case len(a) == 2 && (name == "starts_with" || name == "ends_with"):
		has := strings.HasPrefix
		if name == "ends_with" {
			has = strings.HasSuffix
		}
		e, ok := one("boolean", func(v any) any { return has(text(v), text(a[1].value(nil))) })
		e.field = ""
		return e, ok && a[1].literal
	case len(a) > 1 && name == "cidr_match":
		e, ok := one("boolean", func(v any) any {
			for _, network := range a[1:] {
				if sameAddress(text(v), text(network.value(nil))) {
					return true
				}
			}
			return false
		})
		e.bound.host, e.field = bounds(a[0].field), ""
		return e, ok && a[0].kind == "ip"
	}
	return expression{}, false
}

// params are the values for the question marks of a query: by number, or by name.
type params struct {
	list  []any
	named map[string]any
	next  int
}

// readParams reads the list of a request: values, or objects of one name each.
func readParams(in []any) (params, *refusal) {
	out := params{named: map[string]any{}}
	for _, v := range in {
		if o, ok := v.(map[string]any); ok {
			if len(o) != 1 {
				return out, elasticError(400, "parsing_exception", "Failed to parse params: each named parameter is an object of one name")
			}
			for name, value := range o {
				out.named[name] = value
				v = value
			}
		}
		out.list = append(out.list, v)
	}
	return out, nil
}

func (p *parser) parameter(t token) (expression, *refusal) {
	v, found := p.params.named[t.text]
	if !found {
		n := p.params.next
		if t.text == "" {
			p.params.next++
		} else if i, err := json.Number(t.text).Int64(); err == nil {
			n = int(i) - 1
		} else {
			return expression{}, syntaxError(p.query, t.at, "Unknown query parameter [%s]", t.text)
		}
		if n < 0 || n >= len(p.params.list) {
			return expression{}, syntaxError(p.query, t.at, "Not enough actual parameters %d", len(p.params.list))
		}
		v = p.params.list[n]
	}
	e := expression{at: t.at, text: "?" + t.text, literal: true}
	switch v := v.(type) {
	case nil:
		e.kind = "null"
	case string:
		e.kind = "keyword"
	case bool:
		e.kind = "boolean"
	case json.Number:
		e.kind = "double"
		if i, err := v.Int64(); err == nil {
			e.kind = "integer"
			e.value = func(row) any { return i }
			return e, nil
		}
	default:
		return e, syntaxError(p.query, t.at, "parameter [%s] is a list or an object", t.text)
	}
	e.value = func(row) any { return v }
	return e, nil
}
