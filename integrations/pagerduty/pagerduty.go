// Package pagerduty looks up who is on call in PagerDuty, and pages people: a
// message is an alert of a service. It uses two of PagerDuty's interfaces: the
// REST API v2, and the Events API v2, which accepts events and cannot be read.
package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Config is PagerDuty's part of stanch.yaml.
type Config struct {
	Token      integrations.Secret `yaml:"token" doc:"API key for looking up who is on call; a read-only one is enough. None: on-calls cannot be looked up."`
	Services   map[string]Service  `yaml:"services" doc:"The services that can be paged, by the names that playbooks use as channels. None: no one can be paged."`
	Region     string              `yaml:"region" enum:"us,eu" doc:"Where the account is."`
	MatchEmail bool                `yaml:"match_email" doc:"Take the e-mail address of the person on call as proof of identity. Without it only PagerDuty's user id is."`
}

// Service is a PagerDuty service with an Events API v2 integration.
type Service struct {
	RoutingKey integrations.Secret `yaml:"routing_key,required" doc:"Integration key of the service's Events API v2 integration."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "pagerduty",
		Summary:    "PagerDuty: who is on call, and alerts that page them.",
		Implements: (*PagerDuty)(nil),
		Actions:    []incident.Action{incident.Notify},
		Permissions: []integrations.Permission{
			{Name: "API key, read-only: on-calls, escalation policies and users", Why: "to look up who is on call"},
			{Name: "Events API v2 integration key, one per service", Why: "to open and resolve the service's alerts"},
		},
		Example:   "pager: { kind: pagerduty, token_file: /run/secrets/pagerduty, services: { secops: { routing_key_file: /run/secrets/pagerduty-secops } } }",
		NewConfig: func() any { return &Config{Region: "us"} },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c) }),
	}
}

// PagerDuty is one account. It is safe for concurrent use.
type PagerDuty struct {
	config Config
	// api and events are where the two interfaces are.
	api, events string
	http        *httpx.Client
}

func open(c Config) (*PagerDuty, error) {
	p := &PagerDuty{config: c}
	switch c.Region {
	case "us":
		p.api, p.events = "https://api.pagerduty.com", "https://events.pagerduty.com"
	case "eu":
		p.api, p.events = "https://api.eu.pagerduty.com", "https://events.eu.pagerduty.com"
	default:
		return nil, invalid("open pagerduty", "invalid region %q: must be one of us, eu", c.Region)
	}
	if c.Token == "" && len(c.Services) == 0 {
		return nil, invalid("open pagerduty", "neither token nor services is set")
	}
	for name, s := range c.Services {
		if name == "" || strings.Contains(name, "/") || s.RoutingKey == "" {
			return nil, invalid("open pagerduty", "service %q lacks its name or its routing_key, or has a / in its name", name)
		}
	}
	client, err := httpx.New(httpx.Options{WaitHeader: "ratelimit-reset"})
	if err != nil {
		return nil, invalid("open pagerduty", "%w", err)
	}
	p.http = client
	return p, nil
}

// Circuit implements [integrations.Breaker].
func (p *PagerDuty) Circuit() integrations.Circuit { return p.http.Circuit() }

// Close closes the connections.
func (p *PagerDuty) Close() error { return p.http.Close() }

// Probe implements [integrations.Prober]. It looks up on-calls with the API key.
// PagerDuty checks a routing key only with an event, so of routing keys only the
// form is checked.
func (p *PagerDuty) Probe(ctx context.Context) []integrations.Finding {
	var found []integrations.Finding
	if p.config.Token != "" {
		for _, list := range []string{"oncalls", "escalation_policies"} {
			_, err := p.ask(ctx, "probe "+list, "/"+list+"?limit=1", nil)
			found = append(found, finding("PagerDuty lets the API key read "+list, err,
				"give an API key of the account, and the region that it is in"))
		}
	}
	if len(p.config.Services) > 0 {
		err := p.http.Connect(ctx, "probe the Events API", p.events)
		found = append(found, finding("PagerDuty's Events API can be reached", err, "let this machine connect to "+p.events))
	}
	for _, name := range slices.Sorted(maps.Keys(p.config.Services)) {
		var err error
		if len(p.config.Services[name].RoutingKey) != routingKeyLength {
			err = errors.New("it does not have the length of a routing key")
		}
		found = append(found, finding(fmt.Sprintf("the routing key of service %q looks like one; only an event can prove it", name), err,
			"copy the integration key of the service's Events API v2 integration"))
	}
	return found
}

// routingKeyLength is the length of every integration key.
const routingKeyLength = 32

func finding(what string, err error, fix string) integrations.Finding {
	if err != nil {
		return integrations.Finding{What: fmt.Sprintf("could not confirm that %s: %v", what, err), Fix: fix}
	}
	return integrations.Finding{What: what, OK: true}
}

// ask reads from the REST API.
func (p *PagerDuty) ask(ctx context.Context, op, path string, out any) (httpx.Answer, error) {
	return p.http.JSON(ctx, httpx.Request{
		Op: op, Method: http.MethodGet, URL: p.api + path,
		Header: http.Header{
			"Accept":        {"application/vnd.pagerduty+json;version=2"},
			"Authorization": {"Token token=" + p.config.Token.Reveal()},
		},
	}, nil, out)
}

func invalid(op, format string, args ...any) error {
	return integrations.Errorf(integrations.Invalid, op, format, args...)
}
