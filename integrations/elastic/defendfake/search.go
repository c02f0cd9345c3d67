package defendfake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// search is a request for documents.
type search struct {
	match       func(document) bool
	bound       bound
	size, from  int
	most        int // documents of each index that are looked at; 0 is all
	sorts       []sorting
	after       []any
	count       int // how far hits are counted; less than 0 is not at all
	fields      []wantedField
	source      func(field string) bool // nil is none
	pit         string
	collapse    string // of the documents with one value of the field the first counts
	sortsInBody bool
}

// sorting is one key of an order.
type sorting struct {
	field, format string
	descending    bool
	missingFirst  bool
	unmapped      bool
}

type wantedField struct{ field, format string }

func (d *Double) serveSearch(by Credential, index string, r *http.Request) (any, *refusal) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, elasticError(http.StatusBadRequest, "parse_exception", "%v", err)
	}
	body := map[string]any{}
	if len(bytes.TrimSpace(raw)) > 0 {
		if body, err = decodeObject(bytes.NewReader(raw)); err != nil {
			return nil, elasticError(http.StatusBadRequest, "parsing_exception", "[1:1] %v", err)
		}
	}
	s, refused := d.readSearch(body)
	if refused != nil {
		return nil, refused
	}
	if s.pit != "" {
		d.mu.Lock()
		kept, open := d.pits[s.pit]
		d.mu.Unlock()
		switch {
		case index != "":
			return nil, elasticError(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: [indices] cannot be used with point in time;")
		case !open:
			return nil, elasticError(http.StatusNotFound, "search_context_missing_exception", "No search context found for id [%s]", s.pit)
		}
		index = kept
	}
	names, refused := d.resolve(by, index, r.URL.Query())
	if refused != nil {
		return nil, refused
	}
	d.check(s.bound, s.size <= 1 && s.count <= 0, string(raw))
	return d.answer(s, names, r.URL.Query().Get("allow_partial_search_results") == "false")
}

// answer runs a search.
func (d *Double) answer(s *search, names []string, wholeOnly bool) (any, *refusal) {
	shards := parts{total: len(names)}
	names = slices.DeleteFunc(names, func(stream string) bool {
		for _, by := range s.sorts {
			if !by.special() && !by.unmapped && mappingOf(stream)[by.field] == "" {
				shards.fail(stream, "query_shard_exception", "No mapping found for ["+by.field+"] in order to sort on")
				return true
			}
		}
		return false
	})
	if shards.failed > 0 && len(names) == 0 {
		return nil, elasticError(http.StatusBadRequest, "search_phase_execution_exception", "all shards failed")
	}
	found := slices.DeleteFunc(d.documents(names), func(doc document) bool { return !s.match(doc) })
	body := map[string]any{"took": 3}
	if s.most > 0 {
		body["terminated_early"] = s.terminate(&found)
	}
	s.sort(found)
	d.mu.Lock()
	partial := d.partial
	d.mu.Unlock()
	if partial != Whole {
		found = found[:len(found)/2]
		if partial == ShardsFailed && shards.total > 0 {
			shards.fail(streamOr(names), "no_shard_available_action_exception", "no shard available")
		}
	}
	if wholeOnly && (shards.failed > 0 || partial == TimedOut) {
		return nil, elasticError(http.StatusServiceUnavailable, "search_phase_execution_exception", "Partial shards failure")
	}
	hits := map[string]any{"max_score": nil, "hits": d.hits(s, s.collapsed(found))}
	if s.count >= 0 {
		total := map[string]any{"value": len(found), "relation": "eq"}
		if len(found) > s.count {
			total = map[string]any{"value": s.count, "relation": "gte"}
		}
		hits["total"] = total
	}
	body["timed_out"], body["_shards"], body["hits"] = partial == TimedOut, shards.body(), hits
	if s.pit != "" {
		body["pit_id"] = s.pit
	}
	return body, nil
}

// collapsed are the first documents with each value of the field. How many hits there are
// is said of all documents.
func (s *search) collapsed(found []document) []document {
	if s.collapse == "" {
		return found
	}
	seen := map[string]bool{}
	var firsts []document
	for _, doc := range found {
		if value := text(doc.fields[s.collapse]); !seen[value] {
			seen[value] = true
			firsts = append(firsts, doc)
		}
	}
	return firsts
}

// terminate leaves as many documents of each index as a search may look at, and
// reports whether there were more. It does so before they are sorted.
func (s *search) terminate(found *[]document) bool {
	seen, before := map[string]int{}, len(*found)
	*found = slices.DeleteFunc(*found, func(doc document) bool {
		seen[doc.stream]++
		return seen[doc.stream] > s.most
	})
	return len(*found) < before
}

func streamOr(names []string) string {
	if len(names) == 0 {
		return "logs"
	}
	return names[0]
}

// hits are those of a page.
func (d *Double) hits(s *search, found []document) []any {
	at := min(s.from, len(found))
	if s.after != nil {
		at, _ = slices.BinarySearchFunc(found, s.after, func(doc document, after []any) int {
			if s.compareKeys(s.keys(doc), after) <= 0 {
				return -1
			}
			return 1
		})
	}
	hits := []any{}
	for _, doc := range found[at:min(len(found), at+s.size)] {
		hit := map[string]any{"_index": backing(doc.stream), "_id": doc.id, "_score": nil}
		if s.source != nil {
			hit["_source"] = s.sourceOf(doc)
		}
		if fields := s.fieldsOf(doc); len(fields) > 0 {
			hit["fields"] = fields
		}
		if s.sortsInBody {
			hit["sort"] = s.keys(doc)
		}
		hits = append(hits, hit)
	}
	return hits
}

// sourceOf is a document as it was written: objects within objects.
func (s *search) sourceOf(doc document) map[string]any {
	source := map[string]any{}
	for name, v := range doc.fields {
		if !s.source(name) {
			continue
		}
		at := source
		path := strings.Split(name, ".")
		for _, key := range path[:len(path)-1] {
			below, ok := at[key].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[key] = below
			}
			at = below
		}
		if t, ok := v.(time.Time); ok {
			v = t.UTC().Format(time.RFC3339Nano)
		}
		at[path[len(path)-1]] = v
	}
	return source
}

// fieldsOf are the values that were asked for by name, each a list.
func (s *search) fieldsOf(doc document) map[string]any {
	out := map[string]any{}
	for _, want := range s.fields {
		for name, v := range doc.fields {
			if !matchesPattern(want.field, name) {
				continue
			}
			switch v := v.(type) {
			case time.Time:
				out[name] = []any{formatDate(v, want.format)}
			case []string:
				out[name] = v
			default:
				out[name] = []any{v}
			}
		}
	}
	return out
}

func (by sorting) special() bool {
	return by.field == "_doc" || by.field == "_shard_doc" || by.field == "_score"
}

// keys are what a document is sorted by.
func (s *search) keys(doc document) []any {
	keys := make([]any, 0, len(s.sorts))
	for _, by := range s.sorts {
		v := doc.fields[by.field]
		switch t := v.(type) {
		case time.Time:
			v = t.UnixMilli() // an index keeps no more than that
			if by.format != "" {
				v = formatDate(t, by.format)
			}
		case []string:
			v = t[0]
		}
		if by.special() {
			v = doc.stream + doc.id
		}
		keys = append(keys, v)
	}
	return keys
}

func (s *search) sort(found []document) {
	slices.SortStableFunc(found, func(a, b document) int { return s.compareKeys(s.keys(a), s.keys(b)) })
}

func (s *search) compareKeys(a, b []any) int {
	for i, by := range s.sorts {
		if i >= len(b) {
			break
		}
		if c := by.compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func (by sorting) compare(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case (a == nil) == by.missingFirst:
			return -1
		default:
			return 1
		}
	}
	c := 0
	switch x, ok := a.(string); {
	case ok && strings.HasSuffix(by.field, ".ip"):
		c = compareAddresses(x, text(b))
	case ok:
		c = cmp.Compare(x, text(b))
	default:
		c = cmp.Compare(float(a), float(b))
	}
	if by.descending {
		return -c
	}
	return c
}

// float is a number of any form; what is none is not less than any.
func float(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	case json.Number:
		f, err := n.Float64()
		if err == nil {
			return f
		}
	case bool:
		if n {
			return 1
		}
		return 0
	}
	return math.Inf(1)
}
