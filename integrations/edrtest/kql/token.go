package kql

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end kind = iota
	ident
	punct
	literal
)

// token is one word of a query. glued says that nothing stands between it and the
// token before.
type token struct {
	kind  kind
	text  string
	value value
	glued bool
}

type lexer struct {
	in     string
	at     int
	tokens []token
}

func tokens(query string) ([]token, error) {
	l := &lexer{in: query}
	for {
		before := l.at
		l.blank()
		glued := before == l.at
		if l.at == len(l.in) {
			return append(l.tokens, token{kind: end}), nil
		}
		if err := l.next(); err != nil {
			return nil, err
		}
		l.tokens[len(l.tokens)-1].glued = glued
	}
}

func startsBlank(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r) || strings.HasPrefix(s, "//")
}

// blank skips white space and comments.
func (l *lexer) blank() {
	for l.at < len(l.in) && startsBlank(l.in[l.at:]) {
		if strings.HasPrefix(l.in[l.at:], "//") {
			if i := strings.IndexByte(l.in[l.at:], '\n'); i >= 0 {
				l.at += i
				continue
			}
			l.at = len(l.in)
			return
		}
		_, n := utf8.DecodeRuneInString(l.in[l.at:])
		l.at += n
	}
}

func (l *lexer) next() error {
	rest := l.in[l.at:]
	c := rest[0]
	switch {
	case c == '"' || c == '\'':
		return l.text(false)
	case c == '@' && len(rest) > 1 && (rest[1] == '"' || rest[1] == '\''):
		l.at++
		return l.text(true)
	case c >= '0' && c <= '9':
		return l.number()
	case isLetter(c):
		return l.word()
	}
	for _, p := range []string{"==", "=~", "!=", "!~", "<=", ">=", ".."} {
		if strings.HasPrefix(rest, p) {
			l.punct(p)
			return nil
		}
	}
	if strings.IndexByte("<>=+-*/%()[],;|.:!~$", c) >= 0 {
		l.punct(string(c))
		return nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return syntaxf("A recognition error occurred. Token: %q", r)
}

func (l *lexer) punct(p string) {
	l.at += len(p)
	l.tokens = append(l.tokens, token{kind: punct, text: p})
}

func (l *lexer) literal(t Type, v any) {
	l.tokens = append(l.tokens, token{kind: literal, value: value{t, v}})
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isWord(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' }

// text reads a string literal; in a verbatim one only the quote is doubled.
func (l *lexer) text(verbatim bool) error {
	quote := l.in[l.at]
	l.at++
	var b strings.Builder
	for l.at < len(l.in) {
		c := l.in[l.at]
		switch {
		case c == quote && verbatim && strings.HasPrefix(l.in[l.at+1:], string(quote)):
			b.WriteByte(quote)
			l.at += 2
		case c == quote:
			l.at++
			l.literal(String, b.String())
			return nil
		case c == '\n' || c == '\r':
			return syntaxf("A string literal is not terminated")
		case c == '\\' && !verbatim && l.at+1 < len(l.in) && (l.in[l.at+1] == '"' || l.in[l.at+1] == '\''):
			b.WriteByte(l.in[l.at+1])
			l.at += 2
		case c == '\\' && !verbatim:
			r, multi, tail, err := strconv.UnquoteChar(l.in[l.at:], quote)
			if err != nil {
				return syntaxf("An invalid escape in a string literal")
			}
			if r < utf8.RuneSelf || !multi {
				b.WriteByte(byte(r))
			} else {
				b.WriteRune(r)
			}
			l.at = len(l.in) - len(tail)
		default:
			b.WriteByte(c)
			l.at++
		}
	}
	return syntaxf("A string literal is not terminated")
}

// number reads a number or a duration such as 15m.
func (l *lexer) number() error {
	start := l.at
	digits := func() {
		for l.at < len(l.in) && l.in[l.at] >= '0' && l.in[l.at] <= '9' {
			l.at++
		}
	}
	digits()
	fraction := false
	if rest := l.in[l.at:]; len(rest) > 1 && rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9' {
		fraction = true
		l.at++
		digits()
	}
	number := l.in[start:l.at]
	unit := l.at
	for l.at < len(l.in) && isWord(l.in[l.at]) {
		l.at++
	}
	if l.at > unit {
		each := units()[l.in[unit:l.at]]
		f, err := strconv.ParseFloat(number, 64)
		if each == 0 || err != nil {
			return syntaxf("A recognition error occurred. Token: %q", l.in[start:l.at])
		}
		l.literal(Timespan, time.Duration(f*float64(each)))
		return nil
	}
	if fraction {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return syntaxf("The number %s is out of range", number)
		}
		l.literal(Real, f)
		return nil
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return syntaxf("The number %s is out of range", number)
	}
	l.literal(Long, n)
	return nil
}

func units() map[string]time.Duration {
	return map[string]time.Duration{
		"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
		"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
		"s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
		"ms": time.Millisecond, "milli": time.Millisecond, "tick": 100, "microsecond": time.Microsecond,
	}
}

// word reads an identifier, or a literal that is written as one with parentheses.
func (l *lexer) word() error {
	start := l.at
	for l.at < len(l.in) && isWord(l.in[l.at]) {
		l.at++
	}
	name := l.in[start:l.at]
	switch name {
	case "true", "false":
		l.literal(Bool, name == "true")
		return nil
	case "datetime", "date", "timespan", "time", "dynamic", "int", "long", "real", "double", "bool":
		after := l.at
		l.blank()
		if strings.HasPrefix(l.in[l.at:], "(") {
			return l.typed(name)
		}
		l.at = after
	}
	l.tokens = append(l.tokens, token{kind: ident, text: name})
	return nil
}

func (l *lexer) typed(name string) error {
	l.at++
	depth, quoted, start := 0, byte(0), l.at
	for ; l.at < len(l.in); l.at++ {
		c := l.in[l.at]
		switch {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '"' || c == '\'':
			quoted = c
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')':
			inner := strings.TrimSpace(l.in[start:l.at])
			l.at++
			return l.typedLiteral(name, inner)
		}
	}
	return syntaxf("Missing )")
}

func (l *lexer) typedLiteral(name, inner string) error {
	switch name {
	case "int", "long", "real", "double", "bool":
		return l.scalar(Type(strings.Replace(name, "double", "real", 1)), inner)
	case "dynamic":
		var v any
		if err := json.Unmarshal([]byte(inner), &v); err != nil {
			return syntaxf("An invalid dynamic literal")
		}
		l.literal(Dynamic, whole(v))
	case "datetime", "date":
		v, err := parseTime(strings.Trim(inner, `"'`))
		if err != nil && inner != "null" {
			return syntaxf("An invalid datetime literal: %s", inner)
		}
		if inner == "null" {
			l.literal(Datetime, nil)
			return nil
		}
		l.literal(Datetime, v)
	default:
		v, ok := parseSpan(strings.Trim(inner, `"'`))
		if !ok {
			return syntaxf("An invalid timespan literal: %s", inner)
		}
		l.literal(Timespan, v)
	}
	return nil
}

// scalar reads what stands in long(...) and its like: a number, a truth or null.
func (l *lexer) scalar(t Type, inner string) error {
	if inner == "null" {
		l.literal(t, nil)
		return nil
	}
	var v any
	switch t {
	case Int, Long:
		v = toLong([]any{inner})
	case Real:
		v = toReal([]any{inner})
	case Bool:
		if b, err := strconv.ParseBool(inner); err == nil {
			v = b
		}
	case String, Datetime, Timespan, Dynamic:
	}
	if v == nil {
		return syntaxf("An invalid %s literal: %s", t, inner)
	}
	l.literal(t, v)
	return nil
}
