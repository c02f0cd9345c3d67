package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/cmd/internal/upgrade"
)

// progressEvery is how often a long command says how far it is.
const progressEvery = 2 * time.Second

// upgradeCheckOptions are the flags of upgrade-check.
type upgradeCheckOptions struct {
	streams
	output   outputFlag
	config   string
	data     string
	temporal string
	scratch  string
}

func newUpgradeCheck(s streams) *cobra.Command {
	o := &upgradeCheckOptions{streams: s}
	c := &cobra.Command{
		Use: "upgrade-check", Short: "Find the open workflows that this build could not go on with", Args: cobra.NoArgs,
		Long: `Replays the histories of all open workflows of the namespace on this build, before
it takes over: cases, leases, the budget and all others. It reads every payload
strictly, loads the playbooks that cases carry, and looks for the integrations
that they use in the configuration. It says which would stop, and why, and exits
with 1 when one would.

Nothing is changed. A cluster is read. An embedded engine must be stopped; it is
started on a copy of its data, without a worker, and the copy is removed.`,
		Example: "  stanch upgrade-check --config stanch.yaml\n  stanch upgrade-check --config stanch.yaml --temporal temporal.example:7233",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.output.addTo(c)
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration `file` (the defaults when not given)")
	f.StringVar(&o.data, "data", "", "`folder` of the embedded engine and of evidence")
	f.StringVar(&o.temporal, "temporal", "", "engine: embedded, or `host:port` of a Temporal frontend")
	f.StringVar(&o.scratch, "scratch", "", "`folder` for the copy of an embedded engine (that for temporary files when not given)")
	return c
}

func (o *upgradeCheckOptions) run(ctx context.Context) error {
	c, err := loadConfig(o.config, o.data)
	if err != nil {
		return err
	}
	if o.temporal != "" {
		c.Temporal.Address = o.temporal
	}
	if o.scratch != "" && c.Temporal.Address != config.Embedded {
		return usagef("--scratch is for the copy of an embedded engine, and the engine is %s", c.Temporal.Address)
	}
	if info, err := os.Stat(o.scratch); o.scratch != "" && (err != nil || !info.IsDir()) {
		return usagef("--scratch %q is not a folder", o.scratch)
	}
	last := time.Now()
	result, err := service.CheckUpgrade(ctx, service.UpgradeOptions{Config: c, Scratch: o.scratch, Check: upgrade.Check{
		Progress: func(checked, failing int) {
			if time.Since(last) >= progressEvery {
				last = time.Now()
				fmt.Fprintf(o.err, "checked %d, of which %d would stop\n", checked, failing)
			}
		},
	}})
	switch {
	case errors.Is(err, embedded.ErrNoEngine):
		return usage(fmt.Errorf("%w: give the folder with --data", err))
	case err != nil:
		return err
	}
	if err := o.output.print(o.streams, result, func(p *term.Printer) error { return upgradeTables(p, result) }); err != nil {
		return err
	}
	if result.Failing > 0 {
		return fmt.Errorf("%d of %s would stop on this build", result.Failing, count(result.Checked, "open workflow"))
	}
	return nil
}

func upgradeTables(p *term.Printer, result upgrade.Result) error {
	kinds := make([][]string, 0, len(result.Kinds)+1)
	for _, k := range result.Kinds {
		kinds = append(kinds, []string{k.Kind, strconv.Itoa(k.Open), strconv.Itoa(k.Failing)})
	}
	kinds = append(kinds, []string{"all", strconv.Itoa(result.Checked), strconv.Itoa(result.Failing)})
	if err := p.Table([]string{"KIND", "OPEN", "WOULD STOP"}, kinds); err != nil {
		return err
	}
	if len(result.Workflows) == 0 {
		return nil
	}
	var rows [][]string
	for _, w := range result.Workflows {
		for i, why := range w.Why {
			id := ""
			if i == 0 {
				id = w.ID
			}
			rows = append(rows, []string{id, why})
		}
	}
	if more := result.Failing - len(result.Workflows); more > 0 {
		rows = append(rows, []string{"", fmt.Sprintf("and %d more", more)})
	}
	return p.Table([]string{"WORKFLOW", "WHY IT WOULD STOP"}, rows)
}
