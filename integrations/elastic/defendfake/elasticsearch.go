package defendfake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Elasticsearch serves the searches over the events.
func (d *Double) Elasticsearch() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !d.wait(r) {
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-Elastic-Product", "Elasticsearch")
		answer, refused := d.serveElastic(rw.Header(), r)
		if refused != nil {
			for name, values := range refused.header {
				rw.Header()[name] = values
			}
			d.reply(rw, refused.status, refused.body)
			return
		}
		d.reply(rw, http.StatusOK, answer)
	})
}

func (d *Double) serveElastic(header http.Header, r *http.Request) (any, *refusal) {
	d.mu.Lock()
	wait := d.elastic.over(d.w.Now(), d.o.Window, d.o.ElasticRequests)
	d.mu.Unlock()
	if wait > 0 { // which says nothing of when to come again
		return nil, elasticError(http.StatusTooManyRequests, "es_rejected_execution_exception", "rejected execution of TimedRunnable on EsThreadPoolExecutor[name = node-1/search, queue capacity = 1000]")
	}
	by, why := d.authenticate(r)
	if why != "" {
		refused := elasticError(http.StatusUnauthorized, "security_exception", "%s", why)
		refused.header = http.Header{"WWW-Authenticate": {`Basic realm="security", charset="UTF-8"`, "ApiKey"}}
		return nil, refused
	}
	index, operation := "", strings.TrimPrefix(r.URL.Path, "/")
	if at := strings.LastIndex(operation, "/_"); at > 0 && !strings.HasPrefix(operation, "_") {
		index, operation = operation[:at], operation[at+1:]
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodPost
	if r.Method == http.MethodPost && r.ContentLength != 0 && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/vnd.elasticsearch+json") {
		return nil, elasticError(http.StatusNotAcceptable, "media_type_header_exception", "Content-Type header [%s] is not supported", r.Header.Get("Content-Type"))
	}
	switch {
	case operation == "" && r.Method == http.MethodGet:
		return map[string]any{
			"name": "node-1", "cluster_name": "hospital", "tagline": "You Know, for Search",
			"version": map[string]any{"number": version, "build_flavor": "default", "minimum_wire_compatibility_version": "7.17.0"},
		}, nil
	case operation == "_security/_authenticate" && r.Method == http.MethodGet:
		return by.describe(), nil
	case operation == "_security/user/_has_privileges" && reads:
		return d.hasPrivileges(by, r)
	case operation == "_search" && reads:
		return d.serveSearch(by, index, r)
	case operation == "_query" && r.Method == http.MethodPost && index == "":
		return d.serveQuery(header, by, r)
	case operation == "_pit" && r.Method == http.MethodPost && index != "":
		return d.openPIT(by, index, r)
	case operation == "_pit" && r.Method == http.MethodDelete && index == "":
		return d.closePIT(r)
	}
	return nil, elasticError(http.StatusBadRequest, "illegal_argument_exception", "no handler found for uri [%s] and method [%s]", r.URL.RequestURI(), r.Method)
}

// resolve returns the data streams that a list of names means to a credential.
// Patterns mean those that may be read, and pass the others by without a word.
func (d *Double) resolve(by Credential, index string, query url.Values) ([]string, *refusal) {
	if index == "" || index == "_all" {
		index = "*"
	}
	forbidden := func(name string) *refusal {
		return elasticError(http.StatusForbidden, "security_exception", "action [indices:data/read/search] is unauthorized for user [%s] on indices [%s], this action is granted by the index privileges [read,all]", by.User, name)
	}
	if len(by.Indices) == 0 {
		return nil, forbidden(index)
	}
	var found []string
	for _, name := range strings.Split(index, ",") {
		if without, ok := strings.CutPrefix(name, "-"); ok {
			found = slices.DeleteFunc(found, func(s string) bool { return matchesPattern(without, s) })
			continue
		}
		pattern := strings.Contains(name, "*")
		some := false
		for _, s := range d.o.Streams {
			if !matchesPattern(name, s) {
				continue
			}
			switch {
			case by.reads(s):
				some = true
				if !slices.Contains(found, s) {
					found = append(found, s)
				}
			case !pattern:
				return nil, forbidden(name)
			}
		}
		missing := !some && (!pattern && query.Get("ignore_unavailable") != "true" || pattern && query.Get("allow_no_indices") == "false")
		if missing {
			return nil, elasticError(http.StatusNotFound, "index_not_found_exception", "no such index [%s]", name)
		}
	}
	return found, nil
}

// bound is what a query is bounded by: a begin of its time, which is at most an hour before
// its end where it is short, and a host.
type bound struct{ time, short, host bool }

func (b bound) and(o bound) bound {
	return bound{b.time || o.time, b.short || o.short, b.host || o.host}
}

func (b bound) or(o bound) bound {
	return bound{b.time && o.time, b.short && o.short, b.host && o.host}
}

// check fails the test where a query asks for the whole fleet, or for all times. What
// looks whether there is anything, asking for one document of a short time at most and
// counting none, needs no host: it ends at the first.
func (d *Double) check(b bound, looks bool, query string) {
	if d.o.AllowUnbounded || looks && b.short {
		return
	}
	var lacks []string
	if !b.time {
		lacks = append(lacks, "a begin of its time")
	}
	if !b.host {
		lacks = append(lacks, "a host")
	}
	if lacks != nil {
		d.complain("a search has no bound for %s: %s", strings.Join(lacks, " and none for "), query)
	}
}

// bounds reports whether a field is one that bounds a query to one host, one
// process or one script.
func bounds(field string) bool {
	return slices.Contains([]string{
		"agent.id", "elastic.agent.id", "elastic_agent.id", "host.id", "host.name", "host.hostname", "host.ip", "winlog.computer_name",
		"source.ip", "process.entity_id", "process.parent.entity_id", "powershell.file.script_block_id", "_id",
	}, field)
}

// parts are the successful and failed parts of an answer.
type parts struct {
	total, failed int
	failures      []any
}

func (p parts) body() map[string]any {
	body := map[string]any{"total": p.total, "successful": p.total - p.failed, "skipped": 0, "failed": p.failed}
	if p.failures != nil {
		body["failures"] = p.failures
	}
	return body
}

func (p *parts) fail(stream, kind, reason string) {
	p.failed++
	p.failures = append(p.failures, map[string]any{
		"shard": 0, "index": backing(stream), "node": "node-1", "reason": map[string]any{"type": kind, "reason": reason},
	})
}

// backing is the index in which a data stream keeps its events.
func backing(stream string) string {
	if !strings.HasPrefix(stream, "logs-") {
		return stream
	}
	return fmt.Sprintf(".ds-%s-2026.11.01-000001", stream)
}
