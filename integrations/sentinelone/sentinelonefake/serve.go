package sentinelonefake

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// failure is an answer of the console that is none.
type failure struct {
	status, code  int
	title, detail string
}

// endpoint is one operation of the console. It answers with a document, or fails.
type endpoint struct {
	pattern string
	// needs are the permissions that it takes, all of them.
	needs []string
	// open endpoints take no token.
	open  bool
	serve func(d *Double, o Options, r *http.Request) (any, *failure)
}

const api = "/web/api/v2.1"

func endpoints() []endpoint {
	return []endpoint{
		{pattern: "GET /system/info", serve: (*Double).systemInfo},
		{pattern: "GET /user", serve: (*Double).user},
		{pattern: "POST /users/api-token-details", open: true, serve: (*Double).tokenDetails},
		{pattern: "GET /rbac/role/{role}", needs: []string{"Roles.view"}, serve: (*Double).role},
		{pattern: "GET /agents", needs: []string{"Endpoints.view"}, serve: (*Double).agents},
		{pattern: "GET /agents/count", needs: []string{"Endpoints.view"}, serve: (*Double).countAgents},
		{pattern: "POST /agents/actions/disconnect", needs: []string{"Endpoints.disconnectFromNetwork"}, serve: (*Double).disconnect},
		{pattern: "POST /agents/actions/connect", needs: []string{"Endpoints.reconnectToNetwork"}, serve: (*Double).connect},
		{pattern: "POST /agents/actions/manage-tags", needs: []string{"Endpoints.manageEndpointTags"}, serve: (*Double).manageTags},
		{pattern: "POST /agents/actions/set-external-id", needs: []string{"Endpoints.setCustomerIdentifier"}, serve: (*Double).setExternalID},
		{pattern: "POST /tag-manager", needs: []string{"Tag Management.create"}, serve: (*Double).createTag},
		{pattern: "GET /activities", needs: []string{"Activity Page.view"}, serve: (*Double).activities},
		{pattern: "GET /activities/types", needs: []string{"Activity Page.view"}, serve: (*Double).activityTypes},
		{pattern: "GET /remote-scripts", needs: []string{scriptsView}, serve: (*Double).listScripts},
		{pattern: "POST /remote-scripts/guardrails/check", needs: []string{scriptsView}, serve: (*Double).checkGuardrails},
		{pattern: "POST /remote-scripts/execute", needs: []string{scriptsView}, serve: (*Double).execute},
		{pattern: "GET /remote-scripts/status", needs: []string{"Task Management.view"}, serve: (*Double).scriptStatus},
		{pattern: "POST /remote-scripts/fetch-files", needs: []string{scriptsView}, serve: (*Double).fetchFiles},
		{pattern: "GET /remote-scripts/pending-executions", needs: []string{scriptsView}, serve: (*Double).pendingExecutions},
		{pattern: "PUT /remote-scripts/pending-executions/{pending}", needs: []string{"Remote Script Orchestration.reviewPendingExecutions"}, serve: (*Double).decide},
	}
}

func (d *Double) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints() {
		method, path, _ := strings.Cut(e.pattern, " ")
		mux.HandleFunc(method+" "+api+path, func(w http.ResponseWriter, r *http.Request) { d.serveConsole(w, r, e) })
	}
	mux.HandleFunc("POST /sdl/v2/api/queries", d.serveLaunch)
	mux.HandleFunc("GET /sdl/v2/api/queries/{id}", d.servePoll)
	mux.HandleFunc("DELETE /sdl/v2/api/queries/{id}", d.serveDelete)
	mux.HandleFunc(api+"/", func(w http.ResponseWriter, _ *http.Request) {
		d.refuse(w, &failure{http.StatusNotFound, 4040010, "Not found", ""})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := d.now().Before; before != nil {
			before(r)
		}
		mux.ServeHTTP(w, r)
	})
}

func (d *Double) serveConsole(w http.ResponseWriter, r *http.Request, e endpoint) {
	o := d.now()
	if f := d.admit(o, r, e); f != nil {
		d.refuse(w, f)
		return
	}
	answer, f := e.serve(d, o, r)
	if f != nil {
		d.refuse(w, f)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// admit checks the token, the pace and the permissions. That a wrong and an
// expired token are answered alike is what integrators report.
func (d *Double) admit(o Options, r *http.Request, e endpoint) *failure {
	if !e.open && (r.Header.Get("Authorization") != "ApiToken "+o.Token || !d.world.Now().Before(o.Expires)) {
		return &failure{http.StatusUnauthorized, 4010010, "Authentication Failed", ""}
	}
	if o.PerSecond > 0 && !d.take(&d.console, o, o.PerSecond) {
		// Not documented: the code, and whether a header says when to come again.
		return &failure{http.StatusTooManyRequests, 4290010, "Too Many Requests", ""}
	}
	for _, p := range e.needs {
		if f := o.permit(p); f != nil {
			return f
		}
	}
	return nil
}

// permit fails where the role lacks a permission.
func (o Options) permit(permission string) *failure {
	if o.Permissions == nil || slices.Contains(o.Permissions, permission) {
		return nil
	}
	return &failure{http.StatusForbidden, 4030010, "Insufficient permissions", "User does not have required permissions"}
}

// window counts the requests of one second.
type window struct {
	since time.Time
	n     int
}

// take takes one request out of a second's, and reports whether there was one.
func (d *Double) take(w *window, o Options, perSecond int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := o.Pace()
	if passed := now.Sub(w.since); passed < 0 || passed >= time.Second {
		*w = window{since: now}
	}
	if w.n >= perSecond {
		return false
	}
	w.n++
	return true
}

func (d *Double) refuse(w http.ResponseWriter, f *failure) {
	var detail any
	if f.detail != "" {
		detail = f.detail
	}
	writeJSON(w, f.status, map[string]any{"errors": []any{map[string]any{"code": f.code, "detail": detail, "title": f.title}}})
}

// invalid is the answer to input that the console does not take. Its code is not
// documented.
func invalid(detail string) *failure {
	return &failure{http.StatusBadRequest, 4000040, "Validation Error", detail}
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

// readBody reads a request's JSON object, which has these members only.
func readBody(r *http.Request, members ...string) (map[string]json.RawMessage, *failure) {
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, invalid("body: " + err.Error())
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(text, &body); err != nil || body == nil {
		return nil, invalid("body: not a JSON object")
	}
	for name := range body {
		if !slices.Contains(members, name) {
			return nil, invalid(name + ": Unknown field.")
		}
	}
	return body, nil
}

// readData reads the member data of a body, an object or a list of objects, whose
// members are all of these, spelt like this.
func readData(body map[string]json.RawMessage, into any, members ...string) *failure {
	if len(body["data"]) == 0 {
		return invalid("data: Missing data for required field.")
	}
	var objects []map[string]json.RawMessage
	if json.Unmarshal(body["data"], &objects) != nil {
		var one map[string]json.RawMessage
		if err := json.Unmarshal(body["data"], &one); err != nil {
			return invalid("data: " + err.Error())
		}
		objects = append(objects, one)
	}
	for _, o := range objects {
		for name := range o {
			if !slices.Contains(members, name) {
				return invalid("data -> " + name + ": Unknown field.")
			}
		}
	}
	if err := json.Unmarshal(body["data"], into); err != nil {
		return invalid("data: " + err.Error())
	}
	return nil
}
