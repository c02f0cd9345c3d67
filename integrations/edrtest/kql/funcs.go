package kql

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// function is one of the language: want are the types of its arguments, the last
// of which repeats where more is set, and an empty type takes any.
type function struct {
	want   []Type
	least  int
	more   bool
	result Type // empty: that of the argument same
	same   int
	call   func(args []any) any
}

func (x callExpr) compile(s *scope) (node, error) {
	switch x.name {
	case "ago", "now":
		return x.clock(s)
	case "ingestion_time":
		return x.ingestion(s)
	case "column_ifexists":
		return x.ifExists(s)
	case "case":
		return x.cases(s)
	}
	f, ok := functions()[x.name]
	if !ok {
		return node{}, semanticf("Unknown function: '%s'", x.name)
	}
	if len(x.args) < f.least || len(x.args) > len(f.want) && !f.more {
		return node{}, semanticf("%s(): function expects %d argument(s)", x.name, f.least)
	}
	args := make([]node, len(x.args))
	for i, a := range x.args {
		n, err := a.compile(s)
		if err != nil {
			return node{}, err
		}
		if want := f.want[min(i, len(f.want)-1)]; want != "" && !comparable(want, n.typ, true) {
			return node{}, semanticf("%s(): argument #%d of type %s, want %s", x.name, i+1, n.typ, want)
		}
		args[i] = n
	}
	typ := f.result
	if typ == "" {
		typ = args[f.same].typ
	}
	return node{typ, func(row []any) any {
		values := make([]any, len(args))
		for i, a := range args {
			values[i] = a.eval(row)
		}
		return f.call(values)
	}}, nil
}

func (x callExpr) clock(s *scope) (node, error) {
	now := s.e.source.Now
	if len(x.args) == 0 && x.name == "now" {
		return fixed(Datetime, now), nil
	}
	if len(x.args) != 1 {
		return node{}, semanticf("%s(): function expects 1 argument(s)", x.name)
	}
	offset, err := s.e.constant(x.args[0])
	if err != nil {
		return node{}, err
	}
	d, ok := offset.v.(time.Duration)
	if !ok {
		return node{}, semanticf("%s(): argument of type %s, want timespan", x.name, offset.typ)
	}
	if x.name == "ago" {
		d = -d
	}
	return fixed(Datetime, now.Add(d)), nil
}

func (x callExpr) ifExists(s *scope) (node, error) {
	if len(x.args) != 2 {
		return node{}, semanticf("column_ifexists(): function expects 2 argument(s)")
	}
	name, err := s.e.constant(x.args[0])
	if err != nil {
		return node{}, err
	}
	if s.column(text(name.v)) >= 0 {
		return nameExpr{text(name.v)}.compile(s)
	}
	return x.args[1].compile(s)
}

// cases is case(): predicates, each with its value, and a value for none of them.
func (x callExpr) cases(s *scope) (node, error) {
	n := len(x.args)
	if n < 3 || n%2 == 0 {
		return node{}, semanticf("case(): function expects pairs of predicate and value, and a last value")
	}
	y := x.args[n-1]
	for i := n - 3; i >= 0; i -= 2 {
		y = callExpr{"iff", []expr{x.args[i], x.args[i+1], y}}
	}
	return y.compile(s)
}

func functions() map[string]function {
	all := map[string]function{
		"tostring": {want: []Type{""}, least: 1, result: String, call: func(a []any) any { return text(a[0]) }},
		"tolong":   {want: []Type{""}, least: 1, result: Long, call: toLong},
		"toint":    {want: []Type{""}, least: 1, result: Int, call: toLong},
		"toreal":   {want: []Type{""}, least: 1, result: Real, call: toReal},
		"todouble": {want: []Type{""}, least: 1, result: Real, call: toReal},
		"tobool": {want: []Type{""}, least: 1, result: Bool, call: func(a []any) any {
			if v, err := strconv.ParseBool(strings.ToLower(text(a[0]))); err == nil {
				return v
			}
			return nil
		}},
		"todatetime": {want: []Type{""}, least: 1, result: Datetime, call: func(a []any) any {
			if t, err := parseTime(text(a[0])); err == nil {
				return t
			}
			return nil
		}},
		"parse_json": {want: []Type{""}, least: 1, result: Dynamic, call: parseJSON},
		"todynamic":  {want: []Type{""}, least: 1, result: Dynamic, call: parseJSON},

		"isnull":    {want: []Type{""}, least: 1, result: Bool, call: func(a []any) any { return a[0] == nil }},
		"isnotnull": {want: []Type{""}, least: 1, result: Bool, call: func(a []any) any { return a[0] != nil }},
		"isempty":   {want: []Type{""}, least: 1, result: Bool, call: func(a []any) any { return text(a[0]) == "" }},
		"isnotempty": {want: []Type{""}, least: 1, result: Bool, call: func(a []any) any {
			return text(a[0]) != ""
		}},
		"not": {want: []Type{Bool}, least: 1, result: Bool, call: func(a []any) any { return !truth(a[0]) }},
		"iff": {want: []Type{Bool, "", ""}, least: 3, same: 1, call: choose},
		"iif": {want: []Type{Bool, "", ""}, least: 3, same: 1, call: choose},
		"coalesce": {want: []Type{""}, least: 2, more: true, call: func(a []any) any {
			if i := slices.IndexFunc(a, func(v any) bool { return text(v) != "" }); i >= 0 {
				return a[i]
			}
			return a[len(a)-1]
		}},

		"bin":   {want: []Type{"", ""}, least: 2, call: bin},
		"floor": {want: []Type{"", ""}, least: 2, call: bin},

		"array_length": {want: []Type{Dynamic}, least: 1, result: Long, call: func(a []any) any {
			if list, ok := a[0].([]any); ok {
				return int64(len(list))
			}
			return nil
		}},
		"bag_pack": {want: []Type{""}, least: 2, more: true, result: Dynamic, call: func(a []any) any {
			bag := map[string]any{}
			for i := 0; i+1 < len(a); i += 2 {
				bag[text(a[i])] = a[i+1]
			}
			return bag
		}},
		"max_of":     {want: []Type{""}, least: 2, more: true, call: func(a []any) any { return most(a, 1) }},
		"min_of":     {want: []Type{""}, least: 2, more: true, call: func(a []any) any { return most(a, -1) }},
		"pack_array": {want: []Type{""}, least: 1, more: true, result: Dynamic, call: func(a []any) any { return slices.Clone(a) }},
	}
	all["range"] = function{want: []Type{Long, Long, Long}, least: 2, result: Dynamic, call: numbers}
	all["parse_ipv6"] = function{want: []Type{String}, least: 1, result: String, call: wideIPv6}
	textFunctions(all)
	addressFunctions(all)
	numberFunctions(all)
	timeFunctions(all)
	return all
}

// numbers is range(): the whole numbers from one to another, both included.
func numbers(a []any) any {
	from, okFrom := a[0].(int64)
	to, okTo := a[1].(int64)
	step := int64(1)
	if len(a) == 3 {
		step, _ = a[2].(int64)
	}
	if !okFrom || !okTo || step <= 0 {
		return nil
	}
	list := []any{}
	for n := from; n <= to; n += step {
		list = append(list, n)
	}
	return list
}

// wideIPv6 is parse_ipv6(): every address as one of IPv6, with all its digits; empty where it
// is none.
func wideIPv6(a []any) any {
	ip, err := netip.ParseAddr(text(a[0]))
	if err != nil {
		return ""
	}
	b := ip.As16()
	var parts [8]string
	for i := range parts {
		parts[i] = hex.EncodeToString(b[2*i : 2*i+2])
	}
	return strings.Join(parts[:], ":")
}

func textFunctions(all map[string]function) {
	all["tolower"] = function{want: []Type{String}, least: 1, result: String, call: func(a []any) any { return strings.ToLower(text(a[0])) }}
	all["toupper"] = function{want: []Type{String}, least: 1, result: String, call: func(a []any) any { return strings.ToUpper(text(a[0])) }}
	all["strlen"] = function{want: []Type{String}, least: 1, result: Long, call: func(a []any) any { return int64(len([]rune(text(a[0])))) }}
	all["strcat"] = function{want: []Type{""}, least: 1, more: true, result: String, call: func(a []any) any {
		var b strings.Builder
		for _, v := range a {
			b.WriteString(text(v))
		}
		return b.String()
	}}
	all["substring"] = function{want: []Type{String, Long, Long}, least: 2, result: String, call: func(a []any) any {
		r := []rune(text(a[0]))
		from, _ := a[1].(int64)
		from = min(max(from, 0), int64(len(r)))
		to := int64(len(r))
		if len(a) == 3 {
			n, _ := a[2].(int64)
			to = min(to, from+max(n, 0))
		}
		return string(r[from:to])
	}}
	all["split"] = function{want: []Type{String, String}, least: 2, result: Dynamic, call: func(a []any) any {
		var list []any
		for part := range strings.SplitSeq(text(a[0]), text(a[1])) {
			list = append(list, part)
		}
		return list
	}}
	all["replace_string"] = function{want: []Type{String, String, String}, least: 3, result: String, call: func(a []any) any {
		return strings.ReplaceAll(text(a[0]), text(a[1]), text(a[2]))
	}}
}

// most is the largest of some values, or the smallest for -1, without nulls.
func most(values []any, sign int) any {
	var found any
	for _, v := range values {
		if order, ok := compare(v, found); found == nil || ok && order*sign > 0 {
			found = v
		}
	}
	return found
}

func choose(a []any) any {
	if truth(a[0]) {
		return a[1]
	}
	return a[2]
}

func toLong(a []any) any {
	switch v := a[0].(type) {
	case float64:
		return int64(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	}
	if n, err := strconv.ParseInt(text(a[0]), 10, 64); err == nil {
		return n
	}
	return nil
}

func toReal(a []any) any {
	if f, err := strconv.ParseFloat(text(a[0]), 64); err == nil {
		return f
	}
	return nil
}

func parseJSON(a []any) any {
	s, ok := a[0].(string)
	if !ok {
		return a[0]
	}
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return s
	}
	return whole(v)
}

// bin rounds down to a multiple.
func bin(a []any) any {
	switch v := a[0].(type) {
	case time.Time:
		if d, ok := a[1].(time.Duration); ok && d > 0 {
			return v.Truncate(d)
		}
	case time.Duration:
		if d, ok := a[1].(time.Duration); ok && d > 0 {
			return v.Truncate(d)
		}
	case int64:
		if n, ok := a[1].(int64); ok && n > 0 {
			return v - ((v%n)+n)%n
		}
	}
	v, okv := real(a[0])
	n, okn := real(a[1])
	if okv && okn && n > 0 {
		return math.Floor(v/n) * n
	}
	return nil
}
