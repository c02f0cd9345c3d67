package elastic

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The double's credentials.
const (
	testKey  = "a2V5LWlkOnZlcnktc2VjcmV0"
	testUser = "stanch"
	testWord = "correct horse"
)

// document is a document by the full names of its fields; times are [time.Time].
type document map[string]any

// double is a cluster of one index, with the part of its documented search that
// is used here. It computes answers from its documents, and refuses everything
// that it does not know, as the product refuses an unknown part of a query.
type double struct {
	tb    testing.TB
	index string
	docs  []document

	mu       sync.Mutex
	searches int
	// broken changes the next answers, and may replace them by a status.
	broken func(answer map[string]any) int
}

// refusal is an error of the API.
type refusal struct {
	status int
	kind   string
	reason string
}

func reject(format string, args ...any) {
	panic(refusal{http.StatusBadRequest, "parsing_exception", fmt.Sprintf(format, args...)})
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if e, ok := recover().(refusal); ok {
			if e.status == http.StatusBadRequest {
				d.tb.Errorf("the cluster refuses the search: %s", e.reason)
			}
			cause := map[string]any{"type": e.kind, "reason": e.reason}
			d.reply(w, e.status, map[string]any{"status": e.status, "error": map[string]any{"root_cause": []any{cause}, "type": e.kind, "reason": e.reason}})
		}
	}()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(testUser+":"+testWord))
	if got := r.Header.Get("Authorization"); got != "ApiKey "+testKey && got != basic {
		panic(refusal{http.StatusUnauthorized, "security_exception", "unable to authenticate " + got})
	}
	names, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/_search")
	if r.Method != http.MethodPost || !ok {
		reject("%s %s is not a search", r.Method, r.URL.Path)
	}
	for _, name := range strings.Split(names, ",") {
		prefix, wild := strings.CutSuffix(name, "*")
		if name != d.index && !(wild && strings.HasPrefix(d.index, prefix)) {
			panic(refusal{http.StatusNotFound, "index_not_found_exception", "no such index [" + name + "]"})
		}
	}
	for name, want := range map[string]string{"allow_no_indices": "false", "ignore_unavailable": "false", "allow_partial_search_results": "false"} {
		if got := r.URL.Query().Get(name); got != want {
			reject("%s is %q: then a part of an answer could be taken for the whole", name, got)
		}
	}
	var in map[string]any
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&in); err != nil {
		reject("body: %v", err)
	}
	answer := d.search(in)
	d.mu.Lock()
	d.searches++
	broken := d.broken
	d.mu.Unlock()
	status := http.StatusOK
	if broken != nil {
		status = broken(answer)
	}
	d.reply(w, status, answer)
}

func (d *double) reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		d.tb.Errorf("encode: %v", err)
	}
}

// known refuses keys that are not of the list.
func known(what string, in any, keys ...string) map[string]any {
	m, ok := in.(map[string]any)
	if !ok {
		reject("%s is %v, no object", what, in)
	}
	for k := range m {
		if !slices.Contains(keys, k) {
			reject("unknown key [%s] in %s", k, what)
		}
	}
	return m
}

// only returns the one entry of an object.
func only(what string, in any) (string, any) {
	m, ok := in.(map[string]any)
	if !ok || len(m) != 1 {
		reject("%s needs exactly one entry, and has %v", what, in)
	}
	for k, v := range m {
		return k, v
	}
	return "", nil
}

func integer(what string, v any) int64 {
	n, ok := v.(json.Number)
	i, err := n.Int64()
	if !ok || err != nil {
		reject("%s is %v, no integer", what, v)
	}
	return i
}

func (d *double) search(in map[string]any) map[string]any {
	known("search", in, "size", "query", "fields", "_source", "sort", "aggs", "track_total_hits", "timeout", "terminate_after")
	size := int(integer("size", in["size"]))
	if size > 10_000 {
		reject("Result window is too large")
	}
	if !strings.HasSuffix(in["timeout"].(string), "ms") || integer("terminate_after", in["terminate_after"]) < 1 {
		reject("the search is not bounded")
	}
	var found []document
	for _, doc := range d.docs {
		if matches(in["query"], doc) {
			found = append(found, doc)
		}
	}
	for _, s := range slices.Backward(listOf(in["sort"])) {
		name, how := only("sort", s)
		way := known("sort", how, "order", "missing", "unmapped_type")["order"]
		slices.SortStableFunc(found, func(a, b document) int {
			switch {
			case a[name] == nil || b[name] == nil:
				return cmp.Compare(btoi(a[name] == nil), btoi(b[name] == nil)) // missing last
			case way == "desc":
				return compare(b[name], a[name])
			default:
				return compare(a[name], b[name])
			}
		})
	}
	total, relation := int64(len(found)), "eq"
	if most := integer("track_total_hits", in["track_total_hits"]); total > most {
		total, relation = most, "gte"
	}
	hits := []any{}
	for _, doc := range found[:min(size, len(found))] {
		hits = append(hits, map[string]any{"_index": d.index, "fields": fieldsOf(doc, listOf(in["fields"]))})
	}
	answer := map[string]any{
		"took": 1, "timed_out": false, "terminated_early": false,
		"_shards": map[string]any{"total": 3, "successful": 3, "skipped": 0, "failed": 0},
		"hits":    map[string]any{"total": map[string]any{"value": total, "relation": relation}, "hits": hits},
	}
	if in["aggs"] != nil {
		answer["aggregations"] = aggregate(in["aggs"], found)
	}
	return answer
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func listOf(v any) []any {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		reject("%v is not a list", v)
	}
	return list
}

func fieldsOf(doc document, wanted []any) map[string]any {
	out := map[string]any{}
	for _, w := range wanted {
		f := known("fields", w, "field", "format")
		name := f["field"].(string)
		switch v := doc[name].(type) {
		case nil:
		case time.Time:
			if f["format"] != "strict_date_optional_time_nanos" {
				reject("format of %s is %v", name, f["format"])
			}
			out[name] = []any{v.Format(time.RFC3339Nano)}
		default:
			out[name] = []any{v}
		}
	}
	return out
}

// compare orders two values of one field.
func compare(a, b any) int {
	if t, ok := a.(time.Time); ok {
		return t.Compare(b.(time.Time))
	}
	if s, ok := a.(string); ok {
		return strings.Compare(s, b.(string))
	}
	return cmp.Compare(numberOf(a), numberOf(b))
}

func numberOf(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case int:
		return float64(n)
	case json.Number:
		f, err := n.Float64()
		if err != nil {
			reject("%v is not a number", v)
		}
		return f
	case time.Time:
		return float64(n.UnixMilli())
	}
	reject("%v is not a number", v)
	return 0
}

func matches(in any, doc document) bool {
	kind, body := only("query", in)
	switch kind {
	case "bool":
		return matchesBool(known("bool", body, "filter", "should", "must_not", "minimum_should_match"), doc)
	case "exists":
		return doc[known("exists", body, "field")["field"].(string)] != nil
	case "term":
		name, want := only("term", body)
		return equals(doc[name], want)
	case "terms":
		name, want := only("terms", body)
		return slices.ContainsFunc(listOf(want), func(w any) bool { return equals(doc[name], w) })
	case "range":
		name, limits := only("range", body)
		return inRange(doc[name], known("range", limits, "gte", "gt", "lt", "format"))
	}
	reject("unknown query [%s]", kind)
	return false
}

func matchesBool(b map[string]any, doc document) bool {
	for _, q := range listOf(b["filter"]) {
		if !matches(q, doc) {
			return false
		}
	}
	for _, q := range listOf(b["must_not"]) {
		if matches(q, doc) {
			return false
		}
	}
	should := listOf(b["should"])
	if len(should) == 0 {
		return true
	}
	if integer("minimum_should_match", b["minimum_should_match"]) != 1 {
		reject("minimum_should_match is %v", b["minimum_should_match"])
	}
	return slices.ContainsFunc(should, func(q any) bool { return matches(q, doc) })
}

// equals compares as the field's type does: an ip field takes networks, too.
func equals(v, want any) bool {
	switch got := v.(type) {
	case nil:
		return false
	case bool:
		return got == want
	case string:
		if text, ok := want.(string); ok && strings.Contains(text, "/") {
			network, err := netip.ParsePrefix(text)
			address, errAddress := netip.ParseAddr(got)
			return err == nil && errAddress == nil && network.Contains(address)
		}
		return got == want
	}
	if text, ok := want.(string); ok {
		want = json.Number(text) // a field of numbers reads it as one
	}
	return numberOf(v) == numberOf(want)
}

func inRange(v any, limits map[string]any) bool {
	if v == nil {
		return false
	}
	if _, date := v.(time.Time); date && limits["format"] != "epoch_millis" {
		reject("a range of a date in the format %v", limits["format"])
	}
	n := numberOf(v)
	if from, ok := limits["gte"]; ok && n < numberOf(from) {
		return false
	}
	if above, ok := limits["gt"]; ok && n <= numberOf(above) {
		return false
	}
	to, ok := limits["lt"]
	return !ok || n < numberOf(to)
}
