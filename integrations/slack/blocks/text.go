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

// cut shows untrusted text on one line of at most a width, and by an ellipsis
// that it left something out.
func cut(s string, limit int) string {
	kept, rest := inert(s, limit)
	if rest == "" {
		return kept
	}
	kept, _ = inert(s, limit-1)
	return kept + "…"
}

// told is cut for where people need to know how much was left out.
func told(s string, limit int) string {
	kept, rest := inert(s, limit)
	if rest == "" {
		return kept
	}
	kept, rest = inert(s, limit-len("… (1234567 more)"))
	return fmt.Sprintf("%s… (%d more)", kept, utf8.RuneCountInString(rest))
}

// maxMarks is how many combining marks one character may carry: real writing
// needs three, and a tower of them covers the lines around it.
const maxMarks = 3

// inert returns as much of untrusted text as fits into a width, as one line in
// which nothing hides, and the rest of it. What would reorder,
// overlay or disappear is shown by its code point, as [U+202E].
func inert(s string, limit int) (string, string) {
	s = strings.Trim(s, blanks)
	var b strings.Builder
	marks, used := 0, 0
	for rest := s; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		piece := rest[:size]
		switch {
		case r == utf8.RuneError && size == 1:
			piece = fmt.Sprintf("[0x%02X]", rest[0])
		case strings.ContainsRune(blanks, r):
			size = len(rest) - len(strings.TrimLeft(rest, blanks))
			piece = " "
		case hides(r) || marks > maxMarks:
			piece = fmt.Sprintf("[U+%04X]", r)
		}
		if used += width(piece); used > limit {
			return strings.TrimRight(b.String(), " "), rest
		}
		b.WriteString(piece)
		rest = rest[size:]
	}
	return b.String(), ""
}

// blanks are the characters that one space replaces.
const blanks = " \n\t\r"

// hides reports whether a character has no shape of its own: controls, format
// characters (bidirectional overrides, zero width, tags), line separators,
// unusual spaces, private use, and selectors and fillers that look like
// nothing.
func hides(r rune) bool {
	switch {
	case ' ' <= r && r <= '~':
		return false
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
		return true
	case unicode.Is(unicode.Zs, r) && r != ' ':
		return true
	case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return true
	}
	return r == '\u2800' // the empty braille pattern
}

// escape makes text safe where Slack parses control sequences.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
