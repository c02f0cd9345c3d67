package command

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// flowsSendersOptions are the flags of flows senders.
type flowsSendersOptions struct {
	flowsWindow
	ips []string
}

func newFlowsSenders(s streams) *cobra.Command {
	o := &flowsSendersOptions{flowsWindow: flowsWindow{flowsQuestion: flowsQuestion{streams: s}}}
	c := &cobra.Command{
		Use: "senders", Short: "Show who sent from an address, where sensors say so", Args: cobra.NoArgs,
		Long: `Shows the users and devices behind an address in a window, as the logs of proxies and of
firewalls with identities name them, the newest first. Nobody is shown where no sensor named anybody.`,
		Example: "  stanch flows senders --store flows.db --ip 10.20.4.42 --window 1h",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	c.Flags().StringArrayVar(&o.ips, "ip", nil, "`address` that was sent from; may be repeated")
	return c
}

// sendersResult is the result of flows senders.
type sendersResult struct {
	asked
	Senders []incident.Sender `json:"senders"`
}

func (o *flowsSendersOptions) run(ctx context.Context) error {
	if len(o.ips) == 0 {
		return usagef("give --ip")
	}
	return o.ask(ctx, func(set *integrations.Set, name string, a asked) error {
		store, err := capable[integrations.Senders](set, name, "say who sent")
		if err != nil {
			return err
		}
		senders, err := store.Senders(ctx, integrations.SendersQuery{IPs: o.ips, From: a.From, To: a.To})
		if err != nil {
			return err
		}
		return o.output.print(o.streams, sendersResult{a, senders}, func(p *term.Printer) error {
			if len(senders) == 0 {
				return o.say("no sensor says who sent")
			}
			rows := make([][]string, len(senders))
			for i, s := range senders {
				rows[i] = []string{
					s.IP, cmp.Or(s.User, "-"), cmp.Or(s.Device, "-"), cmp.Or(s.Sensor, "(without a name)"),
					s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339),
				}
			}
			return p.Table([]string{"ADDRESS", "USER", "DEVICE", "SENSOR", "FIRST", "LAST"}, rows)
		})
	})
}
