package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
)

// doctorTimeout bounds each call of doctor to a product or a server.
const doctorTimeout = 20 * time.Second

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	streams
	serverFlags
	output outputFlag
	config string
	data   string
	live   bool
}

func newDoctor(s streams) *cobra.Command {
	o := &doctorOptions{streams: s}
	c := &cobra.Command{
		Use: "doctor", Short: "Find what would keep a configuration from working, and how to fix it", Args: cobra.NoArgs,
		Long: `Loads the configuration as stanch serve does, asks every integration whether it
is reachable and has its permissions, a Temporal cluster and the collector of
traces whether they answer, and looks for approvals that nobody could give.
With --live a sample of its kind goes through each source of a running server, to
where it is only read and routed.
Nothing is changed. It exits with 1 when something fails.`,
		Example: "  stanch doctor --config stanch.yaml\n  stanch doctor --config stanch.yaml --live",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addURL(c)
	o.output.addTo(c)
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration `file` (the defaults when not given)")
	f.StringVar(&o.data, "data", "", "`folder` of the embedded engine and of evidence")
	f.BoolVar(&o.live, "live", false, "ask the server at --url whether it is ready, and have it read a sample through each source, too")
	return c
}

// finding is one result of doctor, with its subject.
type finding struct {
	About string `json:"about"`
	integrations.Finding
}

func fine(about, format string, args ...any) finding {
	return finding{about, integrations.Finding{What: fmt.Sprintf(format, args...), OK: true}}
}

func bad(about, fix, format string, args ...any) finding {
	return finding{about, integrations.Finding{What: fmt.Sprintf(format, args...), Fix: fix}}
}

func warn(about, fix, format string, args ...any) finding {
	return finding{about, integrations.Finding{What: fmt.Sprintf(format, args...), OK: true, Warning: true, Fix: fix}}
}

func (o *doctorOptions) run(ctx context.Context) error {
	c, err := loadConfig(o.config, o.data)
	if err != nil {
		return err
	}
	found := o.examine(ctx, c)
	failed := 0
	for _, f := range found {
		if !f.OK {
			failed++
		}
	}
	err = o.output.print(o.streams, found, func(p *term.Printer) error {
		var rows [][]string
		for _, f := range found {
			word := "ok"
			switch {
			case !f.OK:
				word = "FAILS"
			case f.Warning:
				word = "warning"
			}
			// A complaint about a file has the line that it is about below it.
			lines := strings.Split(strings.TrimSuffix(f.What, "\n"), "\n")
			rows = append(rows, []string{word, f.About, lines[0], f.Fix})
			for _, line := range lines[1:] {
				rows = append(rows, []string{"", "", line})
			}
		}
		return p.Table([]string{"RESULT", "ABOUT", "FOUND", "FIX"}, rows)
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d checks fail", failed, len(found))
	}
	return err
}

func (o *doctorOptions) examine(ctx context.Context, c *config.Config) []finding {
	found := checkFolders(c)
	found = append(found, checkEngine(ctx, c)...)
	found = append(found, checkCollector(ctx, c)...)
	found = append(found, checkSecretFiles(c)...)
	found = append(found, checkDoors(c)...)
	found = append(found, checkFetched(ctx, c)...)
	found = append(found, checkCertificate(c, time.Now())...)
	found = append(found, checkWords(c)...)
	found = append(found, checkSensors(c)...)
	scratch, err := os.MkdirTemp("", "stanch-doctor-")
	if err != nil {
		return append(found, bad("integrations", "give this user a temporary folder", "%v", err))
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // What it holds is of no use; the system clears its temporary folder.
	set, about := checkIntegrations(ctx, c, scratch)
	found = append(found, about...)
	found = append(found, checkPlaybooks(ctx, c, set)...)
	if err := set.Close(); err != nil {
		found = append(found, bad("integrations", "", "%v", err))
	}
	if o.live {
		found = append(found, o.checkLive(ctx, c)...)
	}
	return found
}

func (o *doctorOptions) checkLive(ctx context.Context, c *config.Config) []finding {
	client, err := o.dial("")
	if err != nil {
		return []finding{bad("server", "give --url", "%v", errors.Unwrap(err))}
	}
	asked, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	if err := client.Ready(asked); err != nil {
		return []finding{bad("server", "start it, or look at its log", "%v", err)}
	}
	return append([]finding{fine("server", "%s is ready", client.URL())}, trySources(ctx, c, client)...)
}
