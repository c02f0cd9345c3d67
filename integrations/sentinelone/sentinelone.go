// Package sentinelone connects SentinelOne. Its management API finds devices, isolates
// them and runs scripts of its library on them; who sends is asked of the Singularity
// Data Lake by PowerQuery.
//
// It is written after SentinelOne's documents, as its own public repositories carry them,
// and was never tried on a console.
//
// https://github.com/Sentinel-One/ai-siem
package sentinelone

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec { return SpecWith(limits()) }

// SpecWith describes it for a user whose calls are limited otherwise than limits says.
func SpecWith(limits []integrations.Limit) integrations.Spec {
	return integrations.Spec{
		Kind:        "sentinelone",
		Summary:     "SentinelOne: devices, who sends, isolation, evidence and scripts.",
		Implements:  (*Client)(nil),
		Actions:     []incident.Action{incident.Collect, incident.KillProcess, incident.Isolate},
		ExceptBy:    "SentinelOne's network quarantine rules decide which addresses stay reachable, and Stanch does not read them",
		Facts:       []string{"endpoint", "process"},
		Permissions: permissions(),
		Limits:      limits,
		Hearing: integrations.Hearing{
			Within: 2 * lag,
			Source: "not documented; a connected agent is taken to show a contact of the last five minutes, and the time is twice that",
		},
		Example: "edr: { kind: sentinelone, url: https://usea1-example.sentinelone.net, token_file: /run/secrets/sentinelone }",
		NewConfig: func() any {
			return &Config{Identifier: Refuse, Access: httpx.Access{Timeout: defaultTimeout}}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c, limits) }),
	}
}

func permissions() []integrations.Permission {
	return []integrations.Permission{
		{Name: "Endpoints.view", Why: "finds devices, and reads whether they are isolated"},
		{Name: "Endpoints.disconnectFromNetwork", Why: "isolates a device"},
		{Name: "Endpoints.reconnectToNetwork", Why: "gives it back"},
		{Name: "Endpoints.setCustomerIdentifier", Why: "marks with the customer identifier whose isolation it is"},
		{Name: "Skylight Query API.view", Why: "asks the data lake who sends, and what a device ran"},
		{Name: "Remote Script Orchestration.view", Why: "finds scripts of the library, and reads what they left"},
		{Name: "Remote Script Orchestration.runActionScript", Why: "ends a process and runs scripts; leave it out where playbooks do neither"},
		{Name: "Task Management.view", Why: "reads how far a script is"},
	}
}

// eventCalls are the calls of the data lake, which has a limit of its own for each user.
const eventCalls = "events"

// limits are those of the documents. Of the management API none is documented.
func limits() []integrations.Limit {
	return []integrations.Limit{{
		Name: eventCalls, N: 3, Per: time.Second, Requests: 24, Facts: []string{"process"},
		Source: "https://github.com/Sentinel-One/ai-siem, on the Long Running Query API: 3 requests a second for each user, 100 for an account",
	}}
}

// Client is one console. It is safe for concurrent use.
type Client struct {
	config Config
	base   string
	api    *httpx.Client
	// downloads fetches what scripts left, from storage of another origin: without a token.
	downloads *httpx.Client
	now       func() time.Time
	// poll is how often a query or a script is looked at that is waited for.
	poll time.Duration
	// devices holds one lock per device: what is written on it is written in turn. scripts
	// are such locks for scripts, which an isolation must not wait for.
	devices, scripts httpx.Turns[agentID]
	ordered          ordered
	runs             runs
	// ending are the queries that are being ended at the data lake.
	ending tidying
}

// open returns the console that a configuration describes. It does not connect.
func open(c Config, limits []integrations.Limit) (*Client, error) {
	const op = "open sentinelone"
	base, err := c.check()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	options := c.Options()
	options.MaxBody, options.Limits = maxBody, limits
	options.Credentials = "url, token, and the role of its service user"
	api, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	options.Limits, options.Credentials = nil, ""
	downloads, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return &Client{config: c, base: base, api: api, downloads: downloads, now: time.Now, poll: pollEvery}, nil
}

// Share implements [integrations.Sharer].
func (c *Client) Share(processes int) { c.api.Share(processes) }

// Circuit implements [integrations.Breaker].
func (c *Client) Circuit() integrations.Circuit { return c.api.Circuit() }

// Close waits for what is being tidied up, and closes the connections.
func (c *Client) Close() error {
	c.ending.Wait()
	return errors.Join(c.api.Close(), c.downloads.Close())
}
