package command

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
)

// scriptOptions are the flags of script.
type scriptOptions struct{ streams }

func newScript(s streams) *cobra.Command {
	o := &scriptOptions{s}
	return &cobra.Command{
		Use:     "script KIND",
		Short:   "Write the script that an integration has an EDR run, for the EDR's library",
		Long:    "Writes the script that an integration of a kind has an EDR run on devices. It is put into the\nEDR's library by hand, again after each upgrade that changes it.",
		Example: "  stanch script windows-qos > stanch-netqos.ps1",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return o.run(args[0]) },
	}
}

func (o *scriptOptions) run(kind string) error {
	having := slices.DeleteFunc(all.Catalog().Integrations, func(s integrations.Spec) bool { return s.Script == nil })
	var kinds []string
	for _, s := range having {
		if s.Kind == kind {
			return o.write([]byte(s.Script()))
		}
		kinds = append(kinds, s.Kind)
	}
	return usagef("no integration kind %q has a script; there are %s", kind, strings.Join(kinds, ", "))
}
