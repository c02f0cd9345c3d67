package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// lintOptions are the flags of playbook lint.
type lintOptions struct {
	streams
	format choiceFlag
	config string
}

func newPlaybookLint(s streams) *cobra.Command {
	o := &lintOptions{streams: s, format: choiceFlag{"text", []string{"text", "json", "github"}}}
	c := &cobra.Command{
		Use:   "lint [FILE|FOLDER|library]...",
		Short: "Check playbooks and their tests, without running anything",
		Long: `Reads playbooks and test files as the service would and shows every complaint
with its place. Without arguments it looks below the current folder. Warnings do
not fail; with an error the exit code is 2.`,
		Example: "  stanch playbook lint playbooks\n  stanch playbook lint --config stanch.yaml playbooks\n  stanch playbook lint --format github",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	c.Flags().Var(&o.format, "format", "form of the complaints; github annotates a pull request")
	c.Flags().StringVar(&o.config, "config", "", "also check the names that playbooks use against this configuration `file`")
	return c
}

// linted is the result of lint.
type linted struct {
	Files    int              `json:"files"`
	Errors   int              `json:"errors"`
	Warnings int              `json:"warnings"`
	Issues   playbooks.Issues `json:"issues"`
}

func (o *lintOptions) run(_ context.Context, places []string) error {
	files, err := findFiles(places)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usagef("there is no playbook below %s", where(places))
	}
	set, roles, err := configuredNames(o.config)
	if err != nil {
		return err
	}
	l := linted{Files: len(files), Issues: playbooks.Issues{}}
	names := map[string]string{}
	for _, f := range files {
		issues, err := lintFile(f, set, names, playbooks.WithRoles(roles))
		if err != nil {
			return err
		}
		l.Issues = append(l.Issues, issues...)
	}
	for _, i := range l.Issues {
		if i.Warning {
			l.Warnings++
		} else {
			l.Errors++
		}
	}
	if err := o.show(l); err != nil {
		return err
	}
	if l.Errors > 0 {
		return usagef("%s", l)
	}
	return nil
}

// String is the summary of the counts.
func (l linted) String() string {
	return fmt.Sprintf("%s: %s, %s", count(l.Files, "file"), count(l.Errors, "error"), count(l.Warnings, "warning"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// configuredNames names the integrations of a configuration without opening one,
// and its asset roles. Without a configuration the set is nil, and the roles are
// the shipped ones.
func configuredNames(config string) (*integrations.Set, incident.Vocabulary, error) {
	if config == "" {
		return nil, incident.AssetRoles(), nil
	}
	c, err := loadConfig(config, "")
	if err != nil {
		return nil, incident.Vocabulary{}, err
	}
	set := integrations.NewSet()
	for _, i := range c.Opened {
		set.Add(i.Name, i.Spec, nil)
	}
	return set, c.AssetRoles, nil
}

// lintFile returns the issues of a file. Names are those of the playbooks before
// it, with their files.
func lintFile(f file, set *integrations.Set, names map[string]string, with ...playbooks.Setting) (playbooks.Issues, error) {
	if f.isTest() {
		return lintTests(f, with...)
	}
	p, err := f.playbook(with...)
	if issues, ok := errors.AsType[playbooks.Issues](err); ok {
		return issues, nil
	}
	if err != nil {
		return nil, err
	}
	issues := p.Lint()
	if other, taken := names[p.Name]; taken {
		issues = append(issues, playbooks.Issue{File: f.path, Message: fmt.Sprintf("playbook %s is in %s already", p.Name, other)})
	} else {
		names[p.Name] = f.path
	}
	if set == nil {
		return issues, nil
	}
	return append(issues, p.CheckIntegrations(func(name string, used playbooks.Use) string {
		return service.Complaint(set, name, used)
	})...), nil
}

// lintTests returns the issues of a test file. Those of its playbook are reported
// where the playbook is linted.
func lintTests(f file, with ...playbooks.Setting) (playbooks.Issues, error) {
	data, err := f.read()
	if err != nil {
		return nil, err
	}
	tests, err := playbooks.LoadTests(f.path, data)
	if issues, ok := errors.AsType[playbooks.Issues](err); ok {
		return issues, nil
	}
	p, err := f.nextTo(tests.Playbook).playbook(with...)
	if _, ok := errors.AsType[playbooks.Issues](err); ok {
		return nil, nil
	}
	if err != nil {
		return playbooks.Issues{tests.Issue("%v", err)}, nil
	}
	return append(tests.Check(p), tests.Lint(p.Roles())...), nil
}

func (o *lintOptions) show(l linted) error {
	switch o.format.value {
	case "json":
		as := outputFlag{choiceFlag{value: asJSON}}
		return as.print(o.streams, l, nil)
	case "github":
		var b strings.Builder
		for _, i := range l.Issues {
			b.WriteString(annotation(i) + "\n")
		}
		return o.write([]byte(b.String()))
	}
	text := ""
	if len(l.Issues) > 0 {
		text = visible(l.Issues.Error()) + "\n"
	}
	if l.Errors == 0 {
		text += l.String() + "\n"
	}
	return o.write([]byte(text))
}

// annotation is an issue as a command of GitHub's workflows.
func annotation(i playbooks.Issue) string {
	kind := "error"
	if i.Warning {
		kind = "warning"
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	place := "file=" + property.Replace(i.File)
	if i.Line > 0 {
		place += fmt.Sprintf(",line=%d,col=%d", i.Line, i.Column)
	}
	return fmt.Sprintf("::%s %s::%s", kind, place, data.Replace(visible(i.Message)))
}

// visible replaces what would move a terminal's cursor: the text of a file may be
// untrusted.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && !slices.Contains([]rune{'\n', '\t'}, r) || r >= 0x7f && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, s)
}
