package command

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sqlite"
)

// flowsFollowOptions are the flags of flows follow.
type flowsFollowOptions struct {
	streams
	storeFlags
	logFlags
}

func newFlowsFollow(s streams) *cobra.Command {
	o := &flowsFollowOptions{streams: s}
	c := &cobra.Command{
		Use: "follow [PATH…]", Short: "Add flow logs to the embedded flow store as they are written",
		Long: `Reads files, folders with all that is below them, or patterns, and goes on with what is
appended to them, until it is interrupted. Rotated files, renamed or packed, are the same ones. An end of the process, at any time,
loses and doubles nothing. Without a path it follows the logs of the store in stanch.yaml, which the worker of stanch serve
follows too.`,
		Example: "  stanch flows follow --config stanch.yaml\n  stanch flows follow /var/log/fw --store flows.db --format fortigate",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.storeFlags.addTo(c, embeddedStore)
	o.logFlags.addTo(c)
	return c
}

func (o *flowsFollowOptions) run(ctx context.Context, paths []string) error {
	var logs []sqlite.Log
	for _, path := range paths {
		l, err := o.log(path)
		if err != nil {
			return err
		}
		logs = append(logs, l)
	}
	store, c, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if len(paths) == 0 && c != nil {
		for _, i := range c.Opened {
			if kind, ok := i.Config.(*sqlite.Config); ok && kind.Path == store.Path() {
				logs = slices.Concat(logs, kind.Logs)
			}
		}
	}
	if len(logs) == 0 {
		return usagef("nothing to follow: give a path, or logs at the store in stanch.yaml")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = store.FollowLogs(ctx, logs, func(f integrations.Followed) {
		// A failure to say so is no reason to stop.
		_ = o.tell(f)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (o *flowsFollowOptions) tell(f integrations.Followed) error {
	switch {
	case f.Err != nil:
		return o.say("%s: %v", f.File, f.Err)
	case f.Bad > 0:
		return o.say("%s: %d flows, %d bad lines, the first: %s", f.File, f.Records, f.Bad, strings.TrimSpace(f.Why))
	default:
		return o.say("%s: %d flows", f.File, f.Records)
	}
}
