package elastic

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// aggregate works out the aggregations of a search.
func aggregate(in any, docs []document) map[string]any {
	out := map[string]any{}
	for name, a := range in.(map[string]any) {
		parts := known("aggregation", a, "composite", "terms", "sum", "min", "max", "filter", "aggs")
		switch {
		case parts["composite"] != nil:
			out[name] = compose(known("composite", parts["composite"], "size", "sources", "after"), parts["aggs"], docs)
		case parts["terms"] != nil:
			out[name] = rank(known("terms", parts["terms"], "field", "size", "shard_size", "order"), parts["aggs"], docs)
		case parts["filter"] != nil:
			kept := slices.DeleteFunc(slices.Clone(docs), func(d document) bool { return !matches(parts["filter"], d) })
			out[name] = map[string]any{"doc_count": len(kept)}
		default:
			out[name] = metric(parts, docs)
		}
	}
	return out
}

func metric(parts map[string]any, docs []document) map[string]any {
	kind, body := only("metric", parts)
	var values []float64
	for _, d := range docs {
		if v := d[known(kind, body, "field")["field"].(string)]; v != nil {
			values = append(values, numberOf(v))
		}
	}
	switch {
	case kind == "sum":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return map[string]any{"value": sum}
	case len(values) == 0:
		return map[string]any{"value": nil}
	case kind == "min":
		return map[string]any{"value": slices.Min(values)}
	case kind == "max":
		return map[string]any{"value": slices.Max(values)}
	}
	reject("unknown aggregation [%s]", kind)
	return nil
}

func rank(t map[string]any, subs any, docs []document) map[string]any {
	groups := map[string][]document{}
	for _, d := range docs {
		if v, ok := d[t["field"].(string)].(string); ok {
			groups[v] = append(groups[v], d)
		}
	}
	by, way := only("order", t["order"])
	if way != "desc" {
		reject("order %v", way)
	}
	var buckets []map[string]any
	for key, members := range groups {
		b := aggregate(subs, members)
		b["key"], b["doc_count"] = key, len(members)
		buckets = append(buckets, b)
	}
	slices.SortFunc(buckets, func(a, b map[string]any) int {
		return cmp.Or(cmp.Compare(valueOf(b[by]), valueOf(a[by])), strings.Compare(a["key"].(string), b["key"].(string)))
	})
	size := int(integer("size", t["size"]))
	rest := 0
	for _, b := range buckets[min(size, len(buckets)):] {
		rest += b["doc_count"].(int)
	}
	return map[string]any{
		"doc_count_error_upper_bound": -1, "sum_other_doc_count": rest, "buckets": buckets[:min(size, len(buckets))],
	}
}

func valueOf(v any) float64 { return v.(map[string]any)["value"].(float64) }

// keyOf is a document's key in a composite aggregation, false when it has none.
func keyOf(sources []any, d document) ([]any, map[string]any, bool) {
	var tuple []any
	key := map[string]any{}
	for _, s := range sources {
		name, body := only("source", s)
		kind, how := only("source", body)
		var v any
		switch kind {
		case "terms":
			f := known("terms", how, "field", "missing_bucket")
			v = d[f["field"].(string)]
			if v == nil && f["missing_bucket"] != true {
				return nil, nil, false
			}
		case "date_histogram":
			f := known("date_histogram", how, "field", "fixed_interval", "offset")
			at, ok := d[f["field"].(string)].(time.Time)
			if !ok {
				return nil, nil, false
			}
			length, offset := lengthOf(f["fixed_interval"]), lengthOf(f["offset"])
			v = (at.UnixMilli()-offset)/length*length + offset
		default:
			reject("unknown source [%s]", kind)
		}
		tuple, key[name] = append(tuple, v), v
	}
	return tuple, key, true
}

func lengthOf(v any) int64 {
	text, ok := strings.CutSuffix(v.(string), "ms")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		reject("invalid duration %v", v)
	}
	return n
}

func compose(c map[string]any, subs any, docs []document) map[string]any {
	type member struct {
		tuple []any
		key   map[string]any
		docs  []document
	}
	size := int(integer("size", c["size"]))
	if size > 65_536 {
		panic(refusal{http.StatusBadRequest, "too_many_buckets_exception", "too many buckets"})
	}
	sources := listOf(c["sources"])
	groups := map[string]*member{}
	for _, d := range docs {
		tuple, key, ok := keyOf(sources, d)
		if !ok {
			continue
		}
		id := fmt.Sprint(tuple...)
		if groups[id] == nil {
			groups[id] = &member{tuple: tuple, key: key}
		}
		groups[id].docs = append(groups[id].docs, d)
	}
	ordered := make([]*member, 0, len(groups))
	for _, g := range groups {
		ordered = append(ordered, g)
	}
	slices.SortFunc(ordered, func(a, b *member) int { return compareTuples(a.tuple, b.tuple) })
	if after, ok := c["after"].(map[string]any); ok {
		var tuple []any
		for _, s := range sources {
			name, _ := only("source", s)
			tuple = append(tuple, after[name])
		}
		ordered = slices.DeleteFunc(ordered, func(g *member) bool { return compareTuples(g.tuple, tuple) <= 0 })
	}
	out := map[string]any{"buckets": []any{}}
	var buckets []any
	for _, g := range ordered[:min(size, len(ordered))] {
		b := aggregate(subs, g.docs)
		b["key"], b["doc_count"] = g.key, len(g.docs)
		buckets = append(buckets, b)
		out["after_key"] = g.key
	}
	if buckets != nil {
		out["buckets"] = buckets
	}
	return out
}

// compareTuples orders keys; what is missing comes first.
func compareTuples(a, b []any) int {
	for i := range a {
		var c int
		switch {
		case a[i] == nil || b[i] == nil:
			c = cmp.Compare(btoi(a[i] != nil), btoi(b[i] != nil))
		default:
			c = compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
