// Package defender connects Microsoft Defender for Endpoint. Its own API finds
// devices, isolates them and runs scripts of its library on them; who sends is asked
// of advanced hunting, which Microsoft Graph serves.
//
// It is written after Microsoft's documents and was never tried on a tenant.
//
// https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
package defender

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}, Sources: []alerts.Spec{Alerts()}}
}

// Spec describes the integration.
func Spec() integrations.Spec { return SpecWith(limits()) }

// SpecWith describes it for a tenant whose calls are limited otherwise than the documents
// say.
func SpecWith(limits []integrations.Limit) integrations.Spec {
	return integrations.Spec{
		Kind:        "defender",
		Summary:     "Microsoft Defender for Endpoint: devices, who sends, isolation, evidence and scripts.",
		Implements:  (*Client)(nil),
		Actions:     []incident.Action{incident.Collect, incident.KillProcess, incident.Isolate},
		ExceptBy:    "a full isolation by Defender takes no exceptions, and leaves its own service alone reachable",
		Facts:       []string{"endpoint", "process"},
		Permissions: permissions(),
		Limits:      limits,
		Hearing: integrations.Hearing{
			Within: heardWithin,
			Source: "events are there almost immediately (https://learn.microsoft.com/defender-xdr/advanced-hunting-overview), but how often " +
				"a quiet device records one is not documented; none is no proof that the agent was not heard",
		},
		Example: "edr: { kind: defender, tenant: 00000000-0000-0000-0000-000000000001, client_id: 00000000-0000-0000-0000-000000000002, " +
			"client_secret_file: /run/secrets/defender }",
		NewConfig: func() any { return &Config{Cloud: Global, Access: httpx.Access{Timeout: defaultTimeout}} },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c, limits) }),
	}
}

// heardWithin is how soon a device whose agent reaches the cloud is taken to have recorded
// an event that hunting has.
const heardWithin = 10 * time.Minute

// The application permissions, as the consent page names them.
const (
	readMachines = "Machine.Read.All"
	isolate      = "Machine.Isolate"
	liveResponse = "Machine.LiveResponse"
	readUsers    = "User.Read.All"
	hunting      = "ThreatHunting.Read.All"
)

func permissions() []integrations.Permission {
	return []integrations.Permission{
		{Name: readMachines, Why: "WindowsDefenderATP: finds devices and reads what was ordered on them"},
		{Name: isolate, Why: "WindowsDefenderATP: isolates a device and gives it back"},
		{Name: hunting, Why: "Microsoft Graph: asks advanced hunting who sends, what a device ran, and who is logged on where its id is not known"},
		{Name: readUsers, Why: "WindowsDefenderATP: tells who is logged on; without it users are unknown where hunting does not tell them"},
		{Name: liveResponse, Why: "WindowsDefenderATP: ends a process and runs scripts by live response; leave it out where playbooks do neither"},
	}
}

// The classes of calls that have a limit of their own.
const (
	huntingCalls      = "hunting"
	liveResponseCalls = "live_response"
)

// limits are those of the documents. The terms of use bound the calls of a connection
// together, and the page of each call that call in an hour.
func limits() []integrations.Limit {
	const source = "https://learn.microsoft.com/defender-endpoint/api/"
	return []integrations.Limit{
		{Name: huntingCalls, N: 45, Per: time.Minute, Requests: 4, Facts: []string{"process"}, Source: "https://learn.microsoft.com/defender-xdr/api-advanced-hunting"},
		{Name: liveResponseCalls, N: 10, Per: time.Minute, Actions: []incident.Action{incident.KillProcess}, Source: source + "run-live-response"},
		{N: 100, Per: time.Minute, Requests: 13, Source: source + "api-terms-of-use"},
		{N: 1500, Per: time.Hour, Each: true, Requests: 4, Source: source + "get-machineactions-collection"},
	}
}

// Client is one tenant. It is safe for concurrent use.
type Client struct {
	config Config
	// api is Defender's own API, graph that of Microsoft Graph.
	api, graph door
	// downloads fetches what scripts left, from storage of another origin: without a token.
	downloads *httpx.Client
	// writing lets one of this process's writes at a time be under way on a device, and
	// ordered are those that were accepted a moment ago.
	writing httpx.Turns[machineID]
	ordered httpx.Recent[action]
	// poll is how often a script is looked at that is waited for.
	poll time.Duration
	// patience is how long a device that is found waits for who is logged on.
	patience time.Duration
	now      func() time.Time
}

// Open returns the tenant that a configuration describes. It does not connect.
func Open(c Config) (*Client, error) { return open(c, limits()) }

func open(c Config, limits []integrations.Limit) (*Client, error) {
	// Advanced hunting is counted by Microsoft Graph.
	hunting := slices.DeleteFunc(slices.Clone(limits), func(l integrations.Limit) bool { return l.Name != huntingCalls })
	e, err := c.endpoints()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open defender", "%w", err)
	}
	var clients [3]*httpx.Client
	for i, kept := range [][]integrations.Limit{limits, hunting, nil} {
		options := c.Options()
		options.MaxBody, options.Limits = maxAnswer, kept
		options.Credentials = "tenant, client_id, the client's secret or certificate, cloud, and the application's permissions"
		if clients[i], err = httpx.New(options); err != nil {
			return nil, integrations.Errorf(integrations.Invalid, "open defender", "%w", err)
		}
	}
	credentials := httpx.Credentials{URL: e.token, Client: c.ClientID, Secret: c.ClientSecret, Explain: entra.Explain}
	if c.ClientCertificate != "" {
		if credentials.Certificate, err = httpx.LoadCertificate(c.ClientCertificate, c.ClientKey); err != nil {
			return nil, integrations.Errorf(integrations.Invalid, "open defender", "%w", err)
		}
	}
	tokens := func(scope string) *httpx.Tokens {
		of := credentials
		of.Scopes = []string{scope}
		// The storage's client has no limit that would count it.
		return clients[2].OAuth(of)
	}
	return &Client{
		config: c, downloads: clients[2], now: time.Now, poll: pollEvery, patience: huntsUsers,
		api:   door{clients[0], e.api, tokens(e.apiScope)},
		graph: door{clients[1], e.graph, tokens(e.graphScope)},
	}, nil
}

// Share implements [integrations.Sharer].
func (c *Client) Share(processes int) {
	c.api.client.Share(processes)
	c.graph.client.Share(processes)
}

// Circuit implements [integrations.Breaker]: that of Defender's own API, and where that is
// asked, that of Microsoft Graph.
func (c *Client) Circuit() integrations.Circuit {
	if own := c.api.client.Circuit(); own != integrations.CircuitClosed {
		return own
	}
	return c.graph.client.Circuit()
}

// Close closes the connections.
func (c *Client) Close() error {
	return errors.Join(c.api.client.Close(), c.graph.client.Close(), c.downloads.Close())
}
