package sentinelfake

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// provide answers a call as the provider Microsoft.SecurityInsights.
func (d *Double) provide(w http.ResponseWriter, r *http.Request, t target) {
	parts := strings.Split(t.rest, "/")
	if !strings.EqualFold(parts[0], "incidents") {
		refuse(http.StatusNotFound, "NotFound", "There is no such resource.").write(w)
		return
	}
	switch {
	case len(parts) == 1 && r.Method == http.MethodGet:
		d.list(w, r)
	case len(parts) == 2 && r.Method == http.MethodGet:
		d.get(w, parts[1])
	case len(parts) == 2 && r.Method == http.MethodPut:
		d.put(w, r, parts[1])
	case len(parts) == 3 && parts[2] == "entities" && r.Method == http.MethodPost:
		d.entities(w, parts[1])
	case len(parts) == 3 && parts[2] == "comments" && r.Method == http.MethodGet:
		d.listComments(w, r, parts[1])
	case len(parts) == 4 && parts[2] == "comments" && r.Method == http.MethodGet:
		d.getComment(w, parts[1], parts[3])
	case len(parts) == 4 && parts[2] == "comments" && r.Method == http.MethodPut:
		d.putComment(w, r, parts[1], parts[3])
	default:
		refuse(http.StatusMethodNotAllowed, "UnsupportedApiVersion", "The HTTP resource that matches the request URI does not support HTTP method '"+r.Method+"'.").write(w)
	}
}

func conflict(name string) *refusal {
	return refuse(http.StatusConflict, "Conflict", "New version of resource '"+name+"' exists. Data was not saved")
}

func missing(name string) *refusal {
	return refuse(http.StatusNotFound, "NotFound", "Incident '"+name+"' was not found")
}

// etag is that of an incident; its quotes are part of it.
func (r *record) etag() string {
	return fmt.Sprintf(`"0300bf09-0000-0000-0000-%012x"`, r.number<<16|r.version)
}

// Root is the path of everything of Sentinel in the workspace.
func (d *Double) Root() string { return strings.TrimSuffix(d.id(""), "/") }

// id is the resource id of what has a path below the provider.
func (d *Double) id(rest string) string {
	return "/subscriptions/" + d.Subscription + "/resourceGroups/" + d.ResourceGroup +
		"/providers/Microsoft.OperationalInsights/workspaces/" + d.Workspace + "/providers/Microsoft.SecurityInsights/" + rest
}

// shown is an incident as it is read. The caller holds the lock.
func (d *Double) shown(r *record) map[string]any {
	properties := map[string]any{
		"createdTimeUtc": stamp(r.created), "lastModifiedTimeUtc": stamp(r.modified),
		"incidentNumber": r.number, "relatedAnalyticRuleIds": []any{},
		"incidentUrl":  "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident" + d.id("incidents/"+r.name),
		"providerName": "Azure Sentinel", "providerIncidentId": fmt.Sprint(r.number),
		// An incident that nobody has is one whose owner has nothing.
		"owner": map[string]any{"objectId": nil, "email": nil, "assignedTo": nil, "userPrincipalName": nil},
		"additionalData": map[string]any{
			"alertsCount": 1, "bookmarksCount": 0, "commentsCount": len(r.comments),
			"alertProductNames": []any{"Azure Sentinel"}, "tactics": []any{},
		},
	}
	maps.Copy(properties, r.fixed)
	maps.Copy(properties, r.properties)
	body := map[string]any{
		"id": d.id("Incidents/" + r.name), "name": r.name, "type": "Microsoft.SecurityInsights/Incidents", "properties": properties,
	}
	if !d.o.NoEtag {
		body["etag"] = r.etag()
	}
	return body
}

func (d *Double) list(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []any
	for _, name := range slices.Sorted(maps.Keys(d.incidents)) {
		all = append(all, d.shown(d.incidents[name]))
	}
	d.page(w, r, all, 50)
}

func (d *Double) get(w http.ResponseWriter, name string) {
	d.mu.Lock()
	r := d.incidents[strings.ToLower(name)]
	if r == nil {
		d.mu.Unlock()
		missing(name).write(w)
		return
	}
	body := d.shown(r)
	var race func()
	if len(d.races) > 0 {
		race, d.races = d.races[0], d.races[1:]
	}
	d.mu.Unlock()
	if race != nil {
		race()
	}
	writeJSON(w, http.StatusOK, body)
}

// writable are the properties that can be written; all others of a request are left out of
// account.
func writable() []string {
	return []string{
		"title", "severity", "status", "description", "owner", "labels", "classification",
		"classificationComment", "classificationReason", "firstActivityTimeUtc", "lastActivityTimeUtc",
	}
}

// put creates or replaces an incident. That what a request leaves out is emptied is the
// reading of PUT that is harder on a client; no page says it.
func (d *Double) put(w http.ResponseWriter, r *http.Request, name string) {
	var body struct {
		Etag       string         `json:"etag"`
		Properties map[string]any `json:"properties"`
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &body) != nil {
		refuse(http.StatusBadRequest, "BadRequest", "Bad request body.").write(w)
		return
	}
	if refused := invalid(body.Properties); refused != nil {
		refused.write(w)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	status, there := http.StatusOK, d.incidents[strings.ToLower(name)]
	switch {
	case there == nil && body.Etag != "" && body.Etag != "*":
		// A version that was read is not there any more.
		conflict(name).write(w)
		return
	case there == nil:
		status = http.StatusCreated
		d.serial++
		there = &record{name: name, number: 3000 + d.serial, created: d.o.Now()}
		d.incidents[strings.ToLower(name)] = there
	case body.Etag == "" && d.o.EtagRequired, body.Etag != "" && body.Etag != "*" && body.Etag != there.etag():
		conflict(name).write(w)
		return
	}
	there.properties = map[string]any{"labels": []any{}}
	for _, key := range writable() {
		if v, ok := body.Properties[key]; ok && v != nil {
			there.properties[key] = v
		}
	}
	d.touch(there)
	writeJSON(w, status, d.shown(there))
}

// reasons are the reasons that go with a classification. That one of them must be named is
// reported of BenignPositive, with the words of the answer; of the others it is not
// documented.
func reasons() map[string][]string {
	return map[string][]string{
		"TruePositive":   {"SuspiciousActivity"},
		"BenignPositive": {"SuspiciousButExpected"},
		"FalsePositive":  {"IncorrectAlertLogic", "InaccurateData"},
		"Undetermined":   {""},
	}
}

// invalid returns what is wrong with the properties of an incident, or nil.
func invalid(p map[string]any) *refusal {
	bad := func(message string) *refusal { return refuse(http.StatusBadRequest, "BadRequest", message) }
	text := func(key string) string { v, _ := p[key].(string); return v }
	for key, values := range map[string][]string{
		"severity": {"High", "Medium", "Low", "Informational"}, "status": {"New", "Active", "Closed"},
	} {
		if !slices.Contains(values, text(key)) {
			return bad("Invalid value for '" + key + "'.")
		}
	}
	classification, reason := text("classification"), text("classificationReason")
	allowed, known := reasons()[classification]
	switch {
	case text("title") == "":
		return bad("'title' is required.")
	case text("status") == "Closed" && classification == "":
		return bad("A closed incident must have a classification.")
	case classification != "" && !known:
		return bad("Invalid value for 'classification'.")
	case known && reason == "" && !slices.Contains(allowed, ""):
		return bad("classification '" + classification + "' must have classificationReason.")
	case known && !slices.Contains(allowed, reason):
		return bad("classification '" + classification + "' does not fit classificationReason '" + reason + "'.")
	}
	return nil
}

// entities answers with all of an incident at once; the API has no pages for them.
func (d *Double) entities(w http.ResponseWriter, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.incidents[strings.ToLower(name)]
	if r == nil {
		missing(name).write(w)
		return
	}
	if body, ok := d.raw[strings.ToLower(name)]; ok {
		w.Header().Set(apispec.FaultHeader, "entities")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, body)
		return
	}
	counts := map[string]int{}
	all := []any{}
	for i, e := range r.entities {
		entity, _ := e.(map[string]any)
		kind, _ := entity["kind"].(string)
		counts[kind]++
		own := fmt.Sprintf("e1d3d618-e11f-478b-98e3-%06x%06x", r.number, i)
		all = append(all, map[string]any{
			"id": d.id("Entities/" + own), "name": own, "type": "Microsoft.SecurityInsights/Entities",
			"kind": kind, "properties": entity["properties"],
		})
	}
	meta := []any{}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		meta = append(meta, map[string]any{"entityKind": kind, "count": counts[kind]})
	}
	writeJSON(w, http.StatusOK, map[string]any{"entities": all, "metaData": meta})
}
