package repocheck

import (
	"slices"
	"strconv"
	"strings"
)

// IsDouble reports whether a folder holds a package that only tests may import:
// a double of a product, the fixtures or the suites of tests. Its name says so,
// or is listed here. The simulated estate in integrations/memory is not a double:
// users run demos and rehearsals on it.
func IsDouble(dir string) bool {
	// The tests of people's playbooks are a command of the product.
	if dir == "cmd/internal/playbooktest" {
		return false
	}
	return slices.ContainsFunc(strings.Split(dir, "/"), func(name string) bool {
		return strings.HasSuffix(name, "fake") || strings.HasSuffix(name, "test") ||
			slices.Contains([]string{"apispec", "contract", "faulty", "synthetic"}, name)
	})
}

// Doubles checks that code that ships does not import packages for tests.
func Doubles(t *Tree) []Complaint {
	var found []Complaint
	for _, f := range t.Go {
		if f.Test || IsDouble(f.Dir) {
			continue
		}
		for _, spec := range f.AST.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue
			}
			ours, inModule := strings.CutPrefix(imported, t.Module+"/")
			switch {
			case inModule && IsDouble(ours):
				found = append(found, t.at(f, spec.Pos(), "%s ships, so it must not import %q, which is for tests", f.Dir, imported))
			case matches(imported, []string{"testing/...", "net/http/httptest"}):
				found = append(found, t.at(f, spec.Pos(), "%s imports %q: a package for tests is named ...test or ...fake, or listed in IsDouble", f.Dir, imported))
			}
		}
	}
	return found
}
