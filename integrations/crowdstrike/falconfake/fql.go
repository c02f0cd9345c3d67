package falconfake

import (
	"errors"
	"slices"
	"strings"
)

// errFilter is what the product says of every filter that it cannot read.
var errFilter = errors.New("Invalid filter expression supplied") //nolint:staticcheck // The product's own words.

// condition is one value that a property is compared with.
type condition struct {
	property string
	// operator is "", "!", ">", ">=", "<", "<=", "*" or, for texts, "~".
	operator string
	value    string
	// bracketed values are of a list in brackets.
	bracketed bool
}

// wild reports whether * stands for anything. With the operator * it does; that it
// does without, documents say and people deny (falconpy#1279): it does here, which
// finds more.
func (c condition) wild() bool { return strings.Contains(c.value, "*") && !c.bracketed }

// holds reports whether a comparison of value and condition satisfies the operator,
// but for its negation.
func (c condition) holds(order int) (bool, error) {
	switch c.operator {
	case "", "!", "*":
		return order == 0, nil
	case ">":
		return order > 0, nil
	case ">=":
		return order >= 0, nil
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	}
	return false, errFilter
}

// comparison reports whether a value of a property satisfies a condition.
type comparison func(value string, c condition) (bool, error)

// filter reports whether a record passes.
type filter func(record object) (bool, error)

// parseFilter reads a filter in the Falcon Query Language: property:[operator]'value',
// + is and, "," is or, and parentheses. + binds tighter. An empty filter passes all.
func parseFilter(text string, known map[string]comparison) (filter, error) {
	if text == "" {
		return func(object) (bool, error) { return true, nil }, nil
	}
	p := &fqlParser{text: text, known: known}
	f, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.text != "" {
		return nil, errFilter
	}
	// What is wrong with a value shows when it is compared, also where there is nothing
	// to compare it with.
	for _, c := range p.all {
		if _, err := known[c.property]("", c); err != nil && !strings.HasPrefix(err.Error(), "the double") {
			return nil, err
		}
	}
	return f, nil
}

type fqlParser struct {
	text  string
	known map[string]comparison
	all   []condition
}

func (p *fqlParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.text, prefix)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *fqlParser) alternatives() (filter, error) {
	left, err := p.conjunction()
	for err == nil && p.take(",") {
		var right filter
		l := left
		right, err = p.conjunction()
		left = func(r object) (bool, error) {
			if ok, err := l(r); ok || err != nil {
				return ok, err
			}
			return right(r)
		}
	}
	return left, err
}

func (p *fqlParser) conjunction() (filter, error) {
	left, err := p.term()
	for err == nil && p.take("+") {
		var right filter
		l := left
		right, err = p.term()
		left = func(r object) (bool, error) {
			if ok, err := l(r); !ok || err != nil {
				return false, err
			}
			return right(r)
		}
	}
	return left, err
}

func (p *fqlParser) term() (filter, error) {
	if p.take("(") {
		inner, err := p.alternatives()
		if err == nil && !p.take(")") {
			err = errFilter
		}
		return inner, err
	}
	property, rest, ok := strings.Cut(p.text, ":")
	compare := p.known[property]
	if !ok || compare == nil {
		return nil, errFilter
	}
	p.text = rest
	operator := ""
	for _, o := range []string{"!", ">=", "<=", ">", "<", "*", "~"} {
		if p.take(o) {
			operator = o
			break
		}
	}
	conditions, err := p.conditions(property, operator)
	if err != nil {
		return nil, err
	}
	p.all = append(p.all, conditions...)
	return func(r object) (bool, error) {
		found, err := matches(values(r, property), conditions, compare)
		return found != (operator == "!"), err
	}, nil
}

// matches reports whether any value satisfies any condition.
func matches(values []string, conditions []condition, compare comparison) (bool, error) {
	for _, v := range values {
		for _, c := range conditions {
			if ok, err := compare(v, c); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

// conditions reads 'value' or ['value','value'].
func (p *fqlParser) conditions(property, operator string) ([]condition, error) {
	if !p.take("[") {
		v, err := p.value()
		return []condition{{property: property, operator: operator, value: v}}, err
	}
	var all []condition
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		all = append(all, condition{property: property, operator: operator, value: v, bracketed: true})
		switch {
		case p.take(","):
		case p.take("]"):
			if !slices.Contains([]string{"", "!"}, operator) {
				return nil, errFilter
			}
			return all, nil
		default:
			return nil, errFilter
		}
	}
}

// value reads a value in single quotes. A quote within is written \'.
func (p *fqlParser) value() (string, error) {
	if !p.take("'") {
		return "", errFilter
	}
	var v strings.Builder
	for i := 0; i < len(p.text); i++ {
		switch {
		case p.text[i] == '\\' && i+1 < len(p.text) && (p.text[i+1] == '\'' || p.text[i+1] == '\\'):
			i++
			v.WriteByte(p.text[i])
		case p.text[i] == '\'':
			p.text = p.text[i+1:]
			return v.String(), nil
		default:
			v.WriteByte(p.text[i])
		}
	}
	return "", errFilter
}

// glob reports whether a text matches a pattern in which * is any text.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
