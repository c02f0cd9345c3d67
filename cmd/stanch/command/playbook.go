package command

import "github.com/spf13/cobra"

func newPlaybook(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "playbook",
		Short: "Check, test and explain playbooks, and see the library's",
		Long: `Works on playbooks without an engine: they are files, reviewed and tested like
code.`,
		Example: "  stanch playbook lint playbooks\n  stanch playbook test playbooks",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		newPlaybookLint(s), newPlaybookTest(s), newPlaybookExplain(s), newPlaybookSchema(s),
		newPlaybookList(s), newPlaybookShow(s), newPlaybookCopy(s),
	)
	return c
}
