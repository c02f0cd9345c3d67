package wazuhfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// failure is an answer of the API that is none. A code of 0 is not written.
type failure struct {
	status, code  int
	title, detail string
}

// endpoint is one operation of the API. It answers with a document, or fails.
type endpoint struct {
	pattern string
	// takes are its query parameters, besides those that all have.
	takes []string
	// gone are those that 5.x removed.
	gone  bool
	serve func(d *Double, o Options, r *http.Request) (any, *failure)
}

func listed(more ...string) []string {
	return append([]string{"offset", "limit", "sort", "search", "select", "q", "distinct"}, more...)
}

func endpoints() []endpoint {
	return []endpoint{
		{pattern: "GET /{$}", serve: (*Double).info},
		{pattern: "GET /security/users/me", serve: (*Double).me},
		{pattern: "GET /security/users/me/policies", serve: (*Double).policies},
		{pattern: "GET /manager/info", serve: (*Double).managerInfo},
		{pattern: "GET /agents", serve: (*Double).agents, takes: listed("agents_list", "status", "older_than", "os.platform", "os.version",
			"os.name", "manager", "version", "group", "node_name", "name", "ip", "registerIP", "group_config_status")},
		{pattern: "PUT /agents/{agent}/group/{group}", serve: (*Double).assign, takes: []string{"force_single_group"}},
		{pattern: "DELETE /agents/{agent}/group/{group}", serve: (*Double).unassign},
		{pattern: "GET /syscollector/{agent}/processes", gone: true, serve: (*Double).processes, takes: listed("pid", "state", "ppid", "egroup",
			"euser", "fgroup", "name", "nlwp", "pgrp", "priority", "rgroup", "ruser", "sgroup", "suser")},
		{pattern: "GET /syscollector/{agent}/ports", gone: true, serve: (*Double).ports, takes: listed("pid", "protocol", "local.ip",
			"local.port", "remote.ip", "tx_queue", "state", "process")},
		{pattern: "GET /syscollector/{agent}/netaddr", gone: true, serve: (*Double).netaddr, takes: listed("iface", "proto", "address",
			"broadcast", "netmask")},
		{pattern: "GET /syscollector/{agent}/users", gone: true, serve: (*Double).users, takes: listed()},
		{pattern: "GET /syscollector/{agent}/os", gone: true, serve: (*Double).os, takes: []string{"select"}},
		{pattern: "PUT /active-response", gone: true, serve: (*Double).activeResponse, takes: []string{"agents_list"}},
	}
}

func (d *Double) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints() {
		mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { d.serveAPI(w, r, e) })
	}
	mux.HandleFunc("POST /security/user/authenticate", d.serveLogin)
	mux.HandleFunc("GET /security/user/authenticate", d.serveLogin)
	mux.HandleFunc("DELETE /security/user/authenticate", d.serveLogout)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := d.now()
		if o.Before != nil {
			o.Before(r)
		}
		// The manager's framework divides parameters at & only, Go at ; as well.
		r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, ";", "%3B")
		if _, pattern := mux.Handler(r); pattern == "" {
			d.refuse(w, o, d.unrouted(mux, r))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// unrouted is the answer to a path, or a method on a path, that there is not.
func (d *Double) unrouted(mux *http.ServeMux, r *http.Request) *failure {
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			return &failure{http.StatusMethodNotAllowed, 0, "Method Not Allowed", "Specified method is invalid for this resource"}
		}
	}
	return &failure{http.StatusNotFound, 0, "Not Found", "404: Not Found"}
}

func (d *Double) serveAPI(w http.ResponseWriter, r *http.Request, e endpoint) {
	o := d.now()
	answer, f := any(nil), d.admit(o, r)
	switch {
	case f != nil:
	case e.gone && !strings.HasPrefix(strings.TrimPrefix(o.Version, "v"), "4."):
		f = &failure{http.StatusNotFound, 0, "Not Found", "404: Not Found"}
	default:
		if f = known(r.URL.Query(), e.takes); f == nil {
			answer, f = e.serve(d, o, r)
		}
	}
	if f != nil {
		d.refuse(w, o, f)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// known refuses query parameters that the operation does not have.
func known(q url.Values, takes []string) *failure {
	for name := range q {
		if name != "pretty" && name != "wait_for_complete" && !slices.Contains(takes, name) {
			return badRequest("Extra query parameter(s) " + name + " not in spec")
		}
	}
	return nil
}

func (d *Double) refuse(w http.ResponseWriter, o Options, f *failure) {
	document := map[string]any{"title": f.title, "detail": f.detail}
	if f.code != 0 {
		name := "error"
		if o.Older {
			name = "code"
		}
		document[name] = f.code
	}
	writeJSON(w, f.status, document)
}

func badRequest(detail string) *failure {
	return &failure{http.StatusBadRequest, 0, "Bad Request", detail}
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that went away is its own affair
}

// refused is why an operation failed for some agents.
type refused struct {
	code    int
	message string
	ids     []string
}

// outcome is what became of an operation on several things.
type outcome struct {
	done   []any
	failed []refused
	// all, some and none are the messages.
	all, some, none string
}

// fail adds an agent to those for which the operation failed.
func (out *outcome) fail(id string, code int, message string) {
	if at := slices.IndexFunc(out.failed, func(r refused) bool { return r.code == code && r.message == message }); at >= 0 {
		out.failed[at].ids = append(out.failed[at].ids, id)
		return
	}
	out.failed = append(out.failed, refused{code, message, []string{id}})
}

// document is the answer: 200, whatever failed; error is 2 where some did, and 1
// where all did.
func (out *outcome) document(total int) map[string]any {
	failed, n := []any{}, 0
	for _, r := range out.failed {
		n += len(r.ids)
		failed = append(failed, map[string]any{
			"error": map[string]any{"code": r.code, "message": r.message, "remediation": "Please, see the documentation"}, "id": r.ids,
		})
	}
	code, message := 0, out.all
	switch {
	case n > 0 && len(out.done) > 0:
		code, message = 2, out.some
	case n > 0:
		code, message = 1, out.none
	}
	if out.done == nil {
		out.done = []any{}
	}
	return map[string]any{
		"data": map[string]any{
			"affected_items": out.done, "total_affected_items": total, "total_failed_items": n, "failed_items": failed,
		},
		"message": message, "error": code,
	}
}

func (d *Double) managerInfo(o Options, _ *http.Request) (any, *failure) {
	if o.Rights != nil && len(o.Rights["manager:read"]) == 0 {
		return nil, denied("*:*")
	}
	out := outcome{all: "Basic information was successfully read in specified node", done: []any{map[string]any{
		"path": "/var/ossec", "version": "v" + strings.TrimPrefix(o.Version, "v"), "type": "server", "max_agents": "unlimited", "openssl_support": true,
		"tz_offset": 0, "tz_name": "UTC",
	}}}
	return out.document(1), nil
}

func (d *Double) info(o Options, _ *http.Request) (any, *failure) {
	return map[string]any{"data": map[string]any{
		"title": "Wazuh API REST", "api_version": o.Version, "revision": "rc1", "license_name": "GPL 2.0",
		"license_url": fmt.Sprintf("https://github.com/wazuh/wazuh/blob/v%s/LICENSE", strings.TrimPrefix(o.Version, "v")),
		"hostname":    "wazuh-manager", "timestamp": d.world.Now().Format("2006-01-02T15:04:05Z"),
	}, "error": 0}, nil
}
