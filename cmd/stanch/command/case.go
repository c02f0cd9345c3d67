package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func newCase(s streams) *cobra.Command {
	return group("case", "Look at cases, decide and close them",
		"  stanch case list --status awaiting\n  stanch case approve ws-042",
		newCaseList(s), newCaseShow(s), newCaseExplain(s), newCaseWatch(s),
		newCaseDecide(s, true), newCaseDecide(s, false), newCaseClose(s), newCaseExport(s))
}

// caseFlags select the case of a command.
type caseFlags struct {
	serverFlags
	run string
}

// caseHelp is part of the help of every command that takes a case.
const caseHelp = `
A case is named playbook/subject, or by its subject alone when exactly one open
case has it.`

// addTo gives a command its CASE argument, with completion.
func (f *caseFlags) addTo(c *cobra.Command) {
	f.serverFlags.addTo(c)
	c.Long = strings.TrimSpace(c.Long + "\n" + caseHelp)
	c.Args = cobra.ExactArgs(1)
	c.ValidArgsFunction = f.completer(func(ctx context.Context, client *apiclient.Client) ([]string, error) {
		list, err := client.Cases(ctx, api.CaseFilter{Status: "open"})
		var ids []string
		for _, found := range list.Cases {
			ids = append(ids, cobra.CompletionWithDesc(found.ID, string(found.Status)))
		}
		return ids, err
	})
}

// addRun lets a command read an older case of the same name.
func (f *caseFlags) addRun(c *cobra.Command) {
	c.Flags().StringVar(&f.run, "run", "", "`run` of the case, where its subject had several (the newest when not given)")
}

// resolve returns the id of the case that an argument names: of the one open case
// about a subject or, where none is open, of the one that all closed ones have.
func (f *caseFlags) resolve(ctx context.Context, c *apiclient.Client, name string) (string, error) {
	if playbook, subject, full := strings.Cut(name, "/"); full {
		if playbook == "" || subject == "" || strings.Contains(subject, "/") {
			return "", usagef("case %q is not playbook/subject", name)
		}
		return name, nil
	}
	open, err := c.Cases(ctx, api.CaseFilter{Status: "open", Subject: name})
	if err != nil {
		return "", answered(err)
	}
	switch len(open.Cases) {
	case 1:
		return open.Cases[0].ID, nil
	case 0:
		closed, err := c.Cases(ctx, api.CaseFilter{Status: "closed", Subject: name, Limit: 20})
		if err != nil {
			return "", answered(err)
		}
		if len(closed.Cases) == 0 {
			return "", usagef("no case is about %q", name)
		}
		if id := closed.Cases[0].ID; !slices.ContainsFunc(closed.Cases, func(c incident.CaseSummary) bool { return c.ID != id }) {
			return id, nil
		}
		return "", usagef("no open case is about %q; closed are:%s", name, candidates(closed.Cases))
	default:
		return "", usagef("%d open cases are about %q, name one of:%s", len(open.Cases), name, candidates(open.Cases))
	}
}

func candidates(cases []incident.CaseSummary) string {
	var ids []string
	for _, c := range cases {
		if line := "\n  " + c.ID; !slices.Contains(ids, line) {
			ids = append(ids, line)
		}
	}
	return strings.Join(ids, "")
}

// get returns the case that an argument names.
func (f *caseFlags) get(ctx context.Context, name string) (*apiclient.Client, incident.Case, error) {
	client, err := f.client()
	if err != nil {
		return nil, incident.Case{}, err
	}
	id, err := f.resolve(ctx, client, name)
	if err != nil {
		return nil, incident.Case{}, err
	}
	c, err := client.Case(ctx, id, f.run)
	return client, c, answered(err)
}

// caseListOptions are the flags of case list.
type caseListOptions struct {
	streams
	serverFlags
	output outputFlag
	filter api.CaseFilter
}

func newCaseList(s streams) *cobra.Command {
	o := &caseListOptions{streams: s}
	c := &cobra.Command{
		Use: "list", Short: "List cases, newest first", Args: cobra.NoArgs,
		Example: "  stanch case list --status open\n  stanch case list --subject ws-042 --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	o.output.addTo(c)
	status := choiceFlag{value: "all", choices: []string{"all", "open", "closed", "working", "awaiting", "contained", "watching"}}
	c.Flags().Var(&status, "status", "only cases with this status")
	c.Flags().StringVar(&o.filter.Subject, "subject", "", "only cases about a `host`, or any other subject of the playbook")
	c.Flags().IntVar(&o.filter.Limit, "limit", 100, "at most `n` cases, up to 1000")
	c.PreRun = func(*cobra.Command, []string) { o.filter.Status = status.value }
	// The flag exists; registering its completion cannot fail.
	_ = c.RegisterFlagCompletionFunc("status", words(status.choices...))
	return c
}

func (o *caseListOptions) run(ctx context.Context) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	list, err := client.Cases(ctx, o.filter)
	if err != nil {
		return answered(err)
	}
	if list.More {
		fmt.Fprintf(o.err, "stanch: there are more cases than these %d: narrow it, or raise --limit\n", len(list.Cases))
	}
	return o.output.print(o.streams, list, func(p *term.Printer) error {
		var rows [][]string
		for _, c := range list.Cases {
			rows = append(rows, []string{
				c.ID, string(c.Status), string(c.Outcome), c.Severity, c.Rule, moment(c.OpenedAt), moment(c.ClosedAt),
			})
		}
		return p.Table([]string{"CASE", "STATUS", "OUTCOME", "SEVERITY", "RULE", "OPENED", "CLOSED"}, rows)
	})
}
