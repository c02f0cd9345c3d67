package defendfake

import (
	"fmt"
	"strings"
	"unicode"
)

// token is a word or sign of ES|QL, and where it begins.
type token struct {
	kind string // name, text, number, parameter, sign, end
	text string
	at   int
}

// stage is a command of a query between two bars.
type stage struct {
	text string
	at   int
}

// position is where an error is, as Elasticsearch counts.
func position(query string, at int) string {
	at = min(at, len(query))
	line := strings.Count(query[:at], "\n")
	return fmt.Sprintf("line %d:%d", line+1, at-strings.LastIndex(query[:at], "\n"))
}

// syntaxError is the product's, at a place of the query.
func syntaxError(query string, at int, format string, args ...any) *refusal {
	return elasticError(400, "parsing_exception", "%s: %s", position(query, at), fmt.Sprintf(format, args...))
}

// planError is one of a query that is well written and means nothing.
func planError(query string, at int, format string, args ...any) *refusal {
	return elasticError(400, "verification_exception", "Found 1 problem\n%s: %s", position(query, at), fmt.Sprintf(format, args...))
}

// blank replaces comments by spaces, so that places stay what they are.
func blank(query string) string {
	out := []byte(query)
	for i := 0; i < len(out); i++ {
		switch rest := query[i:]; {
		case strings.HasPrefix(rest, `"`):
			i += stringLength(rest) - 1
		case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "\n")
			if rest[1] == '*' {
				if end = strings.Index(rest, "*/"); end >= 0 {
					end += 2
				}
			}
			if end < 0 {
				end = len(rest)
			}
			for j := range end {
				if out[i+j] != '\n' {
					out[i+j] = ' '
				}
			}
			i += end - 1
		}
	}
	return string(out)
}

// stringLength is how long a quoted text is with its quotation marks.
func stringLength(in string) int {
	if rest, ok := strings.CutPrefix(in, `"""`); ok {
		if end := strings.Index(rest, `"""`); end >= 0 {
			return end + 6
		}
		return len(in)
	}
	for i := 1; i < len(in); i++ {
		switch in[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(in)
}

// stages divides a query without comments at its bars.
func stages(query string) []stage {
	var out []stage
	from := 0
	for i := 0; i < len(query); i++ {
		switch query[i] {
		case '"':
			i += stringLength(query[i:]) - 1
		case '|':
			out = append(out, stage{query[from:i], from})
			from = i + 1
		}
	}
	return append(out, stage{query[from:], from})
}

// tokenize divides a stage into its tokens.
func tokenize(query string, s stage) ([]token, *refusal) {
	var out []token
	for i := 0; i < len(s.text); {
		rest, at := s.text[i:], s.at+i
		r := rune(rest[0])
		length := 0
		switch {
		case unicode.IsSpace(r):
			i++
			continue
		case r == '"':
			length = stringLength(rest)
			value, ok := unquote(rest[:length])
			if !ok {
				return nil, syntaxError(query, at, "token recognition error at: '%s'", rest)
			}
			out = append(out, token{"text", value, at})
		case r == '`':
			end := strings.Index(rest[1:], "`")
			if end < 0 {
				return nil, syntaxError(query, at, "token recognition error at: '%s'", rest)
			}
			length = end + 2
			out = append(out, token{"name", rest[1 : end+1], at})
		case unicode.IsDigit(r):
			length = span(rest, func(r rune) bool { return unicode.IsDigit(r) || r == '.' })
			out = append(out, token{"number", rest[:length], at})
		case isName(r):
			length = span(rest, func(r rune) bool { return isName(r) || unicode.IsDigit(r) || r == '.' })
			out = append(out, token{"name", rest[:length], at})
		case r == '?':
			length = 1 + span(rest[1:], func(r rune) bool { return isName(r) || unicode.IsDigit(r) })
			out = append(out, token{"parameter", rest[1:length], at})
		default:
			length = sign(rest)
			if length == 0 {
				return nil, syntaxError(query, at, "token recognition error at: '%c'", r)
			}
			out = append(out, token{"sign", rest[:length], at})
		}
		i += length
	}
	return append(out, token{"end", "<EOF>", s.at + len(s.text)}), nil
}

func isName(r rune) bool { return unicode.IsLetter(r) || r == '_' || r == '@' }

// span is how long the beginning is whose signs are all of a kind.
func span(in string, of func(rune) bool) int {
	if end := strings.IndexFunc(in, func(r rune) bool { return !of(r) }); end >= 0 {
		return end
	}
	return len(in)
}

func sign(in string) int {
	for _, s := range []string{"==", "!=", "<=", ">=", "<", ">", "=", "(", ")", ",", "+", "-", "*", "/", "%", ":"} {
		if strings.HasPrefix(in, s) {
			return len(s)
		}
	}
	return 0
}

// unquote reads a text with its quotation marks.
func unquote(in string) (string, bool) {
	if len(in) >= 6 && strings.HasPrefix(in, `"""`) && strings.HasSuffix(in, `"""`) {
		return in[3 : len(in)-3], true
	}
	if len(in) < 2 || in[len(in)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	in = in[1 : len(in)-1]
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			b.WriteByte(in[i])
			continue
		}
		i++
		if i == len(in) {
			return "", false
		}
		escapes := map[byte]byte{'t': '\t', 'n': '\n', 'r': '\r', '"': '"', '\\': '\\'}
		c, known := escapes[in[i]]
		if !known {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
