package elastic

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// By is by what the events of a device are recognised.
type By string

// By the device's name, or by the id of the Elastic Agent or Beat on it.
const (
	ByName  By = "name"
	ByAgent By = "agent"
)

// SysmonConfig is the configuration of Sysmon's events in stanch.yaml.
type SysmonConfig struct {
	URL           string              `yaml:"url,required" doc:"The cluster's address, such as https://es.example:9200."`
	APIKey        integrations.Secret `yaml:"api_key" doc:"An API key, in its encoded form."`
	Indices       []string            `yaml:"indices" doc:"The indices, data streams or aliases of Sysmon's events."`
	ScriptIndices []string            `yaml:"script_indices" doc:"Those of PowerShell's operational log. They may be missing."`
	By            By                  `yaml:"by" enum:"name,agent" doc:"By what a device's events are recognised: its name, or the id that it has in the EDR, where that is the id of the agent that ships them."`
	httpx.Access  `yaml:",inline"`
}

// SysmonSpec describes the integration of Sysmon's events in Elasticsearch or OpenSearch.
func SysmonSpec() integrations.Spec {
	return integrations.Spec{
		Kind:       "sysmon",
		Summary:    "Sysmon's events in Elasticsearch or OpenSearch, by Winlogbeat or Elastic Agent: who sends, and what a device ran. Devices come from another integration.",
		Implements: (*Sysmon)(nil),
		Facts:      []string{"process"},
		Permissions: []integrations.Permission{
			{Name: "index privilege read on the indices", Why: "searches; nothing is written"},
		},
		Example: "sysmon: { kind: sysmon, url: 'https://es.example:9200', api_key_file: /run/secrets/elastic }",
		NewConfig: func() any {
			return &SysmonConfig{
				Indices: []string{"logs-windows.sysmon_operational-*"}, ScriptIndices: []string{"logs-windows.powershell_operational-*"},
				By: ByName, Access: httpx.Access{Timeout: defaultTimeout},
			}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *SysmonConfig) (any, error) { return OpenSysmon(*c) }),
	}
}

// Sysmon is Sysmon's events in one cluster. It is safe for concurrent use. The events must
// be in the Elastic Common Schema, as Winlogbeat's module and Elastic Agent's Windows
// integration write them; Sysmon logs no connections unless its configuration has it do so.
type Sysmon struct {
	events events
	by     By
	now    func() time.Time
}

// OpenSysmon returns the events that a configuration describes. It does not connect.
func OpenSysmon(c SysmonConfig) (*Sysmon, error) {
	const op = "open sysmon"
	address, err := httpx.Address("url", c.URL, "https://elastic.example:9200")
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	o := c.Options()
	o.Timeout, o.MaxBody = c.Timeout+5*time.Second, maxBody
	client, err := httpx.New(o)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return &Sysmon{by: c.By, now: time.Now, events: events{
		searcher: searcher{client, address, c.APIKey, c.Timeout}, dialect: sysmonDialect(),
		networks: c.Indices, processes: c.Indices, scripts: c.ScriptIndices, page: maxRows,
	}}, nil
}

func (c SysmonConfig) check() error {
	if len(c.Indices) == 0 {
		return fmt.Errorf("write indices")
	}
	if c.By != ByName && c.By != ByAgent {
		return fmt.Errorf("invalid value %q of by: must be name or agent", c.By)
	}
	if err := checkIndices(c.Indices); err != nil {
		return err
	}
	if err := checkIndices(c.ScriptIndices); err != nil {
		return err
	}
	return checkTimeout(c.Timeout)
}

// sysmonDialect is how Winlogbeat's module and Elastic Agent write Sysmon's events. A log
// that is shared with other programs has events of theirs with the same codes.
func sysmonDialect() dialect {
	by := func(code string) query {
		return allOf(term("event.code", code), term("event.provider", "Microsoft-Windows-Sysmon"))
	}
	return dialect{says: "Sysmon", connections: by("3"), starts: by("1"), session: "winlog.event_data.TerminalSessionId"}
}

// Circuit implements [integrations.Breaker].
func (s *Sysmon) Circuit() integrations.Circuit { return s.events.client.Circuit() }

// Close closes the connections.
func (s *Sysmon) Close() error { return s.events.client.Close() }

// device is how the events of a target are recognised. Named reports whether a computer's
// name is that of the device.
func (s *Sysmon) device(op string, t incident.Target) (host query, named func(string) bool, err error) {
	if t.IsZero() {
		return query{}, nil, integrations.Errorf(integrations.Invalid, op, "the target names no device")
	}
	if s.by == ByAgent {
		id, err := targeted(op, t)
		named = func(computer string) bool {
			return t.Name() == t.ID() || !isName(t.Name()) || sameName(computer, t.Name())
		}
		return id.host(), named, err
	}
	name := strings.TrimSpace(incident.HostName(t.Name()))
	if !isName(name) {
		return query{}, nil, integrations.Errorf(integrations.Invalid, op, "%s is not the name of one device", httpx.Quote(t.Name()))
	}
	return nameQuery(name), func(computer string) bool { return sameName(computer, name) }, nil
}

// known is a not_found error where no event of the device is in the indices, up to the
// query's time: then that none answers the query says nothing.
func (s *Sysmon) known(ctx context.Context, op string, host query, to time.Time) error {
	rows, err := s.events.search(ctx, op, s.events.processes, false, newest(1, []string{"host.name"}, host, stamped(to.Add(-startedWithin), to.Add(lately))))
	if err == nil && len(rows) == 0 {
		return integrations.Errorf(integrations.NotFound, op, "%s have no event of the device", strings.Join(s.events.processes, ", "))
	}
	return err
}

// Connections implements [integrations.Connections].
func (s *Sysmon) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	op := "read connections of " + q.Target.Name()
	host, _, err := s.device(op, q.Target)
	if err != nil {
		return nil, err
	}
	var found []incident.Connection
	err = httpx.All(
		func() error { return s.known(ctx, op, host, q.To) },
		func() (err error) { found, err = s.events.connections(ctx, op, host, q); return err },
	)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Executions implements [integrations.Executions].
func (s *Sysmon) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	op := "read executions on " + q.Target.Name()
	host, named, err := s.device(op, q.Target)
	if err != nil {
		return nil, err
	}
	var found []incident.Execution
	err = httpx.All(
		func() error { return s.known(ctx, op, host, q.To) },
		func() (err error) { found, err = s.events.executions(ctx, op, host, named, q); return err },
	)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Probe implements [integrations.Prober].
func (s *Sysmon) Probe(ctx context.Context) []integrations.Finding {
	found := s.events.probe(ctx, s.now(), "indices", s.events.processes, false)
	rows, err := s.events.search(ctx, "look for connections", s.events.networks, false,
		newest(1, []string{"event.code"}, s.events.dialect.connections, stamped(s.now().Add(-lately), time.Time{})))
	if err == nil && len(rows) == 0 {
		found = append(found, integrations.Finding{
			What: fmt.Sprintf("no connection was logged in the last %s", lately), OK: true, Warning: true,
			Fix: "have Sysmon's configuration log network connections: it does not by itself",
		})
	}
	return append(found, s.events.probe(ctx, s.now(), "script_indices", s.events.scripts, true)...)
}
