package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// theLibrary is the argument for the playbooks that ship with Stanch, in place of
// a file or a folder.
const theLibrary = "library"

// file is a playbook or a test file.
type file struct {
	// path is the path for display.
	path string
	// shipped reports whether it is part of the library.
	shipped bool
}

// isTest reports whether it is a test file; those are next to their playbooks.
func (f file) isTest() bool {
	return strings.HasSuffix(strings.TrimSuffix(f.path, filepath.Ext(f.path)), "_test")
}

// nextTo returns the file at a path relative to this file's folder.
func (f file) nextTo(name string) file {
	if f.shipped {
		return file{path.Join(path.Dir(f.path), name), true}
	}
	if filepath.IsAbs(name) {
		return file{name, false}
	}
	return file{filepath.Join(filepath.Dir(f.path), name), false}
}

// exists reports whether there is such a file.
func (f file) exists() bool {
	in, err := f.open()
	if err != nil {
		return false
	}
	return in.Close() == nil
}

func (f file) open() (fs.File, error) {
	if f.shipped {
		return library.Files().Open(strings.TrimPrefix(f.path, theLibrary+"/"))
	}
	return os.Open(f.path)
}

// read reads at most slightly more than the maximum size, so that the parser can
// report that the file is too long.
func (f file) read() ([]byte, error) {
	in, err := f.open()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no file %q", f.path)
	case err != nil:
		return nil, usagef("open file %q: %w", f.path, cause(err))
	}
	defer func() { _ = in.Close() }() // It was only read.
	data, err := io.ReadAll(io.LimitReader(in, playbooks.MaxFile+1))
	if err != nil {
		return nil, usagef("read file %q: %w", f.path, cause(err))
	}
	return data, nil
}

// cause is an error without the path, which the message has already.
func cause(err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		return inner.Err
	}
	return err
}

// playbook reads and compiles a playbook.
func (f file) playbook(with ...playbooks.Setting) (*playbooks.Playbook, error) {
	data, err := f.read()
	if err != nil {
		return nil, err
	}
	p, err := playbooks.Load(f.path, data, with...)
	return p, usage(err)
}

// findFiles returns the YAML files at the given places (files, folders, or the
// word library), sorted, each once. Without places it is the current folder.
func findFiles(places []string) ([]file, error) {
	if len(places) == 0 {
		places = []string{"."}
	}
	var found []file
	for _, place := range places {
		files, err := filesAt(place)
		if err != nil {
			return nil, err
		}
		found = append(found, files...)
	}
	slices.SortFunc(found, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(found), nil
}

func filesAt(place string) ([]file, error) {
	if place == theLibrary {
		names, err := fs.Glob(library.Files(), "*/*.yaml")
		var files []file
		for _, name := range names {
			files = append(files, file{path.Join(theLibrary, name), true})
		}
		return files, err
	}
	info, err := os.Stat(place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no file or folder %q", place)
	case err != nil:
		return nil, usagef("look at %q: %w", place, cause(err))
	case !info.IsDir():
		return []file{{path: filepath.Clean(place)}}, nil
	}
	var files []file
	err = filepath.WalkDir(place, func(name string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(name); err == nil && !d.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, file{path: name})
		}
		return err
	})
	if err != nil {
		return nil, usagef("look for playbooks in %q: %w", place, cause(err))
	}
	return files, nil
}

// where lists the places for the message that nothing was found.
func where(places []string) string {
	if len(places) == 0 {
		return `"."`
	}
	quoted := make([]string, 0, len(places))
	for _, p := range places {
		quoted = append(quoted, fmt.Sprintf("%q", p))
	}
	return strings.Join(quoted, ", ")
}

// libraryNames are the library's playbooks, sorted.
func libraryNames() ([]string, error) {
	paths, err := fs.Glob(library.Files(), "*/playbook.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the library: %w", err)
	}
	names := make([]string, 0, len(paths))
	for _, p := range paths {
		names = append(names, path.Dir(p))
	}
	return names, nil
}

// fromLibrary returns a playbook of the library by name.
func fromLibrary(name string) (file, error) {
	names, err := libraryNames()
	if err != nil {
		return file{}, err
	}
	if !slices.Contains(names, name) {
		return file{}, usagef("the library has no playbook %q; there are %s", name, strings.Join(names, ", "))
	}
	return file{path.Join(theLibrary, name, "playbook.yaml"), true}, nil
}

// namedPlaybook returns the playbook at a path, or of that name in the library.
func namedPlaybook(name string) (file, error) {
	if _, err := os.Stat(name); err == nil || strings.ContainsAny(name, `/\.`) {
		return file{path: name}, nil
	}
	return fromLibrary(name)
}
