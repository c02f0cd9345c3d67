package repocheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Npm checks that packages of npm are those of a lock file, byte for byte, and
// run no script when they are installed.
func Npm(t *Tree) []Complaint {
	unpinned := regexp.MustCompile(`\b(npm (install|i|add|update|exec|x)|npx)\b`)
	clean := regexp.MustCompile(`\bnpm ci\b.*`)
	var found []Complaint
	for file, text := range t.Text {
		switch base := path.Base(file); {
		case base == "package-lock.json":
			found = append(found, lockedNpm(file, text)...)
		case strings.HasPrefix(file, ".ci/") || base == "Dockerfile" || path.Ext(base) == ".sh":
			for _, at := range unpinned.FindAllIndex(text, -1) {
				found = append(found, Complaint{file, lineOf(text, at[0]), fmt.Sprintf("%q installs the newest version: npm ci installs those of a lock file", text[at[0]:at[1]])})
			}
			for _, at := range clean.FindAllIndex(text, -1) {
				if !strings.Contains(string(text[at[0]:at[1]]), "--ignore-scripts") {
					found = append(found, Complaint{file, lineOf(text, at[0]), "npm ci without --ignore-scripts runs third-party scripts"})
				}
			}
		}
	}
	return sorted(found)
}

// lockedNpm checks that a lock file has the digest of each package. An optional
// one may be for another system than the tests', and then is never fetched.
func lockedNpm(file string, text []byte) []Complaint {
	var lock struct {
		Packages map[string]struct {
			Integrity, Resolved string
			Optional            bool
			// One name, or a list of them.
			OS, CPU any
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return []Complaint{{file, 0, err.Error()}}
	}
	var found []Complaint
	for _, name := range slices.Sorted(maps.Keys(lock.Packages)) {
		p := lock.Packages[name]
		elsewhere := p.Optional && !(strings.Contains(fmt.Sprint(p.OS), "linux") && strings.Contains(fmt.Sprint(p.CPU), "x64"))
		if name != "" && p.Integrity == "" && !elsewhere {
			found = append(found, Complaint{file, 0, name + " has no integrity, so any content would do"})
		}
		if p.Resolved != "" {
			found = append(found, Complaint{file, 0, name + " names a registry, which is the machine's matter"})
		}
	}
	return found
}
