package workflows

import (
	"fmt"
	"strings"
	"unicode"
)

// What is shown is bounded: alerts, device names and product texts are other
// people's words, and may be the attacker's.
const (
	maxForeign = 200
	maxReason  = 500
	maxLine    = 2000
)

// foreign makes a text from outside harmless: bounded, on one line, without
// characters that steer a terminal or turn the direction of writing.
func foreign(s string) string { return bounded(s, maxForeign) }

func bounded(s string, runes int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == runes {
			b.WriteString("…")
			break
		}
		n++
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		default:
			b.WriteRune(unicode.ReplacementChar)
		}
	}
	return b.String()
}

// otherCases counts the other cases that hold a lease.
func otherCases(n int) string {
	if n == 1 {
		return "1 other case"
	}
	return fmt.Sprintf("%d other cases", n)
}
