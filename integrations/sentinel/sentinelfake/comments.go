package sentinelfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Comments are the comments and the states of a workspace's incidents.
type Comments struct {
	mu        sync.Mutex
	incidents map[string]*kept
	// Changed, where it is set, is told of each change of an incident: the trigger of an
	// automation rule on updates.
	Changed func(name string, incident map[string]any)
}

type kept struct {
	version    int
	properties map[string]any
	names      []string
	messages   []string
}

// WithComments lets the workspace take comments at its incidents, and changes of them.
func (d *Double) WithComments() *Comments {
	c := &Comments{incidents: map[string]*kept{}}
	d.Handle("GET", "/incidents/{incident}", c.show)
	d.Handle("PUT", "/incidents/{incident}", c.change)
	d.Handle("PUT", "/incidents/{incident}/comments/{comment}", c.comment)
	return c
}

// Add puts an incident that is new into the workspace.
func (c *Comments) Add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incidents[name] = &kept{version: 1, properties: map[string]any{
		"title": "Egress", "severity": "High", "status": "New", "incidentNumber": 3177, "owner": map[string]any{"assignedTo": "kim"},
		"labels": []any{map[string]any{"labelName": "egress", "labelType": "User"}},
	}}
}

// Messages are the comments of an incident, oldest first.
func (c *Comments) Messages(name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.incidents[name]; ok {
		return slices.Clone(k.messages)
	}
	return nil
}

// Property is one property of an incident.
func (c *Comments) Property(name, property string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.incidents[name]; ok {
		return k.properties[property]
	}
	return nil
}

// Set has a person set a property of an incident.
func (c *Comments) Set(name, property string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incidents[name].properties[property] = value
	c.incidents[name].version++
}

func (k *kept) body(name string) map[string]any {
	return map[string]any{
		"id": Root + "/Incidents/" + name, "name": name, "type": "Microsoft.SecurityInsights/Incidents", "etag": k.etag(), "properties": k.properties,
	}
}

func (k *kept) etag() string { return fmt.Sprintf("%q", fmt.Sprint(k.version)) }

func (c *Comments) found(w http.ResponseWriter, r *http.Request) (*kept, string) {
	name := r.PathValue("incident")
	k, ok := c.incidents[name]
	if !ok {
		Refuse(w, http.StatusNotFound, "NotFound", "Incident "+name+" was not found.")
		return nil, name
	}
	return k, name
}

func (c *Comments) show(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, name := c.found(w, r); k != nil {
		Respond(w, http.StatusOK, k.body(name))
	}
}

// change replaces an incident: what the request leaves out is not there any more.
func (c *Comments) change(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var in struct {
		Etag       string         `json:"etag"`
		Properties map[string]any `json:"properties"`
	}
	k, name := c.found(w, r)
	switch {
	case k == nil:
	case json.NewDecoder(r.Body).Decode(&in) != nil || in.Properties["title"] == nil || in.Properties["severity"] == nil || in.Properties["status"] == nil:
		Refuse(w, http.StatusBadRequest, "BadRequest", "title, severity and status are required.")
	case in.Properties["status"] == "Closed" && in.Properties["classification"] == nil:
		Refuse(w, http.StatusBadRequest, "BadRequest", "A closed incident needs a classification.")
	case in.Etag != k.etag():
		Refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "The etag does not match.")
	default:
		in.Properties["incidentNumber"] = k.properties["incidentNumber"]
		k.properties = in.Properties
		c.changed(k, name)
		Respond(w, http.StatusOK, k.body(name))
	}
}

func (c *Comments) comment(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var in struct {
		Properties struct {
			Message string `json:"message"`
		} `json:"properties"`
	}
	k, name := c.found(w, r)
	if k == nil {
		return
	}
	comment := strings.ToLower(r.PathValue("comment"))
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Properties.Message == "" || len(in.Properties.Message) > 30_000 || len(comment) != 36 {
		Refuse(w, http.StatusBadRequest, "BadRequest", "The comment is invalid.")
		return
	}
	if at := slices.Index(k.names, comment); at >= 0 {
		k.messages[at] = in.Properties.Message
	} else {
		k.names, k.messages = append(k.names, comment), append(k.messages, in.Properties.Message)
	}
	c.changed(k, name)
	Respond(w, http.StatusOK, map[string]any{"name": comment, "properties": map[string]any{"message": in.Properties.Message}})
}

func (c *Comments) changed(k *kept, name string) {
	k.version++
	if c.Changed != nil {
		c.Changed(name, k.body(name))
	}
}
