package command

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/playbooks"
)

// mapped is a source that a mapping alone makes, and the library's playbooks.
func (o *sourceTryOptions) mapped() (alerts.Source, []*playbooks.Playbook, error) {
	if o.kind != "" || o.source != "" || o.config != "" {
		return alerts.Source{}, nil, usagef("--map is in place of a configured source: leave out --source, --config and --kind")
	}
	source, loaded, err := sampleSource("mapping")
	if err != nil {
		return source, nil, err
	}
	data, err := file{path: o.mapping}.read()
	if err != nil {
		return source, nil, err
	}
	source.Spec, err = source.Map(o.mapping, data)
	return source, loaded, usage(err)
}

// mapFile is the mapping whose tests are run.
func (o *sourceTryOptions) mapFile() (string, error) {
	switch {
	case o.mapping != "" && (o.kind != "" || o.source != "" || o.config != ""):
		return "", usagef("--map is in place of a configured source: leave out --source, --config and --kind")
	case o.mapping != "":
		return o.mapping, nil
	case o.kind != "" || o.config == "":
		return "", usagef("give a FILE with a body; without one, --map FILE, or --config FILE and --source NAME of a source of the kind mapping, runs the tests of a mapping")
	}
	c, _, err := configured(o.config)
	if err != nil {
		return "", err
	}
	source, err := sourceOf(c, o.source)
	if err != nil {
		return "", err
	}
	if source.Map == "" {
		return "", usagef("source %s is of the kind %s, which has no map with tests: give a FILE with a body", o.source, source.Kind)
	}
	return c.Path(source.Map), nil
}

// runTests runs the tests of a mapping.
func (o *sourceTryOptions) runTests() error {
	path, err := o.mapFile()
	if err != nil {
		return err
	}
	report, err := mapping.Test(path)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("the mapping %q has no tests: there is no file %q", path, mapping.TestsOf(path))
	}
	if err != nil {
		return usage(err)
	}
	if err := o.output.print(o.streams, report, func(p *term.Printer) error { return o.showTests(report) }); err != nil {
		return err
	}
	if n := report.Failed(); n > 0 {
		return fmt.Errorf("%d of %s failed", n, count(len(report.Cases), "case"))
	}
	return nil
}

// showTests writes a report as that of the tests of a playbook.
func (o *sourceTryOptions) showTests(r mapping.Report) error {
	var cases []testedCase
	for _, c := range r.Cases {
		cases = append(cases, testedCase(c))
	}
	return o.showCases(r.File, r.Failed(), cases)
}

// testedCase is the result of one case of the tests of a mapping.
type testedCase struct {
	Name     string
	Failures playbooks.Issues
}

// showCases writes the results of a file of tests: those that failed.
func (s streams) showCases(file string, failures int, cases []testedCase) error {
	var b strings.Builder
	word, failed := "ok    ", ""
	if failures > 0 {
		word, failed = "FAIL  ", fmt.Sprintf(", %d failed", failures)
	}
	fmt.Fprintf(&b, "%s%s: %s%s\n", word, file, count(len(cases), "case"), failed)
	for _, c := range cases {
		if len(c.Failures) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  FAIL  %s\n", visible(c.Name))
		for _, f := range c.Failures {
			fmt.Fprintf(&b, "        %s\n", visible(f.String()))
		}
	}
	return s.write([]byte(b.String()))
}
