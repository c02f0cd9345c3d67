// Package repocheck holds the rules of this repository that a compiler does not
// know: who may import whom, what every file must have, and that the documents
// name only files that exist. Its tests run the rules over the repository, and
// prove on small planted trees that each of them finds faults.
package repocheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Complaint is one breach of a rule. A Line of 0 means the whole file.
type Complaint struct {
	File string
	Line int
	Text string
}

func (c Complaint) String() string {
	if c.Line == 0 {
		return c.File + ": " + c.Text
	}
	return fmt.Sprintf("%s:%d: %s", c.File, c.Line, c.Text)
}

// Tree is a repository as the rules see it: its text files and its parsed Go
// files, whatever their build tags.
type Tree struct {
	Module string
	Text   map[string][]byte
	Go     []GoFile

	fsys fs.FS
	fset *token.FileSet
}

// GoFile is one parsed Go file of the main module.
type GoFile struct {
	Path string
	// Dir is the package's folder, relative to the root.
	Dir       string
	Test      bool
	Generated bool
	AST       *ast.File
}

// maxFile bounds what is read of one file; no file that people write is larger.
const maxFile = 4 << 20

// Read reads the repository whose root is fsys. What .gitignore excludes at the
// top, folders called testdata and other modules hold no Go files of ours.
func Read(fsys fs.FS) (*Tree, error) {
	t := &Tree{Text: map[string][]byte{}, fsys: fsys, fset: token.NewFileSet()}
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	name := regexp.MustCompile(`(?m)^module\s+(\S+)`).FindSubmatch(mod)
	if name == nil {
		return nil, fmt.Errorf("read the module: go.mod names none")
	}
	t.Module = string(name[1])
	ignored := t.ignored()
	err = fs.WalkDir(fsys, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ignored[file] || d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return skip(d)
		case !d.Type().IsRegular() || !isText(file):
			return nil
		}
		return t.add(file)
	})
	if err != nil {
		return nil, fmt.Errorf("read the repository: %w", err)
	}
	return t, nil
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// ignored returns the anchored entries of .gitignore, such as /data/.
func (t *Tree) ignored() map[string]bool {
	ignored := map[string]bool{}
	text, err := fs.ReadFile(t.fsys, ".gitignore")
	if err != nil {
		return ignored
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			ignored[strings.Trim(line, "/")] = true
		}
	}
	return ignored
}

// isText reports whether a file is written by people; records that tests replay
// and data tables are not text in that sense.
func isText(file string) bool {
	switch path.Ext(file) {
	case ".go", ".mod", ".md", ".yml", ".yaml", ".sh", ".txt", ".txtar", ".html", ".css", ".js", ".sql":
		return true
	}
	base := path.Base(file)
	return base == "Dockerfile" || base == "NOTICE" || strings.HasPrefix(file, ".ci/") ||
		strings.HasPrefix(base, ".") && !strings.Contains(file, "/")
}

func (t *Tree) add(file string) error {
	info, err := fs.Stat(t.fsys, file)
	if err != nil || info.Size() > maxFile {
		return err
	}
	text, err := fs.ReadFile(t.fsys, file)
	if err != nil {
		return err
	}
	t.Text[file] = text
	if path.Ext(file) != ".go" || slices.Contains(strings.Split(file, "/"), "testdata") || t.foreign(file) {
		return nil
	}
	parsed, err := parser.ParseFile(t.fset, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Go = append(t.Go, GoFile{
		Path:      file,
		Dir:       path.Dir(file),
		Test:      strings.HasSuffix(file, "_test.go"),
		Generated: ast.IsGenerated(parsed),
		AST:       parsed,
	})
	return nil
}

// foreign reports whether a file belongs to another module than the root's.
func (t *Tree) foreign(file string) bool {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if _, err := fs.Stat(t.fsys, dir+"/go.mod"); err == nil {
			return true
		}
	}
	return false
}

// Packages returns the folders that hold Go files, sorted.
func (t *Tree) Packages() []string {
	var dirs []string
	for _, f := range t.Go {
		dirs = append(dirs, f.Dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func (t *Tree) at(f GoFile, pos token.Pos, format string, args ...any) Complaint {
	return Complaint{f.Path, t.fset.Position(pos).Line, fmt.Sprintf(format, args...)}
}

func lineOf(text []byte, offset int) int { return 1 + bytes.Count(text[:offset], []byte("\n")) }
