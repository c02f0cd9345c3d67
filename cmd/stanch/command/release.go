package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/term"
)

// releaseOptions are the flags of release.
type releaseOptions struct {
	streams
	serverFlags
	output outputFlag
	reason reasonFlag
	since  durationFlag
}

func newRelease(s streams) *cobra.Command {
	o := &releaseOptions{streams: s}
	c := &cobra.Command{
		Use: "release", Short: "Release every containment since a given time", Args: cobra.NoArgs,
		Long: `Gives back every containment that was applied in the last while, whoever holds
it. New ones go on; to stop those, pause first.`,
		Example: "  stanch pause --reason \"false alarms\"\n  stanch release --since 30m --reason \"false alarms on the backup servers\"",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	o.output.addTo(c)
	o.reason.addTo(c)
	c.Flags().Var(&o.since, "since", "how far back (required)")
	return c
}

func (o *releaseOptions) run(ctx context.Context) error {
	if o.since.d == 0 {
		return usagef("--since is required: how far back")
	}
	if err := o.reason.check(); err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	got, err := client.ReleaseSince(ctx, api.SinceRequest{Since: o.since.d, Reason: o.reason.text})
	if err != nil {
		return answered(err)
	}
	if err := o.output.print(o.streams, got, func(*term.Printer) error { return o.table(got) }); err != nil {
		return err
	}
	if len(got.Failed) > 0 || got.More {
		return errors.New("not everything was given back: run it again")
	}
	return nil
}

func (o *releaseOptions) table(got api.Released) error {
	var errs []error
	for _, l := range slices.Concat(got.Released, got.Undoing) {
		errs = append(errs, o.say("%s", releasedText(l)))
	}
	for _, id := range slices.Sorted(maps.Keys(got.Failed)) {
		errs = append(errs, o.say("%s was NOT given back: %s", id, got.Failed[id]))
	}
	errs = append(errs, o.say("%d given back, %d under way, %d failed", len(got.Released), len(got.Undoing), len(got.Failed)))
	return errors.Join(errs...)
}

// pauseOptions are the flags of pause and resume.
type pauseOptions struct {
	streams
	serverFlags
	output outputFlag
	reason reasonFlag
}

func newPause(s streams) *cobra.Command {
	return newToggle(s, &cobra.Command{
		Use: "pause", Short: "Stop all new containment, everywhere, until resumed",
		Long: `Stops all new containment. Cases go on, decide and tell people; what stands
stays until its lease ends or is released.`,
		Example: "  stanch pause --reason \"change freeze\"",
	}, (*apiclient.Client).Pause)
}

func newResume(s streams) *cobra.Command {
	return newToggle(s, &cobra.Command{
		Use: "resume", Short: "Allow containment again",
		Example: "  stanch resume --reason \"the freeze is over\"",
	}, (*apiclient.Client).Resume)
}

func newToggle(s streams, c *cobra.Command, call func(*apiclient.Client, context.Context, string) (protocol.BudgetState, error)) *cobra.Command {
	o := &pauseOptions{streams: s}
	c.Args = cobra.NoArgs
	c.RunE = func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), call) }
	o.addTo(c)
	o.output.addTo(c)
	o.reason.addTo(c)
	return c
}

func (o *pauseOptions) run(ctx context.Context, call func(*apiclient.Client, context.Context, string) (protocol.BudgetState, error)) error {
	if err := o.reason.check(); err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	state, err := call(client, ctx, o.reason.text)
	if err != nil {
		return answered(err)
	}
	return o.output.print(o.streams, state, func(*term.Printer) error {
		return o.say("%s", pauseText(state))
	})
}

func pauseText(state protocol.BudgetState) string {
	if p := state.Paused; p != nil {
		return fmt.Sprintf("containment is paused by %s since %s: %s", p.By, moment(p.At), p.Reason)
	}
	return "containment is allowed"
}

// budgetOptions are the flags of budget.
type budgetOptions struct {
	streams
	serverFlags
	output outputFlag
}

func newBudget(s streams) *cobra.Command {
	o := &budgetOptions{streams: s}
	c := &cobra.Command{
		Use: "budget", Short: "Show what counts against the limits, and whether containment is paused", Args: cobra.NoArgs,
		Example: "  stanch budget",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	o.output.addTo(c)
	return c
}

func (o *budgetOptions) run(ctx context.Context) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	state, err := client.Budget(ctx)
	if err != nil {
		return answered(err)
	}
	return o.output.print(o.streams, state, func(p *term.Printer) error {
		if err := o.say("%s", pauseText(state)); err != nil || len(state.Reservations) == 0 {
			return err
		}
		var rows [][]string
		for _, r := range state.Reservations {
			keys := ""
			for _, k := range r.Keys {
				keys += k.Per + "=" + k.Key + " "
			}
			rows = append(rows, []string{moment(r.At), string(r.Action), keys, r.ID})
		}
		return p.Table([]string{"AT", "ACTION", "COUNTS FOR", "STEP"}, rows)
	})
}
