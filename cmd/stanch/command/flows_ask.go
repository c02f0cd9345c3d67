package command

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// defaultWindow is the window of traffic where none is given.
const defaultWindow = 15 * time.Minute

// embeddedStore and anyStore are what --use may name.
const (
	embeddedStore = "of kind sqlite"
	anyStore      = "that is a flow store"
)

// flowsQuestion are the flags of a command that queries a flow store for a
// window.
type flowsQuestion struct {
	streams
	storeFlags
	output outputFlag
	window durationFlag
	to     timeFlag
}

// addTo gives the command the flags. The texts describe, for the usage, the
// integrations that it may query, the window, and its end.
func (q *flowsQuestion) addTo(c *cobra.Command, stores, window, end string) {
	q.storeFlags.addTo(c, stores)
	q.output.addTo(c)
	c.Flags().Var(&q.window, "window", window+" (15m when not given)")
	c.Flags().Var(&q.to, "to", "end of the "+end+" (the newest record when not given)")
}

// warn shows people what they must know to read the result, if anything. It is
// kept apart from the result, which may be for a program.
func (q *flowsQuestion) warn(what string) error {
	if what == "" {
		return nil
	}
	if _, err := fmt.Fprintln(q.err, "the flow store is "+what); err != nil {
		return fmt.Errorf("write a warning: %w", err)
	}
	return nil
}

// lags warns people when the embedded store is stale for a window that ends at
// to.
func (q *flowsQuestion) lags(ctx context.Context, store *sqlite.Store, to time.Time) error {
	span, err := store.SpanAt(ctx, to)
	if err != nil {
		return err
	}
	stale := staleness(span.Newest, to, windowsEnd)
	if span.Newest.IsZero() && span.Records > 0 {
		// It began later, or all its records are of the future.
		stale = ""
	}
	return errors.Join(q.warn(stale), q.clocks(span.Fast))
}

// least shows people the reason for which volumes are minimums, if they are.
func (q *flowsQuestion) least(why string) error {
	if why == "" {
		return nil
	}
	if _, err := fmt.Fprintln(q.err, "volumes are at least those shown: "+why); err != nil {
		return fmt.Errorf("write a warning: %w", err)
	}
	return nil
}

// clocks warns people of sensors whose clocks are ahead.
func (q *flowsQuestion) clocks(fast []incident.FastClock) error {
	for _, c := range fast {
		if _, err := fmt.Fprintf(q.err, "%s: what it recorded of the future proves nothing\n", c); err != nil {
			return fmt.Errorf("write a warning: %w", err)
		}
	}
	return nil
}

// flowsTopOptions are the flags of flows top.
type flowsTopOptions struct {
	flowsQuestion
	hostFlags
	networks []string
	limit    int
}

func newFlowsTop(s streams) *cobra.Command {
	o := &flowsTopOptions{flowsQuestion: flowsQuestion{streams: s}}
	c := &cobra.Command{
		Use: "top", Short: "Show who sent most, or where one host sent it", Args: cobra.NoArgs,
		Long: `Shows the own hosts that sent most in a window, or with --ip or --host the
destinations of one, in a flow store of any kind. The window ends with the
newest record of the store, or with --to. What the sensors could not see is
unknown, never zero.`,
		Example: "  stanch flows top --store flows.db --window 15m\n  stanch flows top --config stanch.yaml --use flows --host ws-042 --window 1h",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.flowsQuestion.addTo(c, anyStore, "length of the window", "window")
	o.hostFlags.addTo(c)
	f := c.Flags()
	f.StringSliceVar(&o.networks, "network", nil, "own `networks`, such as 10.0.0.0/8 (all private addresses when not given)")
	f.IntVar(&o.limit, "limit", 10, "at most `n` rows")
	return c
}

func (o *flowsTopOptions) run(ctx context.Context) error {
	var own []netip.Prefix
	for _, text := range o.networks {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return usagef("%q is not a network such as 10.0.0.0/8", text)
		}
		own = append(own, prefix)
	}
	if o.limit < 1 {
		return usagef("--limit must be at least 1")
	}
	return o.asking(ctx, func(store *flowStore, c *config.Config) error {
		to, lags, err := o.moment(ctx, store)
		if err != nil {
			return err
		}
		judge, err := newJudge(ctx, c)
		if err != nil {
			return err
		}
		defer func() { _ = judge.Close() }()
		if o.given() {
			return o.one(ctx, store, c, judge, to, lags)
		}
		return o.most(ctx, store, sqlite.TopQuery{
			Networks: own, From: to.Add(-o.window.or(defaultWindow)), To: to, Limit: o.limit, Top: 1,
			Limits: func(ip netip.Addr) *traffic.RoleLimits {
				return judge.limits(ctx, integrations.EndpointQuery{IPs: []string{ip.String()}, At: to})
			},
		}, lags)
	})
}

// one shows the destinations of a host.
func (o *flowsTopOptions) one(ctx context.Context, store *flowStore, c *config.Config, judge *judge, to time.Time, lags func() error) error {
	ips, err := o.addresses(ctx, c)
	if err != nil {
		return err
	}
	limits := judge.limits(ctx, integrations.EndpointQuery{ID: o.host, Name: o.host, IPs: ips, At: to})
	t, err := store.Traffic(ctx, integrations.TrafficQuery{IPs: ips, From: to.Add(-o.window.or(defaultWindow)), To: to, Top: o.limit, Limits: limits})
	if err != nil {
		return err
	}
	t.Sample = nil
	if err := lags(); err != nil {
		return err
	}
	return o.output.print(o.streams, t, func(p *term.Printer) error { return o.traffic(p, t) })
}

// most shows the hosts with the most egress.
func (o *flowsTopOptions) most(ctx context.Context, store *flowStore, q sqlite.TopQuery, lags func() error) error {
	top, err := store.top(ctx, q)
	if err != nil {
		return err
	}
	if err := lags(); err != nil {
		return err
	}
	return o.output.print(o.streams, top, func(p *term.Printer) error {
		var rows [][]string
		for _, t := range top {
			rows = append(rows, []string{
				t.IP, sizeText(t.Traffic.BytesOut), rateText(t.Traffic.Rate), countText(t.Traffic.Flows),
				countText(t.Traffic.Destinations), wordText(t.Traffic.Role), wordText(t.Traffic.Coverage),
			})
		}
		return p.Table([]string{"HOST", "SENT", "RATE", "FLOWS", "DESTINATIONS", "ROLE", "COVERAGE"}, rows)
	})
}

func (o *flowsTopOptions) traffic(p *term.Printer, t incident.Traffic) error {
	err := p.Table([]string{"SENT", "RATE", "FLOWS", "DESTINATIONS", "ROLE", "COVERAGE"}, [][]string{{
		sizeText(t.BytesOut), rateText(t.Rate), countText(t.Flows), countText(t.Destinations),
		wordText(t.Role), wordText(t.Coverage),
	}})
	measured := t.BytesOut.IsKnown()
	if measured && len(t.AtLeast) > 0 {
		err = errors.Join(err, o.say("it is the least that was sent: %s", strings.Join(t.AtLeast, ", ")))
	}
	if !measured {
		err = errors.Join(err, o.say("how much was sent is unknown: %s", t.BytesOut.Why()))
	}
	if err != nil {
		return err
	}
	var rows [][]string
	flows, _ := t.Top.Get()
	for _, f := range flows {
		sent := incident.FormatSize(f.Bytes)
		if f.Unseen || !measured {
			sent = "unknown"
		}
		rows = append(rows, []string{f.IP, strconv.FormatInt(f.Port, 10) + "/" + f.Transport, sent, strconv.FormatInt(f.Flows, 10)})
	}
	return p.Table([]string{"DESTINATION", "PORT", "SENT", "FLOWS"}, rows)
}

// flowsBaselineOptions are the flags of flows baseline.
type flowsBaselineOptions struct {
	flowsQuestion
	hostFlags
	days int
}

func newFlowsBaseline(s streams) *cobra.Command {
	o := &flowsBaselineOptions{flowsQuestion: flowsQuestion{streams: s}}
	c := &cobra.Command{
		Use: "baseline", Short: "Show what a host normally sends", Args: cobra.NoArgs,
		Long: `Shows how much a host sends per window over some days, in a flow store of any
kind: the numbers that policies read as baseline. Fewer than 24 windows make none.`,
		Example: "  stanch flows baseline --store flows.db --ip 10.20.4.42 --days 14\n  stanch flows baseline --config stanch.yaml --use flows --ip 10.20.4.42",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.flowsQuestion.addTo(c, anyStore, "length of a window, whole minutes", "last window")
	o.hostFlags.addTo(c)
	c.Flags().IntVar(&o.days, "days", 14, "how many `days` back")
	return c
}

func (o *flowsBaselineOptions) run(ctx context.Context) error {
	if !o.given() {
		return usagef("give --ip or --host: a baseline is one host's")
	}
	return o.asking(ctx, func(store *flowStore, c *config.Config) error {
		ips, err := o.addresses(ctx, c)
		if err != nil {
			return err
		}
		to, lags, err := o.moment(ctx, store)
		if err != nil {
			return err
		}
		b, err := store.Baseline(ctx, integrations.BaselineQuery{IPs: ips, To: to, Days: o.days, Window: o.window.or(defaultWindow)})
		if err != nil {
			return err
		}
		if err := lags(); err != nil {
			return err
		}
		return o.show(b)
	})
}

func (o *flowsBaselineOptions) show(b incident.Baseline) error {
	return o.output.print(o.streams, b, func(p *term.Printer) error {
		if !b.P99.IsKnown() {
			return o.say("there is no baseline: %s", b.P99.Why())
		}
		return p.Table([]string{"WINDOWS", "MEDIAN", "P95", "P99", "MAX"}, [][]string{{
			countText(b.Buckets), sizeText(b.Median), sizeText(b.P95), sizeText(b.P99), sizeText(b.Max),
		}})
	})
}
