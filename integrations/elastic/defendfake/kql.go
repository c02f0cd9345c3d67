package defendfake

import (
	"fmt"
	"strings"
	"unicode"
)

// filter reports whether a document of fields is wanted.
type filter func(fields map[string][]any) bool

// kql reads Kibana's query language: fields with values, and, or, not, brackets
// and, outside of quotation marks, asterisks. The rest it refuses.
type kql struct {
	in string
	at int
}

// parseKQL reads a text; an empty one wants all.
func parseKQL(in string) (filter, error) {
	if strings.TrimSpace(in) == "" {
		return func(map[string][]any) bool { return true }, nil
	}
	p := &kql{in: in}
	f, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.in) {
		return nil, p.wrong("end of input")
	}
	return f, nil
}

func (p *kql) wrong(want string) error {
	return fmt.Errorf("KQLSyntaxError: expected %s but %q found", want, p.in[p.at:])
}

func (p *kql) space() {
	p.at = len(p.in) - len(strings.TrimLeft(p.in[p.at:], " \t\n"))
}

// take takes a sign.
func (p *kql) take(sign string) bool {
	p.space()
	if !strings.HasPrefix(p.in[p.at:], sign) {
		return false
	}
	p.at += len(sign)
	return true
}

// word takes a keyword, which ends where a word ends.
func (p *kql) word(word string) bool {
	p.space()
	rest := p.in[p.at:]
	if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
		return false
	}
	if after := rest[len(word):]; after != "" && !strings.ContainsAny(after[:1], " \t\n()") {
		return false
	}
	p.at += len(word)
	return true
}

func (p *kql) either() (filter, error) {
	return p.joined("or", p.both, func(a, b bool) bool { return a || b })
}

func (p *kql) both() (filter, error) {
	return p.joined("and", p.not, func(a, b bool) bool { return a && b })
}

func (p *kql) joined(by string, part func() (filter, error), join func(a, b bool) bool) (filter, error) {
	left, err := part()
	for err == nil && p.word(by) {
		var right filter
		if right, err = part(); err == nil {
			one := left
			left = func(d map[string][]any) bool { return join(one(d), right(d)) }
		}
	}
	return left, err
}

func (p *kql) not() (filter, error) {
	if !p.word("not") {
		return p.term()
	}
	f, err := p.not()
	return func(d map[string][]any) bool { return !f(d) }, err
}

func (p *kql) term() (filter, error) {
	if p.take("(") {
		f, err := p.either()
		if err == nil && !p.take(")") {
			err = p.wrong(")")
		}
		return f, err
	}
	name, quoted, err := p.literal()
	if err != nil {
		return nil, err
	}
	if !p.take(":") {
		// A value alone is searched in all fields.
		want := value{name, quoted}
		return func(d map[string][]any) bool {
			for _, have := range d {
				if want.in(have) {
					return true
				}
			}
			return false
		}, nil
	}
	return p.values(name)
}

// values are what a field may hold: one value, or a bracket of several.
func (p *kql) values(name string) (filter, error) {
	if p.take("(") {
		sub := &kql{in: p.in, at: p.at}
		f, err := sub.joined("or", func() (filter, error) { return sub.values(name) }, func(a, b bool) bool { return a || b })
		if p.at = sub.at; err == nil && !p.take(")") {
			err = p.wrong(")")
		}
		return f, err
	}
	v, quoted, err := p.literal()
	want := value{v, quoted}
	return func(d map[string][]any) bool { return want.in(d[name]) }, err
}

// literal is a quoted text, or words up to a sign or keyword.
func (p *kql) literal() (string, bool, error) {
	p.space()
	if p.take(`"`) {
		var b strings.Builder
		for p.at < len(p.in) && p.in[p.at] != '"' {
			if p.in[p.at] == '\\' && p.at+1 < len(p.in) {
				p.at++
			}
			b.WriteByte(p.in[p.at])
			p.at++
		}
		if !p.take(`"`) {
			return "", true, p.wrong(`"`)
		}
		return b.String(), true, nil
	}
	var words []string
	for {
		before := p.at
		if p.word("and") || p.word("or") || p.word("not") {
			p.at = before
			break
		}
		end := strings.IndexFunc(p.in[p.at:], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`():<>"{}`, r) })
		if end < 0 {
			end = len(p.in) - p.at
		}
		if end == 0 {
			break
		}
		words = append(words, p.in[p.at:p.at+end])
		p.at += end
		p.space()
	}
	if len(words) == 0 {
		return "", false, p.wrong("field name, value")
	}
	return strings.Join(words, " "), false, nil
}

// value is one that a field may have. Fields distinguish upper and lower case.
type value struct {
	text   string
	quoted bool
}

func (v value) in(have []any) bool {
	for _, h := range have {
		s := fmt.Sprint(h)
		if s == v.text || sameAddress(s, v.text) || !v.quoted && strings.Contains(v.text, "*") && matchesPattern(v.text, s) {
			return true
		}
	}
	return false
}
