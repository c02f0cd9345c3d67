package config

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Source is one place that alerts come from.
type Source struct {
	Kind     string                 `yaml:"kind" doc:"What the body looks like: one of the [kinds](alerts.md)."`
	Map      string                 `yaml:"map" doc:"The file that says where the values of an alert stand, of the kind [mapping](alerts.md#kind-mapping) alone. It is read when stanch starts."`
	Auth     auth.Auth              `yaml:"auth" doc:"How senders prove themselves. Without it every request is refused."`
	From     playbooks.Node         `yaml:"from" as:"mapping of a [transport](transports.md)" doc:"Where its alerts are fetched: the kind of the transport and its settings. A source has this or auth."`
	Category string                 `yaml:"category" doc:"The category of alerts that do not say one; recorded as assumed."`
	OS       string                 `yaml:"os" doc:"The operating system of hosts for which the alert does not say one; recorded as assumed."`
	Window   time.Duration          `yaml:"window" doc:"The time that the counts of an alert cover that does not say it; recorded as assumed."`
	Rules    map[string]alerts.Rule `yaml:"rules" doc:"Settings of single rules, by the rule's name as the alert has it; they go before those of the source."`
	MaxBody  int64                  `yaml:"max_body" unit:"size" default:"1MiB" doc:"How large a body or a message may be, once it is unpacked; 4MiB at most. Of one that cannot be read and is larger than 1.25 MiB, only the beginning is kept."`
	Cut      []string               `yaml:"cut" doc:"Keys of its bodies whose values are secrets, besides those that Stanch knows, such as password, token or cookie: they are cut out of all that is kept, see [operating](../operating.md#what-is-kept-of-a-body)."`
	Lookup   string                 `yaml:"lookup" doc:"The integration that fetches what its alerts only name, such as the entities of an incident."`
	Reply    string                 `yaml:"reply" doc:"The integration by which the sender is told what becomes of its alerts: that a case has opened, each level of proof, and how it closed; see [operating](../operating.md#back-to-the-sender). None: it is told nothing."`
	Home     []netip.Prefix         `yaml:"home_networks" as:"list of networks" doc:"The site's own networks, such as 10.0.0.0/8, for sensors that see both ends of a connection and do not say which is ours. Without it the private ones are."`
	Rate     Rate                   `yaml:"rate" doc:"How many requests are taken, such as 50/s. Without it there is no limit."`

	// Alerts reads the requests.
	Alerts alerts.Source `yaml:"-"`
	// Fetch is how they are fetched; the zero value is that they are posted.
	Fetch Fetch `yaml:"-"`
}

// Fetch is a configured transport.
type Fetch struct {
	alerts.Transport
	// Config is what the transport's NewConfig returned, filled in.
	Config any
}

// Fetched reports whether the alerts of the source are fetched; those of others are posted.
func (s Source) Fetched() bool { return s.Fetch.Kind != "" }

// Rate is a number of requests per second; 0 is no limit.
type Rate float64

// String is the rate for people: by the shortest time in which it is a whole number.
func (r Rate) String() string {
	for _, unit := range []struct {
		name    string
		seconds float64
	}{{"s", 1}, {"m", 60}, {"h", 3600}} {
		if n := float64(r) * unit.seconds; n >= 1 && math.Abs(n-math.Round(n)) < 1e-6 {
			return fmt.Sprintf("%.0f/%s", n, unit.name)
		}
	}
	return fmt.Sprintf("%.3f/s", float64(r))
}

// UnmarshalText reads 50/s, 100/m or 1000/h.
func (r *Rate) UnmarshalText(text []byte) error {
	count, unit, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(count, 10, 31)
	seconds, ok := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if err != nil || n == 0 || !ok {
		return fmt.Errorf("invalid rate %q: write it like 50/s, 100/m or 1000/h", text)
	}
	*r = Rate(float64(n) / seconds)
	return nil
}

func (c *Config) checkSources(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		source, node := c.Sources[name], node.Get(name)
		spec, ok := c.catalog.Source(source.Kind)
		if !ok {
			issues = append(issues, node.Issue("source %s: there is no kind %s; there are %s", name, node.Get("kind").Quoted(), strings.Join(c.catalog.SourceKinds(), ", ")))
		}
		if m := source.Auth.MTLS; m != nil {
			m.CA = c.Path(m.CA)
			if c.TLS == nil {
				issues = append(issues, node.Issue("source %s: auth.mtls needs tls: only there a client shows its certificate", name))
			}
		}
		if _, err := source.Auth.Verifier(); err != nil {
			issues = append(issues, node.Issue("source %s: %v", name, err))
		}
		issues = append(issues, c.checkHelper(name, source.Reply, node.Get("reply"), "Replier", "tells the senders of alerts nothing")...)
		spec, bad := c.mapped(name, source, spec, node)
		issues = append(issues, bad...)
		source.Alerts = alerts.Source{Spec: spec, Name: name, Category: source.Category, OS: source.OS, Window: source.Window, Rules: source.Rules, Home: source.Home, Cut: source.Cut}
		if at := node.Get("max_body"); !at.IsZero() && (source.MaxBody <= 0 || source.MaxBody > api.MaxBody) {
			issues = append(issues, at.Issue("source %s: max_body is %s; it is between one byte and %s", name, at.Quoted(), incident.FormatSize(api.MaxBody)))
		}
		if slices.Contains(source.Cut, "") {
			issues = append(issues, node.Get("cut").Issue("source %s: cut has an empty key", name))
		}
		issues = append(issues, c.openFetch(name, &source, node)...)
		issues = append(issues, c.checkHelper(name, source.Lookup, node.Get("lookup"), "Completer", "fetches nothing for alerts")...)
		c.Sources[name] = source
	}
	return issues
}

// openFetch decodes how the alerts of a source are fetched.
func (c *Config) openFetch(name string, source *Source, node playbooks.Node) playbooks.Issues {
	from := source.From
	if from.IsZero() {
		return nil
	}
	if !node.Get("auth").IsZero() {
		return playbooks.Issues{node.KeyIssue("from", "source %s: it has auth, so it is posted to, and from, so it is fetched: keep one", name)}
	}
	var head struct {
		Kind string `yaml:"kind,required"`
	}
	others := slices.DeleteFunc(from.Keys(), func(k string) bool { return k == "kind" })
	if bad := from.Without(others...).Decode(&head); len(bad) > 0 {
		return bad
	}
	transport, ok := c.catalog.Transport(head.Kind)
	if !ok {
		return playbooks.Issues{from.Get("kind").Issue("source %s: there is no transport %s; there are %s", name, from.Get("kind").Quoted(), strings.Join(c.catalog.TransportKinds(), ", "))}
	}
	if brings := transport.Source; brings != "" && brings != source.Kind && source.Map == "" {
		return playbooks.Issues{from.Get("kind").Issue("source %s: the transport %s brings alerts of the kind %s, which the kind %s does not read", name, head.Kind, brings, source.Kind)}
	}
	config := transport.NewConfig()
	issues := from.Without("kind").Decode(config)
	if checker, ok := config.(integrations.Checker); ok && len(issues) == 0 {
		if err := checker.Check(); err != nil {
			issues = append(issues, from.Issue("source %s: from: %v", name, err))
		}
	}
	c.resolvePaths(config)
	source.Fetch = Fetch{Transport: transport, Config: config}
	return issues
}

// checkHelper checks an integration by which something is done for a source: it needs the
// capability.
func (c *Config) checkHelper(name, helper string, node playbooks.Node, capability, lacks string) playbooks.Issues {
	if node.IsZero() {
		return nil
	}
	at := slices.IndexFunc(c.Opened, func(i Integration) bool { return i.Name == helper })
	switch {
	case at < 0 && !c.Integrations.Get(helper).IsZero(): // What is wrong with it was said.
	case at < 0:
		return playbooks.Issues{node.Issue("source %s: there is no integration %s; there are %s", name, node.Quoted(), strings.Join(c.Integrations.Keys(), ", "))}
	case !c.Opened[at].Spec.Can(capability):
		return playbooks.Issues{node.Issue("source %s: integration %s is of kind %s, which %s", name, node.Quoted(), c.Opened[at].Spec.Kind, lacks)}
	}
	return nil
}
