package sentinel

import (
	"context"
	"fmt"
	"net/http"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Probe implements [integrations.Prober].
func (c *Client) Probe(ctx context.Context) []integrations.Finding {
	a, err := c.ask(ctx, call{op: "list incidents", method: http.MethodGet, path: "/incidents", query: "&$top=1", members: []string{"value"}}, nil, nil)
	if err != nil {
		return []integrations.Finding{c.problem(err)}
	}
	if err := c.mayFetch(ctx); err != nil {
		return []integrations.Finding{c.problem(err)}
	}
	return []integrations.Finding{
		{What: fmt.Sprintf("Sentinel answers for workspace %q", c.config.Workspace), OK: true},
		httpx.Clock("Azure's", a.Header, c.now()),
		{
			What: "cannot tell when the client secret ends: Microsoft does not say it to the application", OK: true, Warning: true,
			Fix: "note the date of the application's Certificates & secrets page",
		},
	}
}

// nowhere is the name of no incident.
const nowhere = "00000000-0000-0000-0000-000000000000"

// mayFetch returns why entities cannot be fetched, or nil. Azure looks at the role before the
// incident, so that one which is not there will do: to Azure the call is an action, and what
// may be listed need not be fetched.
func (c *Client) mayFetch(ctx context.Context) error {
	_, err := c.ask(ctx, call{op: "fetch the entities of an incident", method: http.MethodPost, path: "/incidents/" + nowhere + "/entities"}, nil, nil)
	switch integrations.KindOf(err) {
	case integrations.NotFound, integrations.Invalid:
		return nil
	case integrations.Denied, integrations.Conflict, integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return err
}

// problem tells of an error, and how to fix it.
func (c *Client) problem(err error) integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "do as it says"}
	switch integrations.KindOf(err) {
	case integrations.Denied:
		f.Fix = fmt.Sprintf("check tenant, client_id and client_secret, that the tenant is in the cloud %q, and that the application has the role Microsoft Sentinel Reader on the workspace; where only the entities are refused, give it Microsoft Sentinel Responder", c.config.Cloud)
	case integrations.NotFound:
		f.Fix = "check subscription, resource_group and workspace, and that Sentinel is on it"
	case integrations.Throttled, integrations.Unavailable, integrations.Ambiguous, integrations.Conflict:
		f.Fix = fmt.Sprintf("check the way there, also through a proxy, and cloud, which is %q", c.config.Cloud)
	case integrations.Invalid:
	}
	return f
}
