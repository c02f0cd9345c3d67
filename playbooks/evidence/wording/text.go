package wording

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The bounds of text that others wrote, in characters. What is cut off stands
// in full in the case's JSON.
const (
	shortText = 120
	longText  = 600
	// cameText bounds the document of an alert, which stands in full in a file of its own.
	cameText = 2800
)

// Inert returns one line of s that is safe to show: every rune that does not
// print, such as an escape, a bidi control or a zero-width joiner, becomes
// visible as [U+202E], and at most max characters are kept. It does not escape
// markup; that is the renderer's part.
func Inert(s string, max int) string {
	var b strings.Builder
	kept := 0
	for i, r := range s {
		if kept == max {
			fmt.Fprintf(&b, "… (%s more characters)", count(int64(utf8.RuneCountInString(s[i:]))))
			break
		}
		kept++
		switch {
		case r == utf8.RuneError:
			b.WriteRune(utf8.RuneError)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case unicode.IsSpace(r) && r != '\u2028' && r != '\u2029':
			b.WriteByte(' ')
		default:
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

func short(s string) string { return Inert(s, shortText) }

func long(s string) string { return Inert(s, longText) }

// expression puts a policy expression on one line.
func expression(s string) string { return long(strings.Join(strings.Fields(s), " ")) }

func shorts(list []string) []string {
	const most = 20
	out := make([]string, 0, min(len(list), most+1))
	for i, s := range list {
		if i == most {
			return append(out, fmt.Sprintf("%d more", len(list)-most))
		}
		out = append(out, short(s))
	}
	return out
}

func join(list []string) string { return strings.Join(shorts(list), ", ") }

// count writes a whole number with thousands separators.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Clock writes a moment in full, in UTC; the zero time is empty.
func Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// Since is the time of a moment since the case was opened, signed and in whole
// seconds that have passed: +1m47s.
func Since(opened, at time.Time) string {
	if at.Before(opened) {
		return "-" + Between(at, opened)
	}
	return "+" + Between(opened, at)
}

// Between is the time from one moment to another, in whole seconds that have
// passed, so that the same two moments are as far apart wherever they are shown.
func Between(from, to time.Time) string {
	return incident.FormatDuration(to.Sub(from).Truncate(time.Second))
}
