package command

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sourceShowOptions are the flags of source show.
type sourceShowOptions struct {
	streams
	config string
	output outputFlag
}

func newSourceShow(s streams) *cobra.Command {
	o := &sourceShowOptions{streams: s}
	c := &cobra.Command{
		Use: "show NAME", Short: "Show one source: where to send to, what the sender gives, and a command that tries it", Args: cobra.ExactArgs(1),
		Long: `Shows a source of stanch.yaml as whoever sets its sender up needs it: the address,
the credential, by what an alert is known again, and a command that posts a
sample, which starts nothing.`,
		Example: "  stanch source show siem --config stanch.yaml",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) },
	}
	c.Flags().StringVar(&o.config, "config", "", "configuration `file` (required)")
	o.output.addTo(c)
	return c
}

// shownSource is a source with what its sender needs.
type shownSource struct {
	sourceSummary
	Summary string `json:"summary"`
	// URL is where alerts are posted, Gives the sender's credential in words.
	URL        string `json:"url,omitempty"`
	Gives      string `json:"gives,omitempty"`
	Identity   string `json:"identity"`
	Occurrence string `json:"occurrence"`
	// Try is a command that posts a sample, which is read and starts nothing.
	Try string `json:"try,omitempty"`
}

func (o *sourceShowOptions) run(ctx context.Context, name string) error {
	c, loaded, err := configured(o.config)
	if err != nil {
		return err
	}
	source, err := sourceOf(c, name)
	if err != nil {
		return err
	}
	out := shownSource{
		sourceSummary: summarize(ctx, name, source, loaded), Summary: source.Alerts.Summary,
		Identity: source.Alerts.Identity, Occurrence: source.Alerts.Occurrence,
	}
	if out.Transport == posted {
		base := strings.TrimSuffix(cmp.Or(c.PublicURL, listening(c)), "/")
		out.URL = base + apiclient.AlertsPath(name)
		_, out.Gives = source.Auth.Method()
		out.Try = try(out.sourceSummary, source.Auth, base)
	}
	return o.output.print(o.streams, out, out.table)
}

// listening is the address at which a configuration has the HTTP side listen: where there are
// two, the one with TLS.
func listening(c *config.Config) string {
	if c.TLS != nil {
		return "https://" + c.TLS.Listen
	}
	return "http://" + c.Listen
}

// sourceOf is the source of a configuration with this name.
func sourceOf(c *config.Config, name string) (config.Source, error) {
	source, ok := c.Sources[name]
	if !ok {
		return source, usagef("the configuration has no source %q; there are %s", name, or(strings.Join(slices.Sorted(maps.Keys(c.Sources)), ", "), "none"))
	}
	return source, nil
}

// try is a command that posts the sample of a source's kind to where it is only tried. The
// credential is for the reader to fill in.
func try(s sourceSummary, proof auth.Auth, base string) string {
	address := base + apiclient.TryPath(s.Name)
	curl := fmt.Sprintf("stanch source sample %s | curl --fail-with-body -sS --data-binary @-", s.Kind)
	switch s.Auth {
	case "bearer":
		return curl + ` -H "Authorization: Bearer $TOKEN" ` + address
	case "basic":
		return curl + ` -u "$USER_AND_PASSWORD" ` + address
	case "header":
		return curl + ` -H "` + proof.Header.Name + `: $KEY" ` + address
	case "mtls":
		return curl + ` --cert "$CERTIFICATE" --key "$KEY_FILE" ` + address
	case "url_token":
		return curl + ` "` + address + `?token=$TOKEN"`
	case "hmac":
		if !proof.HMAC.Own() {
			return "" // Only the product itself signs so.
		}
		return fmt.Sprintf("stanch source sample %s | stanch alert send - --try --source %s --hmac-file SECRET_FILE --url %s", s.Kind, s.Name, base)
	}
	return ""
}

// table writes the source for people.
func (o shownSource) table(p *term.Printer) error {
	fields := [][3]string{
		{"name", o.Name, ""},
		{"kind", o.Kind, o.Summary},
		{"comes by", o.Transport, ""},
		{"post to", o.URL, ""},
		{"sender gives", strings.ReplaceAll(or(o.Gives, "nothing: it has no auth, and every request is refused"), "`", ""), o.Auth},
		{"rate", or(o.Rate, "no limit"), ""},
		{"known by", strings.ReplaceAll(o.Identity, "`", ""), ""},
		{"occurrence", strings.ReplaceAll(o.Occurrence, "`", ""), ""},
		{"category", o.Category, "assumed where the alert does not say"},
		{"os", o.OS, "assumed where the alert does not say"},
		{"window", o.Window, "assumed where the alert does not say"},
	}
	for _, name := range slices.Sorted(maps.Keys(o.Rules)) {
		rule := o.Rules[name]
		words := strings.Join(slices.DeleteFunc([]string{rule.Category, rule.Window}, func(s string) bool { return s == "" }), ", ")
		fields = append(fields, [3]string{"rule", name + ": " + words, ""})
	}
	fields = append(fields, [3]string{"playbooks", or(strings.Join(o.Playbooks, ", "), "none could take its alerts: each opens a case that only tells people"), ""})
	if err := p.Title("Source"); err != nil {
		return err
	}
	for _, f := range fields {
		if f[1] == "" || o.Transport != posted && (f[0] == "sender gives" || f[0] == "post to") {
			continue
		}
		if err := p.Field(f[0], f[1], f[2]); err != nil {
			return err
		}
	}
	if o.Try == "" {
		return nil
	}
	if err := p.Title("Try it"); err != nil {
		return err
	}
	return p.Command("A sample of its kind is read and routed, kept nowhere, and starts nothing:", o.Try)
}

// window is a duration as stanch.yaml has it; zero is none.
func window(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return incident.FormatDuration(d)
}
