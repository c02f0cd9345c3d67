package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/term"
)

// leaseDriftOptions are the flags of lease drift.
type leaseDriftOptions struct {
	streams
	serverFlags
	output outputFlag
}

func newLeaseDrift(s streams) *cobra.Command {
	o := &leaseDriftOptions{streams: s}
	c := &cobra.Command{
		Use: "drift", Short: "Compare the leases that stand with what their products say now", Args: cobra.NoArgs,
		Long: `Reads the product of every lease that stands, and shows what differs: a containment
that is gone, has another rate, is somebody else's, is in place more than once, or
cannot be read; and, at products that can list, what carries a key of Stanch though
no lease stands for it. Nothing is changed. It exits with 1 when anything differs.`,
		Example: "  stanch lease drift\n  stanch lease drift --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	o.output.addTo(c)
	return c
}

func (o *leaseDriftOptions) run(ctx context.Context) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	list, err := client.Drift(ctx)
	if err != nil {
		return answered(err)
	}
	if err := o.output.print(o.streams, list, func(p *term.Printer) error { return o.show(p, list) }); err != nil {
		return err
	}
	if list.More {
		return errors.New("there are more leases than were read, and what no lease stands for was not looked for")
	}
	if n := len(list.Drift); n > 0 {
		return fmt.Errorf("%s found; nothing was changed", count(n, "difference"))
	}
	return nil
}

func (o *leaseDriftOptions) show(p *term.Printer, list api.DriftList) error {
	errs := []error{o.say("%s read", count(list.Read, "lease"))}
	if len(list.Drift) > 0 {
		rows := make([][]string, len(list.Drift))
		for i, d := range list.Drift {
			rows[i] = []string{string(d.Kind), d.Lease, d.Host, d.Use, d.Detail}
		}
		errs = append(errs, p.Table([]string{"DRIFT", "LEASE", "HOST", "INTEGRATION", "FOUND"}, rows))
	}
	if len(list.Unlisted) > 0 {
		errs = append(errs, o.say("what no lease stands for is not found at %s, which cannot list it", strings.Join(list.Unlisted, ", ")))
	}
	if len(list.Elsewhere) > 0 {
		errs = append(errs, o.say("what no lease stands for is not looked for at %s: another process carries it out, and was asked about each lease", strings.Join(list.Elsewhere, ", ")))
	}
	return errors.Join(errs...)
}
