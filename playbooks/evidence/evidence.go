// Package evidence writes the record of a case to a folder that an auditor can
// keep: the case as canonical JSON, the alerts as they were received, a page for
// people, the playbook that decided, the collected artifacts, and digests of all
// files.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The files that every bundle has, by their names inside it.
const (
	caseFile     = "case.json"
	pageFile     = "index.html"
	sumsFile     = "SHA256SUMS"
	playbookFile = "playbook.yaml"
)

// Options are the contents of a bundle in addition to the case. The caller must
// bound their size: they are held in memory.
type Options struct {
	// Playbook is the text that the case ran with; empty leaves it out.
	Playbook []byte
	// Artifacts are the collected files, by name. Names are made safe.
	Artifacts map[string][]byte
}

// Bundle is a written folder.
type Bundle struct {
	// Dir is the folder.
	Dir string
	// Files are its files, sorted by path, without the sums.
	Files []File
	// Digest is the digest of SHA256SUMS, which pins every file.
	Digest string
}

// File is one file of a bundle.
type File struct {
	Path   string
	Size   int64
	SHA256 string // lower-case hex
}

// Write writes the bundle of a case below dir, as
// playbook/subject/opened-run. The folder appears whole or not at all. Writing
// the same case again changes nothing; a later state of the same run replaces
// the folder, but keeps the artifacts that it has.
func Write(ctx context.Context, dir string, c incident.Case, o Options) (Bundle, error) {
	folder, err := folderOf(c)
	if err != nil {
		return Bundle{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Bundle{}, fmt.Errorf("make the evidence folder: %w", err)
	}
	// A root confines every path below dir, also where there are symbolic links.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Bundle{}, fmt.Errorf("open the evidence folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	kept, err := artifactsIn(root, folder)
	if err != nil {
		return Bundle{}, fmt.Errorf("read the evidence %q: %w", folder, err)
	}
	files, err := contents(c, o, kept)
	if err != nil {
		return Bundle{}, fmt.Errorf("write the page of case %q: %w", c.ID, err)
	}
	if err := put(ctx, root, folder, files); err != nil {
		return Bundle{}, fmt.Errorf("write the evidence %q: %w", folder, err)
	}
	b := Bundle{Dir: filepath.Join(dir, filepath.FromSlash(folder)), Digest: incident.DigestOf(files[sumsFile])}
	delete(files, sumsFile)
	b.Files = list(files)
	return b, nil
}

// folderOf is the bundle's folder. The tail of the run tells runs apart: the
// head of a Temporal run id is a time, which two runs can share.
func folderOf(c incident.Case) (string, error) {
	if c.Playbook == "" || c.Subject == "" || c.Run == "" || c.OpenedAt.IsZero() {
		return "", errors.New("write the evidence: the case has no playbook, subject, run or opening time")
	}
	run := component(c.Run)
	run = run[max(0, len(run)-8):]
	opened := c.OpenedAt.UTC().Format("20060102T150405Z")
	return path.Join(component(c.Playbook), component(c.Subject), opened+"-"+run), nil
}

// artifactsFolder is the folder of the collected artifacts.
const artifactsFolder = "artifacts"

// artifactsIn reads the artifacts that a bundle has already, by path.
func artifactsIn(root *os.Root, folder string) (map[string][]byte, error) {
	in := path.Join(folder, artifactsFolder)
	entries, err := fs.ReadDir(root.FS(), in)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kept := map[string][]byte{}
	for _, e := range entries {
		data, err := root.ReadFile(path.Join(in, e.Name()))
		if err != nil {
			return nil, err
		}
		kept[path.Join(artifactsFolder, e.Name())] = data
	}
	return kept, nil
}

// contents makes every file of the bundle, by path.
func contents(c incident.Case, o Options, kept map[string][]byte) (map[string][]byte, error) {
	files := rawAlerts(c)
	maps.Copy(files, kept)
	record, err := canonical(c)
	if err != nil {
		return nil, err
	}
	files[caseFile] = record
	if len(o.Playbook) > 0 {
		files[playbookFile] = o.Playbook
	}
	for _, name := range slices.Sorted(maps.Keys(o.Artifacts)) {
		files[path.Join(artifactsFolder, component(name))] = o.Artifacts[name]
	}
	page, err := renderPage(c, list(files))
	if err != nil {
		return nil, err
	}
	files[pageFile] = page
	files[sumsFile] = sums(list(files))
	return files, nil
}

// rawAlerts are the alerts' documents, byte for byte: JSON that is parsed and
// written again loses repeated keys, and need not even be valid to be evidence.
func rawAlerts(c incident.Case) map[string][]byte {
	files := map[string][]byte{}
	for i, a := range c.Alerts {
		if len(a.Raw) > 0 {
			files[fmt.Sprintf("alerts/%04d.json", i+1)] = a.Raw
		}
	}
	// The alert that the decision saw may have come after the first ones that
	// the case keeps.
	seen := slices.ContainsFunc(c.Alerts, func(a incident.Alert) bool { return a.Key() == c.Facts.Alert.Key() })
	if raw := c.Facts.Alert.Raw; len(raw) > 0 && !seen {
		files["alerts/decided.json"] = raw
	}
	return files
}
