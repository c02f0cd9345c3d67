// Package library holds the playbooks that ship with Stanch, each with its
// tests next to it. They only report until their mode is set to enforce.
package library

import (
	"embed"
	"fmt"
	"io/fs"
	"path"

	"github.com/stanch-soar/stanch/playbooks"
)

//go:embed */playbook.yaml */playbook_test.yaml
var files embed.FS

// Files returns the folders of the library: one per playbook, with
// playbook.yaml and playbook_test.yaml.
func Files() fs.FS { return files }

// Playbooks loads every playbook of the library, by name.
func Playbooks() ([]*playbooks.Playbook, error) {
	paths, err := fs.Glob(files, "*/playbook.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the library: %w", err)
	}
	var out []*playbooks.Playbook
	for _, name := range paths {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the library: %w", err)
		}
		p, err := playbooks.Load(path.Join("library", name), data)
		if err != nil {
			return nil, fmt.Errorf("load the library: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}
