package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/bench"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// mostMeasured bounds every size of a measurement.
const mostMeasured = 1_000_000

type benchOptions struct {
	streams
	output outputFlag
	run    bench.Options
}

func newBench(s streams) *cobra.Command {
	o := &benchOptions{streams: s}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure what a deployment on this machine can carry",
		Long: `Runs cases, a storm of alerts and decisions on the embedded engine over a
simulated estate. In turns with the cases it runs a bare workflow of four activities, on
the same engine and on a stock one: Temporal's server with its own SQLite store and
its default settings, in a process of its own. The floor is what a case asks of the estate
and of the policy, without any engine: nothing of it is kept.

Disk and processor decide: run it on the machine that you want to size, when it is
otherwise at rest. --sync-delay plays a slower disk, for both engines.`,
		Example: "  stanch bench\n  stanch bench --cases 2000 --output json\n  stanch bench --sync-delay 2ms\n" +
			"  stanch bench --storm-alerts 100000 --storm-subjects 100 --storm-senders 2500",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.measure(cmd.Context()) },
	}
	f := c.Flags()
	f.IntVar(&o.run.Cases, "cases", 400, "distinct subjects to contain")
	f.IntVar(&o.run.InFlight, "in-flight", 32, "cases, and bare workflows, under way at a time")
	f.IntVar(&o.run.Alone, "alone", 50, "single cases to time at rest")
	f.IntVar(&o.run.StormAlerts, "storm-alerts", 10_000, "alerts of the storm")
	f.IntVar(&o.run.StormSubjects, "storm-subjects", 50, "subjects of the storm")
	f.IntVar(&o.run.StormSenders, "storm-senders", 1000, "requests of the storm that wait at a time")
	f.DurationVar(&o.run.SyncDelay, "sync-delay", 0, "time added to every sync of the disk, 1s at most")
	f.StringVar(&o.run.Dir, "data", "", "`folder` for the engine's data; a temporary one, removed afterwards, when not given")
	o.output.addTo(c)
	c.AddCommand(newBenchSources(s), newBenchStorm(s), newBenchStock(s))
	return c
}

// newBenchStorm is the process by which bench sends a storm. It reads its
// settings from standard input.
func newBenchStorm(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "storm", Short: "Send the storm of a measurement", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var storm bench.Storm
			if err := json.NewDecoder(s.in).Decode(&storm); err != nil {
				return usagef("read the storm: %v", err)
			}
			sent, err := storm.Send(cmd.Context())
			if err != nil {
				return err
			}
			return json.NewEncoder(s.out).Encode(sent)
		},
	}
}

// newBenchStock is the process in which bench runs the stock engine. It reads its
// orders from standard input.
func newBenchStock(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "stock", Short: "Run the stock engine of a measurement", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return bench.ServeStock(cmd.Context(), s.in, s.out) },
	}
}

func (o *benchOptions) measure(ctx context.Context) (err error) {
	for name, n := range map[string]int{
		"cases": o.run.Cases, "in-flight": o.run.InFlight, "alone": o.run.Alone,
		"storm-alerts": o.run.StormAlerts, "storm-subjects": o.run.StormSubjects, "storm-senders": o.run.StormSenders,
	} {
		if n < 1 || n > mostMeasured {
			return usagef("--%s must be between 1 and %d, not %d", name, mostMeasured, n)
		}
	}
	if err := checkSyncDelay(o.run.SyncDelay); err != nil {
		return err
	}
	dir, remove, err := benchFolder(o.run.Dir)
	if err != nil {
		return err
	}
	o.run.Dir = dir
	defer func() { err = errors.Join(err, remove()) }()
	progress := showBench(o.err)
	o.run.Progress = progress.set
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program that sends the storm: %w", err)
	}
	o.run.Sender, o.run.Stock = []string{self, "bench", "storm"}, []string{self, "bench", "stock"}
	r, err := bench.Run(ctx, o.run)
	if err = errors.Join(err, progress.clear()); err != nil {
		return err
	}
	return o.output.print(o.streams, r, func(p *term.Printer) error { return p.Table([]string{"what", "measured"}, rows(r)) })
}

func checkSyncDelay(d time.Duration) error {
	if d < 0 || d > time.Second {
		return usagef("--sync-delay must be between 0 and 1s, not %s", d)
	}
	return nil
}

// benchFolder is the folder for the data of a measurement: the one that was given, or a temporary
// one, which remove removes.
func benchFolder(given string) (dir string, remove func() error, err error) {
	if given != "" {
		return given, func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "stanch-bench-")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for the measurement: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

// benchProgress shows how far a measurement is.
type benchProgress struct {
	shown     *term.Printer
	progress  *term.Progress
	measuring string
}

func showBench(w io.Writer) *benchProgress {
	return &benchProgress{shown: term.New(w, term.Detect(w, os.Getenv))}
}

func (b *benchProgress) set(what string, done, total int) {
	if what != b.measuring {
		b.measuring, b.progress = what, b.shown.Progress(what, total)
	}
	_ = b.progress.Set(done, "")
}

func (b *benchProgress) clear() error {
	if b.progress == nil {
		return nil
	}
	return b.progress.Clear()
}

func rows(r bench.Result) [][]string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	var whole engine.Cost
	for _, c := range r.CaseCost {
		whole = whole.Plus(c)
	}
	perCase := func(syncs float64, processor time.Duration) string {
		return fmt.Sprintf("%.1f syncs, %s of processor", syncs, ms(processor))
	}
	disk := ms(r.SyncTime)
	if r.SyncDelay > 0 {
		disk += " and " + ms(r.SyncDelay) + " more"
	}
	return [][]string{
		{"a sync of the disk, median", disk},
		{"cold start to ready", ms(r.ColdStart)},
		{"load and lint of the shipped playbook", ms(r.Load)},
		{"one decision with its trace", fmt.Sprintf("%d µs", r.Decide.Microseconds())},
		{"alert to isolation at rest, p50", ms(r.CaseP50)},
		{"alert to isolation at rest, p99", ms(r.CaseP99)},
		{"bare workflow of four activities at rest, p50", ms(r.BareP50)},
		{"bare workflow on the stock engine at rest, p50", ms(r.StockP50)},
		{"syncs at rest, case and bare workflow on stock", fmt.Sprintf("%.1f and %.1f", r.CaseSyncsAtRest, r.StockSyncsAtRest)},
		{"cases a second", fmt.Sprintf("%.1f", r.CasesPerSecond)},
		{"bare workflows a second", fmt.Sprintf("%.1f", r.BarePerSecond)},
		{"bare workflows a second on the stock engine", fmt.Sprintf("%.1f", r.StockPerSecond)},
		{"the calls of a case a second, without an engine", fmt.Sprintf("%.0f", r.FloorPerSecond)},
		{"cases to bare workflows", fmt.Sprintf("%.2f", r.CaseRatio)},
		{"cases to bare workflows on the stock engine", fmt.Sprintf("%.2f", r.StockRatio)},
		{"a case of many", perCase(r.CaseSyncs, r.CaseProcessor)},
		{"a bare workflow of many on the stock engine", perCase(r.StockSyncs, r.StockProcessor)},
		{"a contained case in the engine", fmt.Sprintf("%d events, %d workflow tasks, %d actions", whole.Events, whole.WorkflowTasks, whole.Actions)},
		{"storm, alerts accepted a second", fmt.Sprintf("%.0f", r.StormPerSecond)},
		{"storm, requests that waited at a time", strconv.Itoa(r.StormWaiting)},
		{"storm, requests sent again", strconv.FormatInt(r.StormAgain, 10)},
		{"storm, hosts contained when the last was accepted", strconv.Itoa(r.StormContained)},
		{"storm, cases", strconv.Itoa(r.StormCases)},
		{"storm, alerts recorded", strconv.Itoa(r.StormRecorded)},
		{"peak memory of the process", incident.FormatSize(r.PeakMemory)},
	}
}
