package integrations

import (
	"fmt"
	"strings"
	"unicode"
)

// Inert is a text as HTML and Markdown show it as it is: each sign that could mean something
// there is written as a reference to the character. Lines stay lines.
func Inert(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == ' ' || r > unicode.MaxASCII && unicode.IsPrint(r) || r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		case r > unicode.MaxASCII || !unicode.IsPrint(r):
			b.WriteRune(unicode.ReplacementChar)
		default:
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}
