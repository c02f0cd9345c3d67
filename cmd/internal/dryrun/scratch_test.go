// Package dryrun adds to a copy of this module what contributors will add to it, and
// checks which files that touches and which checks fail while it is incomplete.
package dryrun_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// scratch is a copy of the module.
type scratch struct {
	dir string
	// before has the contents of the files that were changed; nil for a new file.
	before map[string][]byte
}

// newScratch copies the module without what only slow tests read.
func newScratch(t *testing.T) *scratch {
	t.Helper()
	s := &scratch{dir: t.TempDir(), before: map[string][]byte{}}
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "histories") {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(s.dir, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(s.dir, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// restore undoes all additions and changes.
func (s *scratch) restore(t *testing.T) {
	t.Helper()
	for name, data := range s.before {
		path := filepath.Join(s.dir, name)
		var err error
		if data == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	clear(s.before)
}

func (s *scratch) write(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if _, changed := s.before[name]; !changed {
		old, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		s.before[name] = old
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// add writes the files of an archive in testdata.
func (s *scratch) add(t *testing.T, archive string) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", archive))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		s.write(t, f.Name, f.Data)
	}
}

// edit replaces old, which must occur once, with new.
func (s *scratch) edit(t *testing.T, name, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), old); n != 1 {
		t.Fatalf("%s has %q %d times, want once", name, old, n)
	}
	s.write(t, name, []byte(strings.Replace(string(data), old, replacement, 1)))
}

// run runs the go command in the copy.
func (s *scratch) run(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = s.dir
	// Built as in a release, regardless of how this test is run.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// passes wants a go command to succeed.
func (s *scratch) passes(t *testing.T, args ...string) {
	t.Helper()
	if out, ok := s.run(t, args...); !ok {
		t.Errorf("go %s fails:\n%s", strings.Join(args, " "), out)
	}
}

// fails wants a go command to fail with an error that contains these words.
func (s *scratch) fails(t *testing.T, words string, args ...string) {
	t.Helper()
	out, ok := s.run(t, args...)
	if ok {
		t.Errorf("go %s succeeds, want it to say %q", strings.Join(args, " "), words)
	} else if !strings.Contains(out, words) {
		t.Errorf("go %s does not say %q:\n%s", strings.Join(args, " "), words, out)
	}
}

// touched wants exactly these files of the module to be changed; added files
// are not compared.
func (s *scratch) touched(t *testing.T, want ...string) {
	t.Helper()
	for name, data := range s.before {
		if data == nil {
			continue
		}
		if !slices.Contains(want, name) {
			t.Errorf("%s was changed", name)
		}
	}
}
