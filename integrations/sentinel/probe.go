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
	return []integrations.Finding{
		{What: fmt.Sprintf("Sentinel answers for workspace %q", c.config.Workspace), OK: true},
		httpx.Clock("Azure's", a.Header, c.now()),
		{
			What: "cannot tell when the client secret ends: Microsoft does not say it to the application", OK: true, Warning: true,
			Fix: "note the date of the application's Certificates & secrets page",
		},
	}
}

// problem tells of an error, and how to fix it.
func (c *Client) problem(err error) integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "do as it says"}
	switch integrations.KindOf(err) {
	case integrations.Denied:
		f.Fix = fmt.Sprintf("check tenant, client_id and client_secret, that the tenant is in the cloud %q, and that the application has the role Microsoft Sentinel Reader on the workspace", c.config.Cloud)
	case integrations.NotFound:
		f.Fix = "check subscription, resource_group and workspace, and that Sentinel is on it"
	case integrations.Throttled, integrations.Unavailable, integrations.Ambiguous, integrations.Conflict:
		f.Fix = fmt.Sprintf("check the way there, also through a proxy, and cloud, which is %q", c.config.Cloud)
	case integrations.Invalid:
	}
	return f
}
