package command

import (
	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/playbooks"
)

// schemaOptions are the flags of playbook schema.
type schemaOptions struct {
	streams
	tests bool
}

func newPlaybookSchema(s streams) *cobra.Command {
	o := &schemaOptions{streams: s}
	c := &cobra.Command{
		Use:     "schema",
		Short:   "Write the JSON Schema of a playbook, for editors",
		Long:    "Writes the JSON Schema of a playbook, or of its test file, from what the loader reads.",
		Example: "  stanch playbook schema > playbook.schema.json\n  stanch playbook schema --tests > playbook_test.schema.json",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return o.run() },
	}
	c.Flags().BoolVar(&o.tests, "tests", false, "the schema of test files")
	return c
}

func (o *schemaOptions) run() error {
	schema := playbooks.Schema
	if o.tests {
		schema = playbooks.TestSchema
	}
	data, err := schema()
	if err != nil {
		return err
	}
	return o.write(data)
}
