package alerts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// naming finds a path, of which the value tells which machine is meant. Where the alert has it
// nested and flattened, and the two name different machines, the host is in doubt.
func (r *Reader) naming(path string) any {
	v := r.Lookup(path)
	if v == nil || !strings.Contains(path, ".") {
		return v
	}
	all := forms(r.Fields, path)
	first := namesIn(all[0])
	for _, other := range all[1:] {
		names := namesIn(other)
		if !within(first, names) && !within(names, first) {
			r.doubt(fmt.Sprintf("the alert has %s in two forms, with %s and with %s", path, quoteAll(first), quoteAll(names)))
		}
	}
	return v
}

// doubt notes once why it is not certain which machine the alert names.
func (r *Reader) doubt(why string) {
	if all := r.apart(); !slices.Contains(*all, why) {
		*all = append(*all, why)
	}
}

// apart is shared by all readers of one alert.
func (r *Reader) apart() *[]string {
	if r.odd == nil {
		r.odd = &[]string{}
	}
	return r.odd
}

// forms are the values that fields have for a dotted path, in the order of [Lookup].
func forms(fields map[string]any, path string) (all []any) {
	if v, ok := fields[path]; ok && !empty(v) {
		all = append(all, v)
	}
	for i := range len(path) {
		if inner, ok := fields[path[:i]].(map[string]any); ok && path[i] == '.' {
			all = append(all, forms(inner, path[i+1:])...)
		}
	}
	return all
}

// namesIn are the names and addresses in a value, each address in its one spelling.
func namesIn(v any) []string {
	texts, _ := words(v, func(text string) []string { return strings.FieldsFunc(text, separator) })
	for i, text := range texts {
		if ip, err := parseAddress(text); err == nil {
			texts[i] = canonical(ip)
		}
	}
	return texts
}

// within reports whether each of some names is of one of the others' machines.
func within(some, others []string) bool {
	return !slices.ContainsFunc(some, func(a string) bool {
		return !slices.ContainsFunc(others, func(b string) bool { return incident.SameName(a, b) })
	})
}
