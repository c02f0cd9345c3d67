package defendfake

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

const (
	// apiVersion is the only version of the API.
	apiVersion = "2023-10-31"
	// version is that of both products and of the agents.
	version = "8.19.7"
)

// call is a request that Kibana takes up.
type call struct {
	by    Credential
	path  string // below the space
	query url.Values
	body  map[string]any
	r     *http.Request
}

// route is one operation of Kibana.
type route struct {
	method, pattern string // a part of a path in braces is any text
	// any are the privileges of which one is needed.
	any []string
	// least is the licence without which the privilege is worth nothing.
	least string
	serve func(d *Double, c *call) (any, *refusal)
}

func routes() []route {
	read := []string{SecuritySolution}
	files := []string{FileOperations, ExecuteOperations, ProcessOperations}
	const action = "/api/endpoint/action"
	return []route{
		{http.MethodPost, action + "/isolate", []string{HostIsolation}, "platinum", ordering("isolate")},
		// A host can be released after the licence was reduced, too.
		{http.MethodPost, action + "/unisolate", []string{HostRelease}, "basic", ordering("unisolate")},
		{http.MethodPost, action + "/execute", []string{ExecuteOperations}, "enterprise", ordering("execute")},
		{http.MethodPost, action + "/runscript", []string{ExecuteOperations}, "enterprise", ordering("runscript")},
		{http.MethodPost, action + "/kill_process", []string{ProcessOperations}, "enterprise", ordering("kill-process")},
		{http.MethodPost, action + "/running_procs", []string{ProcessOperations}, "enterprise", ordering("running-processes")},
		{http.MethodGet, action, []string{ActionsLog}, "platinum", (*Double).listActions},
		{http.MethodGet, action + "/{action_id}", []string{ActionsLog}, "platinum", (*Double).getAction},
		{http.MethodGet, action + "/{action_id}/file/{file_id}", files, "enterprise", (*Double).getFile},
		{http.MethodGet, action + "/{action_id}/file/{file_id}/download", files, "enterprise", (*Double).download},
		{http.MethodGet, "/api/status", read, "basic", (*Double).kibanaStatus},
		{http.MethodGet, "/api/endpoint/action_status", read, "basic", (*Double).actionStatus},
		{http.MethodGet, "/api/endpoint/metadata", read, "basic", (*Double).listMetadata},
		{http.MethodGet, "/api/endpoint/metadata/{id}", read, "basic", (*Double).getMetadata},
		{http.MethodGet, "/api/exception_lists/items/_find", []string{ReadExceptions}, "platinum", (*Double).findExceptions},
		{http.MethodGet, "/api/endpoint/scripts_library", []string{ExecuteOperations}, "enterprise", (*Double).listScripts},
	}
}

// Kibana serves the endpoint management API.
func (d *Double) Kibana() http.Handler {
	all := routes()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !d.wait(r) {
			return
		}
		answer, refused := d.serveKibana(all, r)
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		rw.Header().Set("kbn-name", "kibana")
		if d.o.UnknownWords || d.o.ExtraFields {
			rw.Header().Set(apispec.FaultHeader, "1") // which no description of the API knows
		}
		rw.Header().Set("Elastic-Api-Version", apiVersion)
		if refused != nil {
			for name, values := range refused.header {
				rw.Header()[name] = values
			}
			d.reply(rw, refused.status, refused.body)
			return
		}
		if raw, ok := answer.([]byte); ok {
			rw.Header().Set("Content-Type", "application/octet-stream")
			rw.Header().Set("X-Content-Type-Options", "nosniff")
			_, _ = rw.Write(raw) // Whoever has gone wants no answer.
			return
		}
		d.reply(rw, http.StatusOK, answer)
	})
}

func (d *Double) serveKibana(all []route, r *http.Request) (any, *refusal) {
	space, below := "default", r.URL.Path
	if rest, ok := strings.CutPrefix(below, "/s/"); ok {
		name, path, _ := strings.Cut(rest, "/")
		space, below = name, "/"+path
	}
	at := slices.IndexFunc(all, func(t route) bool { return t.method == r.Method && matchesPath(t.pattern, below) })
	if at < 0 {
		return nil, kibanaError(http.StatusNotFound, "Not Found")
	}
	d.mu.Lock()
	wait := d.kibana.over(d.w.Now(), d.o.Window, d.o.KibanaRequests)
	d.mu.Unlock()
	if wait > 0 {
		refused := kibanaError(http.StatusTooManyRequests, "Server is overloaded")
		refused.header = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(wait.Seconds())))}}
		return nil, refused
	}
	by, why := d.authenticate(r)
	if why != "" {
		return nil, kibanaError(http.StatusUnauthorized, "[security_exception\n\tRoot causes:\n\t\tsecurity_exception: %s]: %s", why, why)
	}
	// Not documented: how a space that is not there is answered.
	if space != d.o.Space {
		return nil, kibanaError(http.StatusNotFound, "Saved object [space/%s] not found", space)
	}
	c := &call{by: by, path: below, query: r.URL.Query(), r: r}
	if refused := c.headers(); refused != nil {
		return nil, refused
	}
	if !by.may(SecuritySolution) {
		return nil, kibanaError(http.StatusForbidden, "API [%s %s] is unauthorized for user, this action is granted by the Kibana privileges [securitySolution]", r.Method, r.URL.RequestURI())
	}
	if r.Method == http.MethodPost {
		body, err := decodeObject(r.Body)
		if err != nil {
			return nil, kibanaError(http.StatusBadRequest, "Invalid request payload JSON format")
		}
		c.body = body
	}
	t := all[at]
	if !slices.ContainsFunc(t.any, by.may) || !d.licensed(t.least) {
		// The same words tell of a licence and of a privilege that is missing.
		return nil, kibanaError(http.StatusForbidden, "Endpoint authorization failure")
	}
	return t.serve(d, c)
}

// kibanaStatus is the version of Kibana, and that it works.
func (d *Double) kibanaStatus(*call) (any, *refusal) {
	return map[string]any{
		"name": "kibana", "version": map[string]any{"number": version, "build_flavor": "traditional"},
		"status": map[string]any{"overall": map[string]any{"level": "available", "summary": "All services and plugins are available"}},
	}, nil
}

// headers checks those that Kibana asks for.
func (c *call) headers() *refusal {
	if c.r.Method != http.MethodGet {
		if c.r.Header.Get("Kbn-Xsrf") == "" && c.r.Header.Get("Kbn-Version") == "" {
			return kibanaError(http.StatusBadRequest, "Request must contain a kbn-xsrf header.")
		}
		if kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); kind != "application/json" {
			return kibanaError(http.StatusUnsupportedMediaType, "Unsupported Media Type")
		}
	}
	// A request without a version gets the oldest, which is the only one.
	if v := c.r.Header.Get("Elastic-Api-Version"); v != "" && v != apiVersion {
		return kibanaError(http.StatusBadRequest, "No version %q available for [%s] [%s]. Available versions are: %s", v, strings.ToLower(c.r.Method), c.path, apiVersion)
	}
	return nil
}

func matchesPath(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, part := range want {
		if part != got[i] && (!strings.HasPrefix(part, "{") || got[i] == "") {
			return false
		}
	}
	return true
}

// part is a part of the path, counted from the root.
func (c *call) part(n int) string { return strings.Split(c.path, "/")[n+1] }

// onlyQuery refuses parameters that are not listed.
func (c *call) onlyQuery(names ...string) *refusal {
	for name := range c.query {
		if !slices.Contains(names, name) {
			return kibanaError(http.StatusBadRequest, "[request query.%s]: definition for this key is missing", name)
		}
	}
	return nil
}

// number is a parameter that counts.
func (c *call) number(name string, fallback, least, most int) (int, *refusal) {
	if !c.query.Has(name) {
		return fallback, nil
	}
	n, err := strconv.Atoi(c.query.Get(name))
	switch {
	case err != nil:
		return 0, kibanaError(http.StatusBadRequest, "[request query.%s]: expected value of type [number] but got [string]", name)
	case n < least:
		return 0, kibanaError(http.StatusBadRequest, "[request query.%s]: Value must be equal to or greater than [%d].", name, least)
	case n > most:
		return 0, kibanaError(http.StatusBadRequest, "[request query.%s]: Value must be equal to or lower than [%d].", name, most)
	}
	return n, nil
}

// texts is a parameter that is one text or several.
func (c *call) texts(name string, most int, words ...string) ([]string, *refusal) {
	list := c.query[name]
	if len(list) == 1 && strings.HasPrefix(list[0], "[") {
		if err := json.Unmarshal([]byte(list[0]), &list); err != nil {
			return nil, kibanaError(http.StatusBadRequest, "[request query.%s]: could not parse array value from json input", name)
		}
	}
	if most > 0 && len(list) > most {
		return nil, kibanaError(http.StatusBadRequest, "[request query.%s]: array size is [%d], but cannot be greater than [%d]", name, len(list), most)
	}
	for i, v := range list {
		if v == "" {
			return nil, kibanaError(http.StatusBadRequest, "[request query.%s.%d]: value has length [0] but it must have a minimum length of [1].", name, i)
		}
		if len(words) > 0 && !slices.Contains(words, v) {
			return nil, kibanaError(http.StatusBadRequest, "[request query.%s]: types that failed validation:\n- [request query.%s.0]: expected value to equal [%s]", name, name, words[0])
		}
	}
	return list, nil
}

// pageOf cuts a page out of a list; the first page is number first.
func pageOf[T any](list []T, page, first, size int) []T {
	from := min(len(list), (page-first)*size)
	return list[from:min(len(list), from+size)]
}

// page returns the size of a page that was asked for, as it is given.
func (d *Double) page(size int) int {
	if d.o.MaxPage > 0 {
		return min(size, d.o.MaxPage)
	}
	return size
}

// expected is the error of a body's key that holds the wrong thing.
func expected(key, kind string, got any) *refusal {
	name := fmt.Sprintf("%T", got)
	switch got.(type) {
	case nil:
		name = "undefined"
	case string:
		name = "string"
	case json.Number:
		name = "number"
	case bool:
		name = "boolean"
	case []any:
		name = "Array"
	case map[string]any:
		name = "Object"
	}
	return kibanaError(http.StatusBadRequest, "[request body.%s]: expected value of type [%s] but got [%s]", key, kind, name)
}
