package wazuhfake

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// parseQuery reads the part of the query language that the double knows: bool, term,
// terms, match, range, exists, prefix, wildcard and match_all. Anything else is
// refused.
func parseQuery(raw json.RawMessage, now time.Time) (keeps, error) {
	if len(raw) == 0 {
		return func(document) bool { return true }, nil
	}
	kind, inner, err := single(raw)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "match_all":
		return func(document) bool { return true }, nil
	case "bool":
		return parseBool(inner, now)
	case "exists":
		var e struct{ Field string }
		if json.Unmarshal(inner, &e) != nil || e.Field == "" {
			return nil, parsing("[exists] must be provided with a [field]")
		}
		return func(d document) bool { _, found := at(d, e.Field); return found }, nil
	case "terms":
		return parseTerms(inner)
	case "range":
		return parseRange(inner, now)
	case "term", "match", "prefix", "wildcard":
		return parseField(kind, inner)
	}
	return nil, parsing("unknown query [%s]", kind)
}

// single reads an object of one member.
func single(raw json.RawMessage) (string, json.RawMessage, error) {
	var one map[string]json.RawMessage
	if json.Unmarshal(raw, &one) != nil || len(one) != 1 {
		return "", nil, parsing("[query] malformed query, expected one member")
	}
	for name, inner := range one {
		return name, inner, nil
	}
	return "", nil, nil
}

// clauses reads the queries of one clause: one, or a list of them.
func clauses(raw json.RawMessage) []json.RawMessage {
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil {
		return []json.RawMessage{raw}
	}
	return many
}

func parseBool(raw json.RawMessage, now time.Time) (keeps, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil, parsing("[bool] malformed query")
	}
	least := -1
	parts := map[string][]keeps{}
	for name, inner := range members {
		switch name {
		case "minimum_should_match":
			if json.Unmarshal(inner, &least) != nil {
				return nil, parsing("[bool] minimum_should_match must be a number")
			}
		case "filter", "must", "must_not", "should":
			for _, c := range clauses(inner) {
				k, err := parseQuery(c, now)
				if err != nil {
					return nil, err
				}
				parts[name] = append(parts[name], k)
			}
		default:
			return nil, parsing("[bool] query does not support [%s]", name)
		}
	}
	all := slices.Concat(parts["filter"], parts["must"])
	if least < 0 {
		// A should beside what must be is no condition.
		least = 0
		if len(all) == 0 && len(parts["should"]) > 0 {
			least = 1
		}
	}
	return func(d document) bool {
		n := 0
		for _, k := range parts["should"] {
			if k(d) {
				n++
			}
		}
		holds := func(k keeps) bool { return k(d) }
		fails := func(k keeps) bool { return !k(d) }
		return n >= least && !slices.ContainsFunc(all, fails) && !slices.ContainsFunc(parts["must_not"], holds)
	}, nil
}

// has reports whether a field holds a value that fulfils a condition. All fields of
// the index are keywords: they are compared as a whole, with their letter case.
func has(d document, field string, holds func(string) bool) bool {
	v, found := at(d, field)
	if !found {
		return false
	}
	if values, is := v.([]string); is {
		return slices.ContainsFunc(values, holds)
	}
	return holds(fmt.Sprint(v))
}

func parseTerms(raw json.RawMessage) (keeps, error) {
	field, inner, err := single(raw)
	if err != nil {
		return nil, err
	}
	var values []any
	if json.Unmarshal(inner, &values) != nil {
		return nil, parsing("[terms] query requires an array")
	}
	return func(d document) bool {
		return has(d, field, func(have string) bool {
			return slices.ContainsFunc(values, func(want any) bool { return have == number64(want) })
		})
	}, nil
}

// parseField reads a condition on one field, whose value is given as it is or as an
// object.
func parseField(kind string, raw json.RawMessage) (keeps, error) {
	field, inner, err := single(raw)
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(inner, &value); err != nil {
		return nil, parsing("[%s] malformed query", kind)
	}
	anyCase := false
	if o, is := value.(map[string]any); is {
		for name := range o {
			if !slices.Contains([]string{"value", "query", "case_insensitive"}, name) {
				return nil, parsing("[%s] query does not support [%s]", kind, name)
			}
		}
		anyCase, _ = o["case_insensitive"].(bool)
		if value = o["value"]; kind == "match" {
			value = o["query"]
		}
	}
	if value == nil {
		return nil, parsing("[%s] value cannot be null", kind)
	}
	want := number64(value)
	return func(d document) bool {
		return has(d, field, func(have string) bool {
			want := want
			if anyCase {
				have, want = strings.ToLower(have), strings.ToLower(want)
			}
			switch kind {
			case "prefix":
				return strings.HasPrefix(have, want)
			case "wildcard":
				return wild(want, have)
			}
			return have == want
		})
	}, nil
}

// wild reports whether a text matches a pattern of stars and question marks. A
// slash is a character like any other.
func wild(pattern, text string) bool {
	clean := strings.NewReplacer("/", "\x00", "[", `\[`)
	ok, err := path.Match(clean.Replace(pattern), strings.ReplaceAll(text, "/", "\x00"))
	return err == nil && ok
}

func parseRange(raw json.RawMessage, now time.Time) (keeps, error) {
	field, inner, err := single(raw)
	if err != nil {
		return nil, err
	}
	var bounds map[string]any
	if json.Unmarshal(inner, &bounds) != nil {
		return nil, parsing("[range] malformed query")
	}
	var all []keeps
	for op, bound := range bounds {
		if op == "format" || op == "time_zone" {
			continue
		}
		if !slices.Contains([]string{"gt", "gte", "lt", "lte"}, op) {
			return nil, parsing("[range] query does not support [%s]", op)
		}
		order, err := orderTo(field, bound, now)
		if err != nil {
			return nil, err
		}
		all = append(all, func(d document) bool {
			n, found := order(d)
			switch {
			case !found:
				return false
			case op == "gt":
				return n > 0
			case op == "gte":
				return n >= 0
			case op == "lt":
				return n < 0
			}
			return n <= 0
		})
	}
	return func(d document) bool { return !slices.ContainsFunc(all, func(k keeps) bool { return !k(d) }) }, nil
}

// orderTo compares a field to a bound: times as times, the level of rules as a
// number, and all else as text, so that port 53 comes after port 123.
func orderTo(field string, bound any, now time.Time) (func(document) (int, bool), error) {
	if !isTime(field) {
		return func(d document) (int, bool) {
			v, found := at(d, field)
			if field == "rule.level" {
				return compare(fmt.Sprint(v), number64(bound)), found
			}
			return strings.Compare(fmt.Sprint(v), number64(bound)), found
		}, nil
	}
	want, err := momentOf(bound, now)
	if err != nil {
		return nil, err
	}
	return func(d document) (int, bool) {
		text, _ := d["@timestamp"].(string)
		have, err := time.Parse(time.RFC3339Nano, text)
		return have.Compare(want), err == nil
	}, nil
}

// bounds are what a search is limited by.
type bounds struct{ host, time bool }

// boundsOf finds what every hit of a query fulfils: a host, and a time that begins.
func boundsOf(raw json.RawMessage) bounds {
	kind, inner, err := single(raw)
	if err != nil {
		return bounds{}
	}
	switch kind {
	case "bool":
		return boundsOfBool(inner)
	case "term", "terms", "match":
		field, _, _ := single(inner)
		return bounds{host: slices.Contains([]string{"agent.id", "agent.name", "agent.ip", "data.win.system.computer"}, field)}
	case "range":
		field, inner, _ := single(inner)
		var limits map[string]any
		_ = json.Unmarshal(inner, &limits) // what is malformed was refused
		return bounds{time: isTime(field) && (limits["gte"] != nil || limits["gt"] != nil)}
	}
	return bounds{}
}

func boundsOfBool(raw json.RawMessage) bounds {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // what is malformed was refused
	var b bounds
	for _, name := range []string{"filter", "must"} {
		if members[name] == nil {
			continue
		}
		for _, c := range clauses(members[name]) {
			one := boundsOf(c)
			b.host, b.time = b.host || one.host, b.time || one.time
		}
	}
	least := 0
	_ = json.Unmarshal(members["minimum_should_match"], &least) // what is malformed was refused
	if members["should"] == nil || least < 1 && (members["filter"] != nil || members["must"] != nil) {
		return b
	}
	each := bounds{true, true}
	for _, c := range clauses(members["should"]) {
		one := boundsOf(c)
		each.host, each.time = each.host && one.host, each.time && one.time
	}
	return bounds{b.host || each.host, b.time || each.time}
}
