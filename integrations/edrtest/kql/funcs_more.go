package kql

import (
	"bytes"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ingestion is ingestion_time(): when the row came to the product.
func (x callExpr) ingestion(s *scope) (node, error) {
	switch {
	case s.e.source.Ingested == "":
		return node{}, semanticf("Unknown function: '%s'", x.name)
	case len(x.args) > 0:
		return node{}, semanticf("%s(): function expects 0 argument(s)", x.name)
	case s.column(s.e.source.Ingested) < 0:
		return fixed(Datetime, nil), nil // It is lost where rows are made.
	}
	return nameExpr{s.e.source.Ingested}.compile(s)
}

// addressFunctions compare addresses. Those of IPv6 take IPv4, too, as mapped addresses.
func addressFunctions(all map[string]function) {
	for family, read := range map[string]func(string) (netip.Addr, bool){"ipv4": address4, "ipv6": address6} {
		all[family+"_compare"] = function{want: []Type{String, String}, least: 2, result: Long, call: func(a []any) any {
			left, okl := read(text(a[0]))
			right, okr := read(text(a[1]))
			if !okl || !okr {
				return nil
			}
			l, r := left.As16(), right.As16()
			return int64(bytes.Compare(l[:], r[:]))
		}}
		all[family+"_is_match"] = function{want: []Type{String, String}, least: 2, result: Bool, call: func(a []any) any {
			left, okl := read(text(a[0]))
			right, okr := read(text(a[1]))
			if !okl || !okr {
				return nil
			}
			return left == right
		}}
		all[family+"_is_in_range"] = function{want: []Type{String, String}, least: 2, result: Bool, call: func(a []any) any {
			return within(read, a[0], a[1])
		}}
		all[family+"_is_in_any_range"] = function{want: []Type{String, ""}, least: 2, more: true, result: Bool, call: func(a []any) any {
			ranges := a[1:]
			if list, ok := a[1].([]any); ok {
				ranges = list
			}
			return slices.ContainsFunc(ranges, func(r any) bool { return truth(within(read, a[0], r)) })
		}}
	}
	all["ipv4_is_private"] = function{want: []Type{String}, least: 1, result: Bool, call: func(a []any) any {
		if ip, ok := address4(text(a[0])); ok {
			return ip.IsPrivate()
		}
		return nil
	}}
}

func address4(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	return ip, err == nil && ip.Is4()
}

func address6(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return ip, false
	}
	return netip.AddrFrom16(ip.As16()), true
}

// within reports whether an address is in a range, or returns null.
func within(read func(string) (netip.Addr, bool), a, in any) any {
	ip, ok := read(text(a))
	first, bits, _ := strings.Cut(text(in), "/")
	base, okb := read(first)
	if !ok || !okb {
		return nil
	}
	length := base.BitLen()
	if bits != "" {
		n, okn := toLong([]any{bits}).(int64)
		if !okn {
			return nil
		}
		length = int(n)
		if v4, err := netip.ParseAddr(first); err == nil && v4.Is4() && base.Is6() {
			length += 96
		}
	}
	p, err := base.Prefix(length)
	if err != nil {
		return nil
	}
	return p.Contains(ip)
}

func numberFunctions(all map[string]function) {
	all["abs"] = function{want: []Type{""}, least: 1, call: func(a []any) any {
		switch v := a[0].(type) {
		case int64:
			return max(v, -v)
		case float64:
			return math.Abs(v)
		case time.Duration:
			return v.Abs()
		}
		return nil
	}}
	for name, f := range map[string]func(float64) float64{"round": math.Round, "ceiling": math.Ceil} {
		all[name] = function{want: []Type{Real}, least: 1, result: Real, call: func(a []any) any {
			if v, ok := real(a[0]); ok {
				return f(v)
			}
			return nil
		}}
	}
	all["isnan"] = function{want: []Type{Real}, least: 1, result: Bool, call: func(a []any) any {
		v, ok := real(a[0])
		return ok && math.IsNaN(v)
	}}
	all["strcat_delim"] = function{want: []Type{String, ""}, least: 2, more: true, result: String, call: func(a []any) any {
		var parts []string
		for _, v := range a[1:] {
			parts = append(parts, text(v))
		}
		return strings.Join(parts, text(a[0]))
	}}
	all["indexof"] = function{want: []Type{String, String}, least: 2, result: Long, call: func(a []any) any {
		return int64(strings.Index(text(a[0]), text(a[1])))
	}}
	all["set_has_element"] = function{want: []Type{Dynamic, ""}, least: 2, result: Bool, call: func(a []any) any {
		list, _ := a[0].([]any)
		return slices.ContainsFunc(list, func(v any) bool { return equal(v, a[1]) })
	}}
	all["extract"] = function{want: []Type{String, Long, String}, least: 3, result: String, call: func(a []any) any {
		re, err := regexp.Compile(text(a[0]))
		group, ok := a[1].(int64)
		if err != nil || !ok {
			return ""
		}
		if m := re.FindStringSubmatch(text(a[2])); group >= 0 && int(group) < len(m) {
			return m[group]
		}
		return ""
	}}
}

func timeFunctions(all map[string]function) {
	all["datetime_diff"] = function{want: []Type{String, Datetime, Datetime}, least: 3, result: Long, call: func(a []any) any {
		each := units()[text(a[0])]
		left, okl := a[1].(time.Time)
		right, okr := a[2].(time.Time)
		if each == 0 || !okl || !okr {
			return nil
		}
		// How many borders of the unit lie between the two.
		return int64(left.Truncate(each).Sub(right.Truncate(each)) / each)
	}}
	all["totimespan"] = function{want: []Type{""}, least: 1, result: Timespan, call: func(a []any) any {
		if d, ok := parseSpan(text(a[0])); ok {
			return d
		}
		return nil
	}}
	for name, each := range map[string]time.Duration{"seconds": time.Second, "milliseconds": time.Millisecond} {
		all["unixtime_"+name+"_todatetime"] = function{want: []Type{Long}, least: 1, result: Datetime, call: func(a []any) any {
			if n, ok := a[0].(int64); ok {
				return time.Unix(0, 0).UTC().Add(time.Duration(n) * each)
			}
			return nil
		}}
	}
	for name, each := range map[string]time.Duration{"day": 24 * time.Hour, "hour": time.Hour} {
		all["startof"+name] = function{want: []Type{Datetime}, least: 1, result: Datetime, call: func(a []any) any {
			return bin([]any{a[0], each})
		}}
	}
	all["bin_at"] = function{want: []Type{"", Timespan, ""}, least: 3, call: func(a []any) any {
		v, okv := a[0].(time.Time)
		each, oke := a[1].(time.Duration)
		from, okf := a[2].(time.Time)
		if !okv || !oke || !okf || each <= 0 {
			return nil
		}
		past := v.Sub(from) % each
		if past < 0 {
			past += each
		}
		return v.Add(-past)
	}}
}
