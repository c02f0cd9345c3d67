// Package sentinel connects Microsoft Sentinel: it reads the incidents that an automation
// rule posts, and fetches what they only name.
//
// It is written after Microsoft's documents and was never tried on a workspace.
//
// https://learn.microsoft.com/rest/api/securityinsights/incidents
package sentinel

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}, Sources: []alerts.Spec{Alerts()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "sentinel",
		Summary:    "Microsoft Sentinel: the entities of incidents that only name them, and what becomes of incidents.",
		Implements: (*Client)(nil),
		Permissions: []integrations.Permission{
			{Name: "Microsoft Sentinel Reader", Why: "a role of Azure on the workspace: reads the entities of incidents; where Azure refuses it those, Responder instead"},
			{Name: "Microsoft Sentinel Responder", Why: "a role of Azure on the workspace, instead of Reader: comments on incidents and closes them; leave it out where no source is answered"},
		},
		Limits: limits(),
		Example: "sentinel: { kind: sentinel, tenant: 00000000-0000-0000-0000-000000000001, client_id: 00000000-0000-0000-0000-000000000002, " +
			"client_secret_file: /run/secrets/sentinel, subscription: 00000000-0000-0000-0000-000000000003, resource_group: soc, workspace: soc-logs }",
		NewConfig: func() any { return &Config{Cloud: Global, Access: httpx.Access{Timeout: defaultTimeout}} },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return Open(*c) }),
	}
}

// limits are those of Azure's Resource Manager for what one application changes in a
// subscription, which a POST counts as: 200 at once, and 10 more each second.
func limits() []integrations.Limit {
	return []integrations.Limit{{
		N: 600, Per: time.Minute,
		Source: "https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling",
	}}
}

// Client is one workspace. It is safe for concurrent use.
type Client struct {
	client *httpx.Client
	// login gets tokens, which no limit counts.
	login  *httpx.Client
	tokens *httpx.Tokens
	// origin is where Azure's Resource Manager is, and workspace the path of the workspace
	// there.
	origin, workspace string
	config            Config
	now               func() time.Time
}

// Open returns the workspace that a configuration describes. It does not connect.
func Open(c Config) (*Client, error) {
	e, err := c.endpoints()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open sentinel", "%w", err)
	}
	options := c.Options()
	options.Limits = limits()
	options.Credentials = "tenant, client_id, client_secret, cloud, and the application's role on the workspace"
	client, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open sentinel", "%w", err)
	}
	options.Limits = nil
	login, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open sentinel", "%w", err)
	}
	return &Client{
		client: client, login: login, origin: e.manager, workspace: c.path(), config: c, now: time.Now,
		tokens: login.OAuth(httpx.Credentials{
			URL: e.token, Client: c.ClientID, Secret: c.ClientSecret, Scopes: []string{e.scope}, Explain: entra.Explain,
		}),
	}, nil
}

// Share implements [integrations.Sharer].
func (c *Client) Share(processes int) { c.client.Share(processes) }

// Circuit implements [integrations.Breaker].
func (c *Client) Circuit() integrations.Circuit { return c.client.Circuit() }

// Close closes the connections.
func (c *Client) Close() error { return errors.Join(c.client.Close(), c.login.Close()) }
