package command

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/nftables"
)

// gatewayHelperOptions are the flags of gateway-helper.
type gatewayHelperOptions struct {
	streams
	config string
	getenv func(string) string
}

func newGatewayHelper(s streams) *cobra.Command {
	o := &gatewayHelperOptions{streams: s, getenv: os.Getenv}
	c := &cobra.Command{
		Use: "gateway-helper", Short: "Carry out one request at a Linux gateway, for a Stanch elsewhere", Args: cobra.NoArgs,
		Long: `Runs on a Linux gateway, as root, started by its SSH server as the one command that
Stanch's key may run there. It reads one request from standard input, a JSON object,
does one of four things with our own table of nftables, and writes one JSON object:

  add    puts a limit or a block in place
  del    takes away what was put in place with the same key
  list   tells what is in place, with its counters
  check  tells what add would refuse, or how the gateway is configured

It takes no other table, no path and no command, and starts no program. What it may do
is decided here, by a file that only root can write: networks, actions, link,
lowest_rate and max_limits. A refusal is an answer too. Exits with 2 for what is no
request; nothing was done then.`,
		Example: "  cat request.json | stanch gateway-helper\n  cat request.json | stanch gateway-helper --config /etc/stanch/gateway.yaml",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	c.Flags().StringVar(&o.config, "config", "/etc/stanch/gateway.yaml", "configuration `file` of the gateway; root's, and written by nobody else")
	return c
}

func (o *gatewayHelperOptions) run(ctx context.Context) error {
	// A client may ask for any command. The SSH server runs this one all the same; one that
	// asks for another does not know whom it talks to.
	if asked := o.getenv("SSH_ORIGINAL_COMMAND"); asked != "" && asked != nftables.HelperCommand {
		return usagef("the SSH client asked for %q, and there is %q alone", httpx.Line(asked), nftables.HelperCommand)
	}
	err := nftables.Serve(ctx, o.in, o.out, o.config, readBuild().Version)
	if _, none := errors.AsType[*nftables.NoRequestError](err); none {
		return usage(err)
	}
	return err
}
