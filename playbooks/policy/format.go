package policy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxText is how much of a value a trace shows, in code points. Values are the
// attacker's text: no longer than that, and printable characters only.
const maxText = 200

// bounded returns a text that is safe to show on a line of its own.
func bounded(s string) string {
	var b strings.Builder
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if n == maxText {
			return b.String() + "…"
		}
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		s = s[size:]
		n++
	}
	return b.String()
}

// formatNative writes a value of the facts.
func formatNative(v any) string {
	switch x := v.(type) {
	case string:
		return bounded(x)
	case incident.AlertStatus:
		return bounded(string(x))
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return incident.FormatDuration(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case int64, bool:
		return fmt.Sprint(x)
	default:
		text, err := json.Marshal(x)
		if err != nil {
			return bounded(fmt.Sprint(x))
		}
		return bounded(string(text))
	}
}

// formatAny writes a variable of an evaluation.
func formatAny(v any) string {
	if value, ok := v.(ref.Val); ok {
		return format(value)
	}
	return formatNative(v)
}

// format writes a value that an expression gave.
func format(v ref.Val) string {
	switch x := v.(type) {
	case *types.Err:
		return bounded(x.Error())
	case *object:
		return formatNative(x.v.Interface())
	case types.Uint:
		return fmt.Sprint(uint64(x))
	case types.Null:
		return "null"
	case traits.Lister:
		return formatList(x)
	case traits.Mapper:
		return fmt.Sprintf("a map of %d", x.Size())
	}
	switch x := v.Value().(type) {
	case string, time.Time, time.Duration, float64, int64, bool:
		return formatNative(x)
	default:
		return bounded(fmt.Sprint(x))
	}
}

func formatList(l traits.Lister) string {
	var parts []string
	length := 0
	for it := l.Iterator(); it.HasNext() == types.True && length < maxText; {
		element := it.Next()
		text := format(element)
		if _, ok := element.(types.String); ok {
			text = strconv.Quote(text)
		}
		parts = append(parts, text)
		length += len(text)
	}
	return bounded("[" + strings.Join(parts, ",") + "]")
}
