package kibanafake

import (
	"fmt"
	"slices"
)

// matches reports whether a query finds an alert. Of Elasticsearch's language it reads bool,
// ids, term, terms, match, match_phrase, exists and match_all; any other is an error, so that no test leans
// on what is not here.
func matches(a *Alert, query any) (bool, error) {
	if query == nil {
		return true, nil
	}
	q, ok := query.(map[string]any)
	if !ok || len(q) != 1 {
		return false, fmt.Errorf("[%v] malformed query, expected one clause", query)
	}
	for kind, v := range q {
		body, ok := v.(map[string]any)
		if !ok {
			return false, fmt.Errorf("[%s] query malformed, no start_object after query name", kind)
		}
		switch kind {
		case "match_all":
			return true, nil
		case "bool":
			return matchesBool(a, body)
		case "ids":
			return among(a.ID, body["values"])
		case "exists":
			name, ok := body["field"].(string)
			if !ok {
				return false, fmt.Errorf("[exists] must be provided with a [field]")
			}
			return a.field(name) != "", nil
		case "term", "terms", "match", "match_phrase":
			return matchesField(a, kind, body)
		}
		return false, fmt.Errorf("unknown query [%s]", kind)
	}
	return false, nil
}

// matchesBool is for clauses that must match, one of those that should, and none that must not.
func matchesBool(a *Alert, body map[string]any) (bool, error) {
	result := true
	for kind, v := range body {
		if !slices.Contains([]string{"must", "filter", "should", "must_not"}, kind) {
			return false, fmt.Errorf("[bool] query does not support [%s]", kind)
		}
		clauses, ok := v.([]any)
		if !ok {
			clauses = []any{v}
		}
		n := 0
		for _, clause := range clauses {
			ok, err := matches(a, clause)
			if err != nil {
				return false, err
			}
			if ok {
				n++
			}
		}
		switch kind {
		case "must", "filter":
			result = result && n == len(clauses)
		case "must_not":
			result = result && n == 0
		case "should":
			// Beside clauses that must match it only scores.
			result = result && (n > 0 || len(clauses) == 0 || body["must"] != nil || body["filter"] != nil)
		}
	}
	return result, nil
}

func matchesField(a *Alert, kind string, body map[string]any) (bool, error) {
	if len(body) != 1 {
		return false, fmt.Errorf("[%s] query doesn't support multiple fields", kind)
	}
	for name, v := range body {
		if kind == "terms" {
			return among(a.field(name), v)
		}
		if inner, ok := v.(map[string]any); ok {
			if v = inner["value"]; kind != "term" {
				v = inner["query"]
			}
		}
		s, ok := v.(string)
		if !ok {
			return false, fmt.Errorf("[%s] query of [%s] without a text", kind, name)
		}
		return s != "" && a.field(name) == s, nil
	}
	return false, nil
}

func among(value string, list any) (bool, error) {
	all, ok := list.([]any)
	if !ok {
		return false, fmt.Errorf("[terms] query requires a list")
	}
	return value != "" && slices.Contains(all, any(value)), nil
}
