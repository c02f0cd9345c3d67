package sentinelonefake

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// row is an event, or a record that was made of some. A field that is not there is
// null.
type row map[string]any

// expr is a condition or a value: nil, a bool, a float64 or a string.
type expr interface{ eval(r row) any }

type (
	literalExpr struct{ value any }
	fieldExpr   string
	anyField    struct{}
	neverExpr   struct{}
	andExpr     struct{ left, right expr }
	orExpr      struct{ left, right expr }
	notExpr     struct{ of expr }
	presentExpr struct{ of expr }
	compareExpr struct {
		op          string
		left, right expr
	}
	callExpr struct {
		name string
		args []expr
	}
	textExpr struct {
		op       string
		field    expr
		values   []any
		anyCase  bool
		patterns []*regexp.Regexp
	}
)

func (e literalExpr) eval(row) any { return e.value }
func (e fieldExpr) eval(r row) any { return r[string(e)] }
func (anyField) eval(row) any      { return nil }
func (neverExpr) eval(row) any     { return false }
func (e andExpr) eval(r row) any   { return truthy(e.left.eval(r)) && truthy(e.right.eval(r)) }
func (e notExpr) eval(r row) any   { return !truthy(e.of.eval(r)) }

func (e presentExpr) eval(r row) any { return e.of.eval(r) != nil }

// eval returns the first operand that is true, as the language does.
func (e orExpr) eval(r row) any {
	if v := e.left.eval(r); truthy(v) {
		return v
	}
	return e.right.eval(r)
}

// truthy reports whether a value holds as a condition.
func truthy(v any) bool { return v != nil && v != false && v != 0.0 && v != "" }

// eval compares two values of one type; of two types it knows nothing, and does not
// match.
func (e compareExpr) eval(r row) any {
	left, right := e.left.eval(r), e.right.eval(r)
	if e.op == "=" || e.op == "!=" {
		return (left == right) == (e.op == "=")
	}
	order, comparable := compare(left, right)
	if !comparable {
		return false
	}
	switch e.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// compare orders two values of one type.
func compare(left, right any) (order int, comparable bool) {
	switch l := left.(type) {
	case float64:
		if r, is := right.(float64); is {
			switch {
			case l < r:
				return -1, true
			case l > r:
				return 1, true
			}
			return 0, true
		}
	case string:
		if r, is := right.(string); is {
			return strings.Compare(l, r), true
		}
	}
	return 0, false
}

func (e callExpr) eval(r row) any {
	if len(e.args) == 0 {
		return nil
	}
	v := e.args[0].eval(r)
	switch e.name {
	case "lower":
		return strings.ToLower(text(v))
	case "upper":
		return strings.ToUpper(text(v))
	case "string":
		return text(v)
	case "number":
		n, err := strconv.ParseFloat(text(v), 64)
		if err != nil {
			return 0.0
		}
		return n
	}
	return v
}

// text is a value as a string; that of null is empty.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// compile compiles the patterns of matches.
func (e *textExpr) compile() error {
	if e.op != "matches" {
		return nil
	}
	for _, v := range e.values {
		pattern := text(v)
		if len(pattern) > 1000 {
			return errors.New("regular expression is too long")
		}
		if e.anyCase {
			pattern = "(?i)" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("invalid regular expression: %w", err)
		}
		e.patterns = append(e.patterns, re)
	}
	return nil
}

func (e textExpr) eval(r row) any {
	if _, any := e.field.(anyField); any {
		for _, v := range r {
			if e.holds(v) {
				return true
			}
		}
		return false
	}
	return e.holds(e.field.eval(r))
}

// holds reports whether one value fulfils the condition. Text is not looked for in
// numbers, and null is in no list.
func (e textExpr) holds(v any) bool {
	if v == nil {
		return false
	}
	s, isText := v.(string)
	if e.op == "in" {
		return slices.ContainsFunc(e.values, func(want any) bool {
			w, wantText := want.(string)
			if isText && wantText && e.anyCase {
				return strings.EqualFold(s, w)
			}
			return v == want
		})
	}
	if !isText {
		return false
	}
	if e.op == "matches" {
		return slices.ContainsFunc(e.patterns, func(re *regexp.Regexp) bool { return re.MatchString(s) })
	}
	return slices.ContainsFunc(e.values, func(want any) bool {
		if e.anyCase {
			return strings.Contains(strings.ToLower(s), strings.ToLower(text(want)))
		}
		return strings.Contains(s, text(want))
	})
}

// boundsHost reports whether a condition holds for the events of some hosts only.
func boundsHost(e expr) bool {
	names := func(of expr) bool {
		f, is := of.(fieldExpr)
		return is && slices.Contains([]string{
			"agent.uuid", "endpoint.name", "endpoint.ip.address", "src.endpoint.ip.address", "src.ip.address",
		}, string(f))
	}
	switch e := e.(type) {
	case andExpr:
		return boundsHost(e.left) || boundsHost(e.right)
	case orExpr:
		return boundsHost(e.left) && boundsHost(e.right)
	case compareExpr:
		return e.op == "=" && names(e.left)
	case textExpr:
		return names(e.field)
	}
	return false
}
