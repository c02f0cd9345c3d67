// Package crosscheck_test compares our Slack for tests with two that other people
// wrote: emulate, for the Web API, and GoAlert's mockslack, for signed
// interactions. A misreading of ours that our integration shares would pass every
// test of our own; here it is seen.
package crosscheck_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shape flattens a JSON value to the types of its members by path. All elements
// of a list are one, and null is no type of its own.
func shape(v any) map[string]string {
	found := map[string]string{}
	flatten(found, "", v)
	return found
}

func flatten(found map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		found[at] = "object"
		for k, member := range v {
			flatten(found, strings.TrimPrefix(at+"."+k, "."), member)
		}
	case []any:
		found[at] = "array"
		for _, e := range v {
			flatten(found, at+"[]", e)
		}
	case string:
		found[at] = "string"
	case float64:
		found[at] = "number"
	case bool:
		found[at] = "boolean"
	case nil:
		found[at] = "null"
	}
}

// differences lists where two shapes differ. A member that only one of them has
// may be known; then it is noted as seen. A member of two types never is.
func differences(ours, theirs, known map[string]string, seen map[string]bool) []string {
	all := maps.Clone(ours)
	maps.Copy(all, theirs)
	var found []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		a, b := ours[path], theirs[path]
		switch {
		case a == b, a == "null" && b != "", b == "null" && a != "":
		case a != "" && b != "":
			found = append(found, fmt.Sprintf("%s: ours is a %s, theirs a %s", path, a, b))
		case explained(path, known, seen):
		case a == "":
			found = append(found, fmt.Sprintf("%s: theirs has a %s, ours has none", path, b))
		default:
			found = append(found, fmt.Sprintf("%s: ours has a %s, theirs has none", path, a))
		}
	}
	return found
}

// explained reports whether a member, or one that it lies in, is known to differ.
func explained(path string, known map[string]string, seen map[string]bool) bool {
	for name := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ""), ".") {
		if _, ok := known[name]; ok {
			seen[name] = true
			return true
		}
	}
	return false
}
