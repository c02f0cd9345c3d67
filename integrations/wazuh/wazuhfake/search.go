package wazuhfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
)

const (
	hitsByDefault = 10
	mostHits      = 10_000
)

// searchError is an error of the indexer: its type, and why.
type searchError struct {
	status       int
	kind, reason string
}

func (e *searchError) Error() string { return e.kind + ": " + e.reason }

func parsing(format string, args ...any) error {
	return &searchError{http.StatusBadRequest, "parsing_exception", fmt.Sprintf(format, args...)}
}

func illegal(format string, args ...any) error {
	return &searchError{http.StatusBadRequest, "illegal_argument_exception", fmt.Sprintf(format, args...)}
}

func (d *Double) indexRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, document{
			"name": "node-1", "cluster_name": "wazuh-cluster", "version": document{"distribution": "opensearch", "number": "2.19.4"},
			"tagline": "The OpenSearch Project: https://opensearch.org/",
		})
	})
	mux.HandleFunc("POST /{index}/_search", d.serveSearch)
	mux.HandleFunc("GET /{index}/_search", d.serveSearch)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := d.now()
		if o.Before != nil {
			o.Before(r)
		}
		if user, password, given := r.BasicAuth(); !given || user != o.IndexUser || password != o.IndexPassword {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (d *Double) serveSearch(w http.ResponseWriter, r *http.Request) {
	answer, err := d.search(d.now(), r)
	var wrong *searchError
	switch {
	case errors.As(err, &wrong):
		cause := document{"type": wrong.kind, "reason": wrong.reason}
		writeJSON(w, wrong.status, document{
			"error":  document{"root_cause": []any{cause}, "type": wrong.kind, "reason": wrong.reason},
			"status": wrong.status,
		})
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

// request is a search.
type request struct {
	query  json.RawMessage
	from   int
	size   int
	sort   []sortKey
	after  []any
	source json.RawMessage
	total  json.RawMessage
}

type sortKey struct {
	field      string
	descending bool
}

func readRequest(r *http.Request) (request, error) {
	req := request{size: hitsByDefault}
	for name := range r.URL.Query() {
		if !slices.Contains([]string{"ignore_unavailable", "allow_no_indices", "expand_wildcards"}, name) {
			return req, illegal("request [%s] contains unrecognized parameter: [%s]", r.URL.Path, name)
		}
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return req, fmt.Errorf("read the request: %w", err)
	}
	var body map[string]json.RawMessage
	if len(text) > 0 && json.Unmarshal(text, &body) != nil {
		return req, parsing("Unexpected character in the request")
	}
	var timeout string
	var sort []json.RawMessage
	for name, raw := range body {
		into := map[string]any{
			"query": &req.query, "from": &req.from, "size": &req.size, "sort": &sort, "search_after": &req.after,
			"_source": &req.source, "track_total_hits": &req.total, "timeout": &timeout,
		}[name]
		if into == nil {
			return req, parsing("Unknown key for a VALUE_STRING in [%s].", name)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return req, parsing("failed to parse [%s]", name)
		}
	}
	req.sort, err = readSort(sort)
	switch {
	case err != nil:
		return req, err
	case req.from < 0 || req.size < 0:
		return req, illegal("[from] and [size] parameters must not be negative")
	case req.from+req.size > mostHits:
		return req, illegal("Result window is too large, from + size must be less than or equal to: [%d] but was [%d].", mostHits, req.from+req.size)
	case req.after != nil && len(req.after) != len(req.sort):
		return req, illegal("search_after has %d value(s) but sort has %d.", len(req.after), len(req.sort))
	}
	return req, nil
}

// readSort reads fields to sort by: names, or objects of a name and its order.
func readSort(raw []json.RawMessage) ([]sortKey, error) {
	var keys []sortKey
	for _, one := range raw {
		var name string
		if json.Unmarshal(one, &name) == nil {
			keys = append(keys, sortKey{field: name})
			continue
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(one, &fields) != nil || len(fields) != 1 {
			return nil, parsing("malformed sort format")
		}
		for name, how := range fields {
			var by struct{ Order string }
			if json.Unmarshal(how, &by) != nil {
				if err := json.Unmarshal(how, &by.Order); err != nil {
					return nil, parsing("malformed sort format")
				}
			}
			if !slices.Contains([]string{"", "asc", "desc"}, by.Order) {
				return nil, illegal("No enum constant for sort order [%s]", by.Order)
			}
			keys = append(keys, sortKey{name, by.Order == "desc"})
		}
	}
	return keys, nil
}

// in are the alerts of the indices that a pattern names.
func in(all []alert, pattern string) ([]alert, error) {
	var found []alert
	for _, a := range all {
		for _, one := range strings.Split(pattern, ",") {
			if ok, err := path.Match(one, a.index); err == nil && ok {
				found = append(found, a)
				break
			}
		}
	}
	if len(found) == 0 && !strings.Contains(pattern, "*") {
		return nil, &searchError{http.StatusNotFound, "index_not_found_exception", "no such index [" + pattern + "]"}
	}
	return found, nil
}

func (d *Double) search(o Options, r *http.Request) (any, error) {
	req, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	matches, err := parseQuery(req.query, d.world.Now())
	if err != nil {
		return nil, err
	}
	if b := boundsOf(req.query); !o.AllowUnbounded && (!b.host || !b.time) {
		d.errorf("the search names no host (%t) or no time (%t), so that it reads the whole fleet: %s", b.host, b.time, req.query)
	}
	found, err := in(d.alerts(o), r.PathValue("index"))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(a alert) bool { return !matches(a.source) })
	total := len(found)
	sortHits(found, req.sort)
	found = afterHit(found, req)
	found = found[min(req.from, len(found)):min(req.from+req.size, len(found))]
	if o.TimedOut || o.FailedShards > 0 {
		found = found[:len(found)/2]
	}
	hits := []any{}
	for _, a := range found {
		hit := document{"_index": a.index, "_id": a.id, "_score": nil, "_source": sourceOf(a.source, req.source)}
		if len(req.sort) > 0 {
			hit["sort"] = sortValues(a, req.sort)
		}
		hits = append(hits, hit)
	}
	within := document{"max_score": nil, "hits": hits}
	if counted := totalOf(total, req.total); counted != nil {
		within["total"] = counted
	}
	answer := document{
		"took": 3, "timed_out": o.TimedOut,
		"_shards": document{"total": 3, "successful": 3 - o.FailedShards, "skipped": 0, "failed": o.FailedShards},
		"hits":    within,
	}
	return answer, nil
}

// totalOf is how many there are: counted up to 10,000, unless it was asked for all,
// or for none.
func totalOf(n int, asked json.RawMessage) any {
	switch string(asked) {
	case "false":
		return nil
	case "true":
		return document{"value": n, "relation": "eq"}
	}
	if n > mostHits {
		return document{"value": mostHits, "relation": "gte"}
	}
	return document{"value": n, "relation": "eq"}
}
