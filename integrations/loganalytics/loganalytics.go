// Package loganalytics reads flows from a Log Analytics workspace of Azure Monitor, which is
// also Microsoft Sentinel's: logs of firewalls in the Common Event Format, what traffic
// analytics makes of Azure's flow logs, and the connections that VM insights measures.
//
// The service sums, and it is asked with queries in KQL. Each of them has its own bounds of
// TimeGenerated, and a part of an answer is an error.
//
// It is written after Microsoft's documents and was never tried on a workspace.
//
// https://learn.microsoft.com/azure/azure-monitor/logs/api/overview
package loganalytics

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec { return SpecWith(limits()) }

// SpecWith describes it for a workspace whose queries are limited otherwise than the
// documents say.
func SpecWith(limits []integrations.Limit) integrations.Spec {
	return integrations.Spec{
		Kind:       "loganalytics",
		Summary:    "Flow store in Microsoft's Log Analytics: firewalls by CEF, traffic analytics, and VM insights.",
		Implements: (*Store)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "Log Analytics Reader", Why: "a role of Azure on the workspace, or on the table of the layout alone: queries; nothing is written"},
			{Name: "Data.Read", Why: "Log Analytics API, as an application permission: the application may call it"},
		},
		Limits: limits,
		Example: "flows: { kind: loganalytics, tenant: 00000000-0000-0000-0000-000000000001, client_id: 00000000-0000-0000-0000-000000000002, " +
			"client_secret_file: /run/secrets/loganalytics, workspace: 00000000-0000-0000-0000-000000000003, layout: commonsecuritylog }",
		NewConfig: func() any { return defaults() },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c, limits) }),
	}
}

// limits are those of the documents: of one user, which an application is, for all
// workspaces together. Traffic takes nine queries at most, and a baseline seven, with two more
// for each peer.
func limits() []integrations.Limit {
	return []integrations.Limit{{
		N: 200, Per: 30 * time.Second, Requests: 9,
		Source: "https://learn.microsoft.com/azure/azure-monitor/service-limits#log-queries-and-language",
	}}
}

// Store is the flows in one workspace. It is safe for concurrent use.
type Store struct {
	config Config
	layout layout
	// query is the address of the queries.
	query  string
	client *httpx.Client
	// login gets tokens, which no limit counts.
	login  *httpx.Client
	tokens *httpx.Tokens
	// few is how many flows of a host are read one by one at most; of more the service sums.
	few int
	// longer records flows that last longer than the configured maximum.
	longer flowmath.Longer
	now    func() time.Time
}

// Open returns the store that a configuration describes. It does not connect.
func Open(c Config) (*Store, error) { return open(c, limits()) }

func open(c Config, limits []integrations.Limit) (*Store, error) {
	const op = "open the flow store"
	e, err := c.endpoints()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	options := c.Options()
	// The service itself ends a query in time, and says so; the client waits a little longer
	// for that.
	options.Timeout, options.MaxBody, options.Limits = c.Timeout+5*time.Second, maxAnswer, limits
	options.Credentials = "tenant, client_id, the client's secret or certificate, cloud, and the application's role on the workspace"
	client, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	options.Limits = nil
	login, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	credentials := httpx.Credentials{URL: e.token, Client: c.ClientID, Secret: c.ClientSecret, Scopes: []string{e.scope}, Explain: entra.Explain}
	if c.ClientCertificate != "" {
		if credentials.Certificate, err = httpx.LoadCertificate(c.ClientCertificate, c.ClientKey); err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
	}
	return &Store{
		config: c, layout: c.layout(), query: e.api + "/v1/workspaces/" + c.Workspace + "/query",
		client: client, login: login, tokens: login.OAuth(credentials), few: flowmath.FewRecords, longer: flowmath.Longer{Limit: c.Longest}, now: time.Now,
	}, nil
}

// Share implements [integrations.Sharer].
func (s *Store) Share(processes int) { s.client.Share(processes) }

// Circuit implements [integrations.Breaker].
func (s *Store) Circuit() integrations.Circuit { return s.client.Circuit() }

// Close closes the connections.
func (s *Store) Close() error { return errors.Join(s.client.Close(), s.login.Close()) }
