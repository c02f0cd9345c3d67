// Package crowdstrike asks CrowdStrike Falcon for devices and for what they run and
// send, contains devices in the network and gives them back, and works on them through
// Real Time Response. Everything here is from documents: it was never tried on a tenant.
package crowdstrike

import (
	"context"
	"regexp"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Config is the configuration of a Falcon customer in stanch.yaml.
type Config struct {
	ClientID     string              `yaml:"client_id,required" doc:"Id of the API client."`
	ClientSecret integrations.Secret `yaml:"client_secret,required" doc:"The API client's secret."`
	Cloud        string              `yaml:"cloud,required" enum:"us-1,us-2,us-3,eu-1,us-gov-1,us-gov-2" doc:"The cloud that the customer is in."`
	MemberCID    string              `yaml:"member_cid" doc:"The child customer to act in, for an API client of a parent in Flight Control."`
	Repository   string              `yaml:"repository" doc:"The repository or view in which the sensors' events are searched."`
	URL          string              `yaml:"url" doc:"The address of the API instead of the cloud's own, such as that of a gateway."`
	httpx.Access
}

const (
	defaultRepository = "search-all"
	defaultTimeout    = 30 * time.Second
	maxTimeout        = 5 * time.Minute
	// maxBody bounds one answer. Texts of scripts are long.
	maxBody = 64 << 20
	// perMinute is how often a customer's API may be asked. The number is not documented:
	// 6000 is what answers showed that people posted, for all clients of a customer
	// together. perOperation is how many calls an operation makes: who
	// sends is searched for in several steps.
	perMinute, perOperation = 6000, 39
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}, Sources: []alerts.Spec{Alerts()}}
}

// Spec describes the integration.
func Spec() integrations.Spec { return SpecWith(limits()) }

// SpecWith describes it for a customer whose calls are limited otherwise than limits says.
func SpecWith(limits []integrations.Limit) integrations.Spec {
	return integrations.Spec{
		Kind:       "crowdstrike",
		Summary:    "CrowdStrike Falcon: devices, who sends, containment, and Real Time Response.",
		Implements: (*Falcon)(nil),
		Facts:      []string{"endpoint", "process"},
		Actions:    []incident.Action{incident.Collect, incident.KillProcess, incident.Isolate},
		ExceptBy:   "Falcon's containment policy decides which addresses stay reachable, and no documented API reads it",
		Permissions: []integrations.Permission{
			{Name: "Hosts: read", Why: "finds devices, and reads whether they are contained"},
			{Name: "Hosts: write", Why: "contains a device, lifts that, and marks with a grouping tag whose containment it is"},
			{Name: "NGSIEM: read and write", Why: "starts searches in the sensors' events and reads their results; nothing is written there"},
			{Name: "Real time response: read", Why: "opens sessions, and lists processes and connections as evidence"},
			{Name: "Real time response: write", Why: "ends a process"},
			{Name: "Real time response (admin): write", Why: "runs scripts of the cloud's library"},
		},
		Limits: limits,
		Hearing: integrations.Hearing{
			Within: 2 * lag,
			Source: "not documented; a connected sensor is taken to show a contact of the last five minutes, and the time is twice that",
		},
		Example: "edr: { kind: crowdstrike, cloud: eu-1, client_id: 0123456789abcdef, client_secret_file: /run/secrets/falcon }",
		NewConfig: func() any {
			return &Config{Repository: defaultRepository, Access: httpx.Access{Timeout: defaultTimeout}}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return openWith(*c, limits) }),
	}
}

func limits() []integrations.Limit {
	return []integrations.Limit{{
		N: perMinute, Per: time.Minute, Requests: perOperation,
		Source: "X-RateLimit-Limit of answers that people posted; not documented, and it may differ between customers",
	}}
}

// clouds are the addresses of the API by the names that Falcon gives its clouds.
func clouds() map[string]string {
	return map[string]string{
		"us-1":     "https://api.crowdstrike.com",
		"us-2":     "https://api.us-2.crowdstrike.com",
		"us-3":     "https://api.us-3.crowdstrike.com",
		"eu-1":     "https://api.eu-1.crowdstrike.com",
		"us-gov-1": "https://api.laggar.gcw.crowdstrike.com",
		"us-gov-2": "https://api.us-gov-2.crowdstrike.mil",
	}
}

// open returns the customer that a configuration describes. It does not connect.
func open(c Config) (*Falcon, error) { return openWith(c, limits()) }

func openWith(c Config, limits []integrations.Limit) (*Falcon, error) {
	const op = "open Falcon"
	base, err := c.check(op)
	if err != nil {
		return nil, err
	}
	options := c.Options()
	options.MaxBody, options.WaitHeader, options.Limits = maxBody, "X-RateLimit-RetryAfter", limits
	options.Credentials = "client_id, client_secret, cloud, and the scopes of the API client"
	api, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return newFalcon(c, base, api), nil
}

// check returns the address of the API, or what is wrong.
func (c Config) check(op string) (string, error) {
	invalid := func(format string, args ...any) error {
		return integrations.Errorf(integrations.Invalid, op, format, args...)
	}
	base, known := clouds()[c.Cloud]
	switch {
	case !known:
		return "", invalid("invalid cloud %q: must be one of us-1, us-2, us-3, eu-1, us-gov-1, us-gov-2", c.Cloud)
	case c.ClientID == "" || c.ClientSecret == "":
		return "", invalid("write client_id and client_secret")
	case c.MemberCID != "" && !regexp.MustCompile(`^[0-9a-fA-F]{32}(-[0-9a-fA-F]{2})?$`).MatchString(c.MemberCID):
		return "", invalid("invalid member_cid %q: must be the 32 hexadecimal digits of a customer", c.MemberCID)
	case !regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`).MatchString(c.Repository):
		return "", invalid("invalid repository %q: letters, digits, dashes and underscores are allowed", c.Repository)
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return "", invalid("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	case c.URL == "":
		return base, nil
	}
	var err error
	if base, err = httpx.Address("url", c.URL, "https://api.crowdstrike.com"); err != nil {
		return "", invalid("%w", err)
	}
	return base, nil
}
