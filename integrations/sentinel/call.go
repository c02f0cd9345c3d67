package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// version is that of the API that all calls are made with.
const version = "2024-03-01"

// call is one request. Op names it in errors, path is below those of Sentinel in the
// workspace, query is added to the address and write says that it changes something.
type call struct {
	op, method, path, query string
	write                   bool
	// members are those of which the answer has one; see [httpx.Request].
	members []string
}

// ask makes the call with in as its body, unless that is nil, and reads the answer into out,
// unless that is nil.
func (c *Client) ask(ctx context.Context, r call, in, out any) (httpx.Answer, error) {
	target := c.origin + c.workspace + provider + r.path + "?api-version=" + version + r.query
	request := httpx.Request{Op: r.op, Method: r.method, URL: target, Tokens: c.tokens, Write: r.write, Members: r.members}
	a, err := c.client.JSON(ctx, request, in, out)
	if r.write && a.Status == http.StatusUnauthorized {
		// Its token has ended before its time, and was dropped: nothing was done, and it is
		// still wanted.
		a, err = c.client.JSON(ctx, request, in, out)
	}
	return a, refused(a, err)
}

// provider is Sentinel in the path of a workspace.
const provider = "/providers/Microsoft.SecurityInsights"

// incidentPath is the path of an incident for a call. The name is a sender's text.
func incidentPath(op, name string) (string, error) {
	if !isName(name) {
		return "", integrations.Refuse(integrations.Invalid, op, "%s is no name of an incident", alerts.Quote(name))
	}
	return "/incidents/" + name, nil
}

// isName reports whether a text can be the name of an incident, which becomes part of an
// address: Sentinel's own are GUIDs.
func isName(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// refused adds to a refusal what its body says.
func refused(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	said, more := &body.Error, *e
	if httpx.Decode(a.Body, &body) != nil || said.Code == "" {
		if e.Kind == integrations.NotFound {
			// An incident that is not found is named in a body: this is another server.
			more.Kind = integrations.Unavailable
			more.Err = fmt.Errorf("%w, and not Azure's answer: check the address", e.Err)
		}
		return &more
	}
	more.Err = fmt.Errorf("%w: %s: %s", e.Err, httpx.Quote(said.Code), httpx.Quote(said.Message))
	if e.Kind == integrations.NotFound && slices.Contains([]string{"SubscriptionNotFound", "ResourceGroupNotFound"}, said.Code) {
		// It is not the incident that is not there.
		more.Kind = integrations.Unavailable
		more.Err = fmt.Errorf("%w: check subscription and resource_group", more.Err)
	}
	return &more
}
