package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// posted is the transport of a source that is posted to.
const posted = "http"

func newSource(s streams) *cobra.Command {
	c := group("source", "See the sources of alerts, and try what a body would become",
		"  stanch source list --config stanch.yaml\n  stanch source test alert.json --source siem --config stanch.yaml\n  stanch source sample elastic",
		newSourceList(s), newSourceShow(s), newSourceTry(s), newSourceSample(s))
	c.Long = `Works on sources without a server: from stanch.yaml, the playbooks that it names, and
a body in a file.`
	return c
}

// sourceSummary is one source of a configuration, for people.
type sourceSummary struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	Transport string `json:"transport"`
	// Auth is the method; empty where every request is refused.
	Auth     string                 `json:"auth,omitempty"`
	Rate     string                 `json:"rate,omitempty"`
	Category string                 `json:"category,omitempty"`
	OS       string                 `json:"os,omitempty"`
	Window   string                 `json:"window,omitempty"`
	Rules    map[string]ruleSummary `json:"rules,omitempty"`
	// Playbooks are those that could take one of its alerts.
	Playbooks []string `json:"playbooks"`
}

// ruleSummary are the settings of the alerts of one rule.
type ruleSummary struct {
	Category string `json:"category,omitempty"`
	Window   string `json:"window,omitempty"`
}

// summarize describes a source of a configuration.
func summarize(ctx context.Context, name string, source config.Source, loaded []*playbooks.Playbook) sourceSummary {
	out := sourceSummary{
		Name: name, Kind: source.Kind, Transport: posted, Category: source.Category, OS: source.OS,
		Window: window(source.Alerts.Window), Playbooks: takers(ctx, source.Alerts, loaded),
	}
	out.Auth, _ = source.Auth.Method()
	if source.Fetched() {
		out.Transport = source.Fetch.Kind
	}
	if source.Rate > 0 {
		out.Rate = source.Rate.String()
	}
	for rule, settings := range source.Rules {
		if out.Rules == nil {
			out.Rules = map[string]ruleSummary{}
		}
		out.Rules[rule] = ruleSummary{settings.Category, window(settings.Window)}
	}
	return out
}

// takers are the playbooks whose trigger can hold for an alert of a source: one that says
// nothing but what the configuration assumes of it.
func takers(ctx context.Context, source alerts.Source, loaded []*playbooks.Playbook) []string {
	categories := []string{source.Category}
	for _, rule := range source.Rules {
		categories = append(categories, rule.Category)
	}
	names := []string{}
	for _, p := range loaded {
		could := slices.ContainsFunc(categories, func(category string) bool {
			a := incident.Alert{Source: source.Name, Status: incident.Firing}
			a.Category = incident.Categories().Of(incident.Said(category, incident.Assumed))
			a.Host.OS = incident.OSes().Of(incident.Said(source.OS, incident.Assumed))
			return httpapi.CouldTake(ctx, p, a, time.Now())
		})
		if could {
			names = append(names, p.Name)
		}
	}
	return names
}

// sourceListOptions are the flags of source list.
type sourceListOptions struct {
	streams
	config string
	output outputFlag
}

func newSourceList(s streams) *cobra.Command {
	o := &sourceListOptions{streams: s}
	c := &cobra.Command{
		Use: "list", Short: "List the configured sources, and the playbooks that could take their alerts", Args: cobra.NoArgs,
		Long: `Lists the sources of stanch.yaml: kind, how its alerts come and how senders prove
themselves (never the secret), the rate, what is assumed of an alert that does
not say it, and the playbooks whose trigger could hold.`,
		Example: "  stanch source list --config stanch.yaml",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	c.Flags().StringVar(&o.config, "config", "", "configuration `file` (required)")
	o.output.addTo(c)
	return c
}

func (o *sourceListOptions) run(ctx context.Context) error {
	c, loaded, err := configured(o.config)
	if err != nil {
		return err
	}
	list := []sourceSummary{}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		list = append(list, summarize(ctx, name, c.Sources[name], loaded))
	}
	return o.output.print(o.streams, list, func(p *term.Printer) error {
		var rows [][]string
		for _, s := range list {
			auth := or(s.Auth, "none: it refuses all")
			if s.Transport != posted {
				auth = "-"
			}
			rows = append(rows, []string{
				s.Name, s.Kind, s.Transport, auth, or(s.Rate, "-"), or(s.Category, "-"), or(s.Window, "-"), or(strings.Join(s.Playbooks, ", "), "none"),
			})
		}
		return p.Table([]string{"NAME", "KIND", "COMES BY", "AUTH", "RATE", "CATEGORY", "WINDOW", "PLAYBOOKS"}, rows)
	})
}

// or is a text, or what is shown in place of none.
func or(text, none string) string {
	if text == "" {
		return none
	}
	return text
}

// configured reads a configuration that must be given, and its playbooks.
func configured(file string) (*config.Config, []*playbooks.Playbook, error) {
	if file == "" {
		return nil, nil, usagef("--config is needed: the sources are in stanch.yaml")
	}
	c, err := loadConfig(file, "")
	if err != nil {
		return nil, nil, err
	}
	set := integrations.NewSet()
	for _, i := range c.Opened {
		set.Add(i.Name, i.Spec, nil)
	}
	loaded, err := service.Playbooks(c, set)
	return c, loaded, usage(err)
}

// sampleSource is a source of a kind for which nothing is configured, and the library's
// playbooks.
func sampleSource(kind string) (alerts.Source, []*playbooks.Playbook, error) {
	spec, err := sourceKind(kind)
	if err != nil {
		return alerts.Source{}, nil, err
	}
	loaded, err := library.Playbooks()
	if err != nil {
		return alerts.Source{}, nil, fmt.Errorf("load the library: %w", err)
	}
	return alerts.Source{Spec: spec, Name: kind}, loaded, nil
}

// sourceKind is the kind of source of that name.
func sourceKind(kind string) (alerts.Spec, error) {
	catalog := all.Catalog()
	spec, ok := catalog.Source(kind)
	if !ok {
		return spec, usagef("there is no kind of source %q; there are %s", kind, strings.Join(catalog.SourceKinds(), ", "))
	}
	return spec, nil
}

func newSourceSample(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "sample KIND", Short: "Print a body as the senders of a kind post it, synthetic", Args: cobra.ExactArgs(1),
		Example:           "  stanch source sample elastic | stanch source test - --kind elastic",
		ValidArgsFunction: words(all.Catalog().SourceKinds()...),
		RunE: func(_ *cobra.Command, args []string) error {
			spec, err := sourceKind(args[0])
			if err != nil {
				return err
			}
			return s.write([]byte(spec.Example))
		},
	}
}
