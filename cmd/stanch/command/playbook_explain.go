package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// decision is the decision of the policy.
type decision = incident.Decision

// explainOptions are the flags of playbook explain.
type explainOptions struct {
	streams
	facts, alert, at, config string
	output                   outputFlag
}

func newPlaybookExplain(s streams) *cobra.Command {
	o := &explainOptions{streams: s}
	c := &cobra.Command{
		Use:   "explain PLAYBOOK --facts FILE",
		Short: "Say which rule decides for given facts, and why",
		Long: `Evaluates a playbook (a file, or a name of the library) without an engine: which
rule is chosen, which condition held with which values, what would be done.
Facts are written as in a test's given; what is left out is unknown. An alert is
one of kind stanch, as a SIEM would post it. What a configuration exempts as
infrastructure counts if it is given.`,
		Example: "  stanch playbook explain high-egress-windows --facts facts.yaml\n  stanch playbook explain playbook.yaml --facts facts.yaml --alert alert.json --output json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.facts, "facts", "", "YAML `file` with the facts")
	f.StringVar(&o.alert, "alert", "", "JSON `file` with the alert, in place of the facts' own")
	f.StringVar(&o.at, "at", "", "`time` of the decision, such as 2026-03-02T03:00:00Z; now when empty")
	f.StringVar(&o.config, "config", "", "configuration `file` whose infrastructure counts")
	o.output.addTo(c)
	return c
}

// explanation is the result of explain.
type explanation struct {
	Playbook string `json:"playbook"`
	Digest   string `json:"digest"`
	// Matched reports whether the playbook's trigger holds for the alert; where it
	// does not, nothing was decided.
	Matched  bool           `json:"matched"`
	Decision *decision      `json:"decision,omitempty"`
	Plan     *incident.Plan `json:"plan,omitempty"`
}

func (o *explainOptions) run(ctx context.Context, name string) error {
	if o.facts == "" {
		return usagef("explain needs --facts FILE")
	}
	now := time.Now().UTC()
	if o.at != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, o.at); err != nil {
			return usagef("at: %q is not a time such as 2026-03-02T03:00:00Z", o.at)
		}
	}
	f, err := namedPlaybook(name)
	if err != nil {
		return err
	}
	p, err := f.playbook()
	if err != nil {
		return err
	}
	facts, err := o.readFacts(now)
	if err != nil {
		return err
	}
	in := activities.DecideIn{Facts: facts, Now: now}
	if o.config != "" {
		c, err := loadConfig(o.config, "")
		if err != nil {
			return err
		}
		in.Infrastructure, in.ExceptBy, in.Products = c.Exempt, c.ExceptBy(), products(c)
		in.SharedNetworks = c.SharedNetworks
	}
	if id, ok := facts.Endpoint.ID.Get(); ok {
		target, err := incident.DeviceTarget(id, "")
		if err != nil {
			return usagef("endpoint.id: %w", err)
		}
		in.Target = &target
	}
	out, err := activities.DecideWith(ctx, p, in)
	if err != nil {
		return usage(err)
	}
	e := explanation{Playbook: p.Name, Digest: p.Digest(), Matched: !out.Unmatched}
	if e.Matched {
		e.Decision, e.Plan = &out.Decision, &out.Plan
	}
	return o.output.print(o.streams, e, e.table)
}

// products are what the configured integrations are like. None is asked.
func products(c *config.Config) map[string]activities.Product {
	all := map[string]activities.Product{}
	for _, i := range c.Opened {
		all[i.Name] = activities.ProductOf(i.Spec)
	}
	return all
}

// readFacts reads the facts and, where one is given, the alert.
func (o *explainOptions) readFacts(now time.Time) (incident.Facts, error) {
	data, err := file{path: o.facts}.read()
	if err != nil {
		return incident.Facts{}, err
	}
	facts, err := playbooks.DecodeFacts(o.facts, data)
	if err != nil {
		return facts, usage(err)
	}
	if o.alert == "" {
		return facts, nil
	}
	if data, err = (file{path: o.alert}).read(); err != nil {
		return facts, err
	}
	parsed, err := alerts.Source{Spec: stanch.Alerts(), Name: "file"}.Parse(data, now)
	if bad, ok := errors.AsType[*alerts.FieldError](err); ok {
		return facts, usagef("%s: %w", o.alert, bad)
	}
	if err != nil {
		return facts, err
	}
	if len(parsed) != 1 {
		return facts, usagef("%s: it holds %d alerts, explain takes one", o.alert, len(parsed))
	}
	if bad := parsed[0].Wrong; bad != nil {
		return facts, usagef("%s: %w", o.alert, bad)
	}
	facts.Alert = parsed[0].Alert
	return facts, nil
}

// table writes the explanation for people.
func (e explanation) table(p *term.Printer) error {
	if err := p.Title("Playbook"); err != nil {
		return err
	}
	if err := p.Field("name", e.Playbook, e.Digest); err != nil {
		return err
	}
	if !e.Matched {
		return p.Field("trigger", "does not hold for this alert; nothing is decided", "")
	}
	if err := showDecision(p, *e.Decision); err != nil {
		return err
	}
	if len(e.Plan.Steps) == 0 {
		return nil
	}
	if err := p.Title("Plan"); err != nil {
		return err
	}
	for i, s := range e.Plan.Steps {
		text, note := s.String(), cmp.Or(s.Problem, s.Because, s.Chosen())
		if s.Hold != nil || s.QuietFor > 0 {
			text += " " + s.Lasts(incident.FormatDuration)
		}
		if err := p.Field(fmt.Sprint(i+1), text, note); err != nil {
			return err
		}
	}
	return nil
}

// decisionFields are the decision in words, by label.
func decisionFields(d decision) [][2]string {
	fields := [][2]string{{"outcome", strings.ReplaceAll(string(d.Outcome), "_", " ")}}
	add := func(label, text string) {
		if text != "" {
			fields = append(fields, [2]string{label, text})
		}
	}
	rule, severity := d.AtStake()
	if d.Unknown != nil {
		add("may hold", rule)
		add("else", d.Rule)
	} else {
		add("rule", rule)
	}
	add("severity", severity)
	add("denied by", d.DeniedBy)
	add("because", d.Because)
	add("error", d.Error)
	var missing []string
	for _, m := range d.Unsure {
		if m.Why != "" {
			m.Path += " (" + m.Why + ")"
		}
		missing = append(missing, m.Path)
	}
	add("unsure", strings.Join(missing, ", "))
	return fields
}
