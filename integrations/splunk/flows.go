package splunk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	defaultLongest = time.Hour
	maxLongest     = 7 * 24 * time.Hour
	defaultRecords = 10_000
	maxIndices     = 20
	maxBody        = 64 << 20
)

// Stamp is which end of a flow the time of an event is.
type Stamp string

// The closed set of stamps.
const (
	AtStart Stamp = "start"
	AtEnd   Stamp = "end"
)

// Summaries is what is searched of an accelerated data model.
type Summaries string

// The closed set of summaries.
const (
	// Also searches the events themselves where they are not summarized yet.
	Also Summaries = "also"
	// Only searches summaries, which may be minutes behind.
	Only Summaries = "only"
)

// FlowsConfig is the configuration of a flow store in Splunk in stanch.yaml.
type FlowsConfig struct {
	URL       string              `yaml:"url,required" doc:"The address of the management port of the search head, such as https://splunk.example:8089."`
	Token     integrations.Secret `yaml:"token,required" doc:"An authentication token of a user that may search the indices."`
	Stamp     Stamp               `yaml:"stamp,required" enum:"start,end" doc:"What _time is: the start of a flow, or its end, as where an event is written when a session has ended."`
	Model     string              `yaml:"model" doc:"The data model, with the dataset All_Traffic."`
	Indices   []string            `yaml:"indices" doc:"The indices whose events count. Empty: those that the data model has."`
	Summaries Summaries           `yaml:"summaries" enum:"also,only" doc:"Whether events that an accelerated data model has not summarized yet are searched too (also), or not (only): then the store is as fresh as its summaries."`

	Only    []integrations.Match `yaml:"only" doc:"Events count where each of these fields of the data model has one of its values."`
	Without []integrations.Match `yaml:"without" doc:"Events do not count where one of these fields of the data model has one of its values."`

	Longest time.Duration `yaml:"longest" doc:"How far an event's time may be from the flow's other end: the longest flow that is looked for."`
	Records int           `yaml:"records" doc:"Up to how many events an answer is computed from the events themselves; above it Splunk sums."`

	httpx.Access `yaml:",inline"`
}

// FlowsSpec describes the integration.
func FlowsSpec() integrations.Spec {
	return integrations.Spec{
		Kind:       "splunkflows",
		Summary:    "Flow store in Splunk: searches over the data model Network_Traffic of the Common Information Model.",
		Implements: (*Flows)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "search", Why: "a capability: runs searches; nothing is written"},
			{Name: "the indices of the data model", Why: "what the role may search, with no bound of its time range"},
		},
		Example: "flows: { kind: splunkflows, url: 'https://splunk.example:8089', stamp: end, token_file: /run/secrets/splunk }",
		NewConfig: func() any {
			return &FlowsConfig{
				Model: "Network_Traffic", Summaries: Also, Longest: defaultLongest, Records: defaultRecords,
				Access: httpx.Access{Timeout: defaultTimeout},
			}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *FlowsConfig) (any, error) { return OpenFlows(*c) }),
	}
}

// Flows is the network traffic in one Splunk. It is safe for concurrent use.
//
// It is written after Splunk's documents and was never tried on an installation.
//
// https://help.splunk.com/en/splunk-enterprise/rest-api-reference/9.4/search-endpoints/search-endpoint-descriptions
//
// https://help.splunk.com/en/data-management/common-information-model/6.1/data-models/network-traffic
type Flows struct {
	config FlowsConfig
	endpoint
	// counted are the conditions of the events that count.
	counted []string
	// slots bounds the searches that run at once.
	slots chan struct{}
	// longer records flows that last longer than the configured maximum.
	longer flowmath.Longer
}

// OpenFlows returns the store that a configuration describes. It does not connect.
func OpenFlows(c FlowsConfig) (*Flows, error) {
	const op = "open splunkflows"
	base, err := c.check()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	counted, err := c.conditions()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	o := c.Options()
	o.Credentials, o.MaxBody = "token, and the roles of its user", maxBody
	client, err := httpx.New(o)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return &Flows{
		config: c, endpoint: endpoint{base, c.Token, client, "check url, and that it is Splunk 9.0.1 or newer; or the search was removed meanwhile"},
		counted: counted, slots: make(chan struct{}, concurrent), longer: flowmath.Longer{Limit: c.Longest},
	}, nil
}

// check returns the address to which paths can be appended, or what is wrong.
func (c FlowsConfig) check() (string, error) {
	base, err := httpx.Address("url", c.URL, "https://splunk.example:8089")
	switch {
	case err != nil:
		return "", err
	case c.Token == "":
		return "", errors.New("write a token")
	case c.Stamp != AtStart && c.Stamp != AtEnd:
		return "", fmt.Errorf("invalid stamp %q: must be start or end", c.Stamp)
	case c.Summaries != Also && c.Summaries != Only:
		return "", fmt.Errorf("invalid summaries %q: must be also or only", c.Summaries)
	case !word(c.Model):
		return "", fmt.Errorf("invalid model %q: must be the name of a data model, of letters, digits and _", c.Model)
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return "", fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	case c.Longest < time.Minute || c.Longest > maxLongest:
		return "", fmt.Errorf("longest is %s: must be between 1m and %s", c.Longest, maxLongest)
	case c.Records < 1 || c.Records > maxRows-2:
		return "", fmt.Errorf("records is %d: must be between 1 and %d", c.Records, maxRows-2)
	case len(c.Indices) > maxIndices:
		return "", fmt.Errorf("there are %d indices: must be %d at most", len(c.Indices), maxIndices)
	}
	for _, name := range c.Indices {
		if !word(strings.ReplaceAll(name, "-", "_")) || name[0] == '-' {
			return "", fmt.Errorf("invalid index %q: must be a name of small letters, digits, _ and -", name)
		}
	}
	return base, integrations.CheckMatches(c.Only, c.Without, word)
}

// word reports whether a name is one of letters, digits and underscores.
func word(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= 100
}

// within bounds the stamps of flows that may overlap [from, to).
func (s *Flows) within(from, to time.Time) (first, last time.Time) {
	if s.config.Stamp == AtStart {
		return from.Add(-s.config.Longest), to
	}
	return from, to.Add(s.config.Longest)
}

// views returns the flows of a host that overlap [from, to), each once, or false when
// there are too many.
func (s *Flows) views(ctx context.Context, op string, h flowmath.Host, from, to time.Time) ([]flowmath.View, bool, error) {
	records, few, err := s.records(ctx, op, []string{ofHosts(h.Addrs)}, from, to)
	if err != nil || !few {
		return nil, false, err
	}
	var sensors flowmath.Sensors
	return flowmath.Distinct(viewsOf(records, h, &sensors, from, to)), true, nil
}

// Traffic implements [integrations.Flows].
func (s *Flows) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	span, err := s.span(ctx, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	sum := flowmath.NewSummary(q)
	if span.Records == 0 {
		return sum.Traffic(h, span), nil
	}
	views, few, err := s.views(ctx, op, h, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	if few {
		for i := range views {
			sum.View(&views[i])
		}
	} else if views, err = s.summarize(ctx, op, h, q, sum); err != nil {
		return incident.Traffic{}, err
	}
	t := sum.Traffic(h, span)
	sum.Sample(&t, views, span)
	return t, nil
}

// Series implements [integrations.Flows].
func (s *Flows) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows].
func (s *Flows) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

// windowReader searches for one window.
type windowReader struct {
	*Flows
	op string
}

func (s *Flows) reader(ctx context.Context, op string, _, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	span, err := s.span(ctx, to)
	return &windowReader{s, op}, span, err
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	rows, err := s.search(ctx, s.op, tstats{where: []string{ofHosts(h.Addrs)}, from: at.Add(-history), to: at})
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return rows[0].count("count") > 0, nil
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, windows *flowmath.Windows) error {
	views, few, err := s.views(ctx, s.op, h, windows.From(), windows.To())
	if err != nil {
		return err
	}
	if !few {
		return s.histogram(ctx, s.op, h, windows)
	}
	for i := range views {
		windows.View(&views[i])
	}
	return nil
}
