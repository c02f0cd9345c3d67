package splunk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 2 * time.Minute
)

// Config is the configuration of Splunk's management port in stanch.yaml.
type Config struct {
	URL          string              `yaml:"url,required" doc:"The address of the management port of the search head, such as https://splunk.example:8089."`
	Token        integrations.Secret `yaml:"token,required" doc:"An authentication token of a user of Enterprise Security."`
	Closed       string              `yaml:"closed_status" doc:"The number of the status that closes a notable event, from Incident Review's statuses."`
	Also         []string            `yaml:"also_closed" doc:"The numbers of others after which nothing is left to do; an event that has one keeps it."`
	httpx.Access `yaml:",inline"`
}

// Spec describes the integration. Splunk documents no limit of how often it may be asked.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "splunk",
		Summary:    "Splunk Enterprise Security: what becomes of its notable events, as comments at them.",
		Implements: (*Client)(nil),
		Permissions: []integrations.Permission{
			{Name: "ess_analyst", Why: "a role: reads notable events and their reviews"},
			{Name: "edit_notable_events", Why: "a capability: comments on notable events and closes them"},
		},
		Example: "soc: { kind: splunk, url: 'https://splunk.example:8089', token_file: /run/secrets/splunk }",
		NewConfig: func() any {
			return &Config{Closed: "5", Also: []string{"4"}, Access: httpx.Access{Timeout: defaultTimeout}}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return Open(*c) }),
	}
}

// Client is one Splunk. It is safe for concurrent use.
//
// It is written after Splunk's documents and was never tried on an installation.
//
// https://help.splunk.com/en/splunk-enterprise-security-7/api-reference
type Client struct {
	config Config
	endpoint
	now func() time.Time
}

// Open returns the Splunk that a configuration describes. It does not connect.
func Open(c Config) (*Client, error) {
	const op = "open splunk"
	base, err := c.check()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	o := c.Options()
	o.Credentials = "token, and the roles of its user"
	client, err := httpx.New(o)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return &Client{c, endpoint{base, c.Token, client, "check url, and that it has Enterprise Security"}, time.Now}, nil
}

// check returns the address to which paths can be appended, or what is wrong.
func (c Config) check() (string, error) {
	base, err := httpx.Address("url", c.URL, "https://splunk.example:8089")
	switch {
	case err != nil:
		return "", err
	case c.Token == "":
		return "", errors.New("write a token")
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return "", fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	}
	for _, status := range append([]string{c.Closed}, c.Also...) {
		if status == "" || strings.Trim(status, "0123456789") != "" {
			return "", fmt.Errorf("invalid status %q: must be the number of one", status)
		}
	}
	return base, nil
}

// Probe implements [integrations.Prober].
func (c *Client) Probe(ctx context.Context) []integrations.Finding {
	var who struct {
		Entry []struct {
			Content struct {
				Username     string   `json:"username"`
				Capabilities []string `json:"capabilities"`
			} `json:"content"`
		} `json:"entry"`
	}
	a, err := c.ask(ctx, call{op: "ask who the token is of", method: http.MethodGet, path: "/services/authentication/current-context"}, &who, "entry")
	if err != nil {
		return []integrations.Finding{c.problem(err)}
	}
	found := []integrations.Finding{{What: "Splunk answers at " + c.base, OK: true}, httpx.Clock("Splunk's", a.Header, c.now())}
	may := false
	for _, entry := range who.Entry {
		for _, capability := range entry.Content.Capabilities {
			may = may || capability == "edit_notable_events"
		}
	}
	if !may {
		return append(found, integrations.Finding{
			What: "the token's user has no capability edit_notable_events", Fix: "give the user a role with it, such as ess_analyst",
		})
	}
	if _, err := c.reviews(ctx, "read reviews", "none"+notable+"0"); err != nil {
		return append(found, c.problem(err))
	}
	return append(found, integrations.Finding{What: "the token may comment on notable events", OK: true})
}

func (c *Client) problem(err error) integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "check url, that it is the management port of a search head with Enterprise Security, and the way there"}
	if integrations.KindOf(err) == integrations.Denied {
		f.Fix = "check token, that token authentication is on, and the roles of its user"
	}
	return f
}
