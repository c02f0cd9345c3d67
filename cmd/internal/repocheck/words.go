package repocheck

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// word is a pattern that no text of ours may contain.
type word struct {
	pattern *regexp.Regexp
	why     string
}

// words are written so that none of them matches its own line.
func words() []word {
	return []word{
		{regexp.MustCompile(`\b(TO[D]O|FIX[M]E|XX[X])\b`), "unfinished work belongs into the issue tracker, or is finished"},
		{regexp.MustCompile(`\b(work|\.\.)/share[d]\b|\bshare[d]/(design|reference|fixtures|specs|data|hooks)\b`), "the repository stands by itself: a clone of it does not have that folder"},
		{regexp.MustCompile(`\b((proxy|sum)\.golang\.o[r]g|(deb|security|ftp)\.debian\.o[r]g|registry\.npmjs\.o[r]g|pypi\.o[r]g|crates\.i[o]|(index|registry-1)\.docker\.i[o])\b`), "which registry serves packages is the machine's matter"},
	}
}

// Words checks that no text contains a reference that a reader cannot follow.
func Words(t *Tree) []Complaint {
	var found []Complaint
	for file, text := range t.Text {
		for _, w := range words() {
			for _, at := range w.pattern.FindAllIndex(text, -1) {
				found = append(found, Complaint{file, lineOf(text, at[0]), fmt.Sprintf("%q: %s", text[at[0]:at[1]], w.why)})
			}
		}
	}
	return sorted(found)
}

// Layout checks that the root has only the documented entries.
func Layout(t *Tree) []Complaint {
	folders := append(layers(), "docs", ".ci")
	files := []string{
		"docker-compose.yml", "go.mod", "go.sum", "README.md", "LICENSE", "NOTICE",
		".dockerignore", ".gitattributes", ".gitignore", ".golangci.yml",
	}
	ignored := t.ignored()
	entries, err := fs.ReadDir(t.fsys, ".")
	if err != nil {
		return []Complaint{{".", 0, err.Error()}}
	}
	var found []Complaint
	for _, e := range entries {
		allowed := files
		if e.IsDir() {
			allowed = folders
		}
		if e.Name() != ".git" && !ignored[e.Name()] && !ignoredByEnding(t, e.Name()) && !slices.Contains(allowed, e.Name()) {
			found = append(found, Complaint{e.Name(), 0, "the root holds " + strings.Join(append(folders, files...), ", ") + " and nothing else"})
		}
	}
	return found
}

func ignoredByEnding(t *Tree, name string) bool {
	for line := range strings.Lines(string(t.Text[".gitignore"])) {
		if ok, err := path.Match(strings.TrimSpace(line), name); ok && err == nil {
			return true
		}
	}
	return false
}

// Generated checks that the generated files in the repository are those that the
// command would write now.
func Generated(t *Tree, files map[string][]byte) []Complaint {
	var found []Complaint
	for _, name := range slices.Sorted(maps.Keys(files)) {
		have, err := fs.ReadFile(t.fsys, name)
		switch {
		case err != nil:
			found = append(found, Complaint{name, 0, "is generated, but not there: run stanch docs"})
		case !bytes.Equal(have, files[name]):
			found = append(found, Complaint{name, firstDifference(have, files[name]), "is not what stanch docs writes: run it"})
		}
	}
	return found
}

func firstDifference(a, b []byte) int {
	other := bytes.Split(b, []byte("\n"))
	for i, line := range bytes.Split(a, []byte("\n")) {
		if i >= len(other) || !bytes.Equal(line, other[i]) {
			return i + 1
		}
	}
	return bytes.Count(a, []byte("\n")) + 1
}
