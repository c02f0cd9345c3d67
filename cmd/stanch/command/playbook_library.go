package command

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// listed is one playbook of the library.
type listed struct {
	Name        string   `json:"name"`
	Mode        string   `json:"mode"`
	Rules       int      `json:"rules"`
	Attack      []string `json:"attack"`
	Description string   `json:"description"`
	Digest      string   `json:"digest"`
}

func newPlaybookList(s streams) *cobra.Command {
	var output outputFlag
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the library's playbooks",
		Long:    "Lists the playbooks that ship with Stanch. They report and do not act until their mode is enforce.",
		Example: "  stanch playbook list\n  stanch playbook list --output yaml",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return listLibrary(s, output) },
	}
	output.addTo(c)
	return c
}

func listLibrary(s streams, output outputFlag) error {
	all, err := library.Playbooks()
	if err != nil {
		return err
	}
	var list []listed
	var rows [][]string
	for _, p := range all {
		list = append(list, listed{p.Name, string(p.Mode), len(p.Decide), p.Attack, p.Description, p.Digest()})
		rows = append(rows, []string{p.Name, string(p.Mode), fmt.Sprint(len(p.Decide)), strings.Join(p.Attack, " "), p.Description})
	}
	return output.print(s, list, func(t *term.Printer) error {
		return t.Table([]string{"NAME", "MODE", "RULES", "ATT&CK", "DESCRIPTION"}, rows)
	})
}

func newPlaybookShow(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Write a playbook of the library",
		Long:    "Writes a playbook of the library as it was written, with its comments.",
		Example: "  stanch playbook show high-egress-windows",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := fromLibrary(args[0])
			if err != nil {
				return err
			}
			data, err := f.read()
			if err != nil {
				return err
			}
			return s.write(data)
		},
	}
}

func newPlaybookCopy(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "copy NAME FOLDER",
		Short: "Copy a playbook of the library and its tests into a folder",
		Long: `Copies a playbook of the library with its tests, to be changed and kept in your
own repository. A file that is there already is never overwritten.`,
		Example: "  stanch playbook copy high-egress-windows playbooks/high-egress-windows",
		Args:    cobra.ExactArgs(2),
		RunE:    func(_ *cobra.Command, args []string) error { return copyPlaybook(s, args[0], args[1]) },
	}
}

// copyPlaybook writes both files or none.
func copyPlaybook(s streams, name, dir string) error {
	playbook, err := fromLibrary(name)
	if err != nil {
		return err
	}
	var copies []string
	for _, f := range []file{playbook, playbook.nextTo("playbook_test.yaml")} {
		to := filepath.Join(dir, filepath.Base(f.path))
		if err = copyFile(f, to); err != nil {
			break
		}
		copies = append(copies, to)
	}
	if err != nil {
		for _, c := range copies {
			err = errors.Join(err, os.Remove(c))
		}
		return err
	}
	return s.write([]byte(strings.Join(copies, "\n") + "\n"))
}

// copyFile copies a file of the library to a new file. The path of the schema
// depends on the folder, so that line is left out.
func copyFile(f file, to string) error {
	data, err := f.read()
	if err != nil {
		return err
	}
	if bytes.HasPrefix(data, []byte("# yaml-language-server:")) {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return usagef("make the folder: %w", err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%q is there already and is not overwritten", to)
	}
	if err != nil {
		return usagef("write the copy: %w", err)
	}
	_, err = out.Write(data)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the copy: %w", err), os.Remove(to))
	}
	return nil
}
