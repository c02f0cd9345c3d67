package sentinelonefake

import (
	"fmt"
	"strings"
	"unicode"
)

// token is a word of a PowerQuery: a string, a number, an identifier or a sign.
type token struct {
	kind tokenKind
	text string
}

type tokenKind int

const (
	signToken tokenKind = iota
	stringToken
	numberToken
	nameToken
)

// signs are the longest first.
func signs() []string {
	return []string{"||", "&&", "==", "!=", "<=", ">=", "|", "=", "<", ">", "!", "(", ")", ",", "*", "-", "+"}
}

// lex divides a query into its words. A backslash in a string stands for the
// character behind it, whatever that is: a path with single ones loses them.
func lex(text string) ([]token, error) {
	var out []token
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeftFunc(text, unicode.IsSpace) {
		switch c := text[0]; {
		case strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
		case c == '\'' || c == '"':
			value, rest, err := lexString(text)
			if err != nil {
				return nil, err
			}
			out, text = append(out, token{stringToken, value}), rest
		case unicode.IsDigit(rune(c)):
			n := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsDigit(r) && r != '_' && r != '.' })
			word := first(text, n)
			out, text = append(out, token{numberToken, strings.ReplaceAll(word, "_", "")}), text[len(word):]
		case unicode.IsLetter(rune(c)) || c == '_':
			n := strings.IndexFunc(text, func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-:", r)
			})
			word := first(text, n)
			out, text = append(out, token{nameToken, word}), text[len(word):]
		default:
			sign := signAt(text)
			if sign == "" {
				// Also the shortcuts with a #, which fail on the query API.
				return nil, fmt.Errorf("don't understand [%s]", first(text, strings.IndexFunc(text, unicode.IsSpace)))
			}
			out, text = append(out, token{signToken, sign}), text[len(sign):]
		}
	}
	return out, nil
}

func first(text string, n int) string {
	if n < 0 {
		return text
	}
	return text[:n]
}

func signAt(text string) string {
	for _, s := range signs() {
		if strings.HasPrefix(text, s) {
			return s
		}
	}
	return ""
}

func lexString(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", fmt.Errorf("unterminated string [%s]", text)
}
