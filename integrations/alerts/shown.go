package alerts

import (
	"fmt"
	"strings"
	"unicode"
)

// printable escapes the control characters of a text, but for the line breaks and tabs that
// prose has. What else is not shown stays as it is: the name of a program may hold it.
func printable(text string) string { return escaped(text, control) }

func control(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }

// plain is a text that names something, without what makes it look like, or fold to, another
// name: such a character is escaped, so that the name is nobody else's.
func plain(text string) string {
	return escaped(text, func(r rune) bool { return !unicode.IsControl(r) && (unseen(r) || foldsToASCII(r)) })
}

func escaped(text string, odd func(r rune) bool) string {
	if !strings.ContainsFunc(text, odd) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !odd(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// unseen reports whether a character is not shown, or looks like a blank or a line break.
func unseen(r rune) bool {
	const blankBraille = '\u2800'
	return r > unicode.MaxASCII && (unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) || r == blankBraille)
}

// foldsToASCII reports whether a character that is not of ASCII becomes one where letters of
// both cases count as the same, such as the sign of the kelvin.
func foldsToASCII(r rune) bool {
	return r > unicode.MaxASCII && (unicode.ToLower(r) <= unicode.MaxASCII || unicode.SimpleFold(r) <= unicode.MaxASCII)
}
