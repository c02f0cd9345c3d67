package falconfake

import (
	"fmt"
	"regexp"
	"strings"
)

// tokenKind is what a token of a query is.
type tokenKind int

const (
	endToken tokenKind = iota
	wordToken
	stringToken
	regexToken
	paramToken
	signToken // an operator or a bracket
)

// cqlToken is a part of a query.
type cqlToken struct {
	kind tokenKind
	// text is a word, the contents of a string or regular expression, the name of a
	// parameter, or the sign.
	text string
	// fallback is the default of a parameter, if it has one.
	fallback *string
	pattern  *regexp.Regexp
}

// syntaxError is the refusal of a query. The words are not documented.
func syntaxError(format string, args ...any) error {
	return fmt.Errorf("Could not parse query: "+format, args...)
}

// cqlSigns are the signs, longer ones first.
var cqlSigns = []string{":=", "=~", "!=", "<>", "<=", ">=", "=", "<", ">", "!", "|", "(", ")", "[", "]", "{", "}", ","}

// lex cuts a query into its tokens.
func lex(text string) ([]cqlToken, error) {
	var tokens []cqlToken
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		var t cqlToken
		var err error
		switch {
		case text == "":
			return append(tokens, cqlToken{}), nil
		case strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
			continue
		case strings.HasPrefix(text, "/*"):
			var closed bool
			if _, text, closed = strings.Cut(text, "*/"); !closed {
				return nil, syntaxError("unterminated comment")
			}
			continue
		case text[0] == '"':
			t, text, err = lexString(text)
		case text[0] == '/':
			t, text, err = lexRegex(text)
		case text[0] == '?':
			t, text, err = lexParam(text)
		default:
			t, text, err = lexWord(text)
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
}

// lexString reads "…", in which \" is a quote and \\ a backslash.
func lexString(text string) (cqlToken, string, error) {
	var v strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			v.WriteByte(text[i])
		case text[i] == '"':
			return cqlToken{kind: stringToken, text: v.String()}, text[i+1:], nil
		default:
			v.WriteByte(text[i])
		}
	}
	return cqlToken{}, "", syntaxError("unterminated string")
}

// lexRegex reads /…/ with the flags i, m, s or d.
func lexRegex(text string) (cqlToken, string, error) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '/':
			rest := strings.TrimLeft(text[i+1:], "imsd")
			source := strings.ReplaceAll(text[1:i], `\/`, "/")
			flags := strings.ReplaceAll(text[i+1:len(text)-len(rest)], "d", "s")
			if flags != "" {
				source = "(?" + flags + ")" + source
			}
			pattern, err := regexp.Compile(source)
			if err != nil {
				return cqlToken{}, "", syntaxError("invalid regular expression %q", text[1:i])
			}
			return cqlToken{kind: regexToken, text: text[1:i], pattern: pattern}, rest, nil
		}
	}
	return cqlToken{}, "", syntaxError("unterminated regular expression")
}

var (
	plainParam   = regexp.MustCompile(`^\?([A-Za-z_][A-Za-z0-9_]*)`)
	defaultParam = regexp.MustCompile(`^\?\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:"([^"]*)"|([^}\s]*))\s*\}`)
)

// lexParam reads ?name or ?{name=default}.
func lexParam(text string) (cqlToken, string, error) {
	if m := plainParam.FindStringSubmatch(text); m != nil {
		return cqlToken{kind: paramToken, text: m[1]}, text[len(m[0]):], nil
	}
	if m := defaultParam.FindStringSubmatch(text); m != nil {
		fallback := m[2] + m[3]
		return cqlToken{kind: paramToken, text: m[1], fallback: &fallback}, text[len(m[0]):], nil
	}
	return cqlToken{}, "", syntaxError("invalid parameter")
}

func lexWord(text string) (cqlToken, string, error) {
	for _, sign := range cqlSigns {
		if rest, ok := strings.CutPrefix(text, sign); ok {
			return cqlToken{kind: signToken, text: sign}, rest, nil
		}
	}
	end := strings.IndexAny(text, " \t\r\n\"=!<>|()[]{},")
	if end < 0 {
		end = len(text)
	}
	if at := strings.Index(text[:min(end+1, len(text))], ":="); at > 0 {
		end = at
	}
	if end == 0 {
		return cqlToken{}, "", syntaxError("unexpected %q", text[:1])
	}
	if strings.Contains(text[:end], "'") {
		return cqlToken{}, "", syntaxError("unexpected ' in %q", text[:end])
	}
	return cqlToken{kind: wordToken, text: text[:end]}, text[end:], nil
}
