package command

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/report"
	"github.com/stanch-soar/stanch/cmd/internal/term"
)

// reportOptions are the flags of report.
type reportOptions struct {
	streams
	serverFlags
	output outputFlag
	since  durationFlag
	html   string
}

func newReport(s streams) *cobra.Command {
	o := &reportOptions{streams: s}
	c := &cobra.Command{
		Use: "report", Short: "Add up what cases did: outcomes, time by stage, approvals, what stands", Args: cobra.NoArgs,
		Long: `Adds up the cases that were open in the last while: how they ended, by playbook and
rule; how long each stage took, by percentiles; who was asked and who was slow; what
was never proven, given back late, or held back; what was held again while its host
still sent, and how that ended; and what stands now. Closed cases are in it for as
long as the engine keeps them.`,
		Example: "  stanch report --since 7d\n  stanch report --since 30d --html report.html",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.serverFlags.addTo(c)
	o.output.addTo(c)
	f := c.Flags()
	f.Var(&o.since, "since", "how far back it goes (7d when not given)")
	f.StringVar(&o.html, "html", "", "write a page to this `file`, instead of text")
	return c
}

func (o *reportOptions) run(ctx context.Context) error {
	if o.html != "" && o.output.value != asTable {
		return usagef("--html and --output %s are two forms of the answer: give one of them", o.output.value)
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	r, err := client.Report(ctx, o.since.or(7*24*time.Hour))
	if err != nil {
		return answered(err)
	}
	if o.html == "" {
		return o.output.print(o.streams, r, func(p *term.Printer) error { return showReport(p, r) })
	}
	page, err := report.Page(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.html, page, 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return o.say("wrote %s", o.html)
}

func showReport(p *term.Printer, r api.Report) error {
	if err := p.Say(report.Summary(r)); err != nil {
		return err
	}
	for _, note := range report.Notes(r) {
		if err := p.Say(note); err != nil {
			return err
		}
	}
	for _, t := range report.Tables(r) {
		if err := showTable(p, t); err != nil {
			return err
		}
	}
	return nil
}

func showTable(p *term.Printer, t report.Table) error {
	if err := p.Title(t.Title); err != nil {
		return err
	}
	if len(t.Rows) == 0 {
		if err := p.Aside(t.None); err != nil {
			return err
		}
	} else if err := p.Table(t.Headers, t.Rows); err != nil {
		return err
	}
	if t.Note == "" {
		return nil
	}
	return p.Aside(t.Note)
}
