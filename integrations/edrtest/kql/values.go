package kql

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseTime reads the forms of a date and time that the language's documents
// name; one without a zone is in UTC.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.9999999", "2006-01-02T15:04", "2006-01-02 15:04:05.9999999Z07:00",
		"2006-01-02 15:04:05.9999999", "2006-01-02 15:04", "2006-01-02",
	} {
		if t, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("read a time: %q is none", s)
}

// parseSpan reads a timespan such as 15m, 1.02:03:04 or 02:03:04.
func parseSpan(s string) (time.Duration, bool) {
	for unit, each := range units() {
		if number, ok := strings.CutSuffix(s, unit); ok {
			if f, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil {
				return time.Duration(f * float64(each)), true
			}
		}
	}
	days := 0
	if d, rest, ok := strings.Cut(s, "."); ok && strings.Contains(rest, ":") {
		n, err := strconv.Atoi(d)
		if err != nil {
			return 0, false
		}
		days, s = n, rest
	}
	t, err := time.Parse("15:04:05.9999999", s)
	if err != nil {
		return 0, false
	}
	return time.Duration(days)*24*time.Hour + t.Sub(t.Truncate(24*time.Hour)), true
}

// whole makes the numbers of decoded JSON those of the language.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = whole(v[k])
		}
	}
	return v
}

// FormatTime writes a date and time with the seven digits that answers have.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// text is what tostring makes of a value.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return FormatTime(v)
	case time.Duration:
		return FormatSpan(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// FormatSpan writes a timespan as [-][d.]hh:mm:ss[.fffffff].
func FormatSpan(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	s := fmt.Sprintf("%02d:%02d:%02d", rest/time.Hour, rest/time.Minute%60, rest/time.Second%60)
	if days > 0 {
		s = fmt.Sprintf("%d.%s", days, s)
	}
	if ticks := rest % time.Second / 100; ticks > 0 {
		s += fmt.Sprintf(".%07d", ticks)
	}
	return sign + s
}

func real(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// compare orders two values of comparable types; ok is false where one is null or
// they have no order.
func compare(a, b any) (order int, ok bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return cmp.Compare(a, b), ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Compare(b), ok
	case time.Duration:
		b, ok := b.(time.Duration)
		return cmp.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(text(a), text(b)), ok
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b), true
		}
	}
	x, okx := real(a)
	y, oky := real(b)
	return cmp.Compare(x, y), okx && oky
}

// key is what makes two values the same group.
func key(v any) string {
	if s, ok := v.(string); ok {
		return "s" + s
	}
	return fmt.Sprintf("%T%s", v, text(v))
}

func keys(vs []any) string {
	var b strings.Builder
	for _, v := range vs {
		k := key(v)
		fmt.Fprintf(&b, "%d:%s", len(k), k)
	}
	return b.String()
}

// truth is what a predicate says; null is false.
func truth(v any) bool {
	b, ok := v.(bool)
	return ok && b
}
