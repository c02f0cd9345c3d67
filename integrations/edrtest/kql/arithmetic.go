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
	if number(a) && number(b) {
		if a == Real || b == Real {
			return Real, true
		}
		return Long, true
	}
	if number(a) {
		return Timespan, b == Timespan && op == "*"
	}
	if number(b) {
		return Timespan, a == Timespan && (op == "*" || op == "/")
	}
	typ, ok := map[[3]string]Type{
		{string(Datetime), "+", string(Timespan)}: Datetime,
		{string(Datetime), "-", string(Timespan)}: Datetime,
		{string(Timespan), "+", string(Datetime)}: Datetime,
		{string(Datetime), "-", string(Datetime)}: Timespan,
		{string(Timespan), "+", string(Timespan)}: Timespan,
		{string(Timespan), "-", string(Timespan)}: Timespan,
		{string(Timespan), "/", string(Timespan)}: Real,
	}[[3]string{string(a), op, string(b)}]
	return typ, ok
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
