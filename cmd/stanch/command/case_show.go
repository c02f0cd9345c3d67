package command

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// moment shows a time in a table; the zero time is empty.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return wording.Clock(t)
}

// caseShowOptions are the flags of case show.
type caseShowOptions struct {
	streams
	caseFlags
	output   outputFlag
	timeline bool
}

func newCaseShow(s streams) *cobra.Command {
	o := &caseShowOptions{streams: s}
	c := &cobra.Command{
		Use: "show CASE", Short: "Show a case: what, who, how sure, what was done and what is asked",
		Example: "  stanch case show high-egress-windows/ws-042\n  stanch case show ws-042 --timeline",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.show(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	o.addRun(c)
	o.output.addTo(c)
	c.Flags().BoolVar(&o.timeline, "timeline", false, "show everything that happened, too")
	return c
}

func (o *caseShowOptions) show(ctx context.Context, name string) error {
	_, c, err := o.get(ctx, name)
	if err != nil {
		return err
	}
	return o.output.print(o.streams, c, func(p *term.Printer) error {
		if !o.timeline {
			return p.Case(c)
		}
		return errors.Join(p.Timeline(c.OpenedAt, c.Timeline...), o.write([]byte("\n")), p.Case(c))
	})
}

// caseExplainOptions are the flags of case explain.
type caseExplainOptions struct {
	streams
	caseFlags
	output outputFlag
}

func newCaseExplain(s streams) *cobra.Command {
	o := &caseExplainOptions{streams: s}
	c := &cobra.Command{
		Use: "explain CASE", Short: "Show why a case was decided so: each condition with the values it read",
		Example: "  stanch case explain ws-042\n  stanch case explain high-egress-windows/ws-042 --output yaml",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.explain(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	o.addRun(c)
	o.output.addTo(c)
	return c
}

func (o *caseExplainOptions) explain(ctx context.Context, name string) error {
	_, c, err := o.get(ctx, name)
	if err != nil {
		return err
	}
	if c.Decision == nil {
		return usagef("case %s has no decision: it is %s%s", c.ID, c.Status, because(ending(c)))
	}
	d := *c.Decision
	return o.output.print(o.streams, d, func(p *term.Printer) error {
		rule, severity := d.AtStake()
		rows := [][]string{{string(d.Outcome), rule, severity, d.Because}}
		err := p.Table([]string{"OUTCOME", "RULE", "SEVERITY", "BECAUSE"}, rows)
		return errors.Join(err, p.Trace(d))
	})
}

// ending describes how a case ended, and where it continues.
func ending(c incident.Case) string {
	if c.MergedInto != nil {
		return string(c.Outcome) + " into case " + c.MergedInto.ID
	}
	return string(c.Outcome)
}

// because adds a detail to a sentence, where there is one.
func because(detail string) string {
	if detail == "" {
		return ""
	}
	return " (" + detail + ")"
}

// watchEvery is how often a case is read.
const watchEvery = time.Second

// caseWatchOptions are the flags of case watch.
type caseWatchOptions struct {
	streams
	caseFlags
}

func newCaseWatch(s streams) *cobra.Command {
	o := &caseWatchOptions{streams: s}
	c := &cobra.Command{
		Use: "watch CASE", Short: "Show what happens in a case as it happens, until it closes",
		Example: "  stanch case watch ws-042",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.watch(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	o.addRun(c)
	return c
}

func (o *caseWatchOptions) watch(ctx context.Context, name string) error {
	client, c, err := o.get(ctx, name)
	if err != nil {
		return err
	}
	p, shown := o.printer(), 0
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		if err := p.Timeline(c.OpenedAt, c.Timeline[min(shown, len(c.Timeline)):]...); err != nil {
			return err
		}
		shown = len(c.Timeline)
		if c.Status == incident.Closed {
			return nil
		}
		select {
		case <-ctx.Done():
			// The user has stopped watching.
			return nil
		case <-ticker.C:
		}
		if c, err = client.Case(ctx, c.ID, c.Run); err != nil && ctx.Err() == nil {
			return answered(err)
		}
	}
}
