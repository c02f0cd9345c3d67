package elastic

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// DefendSpec describes the integration of Elastic Defend. Elastic documents no limit of
// how often its API may be asked.
func DefendSpec() integrations.Spec {
	return integrations.Spec{
		Kind:       "elasticdefend",
		Summary:    "Elastic Defend: devices, who sends, isolation, evidence and scripts, by Kibana and Elasticsearch.",
		Implements: (*Defend)(nil),
		Actions:    []incident.Action{incident.Collect, incident.KillProcess, incident.Isolate},
		Facts:      []string{"endpoint", "process"},
		Permissions: []integrations.Permission{
			{Name: "Security: Endpoint List, Read", Why: "Kibana, all spaces: finds devices, and reads whether they are isolated"},
			{Name: "Security: Response Actions History, Read", Why: "Kibana: reads what was ordered on a device, and by whom"},
			{Name: "Security: Host Isolation Exceptions, Read", Why: "Kibana: reads what an isolated device still reaches; leave it out where stanch.yaml names no infrastructure"},
			{Name: "Security: Host Isolation, All", Why: "Kibana: isolates a device and gives it back; needs a Platinum licence"},
			{Name: "Security: Process Operations, All", Why: "Kibana: ends a process; needs an Enterprise licence; leave it out where playbooks do not"},
			{Name: "Security: Execute Operations, All", Why: "Kibana: runs scripts; needs an Enterprise licence; leave it out where nothing does"},
			{Name: "index privilege read on the indices", Why: "Elasticsearch: who sends, what a device ran, and which addresses it had"},
		},
		Hearing: integrations.Hearing{
			Within: 2 * offlineAfter,
			Source: "Fleet takes an agent for offline after five minutes without a check-in " +
				"(https://www.elastic.co/docs/reference/fleet/monitor-elastic-agent), and the time is twice that, for a check-in that fails is tried again",
		},
		Example: "edr: { kind: elasticdefend, url: 'https://kibana.example:5601', elasticsearch: 'https://es.example:9200', api_key_file: /run/secrets/elastic }",
		NewConfig: func() any {
			return &DefendConfig{
				NetworkIndices: []string{"logs-endpoint.events.network-*"}, ProcessIndices: []string{"logs-endpoint.events.process-*"},
				ScriptIndices: []string{"logs-windows.powershell_operational-*"}, Scripts: `C:\ProgramData\Stanch`, Access: httpx.Access{Timeout: defaultTimeout},
			}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *DefendConfig) (any, error) { return OpenDefend(*c) }),
	}
}

// offlineAfter is after how long without a check-in Fleet takes an agent for offline.
const offlineAfter = 5 * time.Minute

// Defend is Elastic Defend behind one Kibana. It is safe for concurrent use.
//
// It is written after Elastic's documents and was never tried on a deployment.
//
// https://www.elastic.co/docs/api/doc/kibana/group/endpoint-security-endpoint-management-api
type Defend struct {
	config DefendConfig
	kibana kibana
	events events
	// writing lets one of this process's writes at a time be under way on a device, and
	// ordered are those that were accepted a moment ago.
	writing httpx.Turns[agentID]
	ordered httpx.Recent[action]
	// poll is how often an action is looked at that is waited for.
	poll time.Duration
	now  func() time.Time
}

// OpenDefend returns the deployment that a configuration describes. It does not connect.
func OpenDefend(c DefendConfig) (*Defend, error) {
	const op = "open elasticdefend"
	front, back, err := c.addresses()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	o := c.Options()
	o.Timeout, o.MaxBody = c.Timeout+5*time.Second, maxBody
	var clients [2]*httpx.Client
	for i, credentials := range []string{"api_key, and the privileges of its role", "elasticsearch_api_key, or api_key without it, and what its role may read"} {
		o.Credentials = credentials
		if clients[i], err = httpx.New(o); err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
	}
	key := c.ElasticsearchKey
	if key == "" {
		key = c.APIKey
	}
	return &Defend{
		config: c, now: time.Now, poll: pollEvery, kibana: kibana{clients[0], front, c.APIKey},
		events: events{
			searcher: searcher{clients[1], back, key, c.Timeout}, dialect: endpointDialect(),
			networks: c.NetworkIndices, processes: c.ProcessIndices, scripts: c.ScriptIndices, page: maxRows,
		},
	}, nil
}

// endpointDialect is how Elastic Defend writes. What it counts of bytes stands on the event
// of an end alone, which comes when the case is over.
func endpointDialect() dialect {
	return dialect{
		says: "Elastic Defend",
		connections: oneOf("event.action", []string{
			"connection_attempted", "connection_accepted", "disconnect_received", "udp_flow_outbound", "udp_flow_inbound", "udp_flow_ended",
		}),
		ended: []string{"disconnect_received", "udp_flow_ended"}, starts: oneOf("event.action", []string{"start", "exec"}),
		session: "process.Ext.session_info.id", ancestry: "process.Ext.ancestry",
	}
}

// Circuit implements [integrations.Breaker]: that of Kibana, and where that is asked, that
// of Elasticsearch.
func (d *Defend) Circuit() integrations.Circuit {
	if own := d.kibana.client.Circuit(); own != integrations.CircuitClosed {
		return own
	}
	return d.events.client.Circuit()
}

// Close closes the connections.
func (d *Defend) Close() error { return errors.Join(d.kibana.client.Close(), d.events.client.Close()) }

// host selects the events of a device.
func (a agentID) host() query { return term("agent.id", string(a)) }

// Connections implements [integrations.Connections].
func (d *Defend) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	op := "read connections of " + q.Target.Name()
	id, err := targeted(op, q.Target)
	if err != nil {
		return nil, err
	}
	var found []incident.Connection
	err = httpx.All(
		// A device that Elastic does not know has no events either.
		func() error { _, err := d.device(ctx, op, id); return err },
		func() (err error) { found, err = d.events.connections(ctx, op, id.host(), q); return err },
	)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Executions implements [integrations.Executions].
func (d *Defend) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	op := "read executions on " + q.Target.Name()
	id, err := targeted(op, q.Target)
	if err != nil {
		return nil, err
	}
	var of device
	known := make(chan struct{})
	var found []incident.Execution
	named := func(computer string) bool {
		<-known
		return sameName(computer, of.name())
	}
	err = httpx.All(
		func() (err error) {
			defer close(known)
			of, err = d.device(ctx, op, id)
			return err
		},
		func() (err error) { found, err = d.events.executions(ctx, op, id.host(), named, q); return err },
	)
	if err != nil {
		return nil, err
	}
	return found, nil
}
