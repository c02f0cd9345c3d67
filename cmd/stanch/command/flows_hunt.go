package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// flowsWindow is a query to a flow store of any kind.
type flowsWindow struct {
	flowsQuestion
	from timeFlag
}

func (w *flowsWindow) addTo(c *cobra.Command) {
	w.flowsQuestion.addTo(c, anyStore, "length of the window", "window")
	c.Flags().Var(&w.from, "from", "begin of the window, instead of its length")
}

// asked is the window of a result, and its relation to the records of the store.
type asked struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Stale is the reason for which the store cannot answer for the whole window,
	// or empty.
	Stale string `json:"stale,omitempty"`
	// fast are the sensors whose clocks are ahead.
	fast []incident.FastClock
	// least is the reason for which volumes are minimums.
	least string
}

// ask opens the store, finds the window, and calls answer with the store.
func (w *flowsWindow) ask(ctx context.Context, answer func(*integrations.Set, string, asked) error) error {
	if !w.from.at.IsZero() && !w.to.at.IsZero() && w.window.d > 0 {
		return usagef("--from, --to and --window are too many together: give two of them")
	}
	set, name, err := w.openAny(ctx)
	if err != nil {
		return err
	}
	a, err := w.find(ctx, set, name)
	if err == nil {
		err = answer(set, name, a)
	}
	if integrations.KindOf(err) == integrations.Invalid {
		err = usage(err)
	}
	return errors.Join(err, set.Close())
}

// find returns the window. Without an end it ends with the newest record; for a
// store that does not report it, the window ends now.
func (w *flowsWindow) find(ctx context.Context, set *integrations.Set, name string) (asked, error) {
	a := asked{From: w.from.at.UTC(), To: w.to.at.UTC()}
	length, now := w.window.or(defaultWindow), time.Now().UTC()
	if w.to.at.IsZero() && !w.from.at.IsZero() && w.window.d > 0 {
		a.To = a.From.Add(length)
	}
	surveyor, err := integrations.Use[integrations.Surveyor](set, name)
	if err == nil {
		// The newest record is that of the whole store, regardless of the
		// surveyed window.
		s, err := surveyor.Survey(ctx, now.Add(-time.Minute), now)
		if err != nil {
			return a, err
		}
		if s.Newest.IsZero() && a.To.IsZero() {
			if len(s.FastClocks) == 0 {
				return a, empty(name)
			}
			a.To = now
		}
		a.fast, a.least = s.FastClocks, s.AtLeast
		if a.To.IsZero() {
			a.To = after(s.Newest).UTC()
			a.Stale = staleness(s.Newest, now, thePresent)
		} else {
			a.Stale = staleness(s.Newest, a.To, windowsEnd)
		}
	}
	if a.To.IsZero() {
		a.To = now
	}
	if w.from.at.IsZero() {
		a.From = a.To.Add(-length)
	}
	if !a.From.Before(a.To) {
		return a, usagef("the window from %s to %s is empty", a.From.Format(time.RFC3339), a.To.Format(time.RFC3339))
	}
	return a, nil
}

// flowsHuntOptions are the flags of flows hunt.
type flowsHuntOptions struct {
	flowsWindow
	networks []string
	top      int
}

func newFlowsHunt(s streams) *cobra.Command {
	o := &flowsHuntOptions{flowsWindow: flowsWindow{flowsQuestion: flowsQuestion{streams: s}}}
	c := &cobra.Command{
		Use: "hunt", Short: "Show the hosts with the most egress, in a flow store of any kind", Args: cobra.NoArgs,
		Long: `Shows the own hosts that sent most in a window, the largest first, with the flow
that took most of it and what the sensors could see. A host of unknown volume
comes last: it is not a quiet one. The window ends with the newest record of the
store, or with --to.`,
		Example: "  stanch flows hunt --config stanch.yaml --use flows --window 1h --top 20\n  stanch flows hunt --store flows.db --network 10.20.0.0/16 --from 2026-03-01T03:00:00Z --to 2026-03-01T04:00:00Z",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	c.Flags().StringSliceVar(&o.networks, "network", nil, "own `networks`, such as 10.0.0.0/8 (all private addresses when not given)")
	c.Flags().IntVar(&o.top, "top", 10, "at most `n` hosts")
	return c
}

// hunted is the result of flows hunt.
type hunted struct {
	asked
	Hosts []incident.HostTraffic `json:"hosts"`
}

func (o *flowsHuntOptions) run(ctx context.Context) error {
	if o.top < 1 {
		return usagef("--top must be at least 1")
	}
	return o.ask(ctx, func(set *integrations.Set, name string, a asked) error {
		hunter, err := capable[integrations.Hunter](set, name, "list hosts by what they sent")
		if err != nil {
			return err
		}
		hosts, err := hunter.Hosts(ctx, integrations.HostsQuery{From: a.From, To: a.To, Networks: o.networks, Top: o.top})
		if err != nil {
			return err
		}
		if err := errors.Join(o.warn(a.Stale), o.clocks(a.fast), o.least(a.least)); err != nil {
			return err
		}
		return o.output.print(o.streams, hunted{a, hosts}, func(p *term.Printer) error { return o.show(p, hosts, a) })
	})
}

func (o *flowsHuntOptions) show(p *term.Printer, hosts []incident.HostTraffic, a asked) error {
	if len(hosts) == 0 {
		return o.say("no flow of an own host from %s to %s is known", a.From.Format(time.RFC3339), a.To.Format(time.RFC3339))
	}
	rows := make([][]string, len(hosts))
	for i, h := range hosts {
		rows[i] = []string{
			h.IP, sizeText(h.BytesOut), sizeText(h.BytesIn), strconv.FormatInt(h.Flows, 10),
			strconv.FormatInt(h.Destinations, 10), topText(h), seenText(h),
		}
	}
	return p.Table([]string{"HOST", "SENT", "RECEIVED", "FLOWS", "DESTINATIONS", "MOST TO", "SEEN"}, rows)
}

// topText shows the largest destination, without the volume where that is
// unknown.
func topText(h incident.HostTraffic) string {
	if h.Top.IP == "" {
		return "nobody"
	}
	text := fmt.Sprintf("%s %d/%s", h.Top.IP, h.Top.Port, h.Top.Transport)
	if h.BytesOut.IsKnown() && !h.Top.Unseen {
		text += ", " + incident.FormatSize(h.Top.Bytes)
	}
	return text
}

// seenText describes what the sensors saw of a host, or why its volume is
// unknown.
func seenText(h incident.HostTraffic) string {
	if why := h.BytesOut.Why(); why != "" {
		return "volume unknown: " + why
	}
	c, ok := h.Coverage.Get()
	if !ok {
		return cmp.Or(h.Coverage.Why(), "unknown")
	}
	return coverageText(c)
}

func coverageText(c incident.Coverage) string {
	switch c {
	case incident.BothWays:
		return "both directions"
	case incident.OneWay:
		return "some flows in one direction"
	case incident.Sampled:
		return "a sample, scaled up"
	case incident.Disagree:
		return "counters that disagree"
	case "":
		return "nothing"
	default:
		return string(c)
	}
}
