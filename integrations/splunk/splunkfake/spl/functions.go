package spl

import (
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// function is one that expressions of eval have. Most is -1 where it takes any number.
type function struct {
	least, most int
	of          func([]any) any
}

func (s *search) calls() map[string]function {
	all := map[string]function{
		"now":       {0, 0, func([]any) any { return math.Floor(seconds(s.env.Now)) }},
		"time":      {0, 0, func([]any) any { return seconds(s.env.Now) }},
		"strftime":  {2, 2, func(a []any) any { return s.strftime(a[0], text(a[1])) }},
		"strptime":  {2, 2, func(a []any) any { return s.strptime(text(a[0]), text(a[1])) }},
		"cidrmatch": {2, 2, s.cidrmatch},
		"match":     {2, 2, s.match},
		"like":      {2, 2, func(a []any) any { return like(a[0], a[1]) }},
		"mvindex":   {2, 3, mvindex},
		"tonumber":  {1, 2, s.tonumber},
		"null":      {0, 0, func([]any) any { return nil }},
		"true":      {0, 0, func([]any) any { return true }},
		"false":     {0, 0, func([]any) any { return false }},
		"coalesce":  {1, -1, coalesce},
		"if":        {3, 3, choose},
		"case":      {2, -1, choose},
		"in":        {2, -1, among},
		"nullif":    {2, 2, func(a []any) any { return unless(a[0], a[1]) }},
		"isnull":    {1, 1, func(a []any) any { return a[0] == nil }},
		"isnotnull": {1, 1, func(a []any) any { return a[0] != nil }},
		"isnum":     {1, 1, func(a []any) any { _, ok := num(a[0]); return ok }},
		"isint":     {1, 1, func(a []any) any { n, ok := num(a[0]); return ok && n == math.Trunc(n) }},
		"isstr":     {1, 1, func(a []any) any { _, ok := num(a[0]); return a[0] != nil && !ok }},
		"replace":   {3, 3, s.replace},
		"substr":    {2, 3, substr},
		"split":     {2, 2, func(a []any) any { return known(a[0], strings.Split(text(a[0]), text(a[1]))) }},
		"mvcount":   {1, 1, func(a []any) any { return known(a[0], float64(len(list(a[0])))) }},
		"mvjoin":    {2, 2, func(a []any) any { return known(a[0], strings.Join(list(a[0]), text(a[1]))) }},
		"mvdedup":   {1, 1, func(a []any) any { return known(a[0], unique(list(a[0]))) }},
		"mvsort":    {1, 1, func(a []any) any { return known(a[0], slices.Sorted(slices.Values(list(a[0])))) }},
		"mvappend":  {1, -1, func(a []any) any { return appended(a) }},
		"len":       {1, 1, func(a []any) any { return known(a[0], float64(len([]rune(text(a[0]))))) }},
		"lower":     {1, 1, func(a []any) any { return known(a[0], strings.ToLower(text(a[0]))) }},
		"upper":     {1, 1, func(a []any) any { return known(a[0], strings.ToUpper(text(a[0]))) }},
		"trim":      {1, 2, func(a []any) any { return known(a[0], strings.Trim(text(a[0]), cut(a))) }},
		"ltrim":     {1, 2, func(a []any) any { return known(a[0], strings.TrimLeft(text(a[0]), cut(a))) }},
		"rtrim":     {1, 2, func(a []any) any { return known(a[0], strings.TrimRight(text(a[0]), cut(a))) }},
		"tostring":  {1, 1, func(a []any) any { return known(a[0], text(a[0])) }},
		"round":     {1, 2, round},
		"min":       {1, -1, func(a []any) any { return extreme(a, -1) }},
		"max":       {1, -1, func(a []any) any { return extreme(a, 1) }},
	}
	maps.Copy(all, arithmetic())
	return all
}

func arithmetic() map[string]function {
	all := map[string]function{"pow": {2, 2, func(a []any) any {
		x, isX := num(a[0])
		y, isY := num(a[1])
		if !isX || !isY {
			return nil
		}
		return math.Pow(x, y)
	}}}
	for name, f := range map[string]func(float64) float64{
		"floor": math.Floor, "ceil": math.Ceil, "ceiling": math.Ceil, "abs": math.Abs, "sqrt": math.Sqrt, "ln": math.Log, "exp": math.Exp,
	} {
		all[name] = function{1, 1, func(a []any) any {
			if n, ok := num(a[0]); ok {
				return f(n)
			}
			return nil
		}}
	}
	return all
}

// known is a value unless the one that it was made of is not there.
func known(of, v any) any {
	if of == nil {
		return nil
	}
	return v
}

func cut(a []any) string {
	if len(a) > 1 {
		return text(a[1])
	}
	return " \t"
}

func unique(values []string) []string {
	var kept []string
	for _, v := range values {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func appended(a []any) any {
	var all []string
	for _, v := range a {
		all = append(all, list(v)...)
	}
	return known(coalesce(a), all)
}

func coalesce(a []any) any {
	for _, v := range a {
		if v != nil {
			return v
		}
	}
	return nil
}

// choose is the value after the first condition that is true, or one that stands alone.
func choose(a []any) any {
	for ; len(a) > 1; a = a[2:] {
		if a[0] == true {
			return a[1]
		}
	}
	if len(a) == 1 {
		return a[0]
	}
	return nil
}

func among(a []any) any {
	if a[0] == nil {
		return nil
	}
	return slices.ContainsFunc(a[1:], func(v any) bool { return v != nil && order(a[0], v) == 0 })
}

func unless(a, b any) any {
	if a != nil && b != nil && order(a, b) == 0 {
		return nil
	}
	return a
}

// extreme is the least or the greatest. A text is greater than any number.
func extreme(a []any, sign int) any {
	var best any
	for _, v := range a {
		if v != nil && (best == nil || order(v, best)*sign > 0) {
			best = v
		}
	}
	return best
}

func (s *search) tonumber(a []any) any {
	base := 10
	if len(a) > 1 {
		n, ok := num(a[1])
		if !ok || n < 2 || n > 36 {
			s.fail("Error in 'eval' command: The arguments to the 'tonumber' function are invalid.")
		}
		base = int(n)
	}
	if base == 10 {
		if n, ok := num(a[0]); ok {
			return n
		}
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(text(a[0]), "0x"), base, 64)
	if err != nil {
		return nil
	}
	return float64(n)
}

func round(a []any) any {
	n, ok := num(a[0])
	if !ok {
		return nil
	}
	digits := 0.0
	if len(a) > 1 {
		digits, _ = num(a[1])
	}
	scale := math.Pow(10, digits)
	return math.Round(n*scale) / scale
}

// mvindex is one value of a field, or some; the last one is -1.
func mvindex(a []any) any {
	values := list(a[0])
	at := func(v any) int {
		n, _ := num(v)
		if n < 0 {
			return len(values) + int(n)
		}
		return int(n)
	}
	from := at(a[1])
	to := from
	if len(a) > 2 {
		to = at(a[2])
	}
	if from < 0 || to >= len(values) || from > to {
		return nil
	}
	if from == to {
		return values[from]
	}
	return values[from : to+1]
}

func substr(a []any) any {
	if a[0] == nil {
		return nil
	}
	letters := []rune(text(a[0]))
	n, _ := num(a[1])
	from := int(n) - 1
	if n < 0 {
		from = max(0, len(letters)+int(n))
	}
	from = min(max(0, from), len(letters))
	to := len(letters)
	if len(a) > 2 {
		n, _ := num(a[2])
		to = min(to, from+max(0, int(n)))
	}
	return string(letters[from:to])
}

func (s *search) pattern(v any) *regexp.Regexp {
	re, err := regexp.Compile(text(v))
	if err != nil {
		s.fail("Error in 'eval' command: Regex: %v", err)
	}
	return re
}

func (s *search) match(a []any) any {
	if a[0] == nil || a[1] == nil {
		return nil
	}
	return s.pattern(a[1]).MatchString(text(a[0]))
}

func (s *search) replace(a []any) any {
	if a[0] == nil || a[1] == nil || a[2] == nil {
		return nil
	}
	with := regexp.MustCompile(`\\(\d)`).ReplaceAllString(text(a[2]), "$${$1}")
	return s.pattern(a[1]).ReplaceAllString(text(a[0]), with)
}

// cidrmatch reports whether an address is of a network. What is no address is of none.
func (s *search) cidrmatch(a []any) any {
	network, err := netip.ParsePrefix(text(a[0]))
	if err != nil {
		s.fail("Error in 'eval' command: The arguments to the 'cidrmatch' function are invalid.")
	}
	return slices.ContainsFunc(list(a[1]), func(v string) bool {
		address, err := netip.ParseAddr(v)
		return err == nil && network.Contains(address)
	})
}

// layout is a format of times as Go has it; of what is not known here the search fails.
func (s *search) layout(format string) string {
	parts := []string{
		"%FT%T", "2006-01-02T15:04:05", "%F", "2006-01-02", "%T", "15:04:05", "%Y", "2006", "%m", "01", "%d", "02", "%H", "15", "%M", "04", "%S", "05",
		".%3N", ".000", ".%6N", ".000000", ".%Q", ".000", "%:z", "-07:00", "%z", "-0700", "%y", "06", "%j", "002", "%p", "PM", "%I", "03",
	}
	out := strings.NewReplacer(parts...).Replace(format)
	if strings.Contains(out, "%") {
		s.fail("Error in 'eval' command: The format '%s' is not known here.", format)
	}
	return out
}

func (s *search) strftime(v any, format string) any {
	at, ok := num(v)
	if !ok {
		return nil
	}
	if format == "%s" {
		return strconv.FormatInt(int64(at), 10)
	}
	return moment(at).In(s.env.Zone).Format(s.layout(format))
}

func (s *search) strptime(v, format string) any {
	at, err := time.ParseInLocation(s.layout(format), v, s.env.Zone)
	if err != nil {
		return nil
	}
	return seconds(at)
}
