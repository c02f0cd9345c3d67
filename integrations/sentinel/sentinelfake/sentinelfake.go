// Package sentinelfake is a double of a workspace with Microsoft Sentinel: the part of
// Azure's Resource Manager that holds incidents, and the token endpoint of Entra.
package sentinelfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// The tenant, and what an application needs to log in.
const (
	Tenant        = "00000000-0000-0000-0000-000000000001"
	ClientID      = "00000000-0000-0000-0000-000000000002"
	ClientSecret  = "the-secret-of-the-application"
	Subscription  = "00000000-0000-0000-0000-000000000003"
	ResourceGroup = "soc"
	Workspace     = "soc-logs"
)

// Root is the path of Sentinel in the workspace, as the product writes it.
const Root = "/subscriptions/" + Subscription + "/resourceGroups/" + ResourceGroup +
	"/providers/Microsoft.OperationalInsights/workspaces/" + Workspace + "/providers/Microsoft.SecurityInsights"

// Double is a workspace. It is safe for concurrent use.
type Double struct {
	mux *http.ServeMux

	mu        sync.Mutex
	incidents map[string][]any
	tokens    int
	asked     int
}

// New returns a workspace without incidents.
func New() *Double {
	d := &Double{mux: http.NewServeMux(), incidents: map[string][]any{}}
	d.mux.HandleFunc("POST /"+Tenant+"/oauth2/v2.0/token", d.token)
	d.Handle("GET", "/incidents", d.list)
	d.Handle("POST", "/incidents/{incident}/entities", d.entities)
	return d
}

// Handle adds a call at a path below [Root], which needs a token. Azure reads paths
// regardless of capitals; a pattern is written in small letters, but for its wildcards.
func (d *Double) Handle(method, path string, h http.HandlerFunc) {
	d.mux.HandleFunc(method+" "+strings.ToLower(Root)+path, func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.asked++
		token := fmt.Sprintf("Bearer token-%d", d.tokens)
		d.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != token:
			Refuse(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
		case r.URL.Query().Get("api-version") == "":
			Refuse(w, http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
		default:
			h(w, r)
		}
	})
}

// ServeHTTP implements [http.Handler].
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lower := r.Clone(r.Context())
	lower.URL.Path = strings.ToLower(r.URL.Path)
	d.mux.ServeHTTP(w, lower)
}

// Add puts an incident with entities into the workspace.
func (d *Double) Add(incident string, entities ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.incidents[strings.ToLower(incident)] = entities
}

// Asked counts the calls at the workspace.
func (d *Double) Asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// Respond writes an answer.
func Respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// What was added to the workspace encodes, and a client that has gone hears nothing.
	_ = json.NewEncoder(w).Encode(body)
}

// Refuse writes an error as Azure's Resource Manager does.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	Respond(w, status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func (d *Double) token(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != "https://management.azure.com/.default":
		Respond(w, http.StatusBadRequest, map[string]any{"error": "invalid_scope", "error_codes": []int{70011}})
		return
	case r.PostFormValue("client_id") != ClientID:
		Respond(w, http.StatusBadRequest, map[string]any{"error": "unauthorized_client", "error_codes": []int{700016}})
		return
	case r.PostFormValue("client_secret") != ClientSecret:
		Respond(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_codes": []int{7000215}})
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens++
	Respond(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": fmt.Sprintf("token-%d", d.tokens)})
}

func (d *Double) list(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []any{}
	for name := range d.incidents {
		all = append(all, map[string]any{"id": Root + "/Incidents/" + name, "name": name, "type": "Microsoft.SecurityInsights/Incidents"})
		break
	}
	Respond(w, http.StatusOK, map[string]any{"value": all})
}

func (d *Double) entities(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	entities, ok := d.incidents[r.PathValue("incident")]
	if !ok {
		Refuse(w, http.StatusNotFound, "NotFound", "Incident "+r.PathValue("incident")+" was not found.")
		return
	}
	if entities == nil {
		entities = []any{}
	}
	Respond(w, http.StatusOK, map[string]any{"entities": entities, "metaData": []any{}})
}

// Entity is one as the product writes it.
func Entity(kind, name string, properties map[string]any) map[string]any {
	return map[string]any{
		"id": Root + "/entities/" + name, "name": name, "type": "Microsoft.SecurityInsights/Entities", "kind": kind, "properties": properties,
	}
}
