package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a module with packages in the binary.
type module struct {
	path, dir string
	// folders are those of its packages, below dir.
	folders []string
}

// statement is one text of a module with its terms of use.
type statement struct {
	module string
	// notice marks a notice that Apache-2.0 requires in addition to the licence.
	notice bool
	text   string
}

// modulesOf lists the third-party modules in a binary for Linux on amd64, sorted.
func modulesOf(packages ...string) ([]module, error) {
	cmd := exec.CommandContext(context.Background(), "go", append([]string{"list", "-deps", "-json=Dir,Module"}, packages...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list what is in the binary: %w", err)
	}
	var modules []module
	for list := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		err := list.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("list what is in the binary: %w", err)
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		at := slices.IndexFunc(modules, func(m module) bool { return m.path == p.Module.Path })
		if at < 0 {
			at = len(modules)
			modules = append(modules, module{path: p.Module.Path, dir: p.Module.Dir})
		}
		modules[at].folders = append(modules[at].folders, p.Dir)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return modules, nil
}

// lent are the modules without a licence, and those of the same owner and
// repository or organisation whose licence is theirs.
func lent() map[string]string {
	return map[string]string{
		"github.com/cactus/go-statsd-client/statsd":    "github.com/cactus/go-statsd-client/v5",
		"github.com/nexus-rpc/nexus-proto-annotations": "github.com/nexus-rpc/sdk-go",
	}
}

// statements reads the licences and notices of a module: those at its top, and
// those on the way down to the packages that are in the binary.
func (m module) statements() ([]statement, error) {
	folders := map[string]bool{m.dir: true}
	for _, dir := range m.folders {
		for ; len(dir) > len(m.dir); dir = filepath.Dir(dir) {
			folders[dir] = true
		}
	}
	var found []statement
	for dir := range folders {
		said, err := read(m.path, dir)
		if err != nil {
			return nil, err
		}
		found = append(found, said...)
	}
	if _, ok := lent()[m.path]; !ok && !slices.ContainsFunc(found, func(s statement) bool { return !s.notice }) {
		return nil, fmt.Errorf("%s carries no licence: look whose it is under, and name it in lent", m.path)
	}
	return found, nil
}

func read(module, dir string) ([]statement, error) {
	licence := regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright)([-.].*)?$`)
	notice := regexp.MustCompile(`(?i)^notice(\.txt|\.md)?$`)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the licence of %s: %w", module, err)
	}
	var found []statement
	for _, e := range entries {
		isNotice := notice.MatchString(e.Name())
		if e.Type()&fs.ModeType != 0 || filepath.Ext(e.Name()) == ".go" || !isNotice && !licence.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the licence of %s: %w", module, err)
		}
		found = append(found, statement{module, isNotice, string(text)})
	}
	return found, nil
}
