package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func newFlows(s streams) *cobra.Command {
	return group("flows", "Fill the embedded flow store, and ask flow stores",
		"  stanch flows import conn.log.gz --store flows.db\n  stanch flows top --store flows.db --window 15m\n  stanch flows hunt --config stanch.yaml --use flows",
		newFlowsImport(s), newFlowsFollow(s), newFlowsTop(s), newFlowsBaseline(s), newFlowsHunt(s), newFlowsSurvey(s), newFlowsSenders(s), newFlowsTest(s))
}

// hostFlags select the host of a query.
type hostFlags struct{ host, ip string }

func (f *hostFlags) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.ip, "ip", "", "`address` of the host")
	c.Flags().StringVar(&f.host, "host", "", "`name` or id of the host, which the integrations of --config know")
}

func (f *hostFlags) given() bool { return f.ip != "" || f.host != "" }

// addresses returns the host's addresses. A host that is not exactly one device
// has none.
func (f *hostFlags) addresses(ctx context.Context, c *config.Config) ([]string, error) {
	if f.ip != "" && f.host != "" {
		return nil, usagef("--ip and --host name one host: give one")
	}
	if f.ip != "" {
		ip, err := netip.ParseAddr(f.ip)
		if err != nil {
			return nil, usagef("%q is not an IP address", f.ip)
		}
		return []string{ip.String()}, nil
	}
	if c == nil {
		return nil, usagef("--host needs --config: the flow store knows addresses only")
	}
	set, err := service.Open(ctx, c.Opened)
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	ips, err := f.lookUp(ctx, set)
	return ips, errors.Join(err, set.Close())
}

func (f *hostFlags) lookUp(ctx context.Context, set *integrations.Set) ([]string, error) {
	found := map[string][]string{}
	asked := 0
	for _, name := range set.Names() {
		endpoints, err := integrations.Use[integrations.Endpoints](set, name)
		if err != nil {
			continue
		}
		asked++
		devices, err := endpoints.Endpoints(ctx, integrations.EndpointQuery{ID: f.host, Name: f.host, At: time.Now()})
		if err != nil {
			return nil, fmt.Errorf("look up %q: %w", f.host, err)
		}
		for _, d := range devices {
			id, _ := d.ID.Get()
			found[id], _ = d.IP.Get()
		}
	}
	switch {
	case asked == 0:
		return nil, usagef("no integration of the configuration knows hosts: give --ip")
	case len(found) != 1:
		return nil, usagef("%q is %d devices: give --ip", f.host, len(found))
	}
	for _, ips := range found {
		if len(ips) > 0 {
			return ips, nil
		}
	}
	return nil, usagef("no address of %q is known: give --ip", f.host)
}

// sizeText, rateText, countText and wordText show a value that may be unknown.
func sizeText(v incident.Value[int64]) string { return valueText(v, incident.FormatSize) }

func rateText(v incident.Value[int64]) string { return valueText(v, incident.FormatRate) }

func countText(v incident.Value[int64]) string {
	return valueText(v, func(n int64) string { return strconv.FormatInt(n, 10) })
}

func wordText(v incident.Value[string]) string {
	return valueText(v, func(s string) string { return s })
}

func valueText[T any](v incident.Value[T], show func(T) string) string {
	if known, ok := v.Get(); ok {
		return show(known)
	}
	return "unknown"
}

// flowsImportOptions are the flags of flows import.
type flowsImportOptions struct {
	streams
	storeFlags
	logFlags
	output outputFlag
	shift  bool
}

func newFlowsImport(s streams) *cobra.Command {
	o := &flowsImportOptions{streams: s}
	c := &cobra.Command{
		Use: "import FILE…", Short: "Add flow logs to the embedded flow store", Args: cobra.MinimumNArgs(1),
		Long: `Adds Zeek's conn.log (TSV or JSON), goflow2's JSON or Suricata's EVE (its events
flow and netflow), which one file may mix, or a log of a firewall, a proxy or a cloud, plain or gzip. A file that was imported before adds nothing, one that has grown adds what
is new, and an import that was interrupted goes on where it was.`,
		Example: "  stanch flows import conn.*.log.gz --store flows.db --sensor gw1\n  stanch flows import access.log --store flows.db --format squid --sensor squid1\n  stanch flows import capture.jsonl --config stanch.yaml --shift",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.storeFlags.addTo(c, embeddedStore)
	o.logFlags.addTo(c)
	o.output.addTo(c)
	c.Flags().BoolVar(&o.shift, "shift", false, "move all times so that each file ends now, to try out old captures")
	return c
}

// imported is the result of one file.
type imported struct {
	File string `json:"file"`
	// Format is the log's, "" where lines of Zeek, goflow2 and Suricata may mix.
	Format  string `json:"format,omitempty"`
	Records int64  `json:"records"`
	Bad     int64  `json:"bad"`
	Skipped int64  `json:"skipped"`
	Bytes   int64  `json:"bytes"`
	// Already is how many of the bytes an earlier import had read.
	Already int64 `json:"already"`
	// Gaps is how many times the sensors say that they have no records of.
	Gaps int64 `json:"gaps,omitempty"`
	// Unfinished says that the last line has no end yet, and was not read.
	Unfinished bool     `json:"unfinished,omitempty"`
	BadLines   []string `json:"bad_lines,omitempty"`
}

func (o *flowsImportOptions) run(ctx context.Context, files []string) error {
	if _, err := o.log("."); err != nil {
		return err
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			return usagef("import %q: there is no such file", file)
		}
	}
	store, _, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	var done []imported
	for _, file := range files {
		one, err := o.one(ctx, store, file)
		switch {
		case err == nil:
		case len(done) > 0:
			return fmt.Errorf("%w; the %d before it are in the store", err, len(done))
		case integrations.KindOf(err) == integrations.Invalid:
			return usage(err)
		default:
			return err
		}
		done = append(done, one)
	}
	return o.output.print(o.streams, done, func(p *term.Printer) error {
		var rows [][]string
		for _, d := range done {
			rows = append(rows, []string{
				d.File, strconv.FormatInt(d.Records, 10), strconv.FormatInt(d.Bad, 10), strconv.FormatInt(d.Skipped, 10),
				incident.FormatSize(d.Bytes), incident.FormatSize(d.Already),
			})
		}
		return p.Table([]string{"FILE", "FLOWS ADDED", "BAD LINES", "OTHER LINES", "READ", "KNOWN BEFORE"}, rows)
	})
}

func (o *flowsImportOptions) one(ctx context.Context, store *sqlite.Store, file string) (imported, error) {
	f, err := os.Open(file)
	if err != nil {
		return imported{}, usage(err)
	}
	defer f.Close()
	progress := term.New(o.err, term.Detect(o.err, os.Getenv)).Progress("flows", 0)
	l, err := o.log(file)
	if err != nil {
		return imported{}, err
	}
	options, err := l.Options(file)
	if err != nil {
		return imported{}, usage(err)
	}
	options.Progress = func(r sqlite.ImportResult) {
		// A failure to show progress is no reason to stop.
		_ = progress.Set(int(r.Records), file)
	}
	if o.shift {
		options.ShiftTo = time.Now()
	}
	r, err := store.Import(ctx, f, options)
	if err != nil {
		return imported{}, err
	}
	done := imported{
		File: file, Format: r.Format, Records: r.Records, Bad: r.Bad, Skipped: r.Skipped, Gaps: r.Gaps, Bytes: r.Bytes,
		Already: r.Already, Unfinished: r.Unfinished,
	}
	for _, bad := range r.BadLines {
		done.BadLines = append(done.BadLines, bad.Error())
	}
	said := fmt.Sprintf("%s: %d flows", file, r.Records)
	if r.Bad > 0 {
		said += fmt.Sprintf(", %d bad lines, the first: %s", r.Bad, cmp.Or(strings.Join(done.BadLines[:min(1, len(done.BadLines))], ""), "?"))
	}
	if r.Gaps > 0 {
		said += fmt.Sprintf(", %d gaps of which a sensor has no records", r.Gaps)
	}
	if r.Unfinished {
		said += ", and a last line without its end, which is read when the rest is there"
	}
	if r.Lacks != "" {
		said += ": " + r.Lacks
	}
	return done, progress.End(said)
}
