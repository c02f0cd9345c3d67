package httpx

import (
	"strings"
	"unicode"
)

// Line makes a text of a product, or of an alert, fit for an error: one line, and not too long.
func Line(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
