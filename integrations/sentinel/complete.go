package sentinel

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// mostIncidents bounds the incidents of one request whose entities are fetched.
const mostIncidents = 20

// Complete implements [integrations.Completer]: an incident without entities gets those
// that it has in the workspace.
func (c *Client) Complete(ctx context.Context, body []byte) ([]byte, error) {
	const op = "fetch the entities of incidents"
	if !json.Valid(body) {
		return body, nil
	}
	var root any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&root); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	bare := slices.DeleteFunc(incidentsOf(root), func(i map[string]any) bool { return !lacksEntities(i) })
	switch {
	case len(bare) == 0:
		return body, nil
	case len(bare) > mostIncidents:
		return nil, integrations.Refuse(integrations.Invalid, op, "a request names %d incidents, and those of %d at most are fetched", len(bare), mostIncidents)
	}
	for _, i := range bare {
		found, err := c.entities(ctx, i)
		if err != nil {
			return nil, err
		}
		properties, _ := i["properties"].(map[string]any)
		properties["relatedEntities"] = found
	}
	full, err := json.Marshal(root)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return full, nil
}

// entities are those of an incident that are read. The product gives all that an incident
// has, in any number and of any size; none of the members of its answer is promised.
func (c *Client) entities(ctx context.Context, incident map[string]any) ([]any, error) {
	name, _ := incident["name"].(string)
	op := "fetch the entities of incident " + alerts.Quote(name)
	path, err := incidentPath(op, name)
	if id, ok := incident["id"].(string); err == nil && ok && !strings.EqualFold(id, c.workspace+provider+path) {
		err = integrations.Refuse(integrations.Invalid, op, "it is of another workspace than the one that is configured")
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		Entities []json.RawMessage `json:"entities"`
	}
	if _, err := c.ask(ctx, call{op: op, method: http.MethodPost, path: path + "/entities", members: []string{"entities", "metaData"}}, nil, &answer); err != nil {
		return nil, err
	}
	found := []any{}
	for _, raw := range answer.Entities {
		if string(raw) == "null" {
			continue
		}
		entity, bad := alerts.Decode("entities", raw)
		if bad != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "the answer is not that of Sentinel: %w", bad)
		}
		if kind, _ := entity["kind"].(string); slices.Contains(entityKinds(), strings.ToLower(kind)) {
			found = append(found, entity)
		}
	}
	if len(found) == 0 {
		// So that nobody asks again, and the reader knows.
		found = append(found, map[string]any{"kind": noEntities})
	}
	return found, nil
}

// entityKinds are the kinds of entities that are read, in small letters. [noEntities]
// stands in an incident that has none of them.
func entityKinds() []string { return []string{"account", "file", "host", "ip", "process"} }

const noEntities = "None"

// incidentsOf are the incidents in a body, in any container in which they come.
func incidentsOf(v any) []map[string]any {
	switch v := v.(type) {
	case []any:
		var all []map[string]any
		for _, item := range v {
			all = append(all, incidentsOf(item)...)
		}
		return all
	case map[string]any:
		for _, container := range []string{"object", "value", "alerts"} {
			if inner, ok := v[container]; ok {
				return incidentsOf(inner)
			}
		}
		return []map[string]any{v}
	}
	return nil
}

// lacksEntities reports whether a document is an incident that names no entities.
func lacksEntities(incident map[string]any) bool {
	name, named := incident["name"].(string)
	properties, ok := incident["properties"].(map[string]any)
	if !named || name == "" || !ok {
		return false
	}
	return len(alerts.Objects(properties["relatedEntities"])) == 0
}
