package command

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations/flowlog"
)

// flowsTestOptions are the flags of flows test.
type flowsTestOptions struct {
	streams
	output outputFlag
}

func newFlowsTest(s streams) *cobra.Command {
	o := &flowsTestOptions{streams: s}
	c := &cobra.Command{
		Use: "test MAPPING", Short: "Run the tests of the mapping of a log", Args: cobra.ExactArgs(1),
		Long: `Runs the tests that stand beside a mapping, of acme.yaml in acme_test.yaml: lines, and the flows
that must come of them.`,
		Example: "  stanch flows test mappings/acme.yaml",
		RunE:    func(_ *cobra.Command, args []string) error { return o.run(args[0]) },
	}
	o.output.addTo(c)
	return c
}

func (o *flowsTestOptions) run(path string) error {
	report, err := flowlog.TestMapping(path)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("%q is no mapping with tests beside it: %v", path, err)
	}
	if err != nil {
		return usage(err)
	}
	if err := o.output.print(o.streams, report, func(*term.Printer) error { return o.show(report) }); err != nil {
		return err
	}
	if n := report.Failed(); n > 0 {
		return fmt.Errorf("%d of %s failed", n, count(len(report.Cases), "case"))
	}
	return nil
}

func (o *flowsTestOptions) show(r flowlog.MapReport) error {
	var cases []testedCase
	for _, c := range r.Cases {
		cases = append(cases, testedCase(c))
	}
	return o.showCases(r.File, r.Failed(), cases)
}
