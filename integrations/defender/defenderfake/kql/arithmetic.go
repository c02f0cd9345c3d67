package kql

import (
	"math"
	"time"
)

func (x binaryExpr) arithmetic(s *scope) (node, error) {
	l, err := x.left.compile(s)
	if err != nil {
		return node{}, err
	}
	r, err := x.right.compile(s)
	if err != nil {
		return node{}, err
	}
	typ, ok := arithmeticType(x.op, l.typ, r.typ)
	if !ok {
		return node{}, semanticf("Operator '%s' is not defined for types %s and %s", x.op, l.typ, r.typ)
	}
	return node{typ, func(row []any) any { return calculate(x.op, l.eval(row), r.eval(row)) }}, nil
}

func arithmeticType(op string, a, b Type) (Type, bool) {
	number := func(t Type) bool { return t == Int || t == Long || t == Real }
	switch {
	case number(a) && number(b):
		if a == Real || b == Real {
			return Real, true
		}
		return Long, true
	case a == Datetime && b == Timespan && (op == "+" || op == "-"), a == Timespan && b == Datetime && op == "+":
		return Datetime, true
	case a == Datetime && b == Datetime && op == "-", a == Timespan && b == Timespan && (op == "+" || op == "-"):
		return Timespan, true
	case a == Timespan && number(b) && (op == "*" || op == "/"), number(a) && b == Timespan && op == "*":
		return Timespan, true
	case a == Timespan && b == Timespan && op == "/":
		return Real, true
	}
	return "", false
}

// calculate returns null where an operand is null or there is no result.
func calculate(op string, a, b any) any {
	switch a := a.(type) {
	case time.Time:
		switch b := b.(type) {
		case time.Time:
			return a.Sub(b)
		case time.Duration:
			if op == "-" {
				b = -b
			}
			return a.Add(b)
		}
		return nil
	case time.Duration:
		if at, ok := b.(time.Time); ok {
			return at.Add(a)
		}
	}
	da, spanA := a.(time.Duration)
	db, spanB := b.(time.Duration)
	if spanA && spanB && op != "/" {
		if op == "-" {
			db = -db
		}
		return da + db
	}
	i, inta := a.(int64)
	j, intb := b.(int64)
	if inta && intb {
		return integer(op, i, j)
	}
	f, okf := scalar(a)
	g, okg := scalar(b)
	if !okf || !okg {
		return nil
	}
	v := float(op, f, g)
	if spanA != spanB {
		return time.Duration(v)
	}
	return v
}

// scalar is a number or a timespan as a number.
func scalar(v any) (float64, bool) {
	if d, ok := v.(time.Duration); ok {
		return float64(d), true
	}
	return real(v)
}

func integer(op string, a, b int64) any {
	switch {
	case op == "+":
		return a + b
	case op == "-":
		return a - b
	case op == "*":
		return a * b
	case b == 0:
		return nil
	case op == "/":
		return a / b
	}
	return a % b
}

func float(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	}
	return math.Mod(a, b)
}
