// Package elastic connects what is kept in Elasticsearch or OpenSearch in the Elastic Common
// Schema, and Elastic Defend.
//
// A [Store] reads flow records: those of Packetbeat, of Filebeat's or Elastic
// Agent's NetFlow input, of their Zeek module, and of Elastic's integrations of clouds and
// firewalls. [Defend] finds devices, tells who sends, and
// isolates; [Sysmon] tells who sends where no EDR does.
//
// A query of flows with few records is answered from the records themselves, like that of
// any other store. Above [Config].Records the cluster sums, and the answer is
// coarser: a flow counts whole at its record's time stamp, and for each peer and
// window the largest of several sensors' counts is used.
package elastic

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 10 * time.Minute
	defaultLongest = time.Hour
	maxLongest     = 7 * 24 * time.Hour
	// maxRecords is how many records the cluster returns at once by default, its setting
	// index.max_result_window.
	maxRecords       = 10_000
	defaultDocuments = 200_000_000
	maxIndices       = 20
	maxBody          = 64 << 20
)

// Config is the configuration of a cluster in stanch.yaml.
type Config struct {
	URL         string              `yaml:"url,required" doc:"The cluster's address, such as https://es.example:9200."`
	Indices     []string            `yaml:"indices,required" doc:"The indices, data streams or aliases that hold the flows; an asterisk matches any characters."`
	Layout      Layout              `yaml:"layout,required" enum:"packetbeat,netflow,zeek,aws_vpc,gcp_vpc,panos,fortigate,ftd" doc:"Who wrote the records: packetbeat, netflow (Filebeat or Elastic Agent), zeek (their Zeek module), or one of Elastic's integrations: aws_vpc and gcp_vpc (flow logs of VPCs), panos (Palo Alto), fortigate, ftd (Cisco)."`
	APIKey      integrations.Secret `yaml:"api_key" doc:"An API key, in its encoded form."`
	Username    string              `yaml:"username" doc:"A user instead of an API key."`
	Password    integrations.Secret `yaml:"password" doc:"The user's password."`
	SensorField string              `yaml:"sensor_field" doc:"The keyword or ip field that names who saw a flow. Empty: the layout's own."`

	Only    []integrations.Match `yaml:"only" doc:"Records count where each of these fields has one of its values; a field is a keyword, a number, a boolean or an address."`
	Without []integrations.Match `yaml:"without" doc:"Records do not count where one of these fields has one of its values."`

	Sampling  int64         `yaml:"sampling" doc:"Sampling rate, one packet in n, of sensors that report 0, that is, none; 1 is every packet. 0: their volume is unknown."`
	Longest   time.Duration `yaml:"longest" doc:"How far a record's stamp may be from the flow's other end: the longest flow that is looked for."`
	Records   int           `yaml:"records" doc:"Up to how many records an answer is computed from the records themselves; above it the cluster sums."`
	Documents int64         `yaml:"documents" doc:"How many documents a search may visit in each shard; one that needs more is refused."`

	httpx.Access
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec(), AlertsSpec(), DefendSpec(), SysmonSpec()}, Sources: []alerts.Spec{Alerts()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "elasticflows",
		Summary:    "Flow store in Elasticsearch or OpenSearch: Packetbeat, NetFlow, Zeek, flow logs of AWS and Google Cloud, and firewalls, in the Elastic Common Schema.",
		Implements: (*Store)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "index privilege read on the indices", Why: "searches; nothing is written"},
		},
		Example: "flows: { kind: elasticflows, url: 'https://es.example:9200', indices: ['logs-netflow.log-*'], layout: netflow, api_key_file: /run/secrets/elastic }",
		NewConfig: func() any {
			return &Config{Longest: defaultLongest, Records: maxRecords, Documents: defaultDocuments, Access: httpx.Access{Timeout: defaultTimeout}}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return Open(*c) }),
	}
}

// Store is the flow records of one cluster. It is safe for concurrent use.
type Store struct {
	config Config
	layout layout
	search string // the address of the searches
	client *httpx.Client
	// groupsMost is how many groups an answer is made of.
	groupsMost int
	// longer records flows that last longer than the configured maximum.
	longer flowmath.Longer
}

// Open returns the store that a configuration describes. It does not connect.
func Open(c Config) (*Store, error) {
	l, ok := layouts()[c.Layout]
	if !ok {
		return nil, integrations.Errorf(integrations.Invalid, "open the flow store", "invalid layout %q: must be one of %s", c.Layout, strings.Join(layoutNames(), ", "))
	}
	switch {
	case c.SensorField != "" && l.ofEnds:
		return nil, integrations.Errorf(integrations.Invalid, "open the flow store", "sensor_field is set: with layout %s both ends report a flow, and only %s tells their reports apart", c.Layout, l.sensor)
	case c.SensorField != "":
		l.sensor = c.SensorField
	}
	l.only, l.without = c.Only, c.Without
	l.unsaid = c.Sampling
	address, err := c.check()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open the flow store", "%w", err)
	}
	// The cluster itself ends a search in time, and reports that; the client waits a
	// little longer for that.
	o := c.Options()
	o.Timeout, o.MaxBody = c.Timeout+5*time.Second, maxBody
	client, err := httpx.New(o)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open the flow store", "%w", err)
	}
	return &Store{config: c, layout: l, search: address, client: client, groupsMost: maxBuckets, longer: flowmath.Longer{Limit: c.Longest}}, nil
}

// Circuit implements [integrations.Breaker].
func (s *Store) Circuit() integrations.Circuit { return s.client.Circuit() }

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }

// check returns the address of searches, or what is wrong.
func (c Config) check() (string, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("url is not an address such as https://es.example:9200")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("url has a user, a query or a fragment: write username and password as settings of their own")
	case c.APIKey != "" && c.Username != "" || (c.Username == "") != (c.Password == ""):
		return "", fmt.Errorf("write an api_key, or a username with its password")
	case u.Scheme == "http" && (c.APIKey != "" || c.Password != "") && !httpx.Loopback(u.Hostname()):
		return "", fmt.Errorf("url is http: credentials would travel in the clear")
	case c.Sampling < 0 || c.Sampling > flowmath.MaxSampling:
		return "", fmt.Errorf("sampling is %d: must be between 0 and %d", c.Sampling, flowmath.MaxSampling)
	case c.Longest < time.Minute || c.Longest > maxLongest:
		return "", fmt.Errorf("longest is %s: must be between 1m and %s", c.Longest, maxLongest)
	case c.Records < 1 || c.Records > maxRecords:
		return "", fmt.Errorf("records is %d: must be between 1 and %d", c.Records, maxRecords)
	case c.Documents < 1 || c.Documents > 1<<31-1:
		return "", fmt.Errorf("documents is %d: must be between 1 and %d", c.Documents, 1<<31-1)
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return "", fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	case c.SensorField != "" && !fieldName(c.SensorField):
		return "", fmt.Errorf("invalid field name %q of sensor_field", c.SensorField)
	case len(c.Indices) == 0 || len(c.Indices) > maxIndices:
		return "", fmt.Errorf("there are %d indices: must be between 1 and %d", len(c.Indices), maxIndices)
	}
	if err := integrations.CheckMatches(c.Only, c.Without, fieldName); err != nil {
		return "", err
	}
	for _, name := range c.Indices {
		if err := checkIndex(name); err != nil {
			return "", err
		}
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + strings.Join(c.Indices, ",") + "/_search"
	// A pattern that matches nothing is an error, and so is a partial answer.
	u.RawQuery = url.Values{
		"allow_no_indices": {"false"}, "ignore_unavailable": {"false"}, "allow_partial_search_results": {"false"},
	}.Encode()
	return u.String(), nil
}

// checkIndex allows what Elasticsearch allows in names, and asterisks after the
// first character: no list, no other cluster, no date arithmetic, no
// exclusion, and never all indices.
func checkIndex(name string) error {
	begins := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' }
	if name == "" || len(name) > 255 || !begins(name[0]) || strings.Contains(name, "..") {
		return fmt.Errorf("index %q does not begin with a small letter, a digit or a dot, is too long, or holds two dots", name)
	}
	for i := range len(name) {
		if c := name[i]; !begins(c) && c != '-' && c != '_' && c != '*' {
			return fmt.Errorf("index %q holds %q: small letters, digits, dots, dashes, underscores and asterisks are allowed", name, c)
		}
	}
	return nil
}

func fieldName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '@' {
			return false
		}
	}
	return len(name) <= 255
}

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	now := time.Now()
	span, err := s.span(ctx, now)
	names := strings.Join(s.config.Indices, ", ")
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: fix(integrations.KindOf(err), names)}}
	}
	if span.Records == 0 {
		return append(s.probeMatches(ctx), integrations.Finding{
			What: fmt.Sprintf("%s have no flow records of layout %s", names, s.config.Layout),
			Fix:  "check layout and indices, and that flows are shipped",
		})
	}
	found := []integrations.Finding{{What: fmt.Sprintf("%s have flow records, the newest of %s", names, span.NewestText()), OK: true}}
	found = append(found, span.Findings(names, now, "")...)
	return append(found, s.probeMatches(ctx)...)
}

// fix returns what to do where indices cannot be queried.
func fix(k integrations.Kind, names string) string {
	switch k {
	case integrations.Denied:
		return "give the API key or the user the index privilege read on " + names
	case integrations.NotFound:
		return "correct indices: nothing is called " + names
	case integrations.Invalid, integrations.Conflict, integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return "check url and ca, and that the cluster is up"
}

// probeMatches checks that the values of only and without occur.
func (s *Store) probeMatches(ctx context.Context) []integrations.Finding {
	plain := s.layout
	plain.only, plain.without = nil, nil
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			out, err := s.ask(ctx, "look for "+m.String(), request{Query: allOf(plain.records(), matching(m)), TrackTotalHits: 1})
			if err != nil {
				found = append(found, integrations.Finding{What: setting + ": " + err.Error(), Fix: "raise documents or timeout"})
				continue
			}
			found = append(found, integrations.MatchFinding(setting, m, out.Hits.Total.Value > 0))
		}
	}
	look("only", s.layout.only)
	look("without", s.layout.without)
	return found
}
