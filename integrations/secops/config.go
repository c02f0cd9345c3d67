package secops

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Config says where detections are fetched.
type Config struct {
	Project        string              `yaml:"project,required" doc:"The id of the Google Cloud project that the instance is bound to."`
	Location       string              `yaml:"location,required" doc:"The instance's region, such as us, eu or europe-west3."`
	Instance       string              `yaml:"instance,required" doc:"The instance's id, which the console calls the customer id."`
	ServiceAccount integrations.Secret `yaml:"service_account,required" doc:"The JSON key of a service account."`
	Rule           string              `yaml:"rule" doc:"The rule whose detections are fetched, those of all its revisions, such as ru_e6abfcb5-…; - is all rules."`
	Every          time.Duration       `yaml:"every" doc:"How often new detections are asked for."`
	Lookback       time.Duration       `yaml:"lookback" doc:"How far back detections are fetched after a start."`
	Overlap        time.Duration       `yaml:"overlap" doc:"How far back each question reaches, for detections that show late."`
	URL            string              `yaml:"url" doc:"The address of the API instead of the region's own, such as that of a gateway."`
	httpx.Access   `yaml:",inline"`
}

const (
	defaultEvery    = time.Minute
	defaultLookback = 24 * time.Hour
	defaultOverlap  = 10 * time.Minute
	defaultTimeout  = time.Minute
	maxTimeout      = 5 * time.Minute
	minEvery        = 10 * time.Second
	maxEvery        = time.Hour
	maxLookback     = 30 * 24 * time.Hour
	// maxBody bounds a page: of each detection it has up to ten whole events.
	maxBody = 64 << 20
)

func defaults() *Config {
	return &Config{
		Rule: "-", Every: defaultEvery, Lookback: defaultLookback, Overlap: defaultOverlap, Access: httpx.Access{Timeout: defaultTimeout},
	}
}

// name is what projects, regions, instances and rules are named by.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:@_-]*$`)

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	for _, n := range []struct{ setting, text string }{{"project", c.Project}, {"location", c.Location}, {"instance", c.Instance}} {
		if !name.MatchString(n.text) {
			return fmt.Errorf("invalid %s %q", n.setting, n.text)
		}
	}
	if c.Rule != "-" && !name.MatchString(c.Rule) {
		return fmt.Errorf("invalid rule %q", c.Rule)
	}
	for _, d := range []struct {
		setting           string
		value, from, upTo time.Duration
	}{
		{"every", c.Every, minEvery, maxEvery},
		{"lookback", c.Lookback, time.Minute, maxLookback},
		{"overlap", c.Overlap, 0, c.Lookback},
		{"timeout", c.Timeout, time.Second, maxTimeout},
	} {
		if d.value < d.from || d.value > d.upTo {
			return fmt.Errorf("%s is %s: must be between %s and %s", d.setting, d.value, d.from, d.upTo)
		}
	}
	if _, err := c.base(); err != nil {
		return err
	}
	_, err := parseAccount(c.ServiceAccount)
	return err
}

// rule is how the API is asked for the rule: an id alone names its latest revision, and what
// the one before has found would be lost when people edit the rule.
func (c *Config) rule() string {
	if c.Rule == "-" || strings.Contains(c.Rule, "@") {
		return c.Rule
	}
	return c.Rule + "@-"
}

// base is the address of the instance in the API.
//
// https://docs.cloud.google.com/chronicle/docs/reference/rest/v1alpha/projects.locations.instances.legacy/legacySearchDetections
func (c *Config) base() (string, error) {
	at := c.URL
	if at == "" {
		at = "https://" + c.Location + "-chronicle.googleapis.com"
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return "", fmt.Errorf("url is not an address such as https://us-chronicle.googleapis.com")
	}
	return strings.TrimRight(at, "/") + "/v1alpha/projects/" + c.Project + "/locations/" + c.Location + "/instances/" + c.Instance, nil
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Sources: []alerts.Spec{Alerts()}, Transports: []alerts.Transport{Transport()}}
}

// Transport describes the API that lists detections.
func Transport() alerts.Transport {
	return alerts.Transport{
		Kind:    "secops",
		Summary: "The detections of Google SecOps, asked for by its API (v1alpha), since it sends none.",
		Doc: `Each detection is one body, for a source of the kind [secops](alerts.md#kind-secops). Detections are listed by when they were
created, page by page, in parts of an hour. Google keeps no note of what was taken: after a start the last ` + "`lookback`" + ` is fetched
again, and what was taken before is recognised by its id. An outage that is longer loses what is older; a longer lookback fetches it.
Detections of curated rules are not listed.

The service account needs the permission ` + "`chronicle.legacies.legacySearchDetections`" + `, which the role Chronicle API Viewer has. See
[Google SecOps](../integrations/secops.md).`,
		Alone:     "each receiver lists all detections",
		Again:     "Google keeps no note of what was taken, so that a new process looks back by `lookback`",
		Source:    "secops",
		Example:   `{ kind: secops, project: my-project, location: us, instance: 5f1c0c9d-0000-4000-8000-000000000000, service_account_file: /etc/stanch/secops.json }`,
		NewConfig: func() any { return defaults() },
		Open:      open,
	}
}

func open(_ context.Context, config any) (alerts.Puller, error) {
	const op = "open Google SecOps"
	c, ok := config.(*Config)
	if !ok {
		return nil, integrations.Errorf(integrations.Invalid, op, "the configuration is a %T, not a %T", config, c)
	}
	if err := c.Check(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return newPuller(*c)
}
