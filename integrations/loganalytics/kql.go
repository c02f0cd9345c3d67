package loganalytics

import (
	"strconv"
	"strings"
	"time"
)

// pipeline is a query under construction. It is made of this package's own words, of names that
// were checked, and of values that went through text, datetime or a number.
type pipeline struct{ strings.Builder }

// then adds an operator.
func (q *pipeline) then(operator string, parts ...string) *pipeline {
	q.WriteString("\n| " + operator + " " + strings.Join(parts, ", "))
	return q
}

// where adds a condition; none is left out.
func (q *pipeline) where(condition string) *pipeline {
	if condition == "" {
		return q
	}
	return q.then("where", condition)
}

// text is a text as KQL writes it: whatever is in it, it is one value. What is not
// printable ASCII is written by its number, so that no line ends in it.
//
// https://learn.microsoft.com/kusto/query/scalar-data-types/string
func text(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			b.WriteString(`\U` + hex(r, 8))
		default:
			b.WriteString(`\u` + hex(r, 4))
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hex(r rune, digits int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", digits-len(s)) + s
}

// texts is a list of texts in brackets, for in.
func texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = text(s)
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}

// datetime is a time as KQL writes it, in its unit of 100 ns.
func datetime(at time.Time) string {
	return "datetime(" + at.UTC().Format("2006-01-02T15:04:05.0000000Z") + ")"
}

// timespan is a duration, of whole milliseconds, as KQL writes it.
func timespan(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// anyOf joins conditions of which one must hold.
func anyOf(conditions []string) string {
	if len(conditions) == 0 {
		return "false"
	}
	return "(" + strings.Join(conditions, " or ") + ")"
}
