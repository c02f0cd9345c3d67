package sentinel

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxComment bounds a comment's text, in bytes. Microsoft names 30,000 characters.
//
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits
const maxComment = 29_000

// ReplyTo implements [integrations.Replier]: a comment at the incident, whose name in the
// workspace is made from the reply's key, so that the same again is the same comment.
//
// https://learn.microsoft.com/rest/api/securityinsights/incident-comments/create-or-update
func (c *Client) ReplyTo(ctx context.Context, r integrations.Reply) (incident.Receipt, error) {
	op := "comment on incident " + alerts.Quote(r.To.ID)
	path, err := incidentPath(op, r.To.ID)
	switch {
	case err != nil:
		return incident.Receipt{}, err
	case r.Key == "":
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the reply has no key")
	}
	name, now := commentName(r.Key), c.now().UTC()
	comment := map[string]any{"properties": map[string]any{"message": messageOf(r)}}
	if _, err := c.ask(ctx, call{op: op, method: http.MethodPut, path: path + "/comments/" + name, write: true}, comment, nil); err != nil {
		return incident.Receipt{}, err
	}
	if r.Close {
		if err := c.close(ctx, r, path); err != nil {
			return incident.Receipt{}, err
		}
	}
	return incident.Receipt{Ref: name, At: now}, nil
}

// commentName is the name of a comment in the workspace, a GUID.
func commentName(key string) string {
	sum := sha256.Sum256([]byte("stanch " + key))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// messageOf is a reply as a comment. The portal shows HTML and Markdown.
func messageOf(r integrations.Reply) string {
	message := strings.ReplaceAll(integrations.Inert(strings.Join(r.Lines(), "\n")), "\n", "<br>")
	if len(message) > maxComment {
		// A reference that is cut in two is shown as text.
		message = message[:maxComment] + "..."
	}
	return message + "<br>" + r.Mark()
}

// held is an incident as far as closing it needs to know, and give back: what a PUT leaves
// out may be lost.
type held struct {
	Etag       string                     `json:"etag"`
	Properties map[string]json.RawMessage `json:"properties"`
}

// close closes an incident, unless it is closed. Somebody else's change in the meantime is a
// conflict, by its etag.
//
// https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update
func (c *Client) close(ctx context.Context, r integrations.Reply, path string) error {
	op := "close incident " + alerts.Quote(r.To.ID)
	var is held
	if _, err := c.ask(ctx, call{op: op, method: http.MethodGet, path: path, members: []string{"properties"}}, nil, &is); err != nil {
		return err
	}
	var status string
	if err := json.Unmarshal(is.Properties["status"], &status); err != nil {
		return integrations.Errorf(integrations.Unavailable, op, "the answer is not that of Sentinel: it has no status")
	}
	if strings.EqualFold(status, "Closed") {
		return nil
	}
	properties := map[string]any{"status": "Closed", "classificationComment": "Closed by Stanch: " + strings.ReplaceAll(string(r.Outcome), "_", " ")}
	for _, kept := range []string{"title", "severity", "description", "labels", "owner", "firstActivityTimeUtc", "lastActivityTimeUtc"} {
		if v, ok := is.Properties[kept]; ok {
			properties[kept] = v
		}
	}
	class, reason := classOf(r.Verdict)
	properties["classification"] = class
	if reason != "" {
		properties["classificationReason"] = reason
	}
	_, err := c.ask(ctx, call{op: op, method: http.MethodPut, path: path, write: true}, map[string]any{"etag": is.Etag, "properties": properties}, nil)
	return err
}

// classOf is a person's verdict in Sentinel's words. Stanch itself does not judge.
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
	return "Undetermined", ""
}
