package httpx

import (
	"fmt"
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

// Quote quotes a text of a product, or of an alert, for an error: escaped, and not too long.
func Quote[T ~string](text T) string {
	const most = 200
	if runes := []rune(string(text)); len(runes) > most {
		return fmt.Sprintf("%q...", string(runes[:most]))
	}
	return fmt.Sprintf("%q", text)
}
