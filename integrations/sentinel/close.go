package sentinel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// held is an incident as far as closing it needs to know, and give back: what a PUT leaves
// out may be lost.
type held struct {
	Etag       string                     `json:"etag"`
	Properties map[string]json.RawMessage `json:"properties"`
}

// close closes an incident, unless it is closed. Somebody else's change in the meantime is a
// conflict, by its etag: a change that names none overwrites theirs.
//
// https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update
func (c *Client) close(ctx context.Context, r integrations.Reply, path string) error {
	op := "close incident " + alerts.Quote(r.To.ID)
	var is held
	if _, err := c.ask(ctx, call{op: op, method: http.MethodGet, path: path, members: []string{"properties"}}, nil, &is); err != nil {
		return err
	}
	var status string
	switch err := json.Unmarshal(is.Properties["status"], &status); {
	case err != nil:
		return integrations.Errorf(integrations.Unavailable, op, "the answer is not that of Sentinel: it has no status")
	case strings.EqualFold(status, "Closed"):
		return nil
	case is.Etag == "":
		return integrations.Errorf(integrations.Unavailable, op, "it has no etag, and what others change meanwhile could be lost")
	}
	properties, err := is.written()
	if err != nil {
		return integrations.Errorf(integrations.Unavailable, op, "the answer is not that of Sentinel: %w", err)
	}
	properties["status"] = "Closed"
	if class, reason := classOf(r.Verdict); class != undetermined || properties["classification"] == nil {
		properties["classification"] = class
		properties["classificationComment"] = "Closed by Stanch: " + strings.ReplaceAll(string(r.Outcome), "_", " ")
		delete(properties, "classificationReason")
		if reason != "" {
			properties["classificationReason"] = reason
		}
	}
	_, err = c.ask(ctx, call{op: op, method: http.MethodPut, path: path, write: true}, map[string]any{"etag": is.Etag, "properties": properties}, nil)
	return err
}

// written are the properties of an incident that people write. What the product alone writes,
// such as the type of a label, is not sent back, nor what nobody has written, which is null.
func (h held) written() (map[string]any, error) {
	properties := map[string]any{}
	for _, kept := range []string{
		"title", "severity", "description", "firstActivityTimeUtc", "lastActivityTimeUtc",
		"classification", "classificationReason", "classificationComment",
	} {
		if v := h.Properties[kept]; len(v) > 0 && string(v) != "null" && string(v) != `""` {
			properties[kept] = v
		}
	}
	var labels []struct {
		Name string `json:"labelName"`
	}
	if err := h.read("labels", &labels); err != nil {
		return nil, err
	}
	if len(labels) > 0 {
		names := make([]any, 0, len(labels))
		for _, l := range labels {
			names = append(names, map[string]any{"labelName": l.Name})
		}
		properties["labels"] = names
	}
	var owner map[string]any
	if err := h.read("owner", &owner); err != nil {
		return nil, err
	}
	known := map[string]any{}
	for _, part := range []string{"objectId", "email", "assignedTo", "userPrincipalName", "ownerType"} {
		if v, ok := owner[part].(string); ok && v != "" {
			known[part] = v
		}
	}
	if len(known) > 0 {
		properties["owner"] = known
	}
	return properties, nil
}

// read reads a property, unless the incident does not have it.
func (h held) read(name string, into any) error {
	v, ok := h.Properties[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(v, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

const undetermined = "Undetermined"

// classOf is a person's verdict in Sentinel's words. Stanch itself does not judge,
// and leaves the judgement of whoever has judged at the incident.
func classOf(v incident.CaseVerdict) (class, reason string) {
	switch v {
	case incident.TruePositive:
		return "TruePositive", "SuspiciousActivity"
	case incident.Benign:
		return "BenignPositive", "SuspiciousButExpected"
	case incident.FalsePositive:
		return "FalsePositive", "InaccurateData"
	case incident.NoVerdict:
	}
	return undetermined, ""
}
