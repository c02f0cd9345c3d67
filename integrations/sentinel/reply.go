package sentinel

import (
	"context"
	"crypto/sha256"
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
	_, err = c.ask(ctx, call{op: op, method: http.MethodPut, path: path + "/comments/" + name, write: true}, comment, nil)
	// An incident that has all the comments that Sentinel takes is closed all the same.
	if r.Close && (err == nil || integrations.KindOf(err) == integrations.Invalid) {
		if failed := c.close(ctx, r, path); failed != nil {
			return incident.Receipt{}, failed
		}
	}
	if err != nil {
		return incident.Receipt{}, err
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
