package blocks

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Slack's limits on single texts, in characters.
const (
	maxHeader       = 150
	maxButtonText   = 75
	maxSection      = 3000
	maxConfirmTitle = 100
	maxConfirmText  = 300
	maxConfirmLabel = 30
	maxViewTitle    = 24
	maxAddress      = 500
)

// width counts characters the way that is safe with any reading of Slack's
// limits: a character outside of the basic plane counts twice.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// cut shortens a text to a width, at a character, and shows that it did.
func cut(s string, limit int) string {
	if width(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		n += utf16.RuneLen(r)
		if n > limit-1 {
			return strings.TrimRight(s[:i], " ") + "…"
		}
	}
	return s
}

// maxMarks is how many combining marks one character may carry: real writing
// needs three, and a tower of them covers the lines around it.
const maxMarks = 3

// visible returns untrusted text as one line in which nothing hides: what would
// reorder, overlay or disappear is shown by its code point, as [U+202E].
func visible(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space, marks := true, 0 // leading space is dropped
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		blank := r == ' ' || r == '\n' || r == '\t' || r == '\r'
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "[0x%02X]", s[0])
		case blank && space:
		case blank:
			b.WriteByte(' ')
		case hides(r) || marks > maxMarks:
			fmt.Fprintf(&b, "[U+%04X]", r)
		default:
			b.WriteRune(r)
		}
		space = blank
		s = s[size:]
	}
	return strings.TrimSuffix(b.String(), " ")
}

// hides tells whether a character has no shape of its own: controls, format
// characters (bidirectional overrides, zero width, tags), line separators,
// unusual spaces, private use, and selectors and fillers that look like
// nothing.
func hides(r rune) bool {
	switch {
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
		return true
	case unicode.Is(unicode.Zs, r) && r != ' ':
		return true
	case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return true
	}
	return r == '\u2800' // the empty braille pattern
}

// told shortens untrusted text to a width and says how much it left out.
func told(s string, limit int) string {
	s = visible(s)
	if width(s) <= limit {
		return s
	}
	kept := strings.TrimSuffix(cut(s, limit-len("… (1234567 more)")), "…")
	return fmt.Sprintf("%s… (%d more)", kept, utf8.RuneCountInString(s)-utf8.RuneCountInString(kept))
}

// escape makes text safe where Slack parses control sequences.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
