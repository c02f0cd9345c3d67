package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is shorter than the timeout of a container's health check.
const healthTimeout = 4 * time.Second

// healthOptions are the flags of health.
type healthOptions struct {
	serverFlags
	ready bool
}

func newHealth(streams) *cobra.Command {
	o := &healthOptions{}
	c := &cobra.Command{
		Use: "health", Short: "Exit with 0 when a server is alive, for container health checks", Args: cobra.NoArgs,
		Example: "  stanch health\n  stanch health --ready --url https://stanch.example",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addURL(c)
	c.Flags().BoolVar(&o.ready, "ready", false, "ask whether it can take alerts, its engine included")
	return c
}

func (o *healthOptions) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	client, err := o.dial("")
	if err != nil {
		return err
	}
	if o.ready {
		return client.Ready(ctx)
	}
	return client.Alive(ctx)
}
