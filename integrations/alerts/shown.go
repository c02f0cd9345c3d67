package alerts

import (
	"fmt"
	"strings"
	"unicode"
)

// printable escapes the characters of a text that are not shown, or that turn around what is
// beside them, but for the line breaks and tabs that prose has, and what joins letters and
// pictures.
func printable(text string) string { return escaped(text, hidden) }

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

// hidden reports whether a character of prose is escaped.
func hidden(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	switch {
	case r == '\n', r == '\r', r == '\t', r == nonJoiner, r == joiner, unicode.Is(unicode.Variation_Selector, r):
		return false
	}
	return unicode.IsControl(r) || unseen(r)
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
