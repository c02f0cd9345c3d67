package command

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stanch-soar/stanch/cmd/internal/reference"
	"github.com/stanch-soar/stanch/integrations/all"
)

// docsOptions are the flags of docs.
type docsOptions struct {
	streams
	dir string
}

func newDocs(s streams) *cobra.Command {
	o := &docsOptions{streams: s}
	c := &cobra.Command{
		Use:   "docs",
		Short: "Write the reference documents from the code",
		Long: `Writes the reference and the JSON Schemas into a folder, and names the files that
it changed.`,
		Example: "  stanch docs --dir docs",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Root()) },
	}
	c.Flags().StringVar(&o.dir, "dir", "docs", "`folder` of the documents")
	return c
}

// Documents returns every generated document by its path below the folder of
// documents.
func Documents(root *cobra.Command) (map[string][]byte, error) {
	files, err := reference.Files(all.Catalog())
	if err != nil {
		return nil, err
	}
	files["reference/commands.md"] = commandsReference(root)
	return files, nil
}

func (o *docsOptions) run(root *cobra.Command) error {
	files, err := Documents(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(o.dir, filepath.FromSlash(name))
		have, err := os.ReadFile(to)
		text := reference.KeepChecks(files[name], have)
		if err == nil && bytes.Equal(have, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return usagef("make the folder of the documents: %w", err)
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return usagef("write a document: %w", err)
		}
		if err := o.write([]byte(to + "\n")); err != nil {
			return err
		}
	}
	return nil
}

// commandsReference describes every command, from the commands themselves.
func commandsReference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nGenerated from the code; `stanch docs` writes it.\n\n")
	b.WriteString("Exit code 0 is success, 1 a fault of the product or its surroundings (or a test that fails), 2 a mistake of the user:\nthen nothing was changed. A command that a signal ended before it was done exits with 128 and the signal's number, 130 after Ctrl-C.\n")
	var list func(c *cobra.Command)
	list = func(c *cobra.Command) {
		describe(&b, c)
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
				list(sub)
			}
		}
	}
	list(root)
	return b.Bytes()
}

// describe writes the section of one command. Usage and examples are not marked
// as sh: the tests of the commands run them.
func describe(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```text\n%s\n```\n", c.CommandPath(), c.Short, c.UseLine())
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	if !c.HasAvailableLocalFlags() {
		return
	}
	b.WriteString("\n| flag | value | default | meaning |\n|---|---|---|---|\n")
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name += ", `-" + f.Shorthand + "`"
		}
		value, usage := pflag.UnquoteUsage(f)
		standard := ""
		if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" {
			standard = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, strings.ReplaceAll(value, "|", ", "), standard, strings.ReplaceAll(usage, "|", "\\|"))
	})
}
