package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/evidence"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// reasonFlag is the --reason of a command whose reason is recorded.
type reasonFlag struct{ text string }

func (f *reasonFlag) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.text, "reason", "", "why, for the record (required)")
}

func (f *reasonFlag) check() error {
	if strings.TrimSpace(f.text) == "" {
		return usagef("--reason is required: it is recorded")
	}
	return nil
}

// caseCloseOptions are the flags of case close.
type caseCloseOptions struct {
	streams
	caseFlags
	reason  reasonFlag
	verdict choiceFlag
}

func newCaseClose(s streams) *cobra.Command {
	o := &caseCloseOptions{streams: s}
	for _, v := range incident.CaseVerdicts() {
		o.verdict.choices = append(o.verdict.choices, string(v))
	}
	c := &cobra.Command{
		Use: "close CASE", Short: "Close a case by hand: open questions are void, its leases are given back",
		Example: "  stanch case close ws-042 --reason \"a load test\"",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.close(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	o.reason.addTo(c)
	c.Flags().Var(&o.verdict, "verdict", "what its alert was found to be; where its sender is answered, it is told")
	return c
}

func (o *caseCloseOptions) close(ctx context.Context, name string) error {
	if err := o.reason.check(); err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	id, err := o.resolve(ctx, client, name)
	if err != nil {
		return err
	}
	if _, err := client.CloseCase(ctx, id, api.CloseRequest{Reason: o.reason.text, Verdict: incident.CaseVerdict(o.verdict.value)}); err != nil {
		return answered(err)
	}
	return o.say("case %s is being closed; what it holds is given back", id)
}

// caseExportOptions are the flags of case export.
type caseExportOptions struct {
	streams
	caseFlags
	dir string
}

func newCaseExport(s streams) *cobra.Command {
	o := &caseExportOptions{streams: s}
	c := &cobra.Command{
		Use: "export CASE", Short: "Write the evidence bundle of a case to a folder",
		Long: `Writes the case as JSON, a page for people, the alerts as they came, and the
digests of all of it. An open case is written as it stands; the bundle that the
server writes when a case closes holds the collected artifacts, too.`,
		Example: "  stanch case export ws-042 --dir ./evidence",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.export(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	o.addRun(c)
	c.Flags().StringVar(&o.dir, "dir", ".", "`folder` to write below; it is made")
	return c
}

func (o *caseExportOptions) export(ctx context.Context, name string) error {
	_, c, err := o.get(ctx, name)
	if err != nil {
		return err
	}
	bundle, err := evidence.Write(ctx, o.dir, c, evidence.Options{})
	if err != nil {
		return err
	}
	return o.say("%s, %s", bundle.Dir, bundle.Digest)
}
