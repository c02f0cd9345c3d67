package spl

import (
	"strings"
	"unicode"
)

// pipeline are the commands of a search, without comments. A first command without a pipe
// before it has to be search: Splunk's REST endpoints add none.
func (s *search) pipeline(text string) []string {
	text = s.macros(s.comments(text))
	var commands []string
	depth, quoted, from := 0, false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == '|' && depth == 0:
			commands, from = append(commands, strings.TrimSpace(text[from:i])), i+1
		}
	}
	if quoted {
		s.fail("Error in 'SearchParser': Mismatched quotes and/or parenthesis.")
	}
	commands = append(commands, strings.TrimSpace(text[from:]))
	if commands[0] == "" {
		commands = commands[1:]
	}
	for _, command := range commands {
		if command == "" {
			s.fail("Error in 'SearchParser': Missing a search command before '|'.")
		}
		if strings.HasPrefix(strings.TrimLeft(command, "( "), "[") {
			s.fail("Unknown search command '['.")
		}
	}
	if len(commands) == 0 {
		s.fail("Empty search.")
	}
	return commands
}

// comments takes away what is between three backticks.
func (s *search) comments(text string) string {
	for {
		before, rest, found := strings.Cut(text, "```")
		if !found {
			return text
		}
		_, after, found := strings.Cut(rest, "```")
		if !found {
			s.fail("Error in 'SearchParser': Mismatched backticks.")
		}
		text = before + " " + after
	}
}

// macros puts in the one macro that the Common Information Model has for the indexes of
// network traffic, which is () unless somebody changes it.
func (s *search) macros(text string) string {
	for {
		before, rest, found := strings.Cut(text, "`")
		if !found {
			return text
		}
		name, after, found := strings.Cut(rest, "`")
		if !found || strings.TrimSpace(name) != "cim_Network_Traffic_indexes" {
			s.fail("Error in 'SearchParser': The search specifies a macro '%s' that cannot be found. Reasons include: the macro name is misspelled, you do not have \"read\" permission for the macro, or the macro has not been shared with this application.", name)
		}
		text = before + " () " + after
	}
}

// token is a word of a command. From is where it begins.
type token struct {
	text   string
	quoted bool // by double quotes
	field  bool // by single quotes
	sign   bool // an operator, a bracket, or a comma
	from   int
}

func (t token) is(sign string) bool { return t.sign && t.text == sign }

// word reports whether the token is a word, in capitals or not.
func (t token) word(w string) bool {
	return !t.quoted && !t.field && !t.sign && strings.EqualFold(t.text, w)
}

// lexer reads the tokens of a command. Signs are those that end a word, the longest first.
type lexer struct {
	s     *search
	text  string
	signs []string
	at    int
	// wordy reports whether a sign may be within a word, after its beginning.
	wordy func(sign string) bool
}

// words are the tokens of what is not an expression of eval.
func (s *search) words(text string) []token {
	l := lexer{s: s, text: text, signs: []string{"!=", "<=", ">=", "=", "<", ">", "(", ")", ","}, wordy: func(string) bool { return false }}
	return l.all()
}

// terms are those of an expression of eval.
func (s *search) terms(text string) []token {
	l := lexer{s: s, text: text, signs: []string{"==", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "+", "-", "*", "/", "%", "."}}
	// A number may have a point; a name has none.
	l.wordy = func(sign string) bool {
		return sign == "." && l.at > 0 && isDigit(l.text[l.at-1]) && l.at+1 < len(l.text) && isDigit(l.text[l.at+1])
	}
	return l.all()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) all() []token {
	var tokens []token
	for {
		for l.at < len(l.text) && unicode.IsSpace(rune(l.text[l.at])) {
			l.at++
		}
		if l.at == len(l.text) {
			return tokens
		}
		t := token{from: l.at}
		switch c := l.text[l.at]; {
		case c == '"':
			t.text, t.quoted = l.quote('"'), true
		case c == '\'':
			t.text, t.field = l.quote('\''), true
		case c == '[' || c == ']':
			l.s.fail("Unknown search command '['.")
		case l.sign() != "":
			t.text, t.sign = l.sign(), true
			l.at += len(t.text)
		default:
			t.text = l.word()
		}
		tokens = append(tokens, t)
	}
}

func (l *lexer) sign() string {
	for _, sign := range l.signs {
		if strings.HasPrefix(l.text[l.at:], sign) {
			return sign
		}
	}
	return ""
}

func (l *lexer) quote(by byte) string {
	var out strings.Builder
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '\\' && l.at+1 < len(l.text) && (l.text[l.at+1] == by || l.text[l.at+1] == '\\'):
			l.at++
			out.WriteByte(l.text[l.at])
		case c == by:
			l.at++
			return out.String()
		default:
			out.WriteByte(c)
		}
	}
	l.s.fail("Error in 'SearchParser': Mismatched quotes and/or parenthesis.")
	return ""
}

func (l *lexer) word() string {
	from := l.at
	for l.at < len(l.text) && !unicode.IsSpace(rune(l.text[l.at])) && !strings.ContainsRune("\"'[]", rune(l.text[l.at])) {
		if s := l.sign(); s != "" && !l.wordy(s) {
			break
		}
		l.at++
	}
	return l.text[from:l.at]
}

// reader goes through tokens.
type reader struct {
	s       *search
	command string
	text    string
	tokens  []token
	at      int
}

// reader reads what is no expression of eval.
func (s *search) reader(command, text string) reader {
	return reader{s: s, command: command, text: text, tokens: s.words(text)}
}

func (r *reader) peek() token {
	if r.at < len(r.tokens) {
		return r.tokens[r.at]
	}
	return token{sign: true}
}

func (r *reader) next() token {
	t := r.peek()
	r.at++
	return t
}

func (r *reader) end() bool { return r.at >= len(r.tokens) }

// take reads a sign, or a word, if it is next.
func (r *reader) take(text string) bool {
	if t := r.peek(); t.is(text) && text != "" || t.word(text) {
		r.at++
		return true
	}
	return false
}

func (r *reader) need(sign string) {
	if !r.take(sign) {
		r.fail("The argument '%s' is invalid: '%s' is missing.", r.peek().text, sign)
	}
}

func (r *reader) fail(format string, args ...any) {
	r.s.fail("Error in '"+r.command+"' command: "+format, args...)
}

// name reads the name of a field.
func (r *reader) name() string {
	t := r.next()
	if t.sign {
		r.fail("The argument '%s' is invalid: it is no field.", t.text)
	}
	return t.text
}

// names reads names of fields up to the end, with commas between them or not.
func (r *reader) names() []string {
	var names []string
	for !r.end() {
		if r.take(",") {
			continue
		}
		names = append(names, r.name())
	}
	return names
}

// option reads name=value if it is next, and returns both.
func (r *reader) option() (name, value string, ok bool) {
	if r.at+2 >= len(r.tokens) || r.tokens[r.at].sign || !r.tokens[r.at+1].is("=") || r.tokens[r.at+2].sign {
		return "", "", false
	}
	name, value = strings.ToLower(r.tokens[r.at].text), r.tokens[r.at+2].text
	r.at += 3
	return name, value, true
}

// yes reads a value as true or false.
func (r *reader) yes(name, value string) bool {
	switch strings.ToLower(value) {
	case "t", "true", "1":
		return true
	case "f", "false", "0":
		return false
	}
	r.fail("Invalid value '%s' for the argument '%s': it is no boolean.", value, name)
	return false
}

// inside reads what is in the brackets that are next, as a text.
func (r *reader) inside() string {
	r.need("(")
	from, depth := r.tokens[r.at-1].from+1, 1
	for !r.end() {
		t := r.next()
		if t.is("(") {
			depth++
		} else if t.is(")") {
			depth--
		}
		if depth == 0 {
			return r.text[from:t.from]
		}
	}
	r.s.fail("Error in 'SearchParser': Mismatched quotes and/or parenthesis.")
	return ""
}
