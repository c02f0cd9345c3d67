package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/playbooktest"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// playbookTestOptions are the flags of playbook test.
type playbookTestOptions struct {
	streams
	match    string
	format   choiceFlag
	config   string
	verbose  bool
	coverage bool
}

func newPlaybookTest(s streams) *cobra.Command {
	o := &playbookTestOptions{streams: s, format: choiceFlag{"text", []string{"text", "json"}}}
	c := &cobra.Command{
		Use:   "test [FILE|FOLDER|library]...",
		Short: "Run the tests of playbooks",
		Long: `Runs test files (*_test.yaml): each case is a rehearsal of the real engine on a
skipped clock, over a simulated estate of which the given facts are true. A
playbook in shadow mode is tested as if it enforced. Without arguments it looks
below the current folder. A failing case gives the exit code 1, a bad file 2.`,
		Example: "  stanch playbook test playbooks\n  stanch playbook test library --run 'domain controller' --verbose",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	f := c.Flags()
	f.StringVar(&o.match, "run", "", "only the cases whose name matches the regular `expression`")
	f.Var(&o.format, "format", "form of the report")
	f.StringVar(&o.config, "config", "", "derive the role of traffic with the limits of this configuration `file`")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "also list the cases that passed")
	f.BoolVar(&o.coverage, "require-coverage", false, "fail when a rule has no case that expects it")
	return c
}

// suite is a test file with its playbook.
type suite struct {
	file     string
	playbook *playbooks.Playbook
	tests    *playbooks.TestFile
}

func (o *playbookTestOptions) run(ctx context.Context, places []string) error {
	var match *regexp.Regexp
	if o.match != "" {
		var err error
		if match, err = regexp.Compile(o.match); err != nil {
			return usagef("run: %w", err)
		}
	}
	var limits traffic.LimitsByRole
	roles := incident.AssetRoles()
	if o.config != "" {
		c, err := loadConfig(o.config, "")
		if err != nil {
			return err
		}
		limits, roles = c.Traffic.ByRole, c.AssetRoles
	}
	suites, err := loadSuites(places, playbooks.WithRoles(roles))
	if err != nil {
		return err
	}
	if len(suites) == 0 {
		return usagef("there is no playbook test (*_test.yaml) below %s", where(places))
	}
	reports := make([]playbooktest.Report, 0, len(suites))
	for _, s := range suites {
		report, err := playbooktest.Run(ctx, s.playbook, s.tests, s.file, match, limits)
		if err != nil {
			return err
		}
		reports = append(reports, report)
		if o.format.value == "text" {
			if err := o.show(report); err != nil {
				return err
			}
		}
	}
	if o.format.value == asJSON {
		as := outputFlag{choiceFlag{value: asJSON}}
		if err := as.print(o.streams, reports, nil); err != nil {
			return err
		}
	}
	return o.verdict(reports)
}

// loadSuites reads the test files at the given places with their playbooks. A
// playbook selects the tests next to it. All issues are returned at once.
func loadSuites(places []string, with ...playbooks.Setting) ([]suite, error) {
	files, err := findFiles(places)
	if err != nil {
		return nil, err
	}
	var suites []suite
	var bad playbooks.Issues
	for _, f := range testFiles(files) {
		s, err := loadSuite(f, with...)
		if issues, ok := errors.AsType[playbooks.Issues](err); ok {
			bad = append(bad, issues...)
		} else if err != nil {
			return nil, err
		}
		suites = append(suites, s)
	}
	return suites, usage(bad.Err())
}

// testFiles are the test files among files, and those next to the playbooks.
func testFiles(files []file) []file {
	var tests []file
	for _, f := range files {
		if !f.isTest() {
			ext := filepath.Ext(f.path)
			f.path = strings.TrimSuffix(f.path, ext) + "_test" + ext
		}
		if f.exists() && !slices.Contains(tests, f) {
			tests = append(tests, f)
		}
	}
	return tests
}

func loadSuite(f file, with ...playbooks.Setting) (suite, error) {
	data, err := f.read()
	if err != nil {
		return suite{}, err
	}
	tests, err := playbooks.LoadTests(f.path, data)
	if err != nil {
		return suite{}, err
	}
	p, err := f.nextTo(tests.Playbook).playbook(with...)
	if _, ok := errors.AsType[playbooks.Issues](err); err != nil && !ok {
		return suite{}, playbooks.Issues{tests.Issue("%v", err)}
	}
	if err == nil {
		err = usage(p.Lint().Err())
	}
	if err != nil {
		return suite{}, err
	}
	return suite{f.path, p, tests}, tests.Check(p).Err()
}

// show writes one report for people.
func (o *playbookTestOptions) show(r playbooktest.Report) error {
	var b strings.Builder
	word := "ok    "
	if r.Failed() > 0 {
		word = "FAIL  "
	}
	fmt.Fprintf(&b, "%s%s: %s", word, r.File, count(len(r.Cases), "case"))
	if r.Failed() > 0 {
		fmt.Fprintf(&b, ", %d failed", r.Failed())
	}
	if o.match == "" {
		fmt.Fprintf(&b, "; rules covered %d/%d", r.Rules-len(r.Uncovered), r.Rules)
		if len(r.Uncovered) > 0 {
			fmt.Fprintf(&b, ", not %s", strings.Join(r.Uncovered, ", "))
		}
	}
	if r.Enforced {
		b.WriteString("; in shadow mode, tested as if it enforced")
	}
	b.WriteString("\n")
	if err := o.write([]byte(b.String())); err != nil {
		return err
	}
	for _, c := range r.Cases {
		if err := o.showCase(r.File, c); err != nil {
			return err
		}
	}
	return nil
}

func (o *playbookTestOptions) showCase(file string, c playbooktest.Result) error {
	if len(c.Failures) == 0 {
		if o.verbose {
			return o.write(fmt.Appendf(nil, "  pass  %s\n", visible(c.Name)))
		}
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  FAIL  %s:%d: %s\n", file, c.Line, visible(c.Name))
	for _, f := range c.Failures {
		fmt.Fprintf(&b, "        %s\n", visible(f.String()))
	}
	if err := o.write([]byte(b.String())); err != nil || c.Decision == nil {
		return err
	}
	return showDecision(o.printer(), *c.Decision)
}

// verdict returns the error for failed cases.
func (o *playbookTestOptions) verdict(reports []playbooktest.Report) error {
	failed, cases, uncovered := 0, 0, 0
	for _, r := range reports {
		failed, cases, uncovered = failed+r.Failed(), cases+len(r.Cases), uncovered+len(r.Uncovered)
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d of %s failed", failed, count(cases, "case"))
	case cases == 0:
		return usagef("no case matches %q", o.match)
	case o.coverage && uncovered > 0:
		return fmt.Errorf("no case expects %s", count(uncovered, "rule"))
	}
	return nil
}

// showDecision shows the reasons of the decision.
func showDecision(p *term.Printer, d decision) error {
	if err := p.Title("Decision"); err != nil {
		return err
	}
	for _, f := range decisionFields(d) {
		if err := p.Field(f[0], f[1], ""); err != nil {
			return err
		}
	}
	return p.Trace(d)
}
