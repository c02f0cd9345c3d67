// Package wazuh connects Wazuh 4.x. The manager's API finds agents, tells of their
// inventory and sends orders to them; what they did, and who sends, is read from the
// alerts in Wazuh's indexer.
//
// Wazuh has no isolation. An active response of ours has, whose scripts are beside this
// file and have to be on each agent: the manager says only that an order was sent, and
// what became of it is the line that the script writes to the log of active responses.
//
// It is written after Wazuh's documents and the description of its API, and was never
// tried on a manager.
//
// https://documentation.wazuh.com/current/user-manual/api/reference.html
package wazuh

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}, Sources: []alerts.Spec{Alerts()}}
}

// Spec describes the integration.
func Spec() integrations.Spec { return SpecWith(limits()) }

// SpecWith describes it for a manager whose calls are limited otherwise than limits says.
func SpecWith(limits []integrations.Limit) integrations.Spec {
	return integrations.Spec{
		Kind:        "wazuh",
		Summary:     "Wazuh 4.x: agents, who sends as far as rules raised it, evidence, and isolation by scripts of ours on the agents.",
		Implements:  (*Client)(nil),
		Actions:     []incident.Action{incident.Collect, incident.KillProcess, incident.Isolate},
		Facts:       []string{"endpoint", "process"},
		Permissions: permissions(),
		Limits:      limits,
		Hearing: integrations.Hearing{
			Within: heardWithin,
			Source: "an agent checks in every 10 seconds, and after 60 at the latest it connects anew, as shipped " +
				"(notify_time and time-reconnect, https://documentation.wazuh.com/current/user-manual/reference/ossec-conf/client.html)",
		},
		Example: "edr: { kind: wazuh, url: https://wazuh.example:55000, user: stanch, password_file: /run/secrets/wazuh, " +
			"indexer_url: https://wazuh.example:9200, indexer_user: stanch, indexer_password_file: /run/secrets/wazuh-indexer }",
		NewConfig: func() any { return &Config{Index: defaultIndex, Access: httpx.Access{Timeout: defaultTimeout}} },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c, limits) }),
	}
}

// heardWithin is how soon an agent that reaches its manager has been heard, also where it
// had to connect anew.
const heardWithin = 2 * time.Minute

// The actions of the manager's roles that are needed.
const (
	readAgents    = "agent:read"
	readInventory = "syscollector:read"
	command       = "active-response:command"
)

func permissions() []integrations.Permission {
	return []integrations.Permission{
		{Name: readAgents, Why: "manager: finds agents and tells when they were heard"},
		{Name: readInventory, Why: "manager: tells an agent's addresses, processes and open ports"},
		{Name: command, Why: "manager: sends orders to our scripts on an agent; leave it out where playbooks change nothing"},
		{Name: "read", Why: "indexer: reads the index of alerts, where our scripts report, and who sends is found"},
	}
}

// limits is the manager's own default. Its indexer has none.
func limits() []integrations.Limit {
	return []integrations.Limit{{
		N: 300, Per: time.Minute, Requests: 9, Source: "https://documentation.wazuh.com/current/user-manual/api/configuration.html",
	}}
}

// Client is one Wazuh. It is safe for concurrent use.
type Client struct {
	manager manager
	indexer indexer
	// version is which release the manager is.
	version release
	// writing lets one of this process's writes at a time be under way on an agent, and
	// sent are the orders that were given to the manager.
	writing httpx.Turns[agentID]
	sent    sentOrders
	// poll is how often the line of a script is looked for that is waited for.
	poll time.Duration
	now  func() time.Time
}

// Open returns the Wazuh that a configuration describes. It does not connect.
func Open(c Config) (*Client, error) { return open(c, limits()) }

func open(c Config, limits []integrations.Limit) (*Client, error) {
	const op = "open wazuh"
	if err := c.check(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	var origins [2]string
	var clients [2]*httpx.Client
	for i, part := range []struct {
		name, url   string
		limits      []integrations.Limit
		credentials string
	}{
		{"url", c.URL, limits, "user and password, and the policies of the user's roles"},
		{"indexer_url", c.IndexerURL, nil, "indexer_user and indexer_password, and that the user may read the index"},
	} {
		origin, err := httpx.Address(part.name, part.url, "https://wazuh.example:55000")
		if err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		options := c.Options()
		options.MaxBody, options.Limits, options.Credentials = maxAnswer, part.limits, part.credentials
		client, err := httpx.New(options)
		if err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		origins[i], clients[i] = origin, client
	}
	m := manager{client: clients[0], origin: origins[0], login: basic(c.User, c.Password)}
	m.tokens = httpx.NewTokens(m.token)
	return &Client{
		manager: m, indexer: indexer{clients[1], origins[1], c.Index, basic(c.IndexerUser, c.IndexerPassword)},
		poll: pollEvery, now: time.Now,
	}, nil
}

// Share implements [integrations.Sharer].
func (c *Client) Share(processes int) { c.manager.client.Share(processes) }

// Circuit implements [integrations.Breaker]: that of the manager, or of the indexer where
// that is the one that fails.
func (c *Client) Circuit() integrations.Circuit {
	if own := c.manager.client.Circuit(); own != integrations.CircuitClosed {
		return own
	}
	return c.indexer.client.Circuit()
}

// Close closes the connections.
func (c *Client) Close() error {
	return errors.Join(c.manager.client.Close(), c.indexer.client.Close())
}
