package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/bench"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations/all"
)

type benchSourcesOptions struct {
	streams
	output outputFlag
	run    bench.SourcesOptions
}

func newBenchSources(s streams) *cobra.Command {
	o := &benchSourcesOptions{streams: s}
	c := &cobra.Command{
		Use: "sources [KIND...]", Short: "Measure storms in the kinds of sources that alerts come from",
		Long: `Posts a storm in each kind of source, or in those that are named, and in turns with it one
of as many small alerts of our own kind, on the same embedded engine: what the sample of
the kind is, as ` + "`stanch source sample`" + ` prints it, with other ids, times and hosts. Every kind is
posted, also one that a transport fetches.

It exits with 1 when an accepted alert is in no case, or a host has none. A host has several
where its case closes by itself while the storm goes on: no device is its address for sure.`,
		Example:           "  stanch bench sources\n  stanch bench sources elastic splunk --alerts 2000 --subjects 50",
		ValidArgsFunction: words(all.Catalog().SourceKinds()...),
		RunE:              func(cmd *cobra.Command, args []string) error { return o.measure(cmd.Context(), args) },
	}
	f := c.Flags()
	f.IntVar(&o.run.Alerts, "alerts", 10_000, "alerts of a storm; an even number")
	f.IntVar(&o.run.Subjects, "subjects", 200, "subjects of a storm; an even number")
	f.IntVar(&o.run.Senders, "senders", 1000, "requests that wait at a time")
	f.DurationVar(&o.run.SyncDelay, "sync-delay", 0, "time added to every sync of the disk, 1s at most")
	f.StringVar(&o.run.Dir, "data", "", "`folder` for the engine's data; a temporary one, removed afterwards, when not given")
	o.output.addTo(c)
	return c
}

// check refuses sizes that cannot be measured.
func (o *benchSourcesOptions) check() error {
	for _, size := range []struct {
		name    string
		n, most int
		even    bool
	}{
		{"alerts", o.run.Alerts, mostMeasured, true},
		{"subjects", o.run.Subjects, bench.MostSubjects, true},
		{"senders", o.run.Senders, mostMeasured, false},
	} {
		if size.n < 1 || size.n > size.most || size.even && size.n%2 != 0 {
			return usagef("--%s must be between 1 and %d, and even but for --senders, not %d", size.name, size.most, size.n)
		}
	}
	return checkSyncDelay(o.run.SyncDelay)
}

func (o *benchSourcesOptions) measure(ctx context.Context, kinds []string) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	o.run.Kinds = all.Catalog().Sources
	if len(kinds) > 0 {
		o.run.Kinds = nil
	}
	for _, kind := range kinds {
		spec, err := sourceKind(kind)
		if err != nil {
			return err
		}
		o.run.Kinds = append(o.run.Kinds, spec)
	}
	dir, remove, err := benchFolder(o.run.Dir)
	if err != nil {
		return err
	}
	o.run.Dir = dir
	defer func() { err = errors.Join(err, remove()) }()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program that sends the storm: %w", err)
	}
	o.run.Sender = []string{self, "bench", "storm"}
	progress := showBench(o.err)
	o.run.Progress = progress.set
	measured, err := bench.RunSources(ctx, o.run)
	if err = errors.Join(err, progress.clear()); err != nil {
		return err
	}
	if err := o.output.print(o.streams, measured, func(p *term.Printer) error { return p.Table(sourceHeads(), sourceRows(measured)) }); err != nil {
		return err
	}
	return o.lost(measured)
}

// lost is the error about alerts that are in no case, and about hosts without a case.
func (o *benchSourcesOptions) lost(measured []bench.SourceResult) error {
	for _, r := range measured {
		if r.Subjects != o.run.Subjects || r.Recorded != o.run.Alerts {
			return fmt.Errorf("the storm in kind %s ended in cases of %d hosts with %d alerts, not %d with %d", r.Kind, r.Subjects, r.Recorded, o.run.Subjects, o.run.Alerts)
		}
	}
	return nil
}

func sourceHeads() []string {
	return []string{"kind", "bytes", "a second", "own a second", "ratio", "processor", "own processor", "sent again", "hosts", "cases", "recorded"}
}

func sourceRows(measured []bench.SourceResult) [][]string {
	var rows [][]string
	for _, r := range measured {
		rows = append(rows, []string{
			r.Kind, strconv.Itoa(r.Bytes), fmt.Sprintf("%.0f", r.PerSecond), fmt.Sprintf("%.0f", r.OwnPerSecond), fmt.Sprintf("%.2f", r.Ratio),
			fmt.Sprintf("%d µs", r.Processor.Microseconds()), fmt.Sprintf("%d µs", r.OwnProcessor.Microseconds()),
			strconv.FormatInt(r.Again, 10), strconv.Itoa(r.Subjects), strconv.Itoa(r.Cases), strconv.Itoa(r.Recorded),
		})
	}
	return rows
}
